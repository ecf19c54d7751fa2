"""What is to be drawn: one sequence, as data sets and pipelines have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pyskl.errors import InputError
from pyskl.skeleton import SkeletonLayout

Up = Literal["y", "-y", "z", "-z"]
UPS: tuple[Up, ...] = ("y", "-y", "z", "-z")


@dataclass(frozen=True)
class Clip:
    """One sequence to draw.

    Attributes:
        keypoint: Joint positions (M, T, V, C), any float type; C is 2 (x to the right, y down, as
            in images) or 3. In layouts of 2D joints a third coordinate is the score. Persons and
            joints at exactly zero, or at NaN, were not seen.
        score: Confidence of the joints (M, T, V), 0 to 1; uncertain joints are drawn faint.
        title: Plain text, one line.
        notes: Plain text, shorter lines under the title: classes, probabilities, where it is from.
        importance: Weight of the joints from 0 to 1, shown by their size and colour: (V,), (T, V)
            or (M, T, V).
        arrows: Vectors (M, T, V, C) drawn from the joints, as bones or motions.
        arrows_from: Whether the arrow of a joint starts at it or at its bone parent.
        arrow_gain: How many times as long as they are arrows are drawn.
        fps: Frames per second.
        up: The axis of 3D data that points upward; by default guessed, see
            :func:`pyskl.drawing.skeleton.scene.guess_up`.
        image_size: (height, width) that x and y of 2D data lie in: shown whole where ``images``
            are given, otherwise of no effect.
        images: The frames of a video under 2D data, T of them: RGB arrays (H, W, 3) of uint8.

    Raises:
        InputError: if the shapes do not fit together.
    """

    keypoint: np.ndarray
    score: np.ndarray | None = None
    title: str = ""
    notes: Sequence[str] = ()
    importance: np.ndarray | None = None
    arrows: np.ndarray | None = None
    arrows_from: Literal["joint", "parent"] = "joint"
    arrow_gain: float = 1.0
    fps: float = 30.0
    up: Up | None = None
    image_size: tuple[int, int] | None = None
    images: Sequence[np.ndarray] | None = None

    def __post_init__(self) -> None:
        """Check the shapes."""
        shape = np.shape(self.keypoint)
        if len(shape) != 4 or 0 in shape or shape[3] not in (2, 3):
            raise InputError(
                f"{self._name()}: keypoint should be (M, T, V, C) with C = 2 or 3, found {shape}"
            )
        if self.score is not None and np.shape(self.score) != shape[:3]:
            raise InputError(
                f"{self._name()}: score should be (M, T, V) = {shape[:3]}, found "
                f"{np.shape(self.score)}"
            )
        if self.arrows is not None and np.shape(self.arrows) != shape:
            raise InputError(
                f"{self._name()}: arrows should be (M, T, V, C) = {shape} as keypoint is, found "
                f"{np.shape(self.arrows)}"
            )
        if self.importance is not None and np.shape(self.importance) not in (
            shape[2:3],
            shape[1:3],
            shape[:3],
        ):
            raise InputError(
                f"{self._name()}: importance should be (V,), (T, V) or (M, T, V) for (M, T, V) = "
                f"{shape[:3]}, found {np.shape(self.importance)}"
            )
        if not self.fps > 0:
            raise InputError(f"{self._name()}: fps should be above 0, found {self.fps}")
        if self.up is not None and self.up not in UPS:
            raise InputError(f"{self._name()}: up should be one of {UPS}, found {self.up!r}")
        if self.images is not None and len(self.images) != shape[1]:
            raise InputError(
                f"{self._name()}: {len(self.images)} images for {shape[1]} frames of keypoints"
            )

    @classmethod
    def of_sample(cls, sample: Mapping[str, Any], **changes: Any) -> Clip:
        """Return the clip of a sample as annotation files hold it.

        Args:
            sample: Its ``keypoint``, and ``keypoint_score``, ``frame_dir`` (the title) and
                ``img_shape`` where present.
            **changes: Other attributes, or other values of these.
        """
        values: dict[str, Any] = {
            "keypoint": sample["keypoint"],
            "score": sample.get("keypoint_score"),
            "title": str(sample.get("frame_dir", sample.get("filename", ""))),
        }
        if sample.get("img_shape") is not None:
            height, width = sample["img_shape"]
            values["image_size"] = (int(height), int(width))
        return cls(**{**values, **changes})

    @property
    def num_frames(self) -> int:
        """T."""
        return int(self.keypoint.shape[1])

    def check_layout(self, layout: SkeletonLayout) -> None:
        """Raise an InputError if the layout has another number of joints."""
        if self.keypoint.shape[2] != layout.num_joints:
            raise InputError(
                f"{self._name()}: layout {layout.name!r} has {layout.num_joints} joints, the "
                f"keypoints have {self.keypoint.shape[2]}: (M, T, V, C) = {self.keypoint.shape}"
            )

    def take(self, frames: np.ndarray) -> Clip:
        """Return the clip of these frames only, at the same speed.

        Args:
            frames: Their numbers, rising.
        """
        span = (frames[-1] - frames[0]) / max(len(frames) - 1, 1) or 1.0
        return self.replaced(
            keypoint=self.keypoint[:, frames],
            score=None if self.score is None else self.score[:, frames],
            arrows=None if self.arrows is None else self.arrows[:, frames],
            importance=(
                self.importance
                if self.importance is None or np.ndim(self.importance) == 1
                else np.asarray(self.importance)[..., frames, :]
            ),
            images=None if self.images is None else [self.images[frame] for frame in frames],
            fps=self.fps / float(span),
        )

    def replaced(self, **changes: Any) -> Clip:
        """Return a clip with other values of these attributes."""
        return Clip(**{**vars(self), **changes})

    def _name(self) -> str:
        return f"clip {self.title!r}" if self.title else "clip"
