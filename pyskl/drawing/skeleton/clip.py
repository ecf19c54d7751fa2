"""A skeleton sequence to draw, with an optional stream (bones, motions) as arrows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from pyskl.datasets.pipelines import GenSkeFeat
from pyskl.errors import InputError
from pyskl.skeleton import SkeletonLayout

Up = Literal["y", "-y", "z", "-z"]
Stream = Literal["j", "b", "jm", "bm"]

STREAM_NAMES: dict[Stream, str] = {
    "j": "joints",
    "b": "bones",
    "jm": "motion of the joints",
    "bm": "motion of the bones",
}

# The 95th percentile of a clip's motion arrows is drawn about this long, in body sizes.
_ARROW_LENGTH = 0.12

_MAX_GAIN = 50


@dataclass(frozen=True)
class Clip:
    """One sequence to draw. Shapes: M persons, T frames, V joints, C coordinates.

    Attributes:
        keypoint: Joint positions (M, T, V, C), any float type. C is 2 (x to the right, y down, as
            in images) or 3. With a 2D layout the third channel is the score. Joints at exactly
            zero or NaN are missing.
        score: Confidence of the joints (M, T, V), 0 to 1; uncertain joints are drawn faint.
        title: Plain text, one line.
        notes: Plain text, lines under the title.
        importance: Weight of the joints from 0 to 1, drawn as size and colour: (V,), (T, V) or
            (M, T, V).
        arrows: Vectors (M, T, V, C) drawn as arrows, such as bones or motions.
        arrows_from: Whether an arrow starts at its joint or at the joint's bone parent.
        arrow_gain: Factor by which arrows are lengthened.
        fps: Frames per second.
        up: The axis of 3D data that points up. By default it is guessed, see
            :func:`pyskl.drawing.skeleton.scene.guess_up`.
        image_size: (height, width) of the image that 2D coordinates refer to. Used with ``images``.
        images: Frames of a video to draw under 2D data: T RGB arrays (H, W, 3), uint8.

    Raises:
        InputError: if the shapes do not match.
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
            raise self._error("keypoint", shape, "(M, T, V, C) with C = 2 or 3")
        per_joint = shape[:3]
        if self.score is not None and np.shape(self.score) != per_joint:
            raise self._error("score", np.shape(self.score), f"(M, T, V) = {per_joint}")
        if self.arrows is not None and np.shape(self.arrows) != shape:
            raise self._error("arrows", np.shape(self.arrows), f"(M, T, V, C) = {shape}")
        if self.importance is not None:
            found = np.shape(self.importance)
            if found not in (shape[2:3], shape[1:3], per_joint):
                expected = f"(V,), (T, V) or (M, T, V) for (M, T, V) = {per_joint}"
                raise self._error("importance", found, expected)
        if not self.fps > 0:
            raise self._error("fps", self.fps, "a number above 0")
        if self.up is not None and self.up not in get_args(Up):
            raise self._error("up", self.up, f"one of {', '.join(get_args(Up))}")
        if self.images is not None and len(self.images) != shape[1]:
            raise self._error("images", len(self.images), f"{shape[1]}, one for each frame")

    def _error(self, key: str, found: Any, expected: str) -> InputError:
        return InputError(
            "the clip can't be drawn",
            sample=self.title or None,
            key=key,
            found=found,
            expected=expected,
        )

    @classmethod
    def of_sample(cls, sample: Mapping[str, Any], **changes: Any) -> Clip:
        """Make a clip from a sample of an annotation file.

        Args:
            sample: ``keypoint``, and ``keypoint_score``, ``frame_dir`` (the title) and
                ``img_shape`` if present.
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
        joints = self.keypoint.shape[2]
        if joints != layout.num_joints:
            raise InputError(
                f"layout {layout.name!r} does not match the keypoints",
                sample=self.title or None,
                key="keypoint",
                found=f"{joints} joints, (M, T, V, C) = {self.keypoint.shape}",
                expected=f"{layout.num_joints} joints",
            )

    def take(self, frames: np.ndarray) -> Clip:
        """Return the clip of some frames only, at the same speed.

        Args:
            frames: Ascending frame numbers.
        """
        span = (frames[-1] - frames[0]) / max(len(frames) - 1, 1) or 1.0

        def taken(values: np.ndarray | None) -> np.ndarray | None:  # (..., T, V) or (V,)
            return values if values is None or np.ndim(values) == 1 else values[..., frames, :]

        return self.replaced(
            keypoint=self.keypoint[:, frames],
            score=taken(self.score),
            arrows=None if self.arrows is None else self.arrows[:, frames],
            importance=taken(self.importance),
            images=None if self.images is None else [self.images[frame] for frame in frames],
            fps=self.fps / float(span),
        )

    def replaced(self, **changes: Any) -> Clip:
        """Return a clip with other values of these attributes."""
        return replace(self, **changes)


def stream_clip(clip: Clip, layout: SkeletonLayout, stream: Stream) -> Clip:
    """Return a clip of joints with another stream drawn as arrows.

    Args:
        clip: The joints.
        layout: The skeleton, which defines the bones.
        stream: One of the streams of :class:`pyskl.datasets.pipelines.GenSkeFeat`.

    Raises:
        InputError: if the layout has another number of joints.
    """
    clip.check_layout(layout)
    if stream == "j":
        return clip
    if clip.score is not None and clip.keypoint.shape[3] == 2:
        points = np.concatenate([clip.keypoint, clip.score[..., None]], axis=-1)
        clip = clip.replaced(keypoint=points, score=None)
    positions = np.asarray(clip.keypoint, dtype=np.float32)
    vectors = GenSkeFeat(layout, [stream])({"keypoint": positions})["keypoint"]
    return with_arrows(clip, vectors, stream)


def with_arrows(clip: Clip, vectors: np.ndarray, stream: Stream) -> Clip:
    """Return a clip of joints with the vectors of a stream as arrows, and a note about them.

    Args:
        clip: The joints, in the frames of the vectors.
        vectors: (M, T, V, C), as the clip's joints. Bones are drawn at their own length. Motions
            are short, so they are lengthened by a round factor that suits the clip.
        stream: The stream.
    """
    gain = 1 if stream == "b" else _motion_gain(clip.keypoint, vectors)
    note = STREAM_NAMES[stream] + (f", drawn {gain} times as long" if gain != 1 else "")
    return clip.replaced(
        arrows=vectors,
        arrows_from="parent" if stream == "b" else "joint",
        arrow_gain=float(gain),
        notes=(*clip.notes, note),
    )


def _motion_gain(keypoint: np.ndarray, vectors: np.ndarray) -> int:
    """Return 1, 2, 5, 10, 20 or 50: the factor that makes motions visible."""
    body = np.where(keypoint[..., :2].any(axis=-1, keepdims=True), keypoint[..., :2], np.nan)
    present = np.isfinite(body).any(axis=(2, 3))  # (M, T)
    lengths = np.linalg.norm(vectors[..., :2], axis=-1)
    lengths = lengths[np.isfinite(lengths) & (lengths > 0)]
    if not present.any() or not len(lengths):
        return 1
    joints = body[present]  # (M * T at most, V, 2)
    size = float(np.median(np.nanmax(joints, axis=1) - np.nanmin(joints, axis=1), axis=0).max())
    wanted = _ARROW_LENGTH * size / float(np.percentile(lengths, 95))
    if wanted <= 1:
        return 1
    power = 10 ** math.floor(math.log10(wanted))
    return min(int(max(step * power for step in (1, 2, 5) if step * power <= wanted)), _MAX_GAIN)
