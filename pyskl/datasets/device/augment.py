"""The batch forms of the random changes.

Shapes: N batch, M persons, F frames, V joints, C coordinates, D of them positions.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from pyskl.datasets.device.batch import Batch
from pyskl.datasets.device.draws import Draws, high_uniform, low_uniform, normal
from pyskl.datasets.device.outline import NoBatchForm, Operation, Outline, batch_form
from pyskl.datasets.device.streams import taken_joints
from pyskl.datasets.pipelines.augment import (
    Flip,
    RandomGaussianNoise,
    RandomRot,
    RandomScale,
    num_coordinates,
)
from pyskl.skeleton import joint_columns


@batch_form(RandomRot)
def _random_rot(transform: RandomRot, outline: Outline) -> Operation:
    dims = num_coordinates(outline.sample)

    def rotate(batch: Batch) -> None:
        angles = transform.theta * (2 * batch.draws.uniform(3 if dims == 3 else 1) - 1)
        rotation = rotations_3d(angles) if dims == 3 else rotations_2d(angles)
        batch.arrays["keypoint"] = _rotated(batch.arrays["keypoint"], rotation)

    return rotate


def _rotated(keypoint: Tensor, rotation: Tensor) -> Tensor:
    """Apply rotations (N, D, D) to the positions of keypoints (N, M, F, V, C)."""
    # Not as a matrix product, which a GPU may be told to compute in a lower precision (TF32).
    rotated = keypoint.clone()
    rotation = rotation.to(keypoint.dtype)[:, None, None, None]  # (N, 1, 1, 1, D, D)
    dims = rotation.shape[-1]
    for row in range(dims):
        total = keypoint[..., 0] * rotation[..., row, 0]
        for column in range(1, dims):
            total.addcmul_(keypoint[..., column], rotation[..., row, column])
        rotated[..., row] = total
    return rotated


def rotations_3d(angles: Tensor) -> Tensor:
    """Return Rz·Ry·Rx, (N, 3, 3), for angles (N, 3) about x, y and z in radians."""
    (cx, cy, cz), (sx, sy, sz) = angles.cos().unbind(1), angles.sin().unbind(1)
    entries = [
        *(cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx),
        *(sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx),
        *(-sy, cy * sx, cy * cx),
    ]
    return torch.stack(entries, dim=1).view(-1, 3, 3)


def rotations_2d(angles: Tensor) -> Tensor:
    """Return the rotations, (N, 2, 2), by angles (N, 1) in radians."""
    cosine, sine = angles.cos(), angles.sin()
    return torch.cat([cosine, -sine, sine, cosine], dim=1).view(-1, 2, 2)


@batch_form(RandomScale)
def _random_scale(transform: RandomScale, outline: Outline) -> Operation:
    dims = num_coordinates(outline.sample)
    joints, channels = outline.sample["keypoint"].shape[2:]
    scale = np.zeros(channels, dtype=np.float32)  # what is no position stays as it is
    scale[:dims] = transform.scale
    ranges = outline.tensor(scale)  # (C,)

    def stretch(batch: Batch) -> None:
        keypoint = batch.arrays["keypoint"]
        factor = 1 + ranges * (2 * batch.draws.uniform(channels) - 1)  # (N, C)
        # Rows of V·C numbers are multiplied much faster than rows of C.
        factor = factor.to(keypoint.dtype).repeat(1, joints)[:, None, None]
        stretched = keypoint.flatten(3) * factor
        batch.arrays["keypoint"] = stretched.view(keypoint.shape)

    return stretch


@batch_form(Flip)
def _flip(transform: Flip, outline: Outline) -> Operation:
    joints, channels = outline.sample["keypoint"].shape[2:]
    swapped = np.arange(joints)
    swapped[transform.left] = transform.right
    swapped[transform.right] = transform.left
    order = outline.tensor(swapped)  # (V,)
    columns = outline.tensor(joint_columns(swapped, channels))  # (V·C,)
    members = outline.members
    widths = [
        0 if shape is None or normalized else shape[1]
        for shape, normalized in zip(members.values("img_shape"), members.values("normalized"))
    ]
    width = outline.tensor(widths, torch.float32)  # (S,)

    def flip(batch: Batch) -> None:
        chosen = (batch.draws.uniform() < transform.flip_ratio).view(-1, 1, 1, 1)
        keypoint = batch.arrays["keypoint"]
        mirrored = taken_joints(keypoint, columns)
        x, y = mirrored[..., 0], mirrored[..., 1]
        there = (x != 0) | (y != 0)  # (N, M, F, V)
        turned = (width[batch.which].view(-1, 1, 1, 1) - x).to(x.dtype)
        mirrored[..., 0] = torch.where(there, turned, x)
        batch.arrays["keypoint"] = torch.where(chosen[..., None], mirrored, keypoint)
        if "keypoint_score" in batch.arrays:
            score = batch.arrays["keypoint_score"]
            batch.arrays["keypoint_score"] = torch.where(
                chosen, score.index_select(3, order), score
            )

    return flip


@batch_form(RandomGaussianNoise)
def _random_gaussian_noise(transform: RandomGaussianNoise, outline: Outline) -> Operation:
    dims = num_coordinates(outline.sample)
    joints = outline.sample["keypoint"].shape[2]
    of_video = None if transform.base == "frame" else _video_diagonals(dims, outline)

    def move(batch: Batch) -> None:
        keypoint = batch.arrays["keypoint"]
        positions = keypoint[..., :dims]
        present = (positions != 0).flatten(3).any(dim=-1)[..., None, None]  # (N, M, F, 1, 1)
        if of_video is None:
            span = positions.amax(dim=3) - positions.amin(dim=3)  # (N, M, F, D)
            diagonal = span.float().norm(dim=-1)[..., None, None]
        else:
            diagonal = of_video[batch.which].view(-1, 1, 1, 1, 1)
        if transform.shared:
            directions, lengths = _moves(batch.draws, _counters(joints, batch), dims)
        else:
            frames = batch.frames[:, : keypoint.shape[2]]
            counters = _counters(joints, batch, frames)
            directions, lengths = _moves(batch.draws, counters, dims)
        moves = directions * (lengths * (transform.sigma * diagonal) * present)
        moved = keypoint.clone()
        moved[..., :dims] += moves.to(keypoint.dtype)
        batch.arrays["keypoint"] = moved

    return move


def _counters(joints: int, batch: Batch, frames: Tensor | None = None) -> Tensor:
    """Return the number of the draw for each joint, (1, 1, 1, V) or (N, M, F, V) int64.

    A frame that was chosen twice, and a person that stands for another, move as they did before.
    """
    joint = torch.arange(joints, device=batch.frames.device).view(1, 1, 1, -1)
    if frames is None:
        return joint
    # Padding moves as frame 0 and an absent person as person 0: not at all, being zero.
    person = batch.persons.clamp(min=0)[:, :, None, None]
    return ((person << 24) + frames.clamp(min=0)[:, None, :, None]) * joints + joint


def _moves(draws: Draws, counters: Tensor, dims: int) -> tuple[Tensor, Tensor]:
    """Return directions (..., V, D), uniform on the sphere, and normal lengths (..., V, 1)."""
    words = draws.stream(0).words(counters)
    about = 2 * math.pi * low_uniform(words)
    circle = torch.stack([about.cos(), about.sin()], dim=-1)  # (..., V, 2)
    if dims == 3:  # the height of a point of the sphere is uniform (Archimedes)
        height = (2 * high_uniform(words) - 1)[..., None]
        circle = torch.cat([circle * (1 - height * height).sqrt(), height], dim=-1)
    return circle, normal(draws.stream(1).words(counters))[..., None]


def _video_diagonals(dims: int, outline: Outline) -> Tensor:
    """Return the diagonal of the box around each whole sample, (S,) float32."""
    if outline.axis != "source" or outline.changed:
        raise NoBatchForm(
            "base='video' takes the box around all frames, of which a batch holds only some: put "
            "it before the other random transforms, or use base='frame'"
        )
    diagonals = np.zeros(len(outline.members.labels), dtype=np.float32)
    for number in range(len(diagonals)):
        positions = outline.members.sample(number)["keypoint"][..., :dims]
        there = positions[positions.any(axis=(2, 3))].reshape(-1, dims)
        if len(there):
            diagonals[number] = np.linalg.norm(there.max(axis=0) - there.min(axis=0))
    return outline.tensor(diagonals)
