"""The samples on a device.

Shapes: S samples, R rows, M persons, F frames, V joints, C coordinates. As in a pack a row is one
person in one frame, and person m of sample s in frame t is row ``starts[s] + m * frames[s] + t``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pyskl.datasets.packed.store import PackedSamples
from pyskl.errors import ConfigError, DeviceError

# Rows are copied to the device in pieces of about this many bytes.
_PIECE = 64 * 2**20
# What else training needs of a GPU's memory at the very least.
_MARGIN = 256 * 2**20


@dataclass(frozen=True)
class DeviceStore:
    """The rows of some samples as tensors of one device.

    Attributes:
        rows: By key: ``keypoint`` (R + 1, V·C), ``keypoint_score`` (R + 1, V), of the type that
            the pack has. The last row is zero and stands for what is absent.
        shapes: By key, the shape of a row: (V, C), (V,).
        facts: Of each sample its first row, its persons and its frames, (S, 3) int64.
    """

    rows: dict[str, Tensor]
    shapes: dict[str, tuple[int, ...]]
    facts: Tensor

    @classmethod
    def upload(cls, members: Sequence[PackedSamples], device: torch.device) -> DeviceStore:
        """Copy samples to a device, those of the first of ``members`` first.

        Raises:
            ConfigError: if the members differ in joints, coordinates or type of the keypoints.
            DeviceError: if they do not fit into the device's free memory.
        """
        _check_alike(members)
        first = members[0].store
        persons = np.concatenate([part.store.persons[part.indices] for part in members])
        frames = np.concatenate([part.store.frames[part.indices] for part in members])
        ends = np.cumsum(persons * frames)
        need = (int(ends[-1]) + 1) * sum(_row_bytes(array) for array in first.rows.values())
        _check_memory(need, device)
        rows = {
            key: _uploaded(
                [(part, part.store.rows[key]) for part in members], int(ends[-1]), device
            )
            for key in first.rows
        }
        facts = np.stack([ends - persons * frames, persons, frames], axis=1)
        return cls(
            rows=rows,
            shapes={key: array.shape[1:] for key, array in first.rows.items()},
            facts=torch.from_numpy(facts.astype(np.int64)).to(device),
        )

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.facts.device

    @property
    def num_bytes(self) -> int:
        """Size of the rows."""
        return sum(rows.numel() * rows.element_size() for rows in self.rows.values())

    def gather(
        self, start: Tensor, total: Tensor, persons: Tensor, frames: Tensor
    ) -> dict[str, Tensor]:
        """Return some frames of some persons of samples.

        Args:
            start: The samples' first rows, (N,) int64.
            total: Their frames, (N,) int64.
            persons: Which persons of each, (N, M) int64; -1 for none.
            frames: Which frames of each, (N, F) int64; -1 for none.

        Returns:
            ``keypoint`` (N, M, F, V, C) and, where there are scores, ``keypoint_score``
            (N, M, F, V); zero where there is no person or frame.
        """
        # (N, M, 1) + (N, 1, F) → (N, M, F)
        first = (start[:, None] + persons * total[:, None])[:, :, None]
        absent = (persons < 0)[:, :, None] | (frames < 0)[:, None]
        zero_row = next(iter(self.rows.values())).shape[0] - 1
        rows = (first + frames[:, None]).masked_fill_(absent, zero_row)
        return {
            key: matrix.index_select(0, rows.view(-1)).view(*rows.shape, *self.shapes[key])
            for key, matrix in self.rows.items()
        }


def _row_bytes(array: np.ndarray) -> int:
    return int(np.prod(array.shape[1:])) * array.itemsize


def _check_alike(members: Sequence[PackedSamples]) -> None:
    layouts = [
        {key: (array.shape[1:], array.dtype) for key, array in part.store.rows.items()}
        for part in members
    ]
    for layout in layouts[1:]:
        if layout != layouts[0]:
            raise ConfigError(
                f"data.device keeps the data sets of a ConcatDataset in one store, but they differ "
                f"in the shape or type of a frame: {_described(layouts[0])} and "
                f"{_described(layout)}; leave data.device out"
            )


def _described(layout: dict[str, tuple[tuple[int, ...], np.dtype]]) -> str:
    return ", ".join(f"{key} {shape} {dtype}" for key, (shape, dtype) in layout.items())


def _check_memory(need: int, device: torch.device) -> None:
    if device.type != "cuda":
        return
    free, _ = torch.cuda.mem_get_info(device)
    if need + _MARGIN > free:
        raise DeviceError(
            f"data.device: the samples take {need >> 20} MB on {device}, of which "
            f"{free >> 20} MB are free, and training needs some too; leave data.device out, or "
            "set it only for one of data.train_dataloader, val_dataloader, test_dataloader"
        )


def _uploaded(
    parts: Sequence[tuple[PackedSamples, np.ndarray]], count: int, device: torch.device
) -> Tensor:
    """Copy the rows of the samples, one after the other, to a matrix of count + 1 rows."""
    example = parts[0][1]
    width = int(np.prod(example.shape[1:]))
    dtype = torch.from_numpy(np.empty(0, example.dtype)).dtype
    matrix = torch.empty(count + 1, width, dtype=dtype, device=device)
    matrix[count] = 0
    done = 0
    for samples, rows in parts:
        for piece in _pieces(samples, rows):
            matrix[done : done + len(piece)] = torch.from_numpy(piece.reshape(-1, width))
            done += len(piece)
    return matrix


def _pieces(samples: PackedSamples, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yield new arrays that together are the rows of the samples in order."""
    starts = samples.store.starts[samples.indices]
    counts = (samples.store.persons * samples.store.frames)[samples.indices]
    held: list[np.ndarray] = []
    size = 0
    for start, count in zip(starts.tolist(), counts.tolist()):
        held.append(rows[start : start + count])
        size += held[-1].nbytes
        if size >= _PIECE:
            yield np.concatenate(held)
            held, size = [], 0
    if held:
        yield np.concatenate(held)
