"""One recorded sequence of skeletons, in the same form for all file formats."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.errors import InputError
from pyskl.skeleton.layout import SkeletonLayout


class RecordingError(InputError):
    """A recording can't be read, or can't be used as it is."""

    def in_file(self, path: str | Path) -> RecordingError:
        """Return the error with a file, unless it has one already."""
        if self.file is not None:
            return self
        return RecordingError(
            self.problem,
            file=path,
            sample=self.sample,
            key=self.key,
            found=self.found,
            expected=self.expected,
            hint=self.hint,
        )


@dataclass
class Recording:
    """A sequence of joint positions over time, without a label.

    Attributes:
        name: The sample's id; by default the stem of the file or the name of the folder.
        keypoint: (M, T, V, C), float32; C is 2 (pixels or normalised x and y) or 3. Persons and
            joints that were not seen are zero.
        score: Confidence of the joints, (M, T, V), float32, 0 to 1; None if the format has none.
        image_size: (height, width) of the video in pixels, if known.
        fps: Frames per second, if known.
        layout: The name of the built-in skeleton layout that the format implies, or None.
        own_layout: The skeleton that the file itself describes (motion capture), or None.
        joint_names: One name per joint if the file has names, else empty.
        left_out: Names of columns of the file that were not read.
    """

    name: str
    keypoint: np.ndarray
    score: np.ndarray | None = None
    image_size: tuple[int, int] | None = None
    fps: float | None = None
    layout: str | None = None
    own_layout: SkeletonLayout | None = None
    joint_names: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def sample(self, label: int | None = None) -> dict[str, Any]:
        """Return the sample of an annotation file.

        Scores are included in 2D only, as in published files: models of 3D joints have no channel
        for them.

        Args:
            label: The class, from 0; None leaves the key out.
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

    def subsampled(self, step: int) -> Recording:
        """Return every ``step``-th frame, starting with the first."""
        if step == 1:
            return self
        return replace(
            self,
            keypoint=np.ascontiguousarray(self.keypoint[:, ::step]),
            score=None if self.score is None else np.ascontiguousarray(self.score[:, ::step]),
            fps=None if self.fps is None else self.fps / step,
        )

    def reordered(self, names: tuple[str, ...]) -> Recording:
        """Return the recording with its joints in the order of ``names``, a permutation."""
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
        """Return the recording with all coordinates multiplied by ``factor``."""
        if factor == 1:
            return self
        return replace(self, keypoint=(self.keypoint * np.float32(factor)).astype(np.float32))
