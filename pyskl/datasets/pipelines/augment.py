"""Random changes of a skeleton, for training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from pyskl.datasets.randomness import generator
from pyskl.registry import PIPELINES
from pyskl.skeleton import SkeletonLayout, resolve_layout

Sample = dict[str, Any]


def num_coordinates(sample: Sample) -> int:
    """Return how many of the last axis' entries are positions: 2 where the third is a score.

    Raises:
        ValueError: for more than three channels, which are several streams.
    """
    channels = int(sample["keypoint"].shape[-1])
    if channels not in (2, 3):
        raise ValueError(
            f"needs joints of 2 or 3 coordinates, found {channels} channels; augmentation comes "
            "before GenSkeFeat merges streams"
        )
    return 2 if sample.get("scored", False) else channels


@PIPELINES.register_module()
class RandomRot:
    """Rotate the sample by random angles.

    3D: about the x, the y and then the z axis, three angles uniform in ±theta; 2D: one angle
    uniform in ±theta. All-zero samples pass unchanged.

    Args:
        theta: Radians.
    """

    def __init__(self, theta: float = 0.3) -> None:
        self.theta = theta

    def __call__(self, sample: Sample) -> Sample:
        """Rotate ``keypoint`` (M, T, V, C)."""
        keypoint = sample["keypoint"]
        if not keypoint.any():
            return sample
        dims = num_coordinates(sample)
        angles = generator().uniform(-self.theta, self.theta, size=3 if dims == 3 else 1)
        rotation = rotation_3d(*angles) if dims == 3 else rotation_2d(*angles)
        rotated = keypoint[..., :dims] @ rotation.T.astype(keypoint.dtype)
        sample["keypoint"] = np.concatenate([rotated, keypoint[..., dims:]], axis=-1)
        return sample


def rotation_3d(x: float, y: float, z: float) -> np.ndarray:
    """Return Rz·Ry·Rx, (3, 3), for angles in radians."""
    (cx, cy, cz), (sx, sy, sz) = np.cos([x, y, z]), np.sin([x, y, z])
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def rotation_2d(angle: float) -> np.ndarray:
    """Return the rotation by ``angle`` radians, (2, 2)."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])


@PIPELINES.register_module()
class RandomScale:
    """Stretch each axis by 1 + uniform(-scale, scale).

    Args:
        scale: One number for all axes, or one per axis.
    """

    def __init__(self, scale: float | Sequence[float] = 0.2) -> None:
        self.scale = scale

    def __call__(self, sample: Sample) -> Sample:
        """Stretch ``keypoint`` (M, T, V, C)."""
        keypoint = sample["keypoint"].copy()
        dims = num_coordinates(sample)
        scale = np.broadcast_to(np.asarray(self.scale, dtype=float), (dims,))
        factor = 1 + generator().uniform(-scale, scale)
        keypoint[..., :dims] *= factor.astype(keypoint.dtype)
        sample["keypoint"] = keypoint
        return sample


@PIPELINES.register_module()
class RandomGaussianNoise:
    """Move joints in random directions.

    The length of a move is normal, with standard deviation ``sigma`` times the diagonal of the
    box around the skeleton. Absent (all-zero) skeletons stay absent.

    Args:
        sigma: Relative to the diagonal.
        base: ``'frame'`` takes the box of each frame, ``'video'`` that of the whole sample.
        shared: Whether a joint moves by the same amount in all frames and persons.
    """

    def __init__(
        self,
        sigma: float = 0.01,
        base: Literal["frame", "video"] = "frame",
        shared: bool = False,
    ) -> None:
        if base not in ("frame", "video"):
            raise ValueError(f"base should be 'frame' or 'video', found {base!r}")
        self.sigma = sigma
        self.base = base
        self.shared = shared

    def __call__(self, sample: Sample) -> Sample:
        """Move the joints of ``keypoint`` (M, T, V, C)."""
        keypoint = sample["keypoint"].copy()
        dims = num_coordinates(sample)
        positions = keypoint[..., :dims]
        persons, frames, joints, _ = positions.shape
        present = positions.any(axis=(2, 3), keepdims=True)  # (M, T, 1, 1)
        if not present.any():
            return sample
        if self.base == "frame":  # (M, T, 1, 1)
            span = positions.max(axis=2) - positions.min(axis=2)
            diagonal = np.linalg.norm(span, axis=-1)[:, :, None, None]
        else:
            there = positions[present[..., 0, 0]].reshape(-1, dims)
            diagonal = np.linalg.norm(there.max(axis=0) - there.min(axis=0))
        rng = generator()
        shape = (joints, dims) if self.shared else (persons, frames, joints, dims)
        direction = rng.normal(size=shape)
        direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
        length = rng.normal(size=(*shape[:-1], 1)) * self.sigma * diagonal
        keypoint[..., :dims] += (direction * length * present).astype(keypoint.dtype)
        sample["keypoint"] = keypoint
        return sample


@PIPELINES.register_module()
class Flip:
    """Mirror the skeleton left-right with some probability.

    Pixel coordinates are mirrored within the image (``img_shape``), others about zero; left and
    right joints change places.

    Args:
        flip_ratio: The probability.
        direction: Only ``'horizontal'``.
        left_kp: The joints of the left side, in the order of ``right_kp``.
        right_kp: The joints of the right side.
        layout: A layout, or its name, whose mirror pairs to use instead of the two lists.
    """

    def __init__(
        self,
        flip_ratio: float = 0.5,
        direction: Literal["horizontal"] = "horizontal",
        left_kp: Sequence[int] | None = None,
        right_kp: Sequence[int] | None = None,
        layout: str | Mapping[str, Any] | SkeletonLayout | None = None,
    ) -> None:
        if not 0 <= flip_ratio <= 1:
            raise ValueError(f"flip_ratio should lie in [0, 1], found {flip_ratio}")
        if direction != "horizontal":
            raise ValueError(f"direction should be 'horizontal', found {direction!r}")
        if layout is not None:
            resolved = resolve_layout(layout)
            left_kp, right_kp = resolved.left, resolved.right
        if left_kp is None or right_kp is None or len(left_kp) != len(right_kp):
            raise ValueError("Flip needs left_kp and right_kp of one length, or a layout")
        self.flip_ratio = flip_ratio
        self.left = list(left_kp)
        self.right = list(right_kp)

    def __call__(self, sample: Sample) -> Sample:
        """Mirror ``keypoint`` (M, T, V, C) and ``keypoint_score``."""
        if generator().random() >= self.flip_ratio:
            return sample
        keypoint = sample["keypoint"].copy()
        there = keypoint[..., :2].any(axis=-1)  # (M, T, V): missing joints stay at zero
        pixels = "img_shape" in sample and not sample.get("normalized", False)
        width = sample["img_shape"][1] if pixels else 0
        keypoint[..., 0] = np.where(there, width - keypoint[..., 0], keypoint[..., 0])
        sample["keypoint"] = self._swapped(keypoint)
        if "keypoint_score" in sample:
            sample["keypoint_score"] = self._swapped(sample["keypoint_score"])
        return sample

    def _swapped(self, array: np.ndarray) -> np.ndarray:
        swapped = array.copy()
        swapped[:, :, self.left] = array[:, :, self.right]
        swapped[:, :, self.right] = array[:, :, self.left]
        return swapped
