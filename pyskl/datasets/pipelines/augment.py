"""Random augmentation of skeletons.

Shapes: N batch, R rows (one person in one frame each), V joints, C channels, of which the first D
are coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from pyskl.datasets.batch import Array, Batch, Rows
from pyskl.datasets.pipelines.compose import BatchTransform
from pyskl.datasets.randomness import hashed, high_uniform, low_uniform
from pyskl.errors import InputError
from pyskl.registry import PIPELINES
from pyskl.skeleton import SkeletonLayout, joint_columns, resolve_layout


def num_coordinates(batch: Batch) -> int:
    """Return how many of the channels are coordinates: 2 if the third is a score.

    Raises:
        InputError: for more than three channels, that is, several streams.
    """
    channels = batch.row_shape()[1]
    if channels not in (2, 3):
        raise InputError(
            "augmentation needs joints of 2 or 3 coordinates",
            key="keypoint",
            found=f"{channels} channels",
            hint="augment before GenSkeFeat merges streams",
        )
    return 2 if batch.shared("scored", False) else channels


@PIPELINES.register_module()
class RandomRot(BatchTransform):
    """Rotate the sample by random angles.

    3D: about the x, the y and then the z axis, three angles uniform in ±theta; 2D: one angle
    uniform in ±theta.

    Args:
        theta: Radians.
    """

    def __init__(self, theta: float = 0.3) -> None:
        self.theta = theta

    def apply(self, batch: Batch) -> None:
        """Rotate ``keypoint``."""
        dims, axis = num_coordinates(batch), batch.axis
        angles = self.theta * (2 * batch.draws.uniform(3 if dims == 3 else 1) - 1)
        rotations = rotations_3d(angles) if dims == 3 else rotations_2d(angles)

        def rotate(values: Array, rows: Rows) -> Array:
            sample = axis.sample[rows]
            if not isinstance(values, np.ndarray):
                return _rotated_rows(values, batch.on_device(rotations[sample]))
            # One matrix product per sample; its rows are adjacent.
            ends = [*(np.flatnonzero(np.diff(sample)) + 1), len(rows)]
            start = 0
            for end in ends if len(rows) else ():
                positions = values[start:end, :, :dims].reshape(-1, dims)
                turned = positions @ rotations[sample[start]].T.astype(values.dtype)
                values[start:end, :, :dims] = turned.reshape(end - start, -1, dims)
                start = end
            return values

        batch.map(rotate)


def _rotated_rows(values: Array, rotations: Array) -> Array:
    """Apply rotations (R, D, D) to the positions in a tensor (R, V, C)."""
    # Not a matrix product, which a GPU may compute in a lower precision (TF32).
    rotated = values.clone()
    rotations = rotations.to(values.dtype)[:, None]
    dims = rotations.shape[-1]
    for row in range(dims):
        total = values[..., 0] * rotations[..., row, 0]
        for column in range(1, dims):
            total = total.addcmul_(values[..., column], rotations[..., row, column])
        rotated[..., row] = total
    return rotated


def rotations_3d(angles: np.ndarray) -> np.ndarray:
    """Return Rz·Ry·Rx, (N, 3, 3), for angles (N, 3) about x, y and z in radians."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles).T, np.sin(angles).T
    entries = [
        *(cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx),
        *(sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx),
        *(-sy, cy * sx, cy * cx),
    ]
    return np.stack(entries, axis=1).reshape(-1, 3, 3)


def rotations_2d(angles: np.ndarray) -> np.ndarray:
    """Return the rotations, (N, 2, 2), by angles (N, 1) in radians."""
    cosine, sine = np.cos(angles), np.sin(angles)
    return np.concatenate([cosine, -sine, sine, cosine], axis=1).reshape(-1, 2, 2)


@PIPELINES.register_module()
class RandomScale(BatchTransform):
    """Stretch each axis by 1 + uniform(-scale, scale).

    Args:
        scale: One number for all axes, or one per axis.
    """

    def __init__(self, scale: float | Sequence[float] = 0.2) -> None:
        self.scale = scale

    def apply(self, batch: Batch) -> None:
        """Stretch ``keypoint``."""
        dims, axis = num_coordinates(batch), batch.axis
        joints, channels = batch.row_shape()
        scale = np.zeros(channels)  # 0 for a score
        scale[:dims] = self.scale
        factors = 1 + scale * (2 * batch.draws.uniform(channels) - 1)  # (N, C)
        # NumPy multiplies rows of V·C numbers much faster than rows of C.
        factors = np.tile(factors.astype(np.float32), joints)

        def stretch(values: Array, rows: Rows) -> Array:
            factor = batch.on_device(factors[axis.sample[rows]])
            factor = factor.reshape(values.shape)
            if isinstance(values, np.ndarray):
                return values * factor.astype(values.dtype, copy=False)
            return values * factor.to(values.dtype)

        batch.map(stretch)


@PIPELINES.register_module()
class RandomGaussianNoise(BatchTransform):
    """Move joints in random directions.

    The distances are normal, with standard deviation ``sigma`` times the diagonal of the box around
    the skeleton. Absent (all-zero) skeletons stay zero.

    Args:
        sigma: Standard deviation relative to the diagonal.
        base: ``'frame'`` takes the box of each frame, ``'video'`` that of the whole sample.
        shared: Whether a joint moves by the same amount in all frames and persons.

    Raises:
        ValueError: for another base.
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

    def apply(self, batch: Batch) -> None:
        """Move the joints of ``keypoint``."""
        dims, axis = num_coordinates(batch), batch.axis
        joints = batch.row_shape()[0]
        # The counter of a row's first random number does not depend on which rows are computed.
        counters = np.zeros(len(axis), dtype=np.int64)
        if not self.shared:
            counters = ((axis.person << 24) + axis.frame) * joints
        directions, lengths = batch.draws.stream(0).keys, batch.draws.stream(1).keys
        diagonals = _video_diagonals(batch, dims) if self.base == "video" else None

        def move(values: Array, rows: Rows) -> Array:
            positions = values[..., :dims]
            sample = axis.sample[rows]
            counter = batch.on_device(counters[rows][:, None] + np.arange(joints))  # (R, V)
            direction = _directions(
                hashed(batch.on_device(directions[sample])[:, None], counter), dims
            )
            length = _normal(hashed(batch.on_device(lengths[sample])[:, None], counter))
            if diagonals is None:
                box = _largest(positions) - _smallest(positions)  # (R, D)
                diagonal = (box * box).sum(-1) ** 0.5
            else:
                diagonal = batch.on_device(diagonals[sample])
            # An absent skeleton must not move, not even if the box is that of the video.
            present = (positions != 0).any(-1).any(-1)
            scale = self.sigma * diagonal * present
            moves = direction * (length * scale[:, None])[..., None]
            values[..., :dims] += (
                moves.astype(values.dtype)
                if isinstance(values, np.ndarray)
                else moves.to(values.dtype)
            )
            return values

        batch.map(move)


def _largest(positions: Array) -> Array:
    return positions.max(axis=1) if isinstance(positions, np.ndarray) else positions.amax(dim=1)


def _smallest(positions: Array) -> Array:
    return positions.min(axis=1) if isinstance(positions, np.ndarray) else positions.amin(dim=1)


def _directions(words: Array, dims: int) -> Array:
    """Turn words (...) into directions (..., D), uniform on the circle or sphere."""
    xp = _module(words)
    about = 2 * math.pi * low_uniform(words)
    if dims == 2:
        return xp.stack([xp.cos(about), xp.sin(about)], -1)
    height = 2 * high_uniform(words) - 1  # uniform on a sphere (Archimedes)
    radius = (1 - height * height) ** 0.5
    return xp.stack([xp.cos(about) * radius, xp.sin(about) * radius, height], -1)


def _normal(words: Array) -> Array:
    """Turn words into standard normal numbers (Box and Muller, 1958)."""
    xp = _module(words)
    radius = (-2 * xp.log(1 - high_uniform(words))) ** 0.5  # 1 - u lies in (0, 1]
    return radius * xp.cos(2 * math.pi * low_uniform(words))


def _module(array: Array) -> Any:
    if isinstance(array, np.ndarray):
        return np
    import torch

    return torch


def _video_diagonals(batch: Batch, dims: int) -> np.ndarray:
    """Return the diagonal of the box around each whole sample, (N,) float32."""
    values = batch.read()
    host = values if isinstance(values, np.ndarray) else values.cpu().numpy()
    diagonals = np.zeros(len(batch), dtype=np.float32)
    for sample, (start, end) in enumerate(zip(batch.axis.starts, batch.axis.ends)):
        positions = host[start:end, :, :dims]
        there = positions[positions.any(axis=(1, 2))].reshape(-1, dims)
        if len(there):
            diagonals[sample] = np.linalg.norm(there.max(axis=0) - there.min(axis=0))
    return diagonals


@PIPELINES.register_module()
class Flip(BatchTransform):
    """Mirror the skeleton left-right with some probability.

    Pixel coordinates are mirrored within the image (``img_shape``), others about zero; left and
    right joints are swapped.

    Args:
        flip_ratio: The probability.
        direction: Only ``'horizontal'``.
        left_kp: The joints of the left side, in the order of ``right_kp``.
        right_kp: The joints of the right side.
        layout: A layout, or its name, whose mirror pairs to use instead of the two lists.

    Raises:
        ValueError: for a ratio outside [0, 1], another direction, or lists of different lengths.
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
            raise ValueError("Flip needs left_kp and right_kp of the same length, or a layout")
        self.flip_ratio = flip_ratio
        self.left = list(left_kp)
        self.right = list(right_kp)

    def apply(self, batch: Batch) -> None:
        """Mirror ``keypoint`` and ``keypoint_score``."""
        axis = batch.axis
        chosen = batch.draws.uniform() < self.flip_ratio  # (N,)
        joints, channels = batch.row_shape()
        mirror = np.arange(joints)
        mirror[self.left], mirror[self.right] = self.right, self.left
        pixels = zip(batch.get("img_shape"), batch.get("normalized", False))
        width = np.array(
            [0 if shape is None or normalized else shape[1] for shape, normalized in pixels],
            dtype=np.float32,
        )

        def flip(values: Array, rows: Rows) -> Array:
            some = np.flatnonzero(chosen[axis.sample[rows]])
            if not len(some):
                return values
            mirrored = _taken(batch, batch.take(values, some), joint_columns(mirror, channels))
            x, y = mirrored[..., 0], mirrored[..., 1]
            there = (x != 0) | (y != 0)  # missing joints stay at zero
            total = batch.on_device(width[axis.sample[rows[some]]])[:, None]
            mirrored[..., 0] = (total - x) * there + x * ~there
            return _replaced(batch, values, some, mirrored)

        def swap(score: Array, rows: Rows) -> Array:
            some = np.flatnonzero(chosen[axis.sample[rows]])
            if not len(some):
                return score
            return _replaced(batch, score, some, _taken(batch, batch.take(score, some), mirror))

        batch.map(flip)
        if "keypoint_score" in batch:
            batch.map(swap, source="keypoint_score")


def _taken(batch: Batch, values: Array, columns: np.ndarray) -> Array:
    """Reorder the columns of values (R, ...) flattened to two dimensions."""
    rows = values.reshape(len(values), -1)
    if isinstance(rows, np.ndarray):
        return rows.take(columns, axis=1).reshape(values.shape)
    return rows.index_select(1, batch.on_device(columns)).view(values.shape)


def _replaced(batch: Batch, values: Array, rows: Rows, new: Array) -> Array:
    if isinstance(values, np.ndarray):
        values[rows] = new
        return values
    return values.index_copy_(0, batch.on_device(rows), new)
