"""Bring skeletons of different cameras and bodies into one frame of reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from pyskl.registry import PIPELINES
from pyskl.skeleton import SkeletonLayout, resolve_layout

Sample = dict[str, Any]

# Vectors shorter (in L1) and angles smaller than this give no rotation.
_NEGLIGIBLE = 1e-6


@PIPELINES.register_module()
class PreNormalize3D:
    """Centre 3D skeletons on the main person's body and turn the body upright.

    In this order (Shahroudy et al., "NTU RGB+D", CVPR 2016, section 3.2):

    1. The person with more non-zero frames becomes person 0; frames without them are dropped.
    2. Person 0's body centre in the first frame becomes the origin. Joints that are exactly zero
       count as missing and stay so.
    3. Everything is rotated so that the first frame's spine points along +z, and then so that the
       line from the left to the right shoulder points along +x.

    All-zero samples pass unchanged.

    Args:
        zaxis: The joints (bottom, top) that span the spine; the layout's by default.
        xaxis: The joints (right, left) that span the shoulders; the layout's by default.
        align_spine: Whether to rotate.
        align_center: Whether to move to the origin.
        layout: A layout, or its name, that says which joints these are. By default the
            convention of the family: joint 1 is the centre of 25-joint skeletons and the last
            joint of others; ``zaxis=[0, 1]``, ``xaxis=[8, 4]``.

    Takes ``keypoint`` (M, T, V, 3) of any float type and gives float32 with the same or a smaller
    T; sets ``total_frames`` and ``body_center`` (3,).
    """

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
        self.align_spine = align_spine
        self.align_center = align_center

    def __call__(self, sample: Sample) -> Sample:
        """Normalise ``keypoint``."""
        stored = sample["keypoint"].dtype
        skeleton = sample["keypoint"].astype(np.float32)  # (M, T, V, 3)
        joints = skeleton.shape[2]
        if skeleton.shape[3] != 3:
            raise ValueError(
                f"PreNormalize3D needs 3 coordinates, found (M, T, V, C) = {skeleton.shape}; "
                "for 2D skeletons there is PreNormalize2D"
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
        present = skeleton.any(axis=(2, 3))  # (M, T)
        if not present.any():
            return sample
        main = int(present.sum(axis=1).argmax())  # the first of equals
        if main != 0:
            order = [main, *(person for person in range(len(skeleton)) if person != main)]
            skeleton, present = skeleton[order], present[order]
        if not present[0].all():
            skeleton = skeleton[:, present[0]]

        center = np.zeros(3, dtype=np.float32)
        if self.align_center:
            center = skeleton[0, 0, self._body_center(joints)].copy()
            missing = ~skeleton.any(axis=3)  # (M, T, V)
            skeleton -= center
            skeleton[missing] = 0
            if stored == np.float16:
                # The published networks were trained on differences taken in the file's precision.
                skeleton = skeleton.astype(np.float16).astype(np.float32)
        if self.align_spine:
            bottom, top = self.zaxis
            skeleton = _turned(skeleton, bottom, top, target=np.array([0.0, 0.0, 1.0]))
            right, left = self.xaxis
            skeleton = _turned(skeleton, left, right, target=np.array([1.0, 0.0, 0.0]))
        sample["keypoint"] = skeleton
        sample["total_frames"] = skeleton.shape[1]
        sample["body_center"] = center
        return sample

    def _body_center(self, joints: int) -> int:
        if self.layout is not None:
            return self.layout.body_center
        return 1 if joints == 25 else joints - 1


def _turned(skeleton: np.ndarray, start: int, end: int, target: np.ndarray) -> np.ndarray:
    """Rotate all so that joint ``start`` → ``end`` of person 0's first frame is on ``target``."""
    rotation = shortest_rotation(
        (skeleton[0, 0, end] - skeleton[0, 0, start]).astype(np.float64), target
    )
    return skeleton if rotation is None else skeleton @ rotation.T.astype(np.float32)


def _pair(name: str, given: Sequence[int] | None, default: Sequence[int]) -> tuple[int, int]:
    pair = tuple(default if given is None else given)
    if len(pair) != 2 or min(pair) < 0:
        raise ValueError(f"{name} should name two joints, found {given}")
    return pair


def shortest_rotation(vector: np.ndarray, target: np.ndarray) -> np.ndarray | None:
    """Return the rotation by the smallest angle that turns ``vector`` to point along ``target``.

    Rodrigues' formula about the axis ``vector x target``.

    Args:
        vector: (3,), any length.
        target: (3,), of unit length.

    Returns:
        A (3, 3) matrix R with R @ vector along target, or None where there is nothing to turn:
        the vector or the angle is negligible, or they are opposite, where no axis is the shortest.
    """
    if np.abs(vector).sum() < _NEGLIGIBLE:
        return None
    axis = np.cross(vector, target)
    if np.abs(axis).sum() < _NEGLIGIBLE:
        return None
    cosine = float(np.clip(vector @ target / np.linalg.norm(vector), -1, 1))
    angle = np.arccos(cosine)
    if angle < _NEGLIGIBLE:
        return None
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - cosine) * (cross @ cross)


@PIPELINES.register_module()
class PreNormalize2D:
    """Bring pixel coordinates into [-1, 1].

    Args:
        img_shape: (height, width) in pixels, used where the sample has no ``img_shape``.
        threshold: Joints whose score is at most this get x = y = 0.
        mode: ``'fix'`` scales by the image, ``'auto'`` by the box around the joints whose score
            exceeds the threshold; samples whose box is not larger than 10 pixels both ways keep
            their pixels.

    Takes ``keypoint`` (M, T, V, 2) and ``keypoint_score`` (M, T, V) where present; the score
    becomes the third coordinate: (M, T, V, 3). Keypoints that come with three coordinates count
    as scored.
    """

    def __init__(
        self,
        img_shape: Sequence[int] = (1080, 1920),
        threshold: float = 0.01,
        mode: Literal["fix", "auto"] = "fix",
    ) -> None:
        if mode not in ("fix", "auto"):
            raise ValueError(f"mode should be 'fix' or 'auto', found {mode!r}")
        if len(img_shape) != 2:
            raise ValueError(f"img_shape should be (height, width), found {img_shape}")
        self.img_shape = tuple(img_shape)
        self.threshold = threshold
        self.mode = mode

    def __call__(self, sample: Sample) -> Sample:
        """Normalise ``keypoint``."""
        keypoint = sample["keypoint"].astype(np.float32)  # (M, T, V, C)
        score = sample.pop("keypoint_score", None)
        if score is not None:
            keypoint = np.concatenate([keypoint[..., :2], score[..., None]], axis=-1, dtype="f4")
        scored = keypoint.shape[-1] == 3
        seen = keypoint[..., 2] > self.threshold if scored else None  # (M, T, V)

        reference = self._frame_of_reference(keypoint, seen, sample.get("img_shape"))
        if reference is not None:
            center, half = reference
            keypoint[..., :2] -= center
            keypoint[..., :2] /= half
        if seen is not None:
            keypoint[..., :2] *= seen[..., None]
        sample["keypoint"] = keypoint
        sample["scored"] = scored
        sample["normalized"] = reference is not None
        return sample

    def _frame_of_reference(
        self, keypoint: np.ndarray, seen: np.ndarray | None, img_shape: Sequence[int] | None
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Return what becomes the origin and what becomes one unit, as (x, y) in pixels."""
        if self.mode == "fix":
            height, width = self.img_shape if img_shape is None else img_shape
            half = np.array([width, height], dtype=np.float32) / 2
            return half, half
        points = keypoint[..., :2][seen] if seen is not None else keypoint[..., :2]
        points = points.reshape(-1, 2)
        if not len(points):
            return None
        low, high = points.min(axis=0), points.max(axis=0)
        return ((low + high) / 2, (high - low) / 2) if ((high - low) > 10).all() else None


@PIPELINES.register_module()
class PoseCompact:
    """Crop the image to the box around the skeletons of all frames.

    Args:
        padding: Margin around the box, as a share of its size.
        threshold: Boxes smaller than this (pixels) leave the sample as it is.
        hw_ratio: Widen the box to this height / width ratio; (low, high) for a range.
        allow_imgpad: Whether the box may reach outside the image.

    Takes ``keypoint`` (M, T, V, 2+) in pixels and ``img_shape``; moves the one and replaces the
    other by the size of the box.
    """

    def __init__(
        self,
        padding: float = 0.25,
        threshold: int = 10,
        hw_ratio: float | Sequence[float] | None = None,
        allow_imgpad: bool = True,
    ) -> None:
        self.padding = padding
        self.threshold = threshold
        if isinstance(hw_ratio, (int, float)):
            hw_ratio = (hw_ratio, hw_ratio)
        self.hw_ratio = None if hw_ratio is None else tuple(hw_ratio)
        self.allow_imgpad = allow_imgpad

    def __call__(self, sample: Sample) -> Sample:
        """Crop to the box."""
        height, width = sample["img_shape"]
        keypoint = sample["keypoint"].astype(np.float32)
        there = (keypoint[..., :2] != 0).any(axis=-1)
        points = keypoint[..., :2][there]
        if not len(points):
            return sample
        low, high = points.min(axis=0), points.max(axis=0)  # (x, y)
        if (high - low < self.threshold).any():
            return sample
        center, half = (low + high) / 2, (high - low) / 2 * (1 + self.padding)
        if self.hw_ratio is not None:
            half[1] = max(self.hw_ratio[0] * half[0], half[1])
            half[0] = max(half[1] / self.hw_ratio[1], half[0])
        low, high = center - half, center + half
        if not self.allow_imgpad:
            low, high = np.maximum(low, 0), np.minimum(high, [width, height])
        low, high = np.floor(low).astype(int), np.ceil(high).astype(int)
        keypoint[..., :2] = np.where(there[..., None], keypoint[..., :2] - low, 0)
        sample["keypoint"] = keypoint
        sample["img_shape"] = (int(high[1] - low[1]), int(high[0] - low[0]))
        return sample
