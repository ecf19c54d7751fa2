"""Normalise position and orientation of 3D skeletons."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from pyskl.datasets.pipelines.numeric import as_row, as_rows, new_float32, round_to_float16
from pyskl.registry import PIPELINES
from pyskl.skeleton import SkeletonLayout, resolve_layout

Sample = dict[str, Any]

# Vectors shorter (in L1) and angles smaller than this give no rotation.
_NEGLIGIBLE = 1e-6

_NTU_JOINTS = 25


@PIPELINES.register_module()
class PreNormalize3D:
    """Centre 3D skeletons on the main person and turn that person upright.

    In this order (Shahroudy et al., "NTU RGB+D", CVPR 2016, section 3.2):

    1. The person with more non-zero frames becomes person 0; frames without them are dropped.
    2. Person 0's body centre in the first frame becomes the origin. Joints that are exactly zero
       count as missing and stay zero.
    3. Everything is rotated so that the first frame's spine points along +z, and then so that the
       line from the left to the right shoulder points along +x.

    All-zero samples pass unchanged.

    Args:
        zaxis: The joints (bottom, top) of the spine; by default those of the layout.
        xaxis: The joints (right, left) of the shoulders; by default those of the layout.
        align_spine: Whether to rotate.
        align_center: Whether to move to the origin.
        layout: A layout, or its name, that defines these joints. By default the convention of
            PYSKL: the body centre is joint 1 of 25-joint skeletons and the last joint of others;
            ``zaxis=[0, 1]``, ``xaxis=[8, 4]``. That is right for NTU RGB+D; for skeletons with
            another number of joints :meth:`assumption` says so.

    Takes ``keypoint`` (M, T, V, 3) of any float type and returns it as float32, with the same or a
    smaller T; sets ``total_frames`` and ``body_center`` (3,).
    """

    deterministic: ClassVar[bool] = True

    def __init__(
        self,
        zaxis: Sequence[int] | None = None,
        xaxis: Sequence[int] | None = None,
        align_spine: bool = True,
        align_center: bool = True,
        layout: str | Mapping[str, Any] | SkeletonLayout | None = None,
    ) -> None:
        self.layout = None if layout is None else resolve_layout(layout)
        self.zaxis = _pair("zaxis", zaxis, self.layout.spine if self.layout else (0, 1))
        self.xaxis = _pair("xaxis", xaxis, self.layout.shoulders if self.layout else (8, 4))
        self.given_spine, self.given_shoulders = zaxis is not None, xaxis is not None
        self.align_spine = align_spine
        self.align_center = align_center

    def __call__(self, sample: Sample) -> Sample:
        """Normalise ``keypoint``."""
        stored = sample["keypoint"]  # (M, T, V, 3)
        self._check(stored)
        skeleton = new_float32(stored)
        # A fast check: usually no x is zero, so no joint is missing.
        complete = skeleton.size > 0 and bool(skeleton[..., 0].all())
        if not complete:
            present: np.ndarray = np.any(skeleton, axis=(2, 3))  # (M, T)
            if not present.any():
                sample["keypoint"] = skeleton
                return sample
            skeleton = _main_person_first(skeleton, present)

        center = np.zeros(3, dtype=np.float32)
        if self.align_center:
            center = skeleton[0, 0, self._body_center(skeleton.shape[2])].copy()
            missing = None if complete else _missing_joints(skeleton)
            rows = as_rows(skeleton)
            rows -= as_row(center, skeleton.shape[2])
            if missing is not None:
                skeleton.reshape(-1, 3)[missing] = 0
            if stored.dtype == np.float16:
                # Published weights were trained on differences computed in float16.
                skeleton = round_to_float16(skeleton)
        if self.align_spine:
            rotation = self._rotation(skeleton[0, 0])
            if rotation is not None:  # one large product is faster than many small ones
                turned = skeleton.reshape(-1, 3) @ rotation.T.astype(np.float32)
                skeleton = turned.reshape(skeleton.shape)
        sample["keypoint"] = skeleton
        sample["total_frames"] = skeleton.shape[1]
        sample["body_center"] = center
        return sample

    def assumption(self, joints: int, without_size: int) -> str | None:
        """Return what is assumed about skeletons of another layout than NTU RGB+D's, or None.

        Args:
            joints: V.
            without_size: Not used.
        """
        if self.layout is not None:
            (bottom, top), (right, left) = self.zaxis, self.xaxis
            if not self.align_spine or bottom != top or right != left:
                return None
            return (
                f"PreNormalize3D turns nobody upright, as the layout {self.layout.name!r} has "
                "neither spine nor shoulders: add them, or set align_spine=False if that is meant"
            )
        if joints == _NTU_JOINTS:
            return None
        taken = []
        if self.align_center:
            taken.append(f"joint {self._body_center(joints)} is the body centre")
        if self.align_spine and not self.given_spine:
            taken.append(f"the spine goes from joint {self.zaxis[0]} to {self.zaxis[1]}")
        if self.align_spine and not self.given_shoulders:
            taken.append(f"the right and left shoulder are the joints {self.xaxis}")
        if not taken:
            return None
        return (
            f"PreNormalize3D assumes of skeletons of {joints} joints, as PYSKL does, that "
            f"{', '.join(taken)}: state them with its layout=..."
        )

    def _check(self, keypoint: np.ndarray) -> None:
        joints = keypoint.shape[2]
        if keypoint.shape[3] != 3:
            raise ValueError(
                f"PreNormalize3D needs 3 coordinates, found (M, T, V, C) = {keypoint.shape}; "
                "use PreNormalize2D for 2D skeletons"
                + (", or reorder (C, T, V, M)" if len(keypoint) == 3 else "")
            )
        if self.layout is not None and self.layout.num_joints != joints:
            raise ValueError(
                f"layout {self.layout.name!r} has {self.layout.num_joints} joints, the keypoints "
                f"have {joints}"
            )
        if self.align_spine and max(*self.zaxis, *self.xaxis) >= joints:
            raise ValueError(
                f"zaxis {self.zaxis} and xaxis {self.xaxis} name joints that a skeleton of "
                f"{joints} joints lacks; give zaxis and xaxis, or a layout"
            )

    def _body_center(self, joints: int) -> int:
        if self.layout is not None:
            return self.layout.body_center
        return 1 if joints == _NTU_JOINTS else joints - 1

    def _rotation(self, body: np.ndarray) -> np.ndarray | None:
        """Return the rotation that aligns spine and shoulders of a skeleton (V, 3), or None."""
        bottom, top = self.zaxis
        right, left = self.xaxis
        ends = body.take((top, right, bottom, left), axis=0)
        spine, shoulders = (ends[:2] - ends[2:]).tolist()
        upright = shortest_rotation(spine, (0.0, 0.0, 1.0))
        if upright is not None:
            a, b, c = shoulders
            shoulders = [row[0] * a + row[1] * b + row[2] * c for row in upright]
        sideways = shortest_rotation(shoulders, (1.0, 0.0, 0.0))
        rotations = [np.array(rotation) for rotation in (sideways, upright) if rotation]
        if not rotations:
            return None
        return rotations[0] if len(rotations) == 1 else rotations[0] @ rotations[1]


def _main_person_first(skeleton: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Put the person with the most frames first, and drop the other frames of all persons.

    Args:
        skeleton: (M, T, V, 3).
        present: Which frames of each person are not all zero, (M, T).
    """
    main = int(present.sum(axis=1).argmax())  # the first of equals
    if main != 0:
        order = [main, *(person for person in range(len(skeleton)) if person != main)]
        skeleton = skeleton[order]
    if not present[main].all():
        skeleton = skeleton.compress(present[main], axis=1)
    return skeleton


def _missing_joints(skeleton: np.ndarray) -> np.ndarray:
    """Return the flat indices into (M, T, V) of the joints at exactly (0, 0, 0)."""
    points = skeleton.reshape(-1, 3)
    candidates = np.flatnonzero(points[:, 0] == 0)  # few, so y and z are checked only there
    return candidates[~points[candidates].any(axis=1)]


def _pair(name: str, given: Sequence[int] | None, default: Sequence[int]) -> tuple[int, int]:
    pair = tuple(default if given is None else given)
    if len(pair) != 2 or min(pair) < 0:
        raise ValueError(f"{name} should name two joints, found {given}")
    return pair


def shortest_rotation(vector: Sequence[float], target: Sequence[float]) -> list[list[float]] | None:
    """Return the rotation by the smallest angle that turns ``vector`` to point along ``target``.

    Rodrigues' formula about the axis ``vector x target``, with Python numbers, which are faster
    than tiny arrays.

    Args:
        vector: (3,), any length.
        target: (3,), of unit length.

    Returns:
        The rows of a (3, 3) matrix R with R @ vector along ``target``; None if the vector or the
        angle is negligible, or if the two are opposite, which leaves the axis undefined.
    """
    (a, b, c), (p, q, r) = vector, target
    if abs(a) + abs(b) + abs(c) < _NEGLIGIBLE:
        return None
    x, y, z = b * r - c * q, c * p - a * r, a * q - b * p  # vector x target
    if abs(x) + abs(y) + abs(z) < _NEGLIGIBLE:
        return None
    cosine = (a * p + b * q + c * r) / math.sqrt(a * a + b * b + c * c)
    cosine = min(max(cosine, -1.0), 1.0)
    angle = math.acos(cosine)
    if angle < _NEGLIGIBLE:
        return None
    length = math.sqrt(x * x + y * y + z * z)
    x, y, z = x / length, y / length, z / length
    sine, rest = math.sin(angle), 1 - cosine
    # cos·I + sin·[axis] + (1 - cos)·axis axisᵀ
    return [
        [cosine + rest * x * x, rest * x * y - sine * z, rest * x * z + sine * y],
        [rest * x * y + sine * z, cosine + rest * y * y, rest * y * z - sine * x],
        [rest * x * z - sine * y, rest * y * z + sine * x, cosine + rest * z * z],
    ]
