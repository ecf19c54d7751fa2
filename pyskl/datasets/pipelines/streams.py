"""The modalities of a skeleton: joints, bones, and the motion of either.

Shi et al., "Two-Stream Adaptive Graph Convolutional Networks", CVPR 2019, section 3.3 (bones);
Shi et al., "Skeleton-Based Action Recognition with Multi-Stream Adaptive Graph Convolutional
Networks", TIP 2020 (motions).

In layouts of 2D joints with a score as the third coordinate the score is not a position: a bone's
score is the mean of its two joints' scores, a motion's the mean of its two frames' scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pyskl.datasets.pipelines.coordinates import with_score
from pyskl.errors import did_you_mean
from pyskl.registry import PIPELINES
from pyskl.skeleton import SkeletonLayout, resolve_layout

Sample = dict[str, Any]
LayoutLike = str | Mapping[str, Any] | SkeletonLayout


def bones(keypoint: np.ndarray, layout: SkeletonLayout) -> np.ndarray:
    """Return the vector from each joint's bone parent to the joint.

    Args:
        keypoint: (M, T, V, C).
        layout: Whose bone pairs to use.

    Returns:
        (M, T, V, C); zero at the centre.

    Raises:
        ValueError: if V is not the layout's number of joints.
    """
    _check_joints(keypoint, layout)
    persons, frames, joints, channels = keypoint.shape
    rows = keypoint.reshape(persons, frames, joints * channels)
    # No column lies outside the row: 'wrap' only spares NumPy its slow check of that.
    parent = rows.take(layout.parent_columns(channels), axis=2, mode="wrap")
    parent = parent.reshape(keypoint.shape)
    mean = (keypoint[..., 2] + parent[..., 2]) / 2 if _is_scored(keypoint, layout) else None
    bone = np.subtract(keypoint, parent, out=parent)
    if mean is not None:
        bone[..., 2] = mean
    return bone


def motion(positions: np.ndarray, layout: SkeletonLayout) -> np.ndarray:
    """Return what each frame adds to reach the next; zero in the last frame.

    Args:
        positions: Joints or bones (M, T, V, C).
        layout: Says whether the third coordinate is a score.

    Returns:
        (M, T, V, C).
    """
    persons, frames, joints, channels = positions.shape
    if not frames:
        return positions
    # All persons in one go, as rows: what leads from one person to the next is overwritten.
    rows = positions.reshape(persons * frames, joints * channels)
    moved = np.empty_like(rows)
    np.subtract(rows[1:], rows[:-1], out=moved[:-1])
    if _is_scored(positions, layout):
        moved[:-1, 2::3] = (rows[1:, 2::3] + rows[:-1, 2::3]) / 2
    moved[frames - 1 :: frames] = 0
    return moved.reshape(positions.shape)


def _is_scored(positions: np.ndarray, layout: SkeletonLayout) -> bool:
    return layout.dim == 2 and positions.shape[-1] == 3


def _check_joints(keypoint: np.ndarray, layout: SkeletonLayout) -> None:
    if keypoint.shape[2] != layout.num_joints:
        raise ValueError(
            f"layout {layout.name!r} has {layout.num_joints} joints, the keypoints have "
            f"{keypoint.shape[2]}: (M, T, V, C) = {keypoint.shape}"
        )


@PIPELINES.register_module()
class JointToBone:
    """Set ``target`` to the bones of ``keypoint``; see :func:`bones`.

    Args:
        dataset: The layout, or its name.
        target: The key to set.
    """

    def __init__(self, dataset: LayoutLike = "nturgb+d", target: str = "keypoint") -> None:
        self.layout = resolve_layout(dataset)
        self.target = target

    def __call__(self, sample: Sample) -> Sample:
        """Compute the bones."""
        sample[self.target] = bones(sample["keypoint"], self.layout)
        return sample


@PIPELINES.register_module()
class ToMotion:
    """Set ``target`` to the motion of ``source``; see :func:`motion`.

    Args:
        dataset: The layout, or its name.
        source: The key to read.
        target: The key to set.
    """

    def __init__(
        self, dataset: LayoutLike = "nturgb+d", source: str = "keypoint", target: str = "motion"
    ) -> None:
        self.layout = resolve_layout(dataset)
        self.source = source
        self.target = target

    def __call__(self, sample: Sample) -> Sample:
        """Compute the motion."""
        sample[self.target] = motion(sample[self.source], self.layout)
        return sample


@PIPELINES.register_module()
class MergeSkeFeat:
    """Concatenate the arrays of several keys.

    Args:
        feat_list: The keys to read and remove.
        target: The key to set.
        axis: Along which; the last holds the coordinates.
    """

    def __init__(
        self, feat_list: Sequence[str] = ("keypoint",), target: str = "keypoint", axis: int = -1
    ) -> None:
        self.feat_list = tuple(feat_list)
        self.target = target
        self.axis = axis

    def __call__(self, sample: Sample) -> Sample:
        """Concatenate."""
        arrays = [sample.pop(key) for key in self.feat_list]
        sample[self.target] = np.concatenate(arrays, axis=self.axis)
        return sample


@PIPELINES.register_module()
class Rename:
    """Give keys of the sample new names.

    Args:
        mapping: Old name → new name; absent keys are passed over.

    Raises:
        ValueError: when called on a sample that has a key of the new name already.
    """

    def __init__(self, mapping: Mapping[str, str]) -> None:
        self.mapping = dict(mapping)

    def __call__(self, sample: Sample) -> Sample:
        """Rename."""
        for old, new in self.mapping.items():
            if old in sample:
                if new in sample:
                    raise ValueError(f"can't rename {old!r} to {new!r}: the sample has {new!r}")
                sample[new] = sample.pop(old)
        return sample


@PIPELINES.register_module()
class GenSkeFeat:
    """Replace ``keypoint`` by the wanted streams, concatenated.

    Args:
        dataset: The layout, or its name: ``'nturgb+d'``, ``'coco'``, ``dict(num_node=...)``.
        feats: Streams: ``'j'`` joints, ``'b'`` bones, ``'jm'`` joint motion, ``'bm'`` bone motion.
        axis: Along which they are concatenated; the last holds the coordinates.

    Takes ``keypoint`` (M, T, V, C) and ``keypoint_score`` (M, T, V) where present, which becomes
    the third coordinate; gives (M, T, V, C * len(feats)).

    Raises:
        ValueError: for an unknown stream, and when called on other joints than the layout's.
    """

    STREAMS = ("j", "b", "jm", "bm")

    def __init__(
        self, dataset: LayoutLike = "nturgb+d", feats: Sequence[str] = ("j",), axis: int = -1
    ) -> None:
        self.layout = resolve_layout(dataset)
        if isinstance(feats, str) or not feats:
            raise ValueError(f"feats should be a list of streams such as ['j'], found {feats!r}")
        for feat in feats:
            if feat not in self.STREAMS:
                raise ValueError(f"there is no stream {feat!r}{did_you_mean(feat, self.STREAMS)}")
        self.feats = tuple(feats)
        self.axis = axis
        self._needs_bones = bool({"b", "bm"} & set(feats))

    def __call__(self, sample: Sample) -> Sample:
        """Compute the streams."""
        joints = sample["keypoint"]
        if "keypoint_score" in sample:
            score = sample.pop("keypoint_score")
            joints = with_score(joints, score)
            sample["scored"] = True
        _check_joints(joints, self.layout)
        if _is_scored(joints, self.layout):
            sample["scored"] = True
        elif sample.get("scored", False):
            raise ValueError(
                f"the joints come with scores, (M, T, V, C) = {joints.shape}, but layout "
                f"{self.layout.name!r} is of {self.layout.dim}D joints; scores are for layouts "
                "with dim=2"
            )
        bone = bones(joints, self.layout) if self._needs_bones else joints
        streams = []
        for feat in self.feats:
            positions = bone if feat in ("b", "bm") else joints
            streams.append(motion(positions, self.layout) if feat.endswith("m") else positions)
        sample["keypoint"] = streams[0] if len(streams) == 1 else np.concatenate(streams, self.axis)
        return sample
