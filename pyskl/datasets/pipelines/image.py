"""Normalise 2D skeletons, which are in pixels of an image.

Shapes: M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from pyskl.datasets.pipelines.numeric import (
    as_float32,
    as_row,
    as_rows,
    interleaved,
    new_float32,
)
from pyskl.errors import InputError
from pyskl.registry import PIPELINES

Sample = dict[str, Any]


@PIPELINES.register_module()
class PreNormalize2D:
    """Bring pixel coordinates into [-1, 1].

    Args:
        img_shape: (height, width) in pixels, used where the sample has no ``img_shape``. By default
            1080 x 1920 is assumed, as in PYSKL, and :meth:`assumption` says so.
        threshold: Joints with at most this score get x = y = 0.
        mode: ``'fix'`` scales by the image, ``'auto'`` by the box around the joints whose score
            exceeds the threshold; samples whose box is at most 10 pixels wide or high keep their
            pixels.

    Takes ``keypoint`` (M, T, V, 2) and, if present, ``keypoint_score`` (M, T, V), which becomes the
    third channel: (M, T, V, 3). The third channel of keypoints that have three is taken as the
    score.

    Raises:
        InputError: by ``mode='fix'``, if most joints would lie far outside the image, or the
            coordinates are no pixels but within -2 to 2.
    """

    deterministic: ClassVar[bool] = True

    def __init__(
        self,
        img_shape: Sequence[int] | None = None,
        threshold: float = 0.01,
        mode: Literal["fix", "auto"] = "fix",
    ) -> None:
        if mode not in ("fix", "auto"):
            raise ValueError(f"mode should be 'fix' or 'auto', found {mode!r}")
        if img_shape is not None and (len(img_shape) != 2 or min(img_shape) <= 0):
            raise ValueError(f"img_shape should be (height, width), found {img_shape}")
        self.img_shape = None if img_shape is None else tuple(img_shape)
        self.threshold = threshold
        self.mode = mode

    def __call__(self, sample: Sample) -> Sample:
        """Normalise ``keypoint``."""
        positions, score = self._parts(sample)  # (M, T, V, 2), (M, T, V)
        seen = None if score is None else score > self.threshold

        stated = sample.get("img_shape")
        stated = self.img_shape if stated is None else stated
        if self.mode == "fix":
            _check_image(positions, seen, stated)
        reference = self._frame_of_reference(positions, seen, stated)
        if reference is not None:
            rows, joints = as_rows(positions), positions.shape[2]
            center, half = reference
            rows -= as_row(center, joints)
            rows /= as_row(half, joints)
        if score is None or seen is None:
            sample["keypoint"] = positions
        else:
            shown = seen.astype(np.float32)
            columns = (positions[..., 0] * shown, positions[..., 1] * shown, score)
            sample["keypoint"] = interleaved(columns)
        sample["scored"] = score is not None
        sample["normalized"] = reference is not None
        return sample

    def _parts(self, sample: Sample) -> tuple[np.ndarray, np.ndarray | None]:
        """Return new positions (M, T, V, 2) and the scores (M, T, V), if there are any."""
        keypoint = sample["keypoint"]
        score = sample.pop("keypoint_score", None)
        if score is None and keypoint.shape[-1] == 3:
            score = keypoint[..., 2]
        positions = new_float32(keypoint[..., :2])
        return positions, None if score is None else as_float32(score)

    def _frame_of_reference(
        self, positions: np.ndarray, seen: np.ndarray | None, img_shape: Sequence[int] | None
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the new origin and unit length, each (x, y) in pixels; None to keep pixels."""
        if self.mode == "fix":
            height, width = _ASSUMED_SIZE if img_shape is None else img_shape
            half = np.array([width, height], dtype=np.float32) / 2
            return half, half
        points = (positions if seen is None else positions[seen]).reshape(-1, 2)
        if not len(points):
            return None
        low, high = points.min(axis=0), points.max(axis=0)
        return ((low + high) / 2, (high - low) / 2) if ((high - low) > 10).all() else None

    def assumption(self, joints: int, without_size: int) -> str | None:
        """Return what is assumed about samples of which some have no ``img_shape``, or None.

        Args:
            joints: V.
            without_size: The number of samples without ``img_shape``.
        """
        if self.mode != "fix" or self.img_shape is not None or not without_size:
            return None
        height, width = _ASSUMED_SIZE
        return (
            f"PreNormalize2D assumes images of {height} x {width} pixels (height x width), as "
            "nothing states their size: set img_shape in the samples or in PreNormalize2D, or give "
            "--img-shape to tools/infer.py and tools/data/convert.py"
        )


# PYSKL's default.
_ASSUMED_SIZE = (1080, 1920)

# Coordinates up to this are no pixels, if the sides of the image are longer than _SMALL_IMAGE.
_NO_PIXELS, _SMALL_IMAGE = 2.0, 16


def _check_image(
    positions: np.ndarray, seen: np.ndarray | None, stated: Sequence[int] | None
) -> None:
    """Refuse positions (M, T, V, 2) that can't be pixels of an image of the stated size.

    Outside of an image that is only assumed, half of the joints are enough; a stated size is
    refused if they are more than the image away from it.
    """
    if not positions.size:
        return
    height, width = _ASSUMED_SIZE if stated is None else stated
    x, y = positions[..., 0], positions[..., 1]
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    if low >= 0 and x.max() <= width and y.max() <= height and high > _NO_PIXELS:
        return  # nearly always
    there = (x != 0) | (y != 0)
    if seen is not None:
        there &= seen
    count = int(there.sum())
    if not count:
        return
    if max(-low, high) <= _NO_PIXELS and min(height, width) > _SMALL_IMAGE:
        raise InputError(
            "are not pixels, so they would all be in one corner of the image",
            key="keypoint",
            found=f"coordinates from {low:.3g} to {high:.3g}",
            expected=f"pixels of {height} x {width}",
            hint="leave PreNormalize2D out if they are normalised already; if they are shares of "
            "the image, multiply them by its size or set img_shape=(1, 1)",
        )
    away = 0.0 if stated is None else 1.0
    far = (x < -away * width) | (x > (1 + away) * width)
    far |= (y < -away * height) | (y > (1 + away) * height)
    if 2 * int((far & there).sum()) > count:
        raise InputError(
            "does not fit the joints: most of them lie outside the image",
            key="img_shape",
            found=f"x from {x[there].min():.4g} to {x[there].max():.4g}, "
            f"y from {y[there].min():.4g} to {y[there].max():.4g}",
            expected=f"{height} x {width} (height x width)"
            + (", which is assumed" if stated is None else ""),
            hint="state the size of the images: img_shape=(height, width) in the samples or in "
            "PreNormalize2D, or --img-shape",
        )


@PIPELINES.register_module()
class PoseCompact:
    """Crop the image to the box around the skeletons of all frames.

    Args:
        padding: Margin around the box, as a share of its size.
        threshold: If the box is narrower or lower than this (pixels), the sample is not changed.
        hw_ratio: Widen the box to this height / width ratio; (low, high) for a range.
        allow_imgpad: Whether the box may reach outside the image.

    Takes ``keypoint`` (M, T, V, 2+) in pixels and ``img_shape``; moves the keypoints and
    sets ``img_shape`` to the size of the box.
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
        if sample.get("img_shape") is None:
            raise InputError("is missing, and PoseCompact needs it", key="img_shape")
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
