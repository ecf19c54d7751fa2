"""The batch forms of the transforms that compute modalities.

Shapes: N batch, M persons, F frames, V joints, C coordinates.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pyskl.datasets.device.batch import Batch
from pyskl.datasets.device.outline import NoBatchForm, Operation, Outline, batch_form
from pyskl.datasets.pipelines.streams import (
    GenSkeFeat,
    JointToBone,
    MergeSkeFeat,
    Rename,
    ToMotion,
)
from pyskl.skeleton import SkeletonLayout

# What adds a stream: the batch and the positions (N, M, F, V, C) → (N, M, F, V, C).
Stream = Callable[[Batch, Tensor], Tensor]


def taken_joints(array: Tensor, columns: Tensor) -> Tensor:
    """Return an array (N, M, F, V, C) with its joints in the order of some columns (V·C,)."""
    # Frames are taken as rows of V·C numbers, as taking C numbers at a time is slower.
    return array.reshape(-1, len(columns)).index_select(1, columns).view(array.shape)


def _bones(layout: SkeletonLayout, outline: Outline) -> Stream:
    """Return what computes :func:`pyskl.datasets.pipelines.streams.bones` of a batch."""
    channels = _channels(outline, "keypoint")
    columns = outline.tensor(layout.parent_columns(channels))
    scored = _is_scored(layout, channels)

    def bones(batch: Batch, positions: Tensor) -> Tensor:
        parent = taken_joints(positions, columns)
        score = (positions[..., 2] + parent[..., 2]) / 2 if scored else None
        bone = torch.sub(positions, parent, out=parent)  # a new array costs as much as the sum
        if score is not None:
            bone[..., 2] = score
        return bone

    return bones


def _motion(layout: SkeletonLayout, outline: Outline, source: str) -> Stream:
    """Return what computes :func:`pyskl.datasets.pipelines.streams.motion` of a batch."""
    scored = _is_scored(layout, _channels(outline, source))
    if outline.axis == "source":
        outline.want_following(source)
        return lambda batch, positions: _motion_of_source(batch, positions, scored)
    return lambda batch, positions: _motion_of_batch(positions, scored)


def _motion_of_source(batch: Batch, positions: Tensor, scored: bool) -> Tensor:
    """Return the way from the chosen frames to those that follow them, (N, M, F, V, C)."""
    now, following = batch.now(positions), batch.following(positions)
    moved = following - now  # the last frame is its own follower, so this is zero there
    if scored:
        is_last = batch.frames[:, : batch.length] == batch.total[:, None] - 1  # (N, F)
        mean = (following[..., 2] + now[..., 2]) / 2
        moved[..., 2] = mean.masked_fill_(is_last[:, None, :, None], 0)
    return moved


def _motion_of_batch(positions: Tensor, scored: bool) -> Tensor:
    """Return the way from each of the F frames to the next, (N, M, F, V, C)."""
    now, following = positions[:, :, :-1], positions[:, :, 1:]
    moved = torch.empty_like(positions)
    torch.sub(following, now, out=moved[:, :, :-1])
    moved[:, :, -1:] = 0
    if scored:
        moved[:, :, :-1, :, 2] = (following[..., 2] + now[..., 2]) / 2
    return moved


def _is_scored(layout: SkeletonLayout, channels: int) -> bool:
    return layout.dim == 2 and channels == 3


def _channels(outline: Outline, key: str) -> int:
    """Return C of an array, which may come with scores that become its last channel."""
    channels = int(outline.sample[key].shape[-1])
    return channels + (key == "keypoint" and "keypoint_score" in outline.sample)


def _check_axis(axis: int) -> None:
    if axis not in (-1, 3):
        raise NoBatchForm(f"streams are concatenated along the last axis, found axis={axis}")


def with_score(batch: Batch) -> Tensor:
    """Return the keypoints (N, M, F, V, C), with their scores as the last channel if any."""
    keypoint, score = batch.arrays["keypoint"], batch.arrays.pop("keypoint_score", None)
    return keypoint if score is None else torch.cat([keypoint, score[..., None]], dim=-1)


@batch_form(GenSkeFeat)
def _gen_ske_feat(transform: GenSkeFeat, outline: Outline) -> Operation:
    _check_axis(transform.axis)
    feats = transform.feats
    bones = _bones(transform.layout, outline) if {"b", "bm"} & set(feats) else None
    motion = None
    if {"jm", "bm"} & set(feats):
        motion = _motion(transform.layout, outline, "keypoint")
        outline.followed.discard("keypoint")
    outline.arrays.discard("keypoint_score")

    def generate(batch: Batch) -> None:
        joints = with_score(batch)
        streams = {"j": joints}
        if bones is not None:
            streams["b"] = bones(batch, joints)
        if motion is not None:
            for feat in {"jm", "bm"} & set(feats):
                streams[feat] = motion(batch, streams[feat[0]])
            streams |= {feat: batch.now(stream) for feat, stream in streams.items()}
        wanted = [streams[feat] for feat in feats]
        batch.arrays["keypoint"] = wanted[0] if len(wanted) == 1 else torch.cat(wanted, dim=-1)

    return generate


@batch_form(JointToBone)
def _joint_to_bone(transform: JointToBone, outline: Outline) -> Operation:
    if "keypoint_score" in outline.sample:
        raise NoBatchForm("it takes scores as the third coordinate only; use PreNormalize2D first")
    bones = _bones(transform.layout, outline)
    outline.arrays.add(transform.target)
    if "keypoint" in outline.followed:
        outline.followed.add(transform.target)

    def compute(batch: Batch) -> None:
        batch.arrays[transform.target] = bones(batch, batch.arrays["keypoint"])

    return compute


@batch_form(ToMotion)
def _to_motion(transform: ToMotion, outline: Outline) -> Operation:
    if "keypoint_score" in outline.sample:
        raise NoBatchForm("it takes scores as the third coordinate only; use PreNormalize2D first")
    motion = _motion(transform.layout, outline, transform.source)
    outline.arrays.add(transform.target)
    outline.followed.discard(transform.target)

    def compute(batch: Batch) -> None:
        batch.arrays[transform.target] = motion(batch, batch.arrays[transform.source])

    return compute


@batch_form(MergeSkeFeat)
def _merge_ske_feat(transform: MergeSkeFeat, outline: Outline) -> Operation:
    _check_axis(transform.axis)
    followed = outline.followed >= set(transform.feat_list)
    for keys in (outline.arrays, outline.followed):
        keys.difference_update(transform.feat_list)
    outline.arrays.add(transform.target)
    if followed:
        outline.followed.add(transform.target)

    def merge(batch: Batch) -> None:
        arrays = [batch.arrays.pop(key) for key in transform.feat_list]
        if not followed:
            arrays = [batch.now(array) for array in arrays]
        batch.arrays[transform.target] = torch.cat(arrays, dim=-1)

    return merge


@batch_form(Rename)
def _rename(transform: Rename, outline: Outline) -> Operation:
    present = {old: new for old, new in transform.mapping.items() if old in outline.sample}
    for old, new in present.items():
        if old not in outline.arrays:
            raise NoBatchForm(f"it renames {old!r}, which a batch does not hold")
        for keys in (outline.arrays, outline.followed):
            if old in keys:
                keys.remove(old)
                keys.add(new)

    def rename(batch: Batch) -> None:
        for old, new in present.items():
            batch.arrays[new] = batch.arrays.pop(old)

    return rename
