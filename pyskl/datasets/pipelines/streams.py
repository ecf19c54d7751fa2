"""The modalities of a skeleton: joints, bones, and the motion of either.

Shi et al., "Two-Stream Adaptive Graph Convolutional Networks", CVPR 2019, section 3.3 (bones);
Shi et al., "Skeleton-Based Action Recognition with Multi-Stream Adaptive Graph Convolutional
Networks", TIP 2020 (motions).

If 2D joints have a score as third channel, the score is not a position: the score of a bone is the
mean of the scores of its two joints, that of a motion the mean of the scores of its two frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pyskl.datasets.batch import Array, Batch, Rows, Shared
from pyskl.datasets.pipelines.compose import BatchTransform
from pyskl.errors import InputError, did_you_mean
from pyskl.registry import PIPELINES
from pyskl.skeleton import SkeletonLayout, resolve_layout

LayoutLike = str | Mapping[str, Any] | SkeletonLayout


def _bones(batch: Batch, layout: SkeletonLayout, channels: int) -> Callable[[Array], Array]:
    """Return a function from joints to bones, the vectors from parent to joint."""
    columns = layout.parent_columns(channels)  # faster than indexing joints
    on_device = columns if batch.device is None else batch.on_device(columns)
    scored = _is_scored(layout, channels)

    def bones(joints: Array) -> Array:  # (R, V, C)
        rows = joints.reshape(len(joints), -1)
        if isinstance(rows, np.ndarray):
            # 'wrap' skips NumPy's slow bounds check; all columns are inside.
            bone = rows.take(columns, axis=1, mode="wrap").reshape(joints.shape)
        else:
            bone = rows.index_select(1, on_device).view(joints.shape)
        score = (joints[..., 2] + bone[..., 2]) / 2 if scored else None
        if isinstance(bone, np.ndarray):
            np.subtract(joints, bone, out=bone)
        else:
            bone.neg_().add_(joints)
        if score is not None:
            bone[..., 2] = score
        return bone

    return bones


def _motion(batch: Batch, layout: SkeletonLayout, channels: int) -> Callable[..., Array]:
    """Return a function that computes the difference from each frame to the next.

    Its arguments are the values, those of the next frames, and the rows; the motion of the last
    frame is zero.
    """
    # The third channel of PYSKL's hands is a coordinate: only their bones take it for a score.
    scored = _is_scored(layout, channels) and layout.name != "handmp"
    axis = batch.axis

    def motion(now: Array, following: Array, rows: Rows) -> Array:  # (R, V, C)
        mean = (now[..., 2] + following[..., 2]) / 2 if scored else None
        following = following - now
        if mean is not None:
            following[..., 2] = mean
            following = batch.zero_rows(following, axis.is_last[rows])
        return following

    return motion


def _is_scored(layout: SkeletonLayout, channels: int) -> bool:
    return layout.dim == 2 and channels == 3


def _check_joints(batch: Batch, layout: SkeletonLayout) -> None:
    joints = batch.row_shape()[0]
    if joints != layout.num_joints:
        raise InputError(
            f"the number of joints is not that of layout {layout.name!r}",
            key="keypoint",
            found=f"{joints} joints",
            expected=f"{layout.num_joints} joints",
        )


@PIPELINES.register_module()
class JointToBone(BatchTransform):
    """Set ``target`` to the bones of ``keypoint``: the vectors from parent joint to joint.

    Args:
        dataset: The layout, or its name.
        target: The key to set.

    Raises:
        InputError: when called on keypoints whose number of joints is not that of the layout.
    """

    def __init__(self, dataset: LayoutLike = "nturgb+d", target: str = "keypoint") -> None:
        self.layout = resolve_layout(dataset)
        self.target = target

    def apply(self, batch: Batch) -> None:
        """Compute the bones."""
        _check_joints(batch, self.layout)
        bones = _bones(batch, self.layout, batch.row_shape()[1])
        batch.map(lambda joints, rows: bones(joints), target=self.target)


@PIPELINES.register_module()
class ToMotion(BatchTransform):
    """Set ``target`` to the motion of ``source``: the difference from each frame to the next.

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

    def apply(self, batch: Batch) -> None:
        """Compute the motion."""
        motion = _motion(batch, self.layout, batch.row_shape(self.source)[1])
        batch.map(motion, source=self.source, target=self.target, with_next=True)


@PIPELINES.register_module()
class MergeSkeFeat(BatchTransform):
    """Concatenate the channels of several arrays.

    Args:
        feat_list: The keys to read and remove.
        target: The key to set.
        axis: Must be the last axis, the channels.
    """

    def __init__(
        self, feat_list: Sequence[str] = ("keypoint",), target: str = "keypoint", axis: int = -1
    ) -> None:
        _check_axis(axis)
        self.feat_list = tuple(feat_list)
        self.target = target

    def apply(self, batch: Batch) -> None:
        """Concatenate."""
        batch.concatenate(self.feat_list, self.target)


def _check_axis(axis: int) -> None:
    if axis not in (-1, 3):
        raise ValueError(f"axis should be -1 (or 3), the axis of the channels, found {axis}")


@PIPELINES.register_module()
class Rename(BatchTransform):
    """Give keys of the sample new names.

    Args:
        mapping: Old name → new name; absent keys are skipped.

    Raises:
        InputError: when called on a sample that already has the new key.
    """

    def __init__(self, mapping: Mapping[str, str]) -> None:
        self.mapping = dict(mapping)

    def apply(self, batch: Batch) -> None:
        """Rename."""
        for old, new in self.mapping.items():
            is_array = old in batch
            if not is_array and old not in batch.values:
                continue
            if new in batch or new in batch.values:
                raise InputError(f"can't rename {old!r}: the sample already has that key", key=new)
            if is_array:
                batch.rename(old, new)
            else:
                batch.values[new] = batch.values.pop(old)


@PIPELINES.register_module()
class GenSkeFeat(BatchTransform):
    """Replace ``keypoint`` by one or more streams, concatenated along the channels.

    Args:
        dataset: The layout, or its name: ``'nturgb+d'``, ``'coco'``, ``dict(num_node=...)``.
        feats: Streams: ``'j'`` joints, ``'b'`` bones, ``'jm'`` joint motion, ``'bm'`` bone motion.
        axis: Must be the last axis, the channels.

    Takes ``keypoint`` (M, T, V, C) and ``keypoint_score`` (M, T, V) if present, which becomes the
    third channel; gives (M, T, V, C * len(feats)).

    Raises:
        ValueError: for an unknown stream.
        InputError: when called on keypoints whose number of joints is not that of the layout.
    """

    STREAMS = ("j", "b", "jm", "bm")

    def __init__(
        self, dataset: LayoutLike = "nturgb+d", feats: Sequence[str] = ("j",), axis: int = -1
    ) -> None:
        self.layout = resolve_layout(dataset)
        _check_axis(axis)
        if isinstance(feats, str) or not feats:
            raise ValueError(f"feats should be a list of streams such as ['j'], found {feats!r}")
        for feat in feats:
            if feat not in self.STREAMS:
                raise ValueError(f"there is no stream {feat!r}{did_you_mean(feat, self.STREAMS)}")
        self.feats = tuple(feats)

    def apply(self, batch: Batch) -> None:
        """Compute the streams."""
        if "keypoint_score" in batch:
            batch.concatenate(["keypoint", "keypoint_score"], "keypoint")
            batch.values["scored"] = Shared(True)
        _check_joints(batch, self.layout)
        channels = batch.row_shape()[1]
        if _is_scored(self.layout, channels):
            batch.values["scored"] = Shared(True)
        elif batch.shared("scored", False):
            raise InputError(
                "the joints come with scores, but the layout has 3D joints",
                key="keypoint",
                found=f"{channels} channels with layout {self.layout.name!r}",
                expected="a layout with dim=2",
            )
        arrays = {"j": "keypoint"}
        if {"b", "bm"} & set(self.feats):
            arrays["b"] = "feat b"
            bones = _bones(batch, self.layout, channels)
            batch.map(lambda joints, rows: bones(joints), target=arrays["b"])
        for feat in {"jm", "bm"} & set(self.feats):
            arrays[feat] = f"feat {feat}"
            motion = _motion(batch, self.layout, channels)
            batch.map(motion, source=arrays[feat[0]], target=arrays[feat], with_next=True)
        batch.concatenate([arrays[feat] for feat in self.feats], "feats")
        for array in set(arrays.values()) & set(batch.array_keys()):
            batch.pop(array)
        batch.rename("feats", "keypoint")
