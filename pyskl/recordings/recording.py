"""One sequence as somebody recorded it, whatever file it came from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pyskl.errors import InputError
from pyskl.skeleton.layout import SkeletonLayout


class RecordingError(InputError):
    """A recording can't be read, or not used as it is."""


@dataclass
class Recording:
    """One sequence as it was recorded: joints over time, without a label.

    Attributes:
        name: The id that splits list; by default the file's or folder's stem.
        keypoint: (M, T, V, C), float32; C is 2 (pixels or normalised, x and y) or 3. Persons and
            joints that were not seen are zero.
        score: Confidence of the joints, (M, T, V), float32, 0 to 1; None where the format has none.
        image_size: (height, width) of the video in pixels, where known.
        fps: Frames per second, where known.
        layout: The name of the built-in skeleton layout that the format implies, or None.
        own_layout: The skeleton that the file itself describes (mocap), or None.
        joint_names: One name for each joint where the file has names, else nothing.
    """

    name: str
    keypoint: np.ndarray
    score: np.ndarray | None = None
    image_size: tuple[int, int] | None = None
    fps: float | None = None
    layout: str | None = None
    own_layout: SkeletonLayout | None = None
    joint_names: tuple[str, ...] = ()

    def sample(self, label: int | None = None) -> dict[str, Any]:
        """Return the sample that stands for it in an annotation file.

        Args:
            label: The class, from 0; None leaves the key out, as for recognising.

        Scores go along in 2D only, as in published files: models of 3D joints have no channel for
        them.
        """
        sample: dict[str, Any] = {
            "frame_dir": self.name,
            "total_frames": self.keypoint.shape[1],
            "keypoint": self.keypoint,
        }
        if label is not None:
            sample["label"] = label
        if self.score is not None and self.keypoint.shape[3] == 2:
            sample["keypoint_score"] = self.score
        if self.image_size is not None:
            sample["img_shape"] = sample["original_shape"] = self.image_size
        return sample

    def every(self, step: int) -> Recording:
        """Return the recording with every ``step``-th frame, from the first on."""
        if step == 1:
            return self
        return replace(
            self,
            keypoint=np.ascontiguousarray(self.keypoint[:, ::step]),
            score=None if self.score is None else np.ascontiguousarray(self.score[:, ::step]),
            fps=None if self.fps is None else self.fps / step,
        )

    def in_order(self, names: tuple[str, ...]) -> Recording:
        """Return the recording with its joints, which have these names, in this order."""
        if names == self.joint_names:
            return self
        order = [self.joint_names.index(name) for name in names]
        return replace(
            self,
            keypoint=np.ascontiguousarray(self.keypoint[:, :, order]),
            score=None if self.score is None else np.ascontiguousarray(self.score[:, :, order]),
            own_layout=None,
            joint_names=names,
        )

    def scaled(self, factor: float) -> Recording:
        """Return the recording with all coordinates times ``factor``."""
        if factor == 1:
            return self
        return replace(self, keypoint=(self.keypoint * np.float32(factor)).astype(np.float32))
