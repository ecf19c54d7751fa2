"""Samples as flat arrays.

The joints of all samples are rows of one array: a row is one person in one frame. Sample s owns the
rows ``starts[s]`` to ``starts[s] + persons[s] * frames[s]``, one person after the other. All other
keys (label, id, image size ...) are columns with one entry per sample.

Shapes: S samples, R rows, M persons, T frames, V joints, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pyskl.datasets.axis import Axis
from pyskl.datasets.batch import ABSENT, Batch, Keys, Sample

# The keys whose arrays (M, T, ...) become rows; all others become columns.
ROW_KEYS = ("keypoint", "keypoint_score")


class RowStore:
    """Samples in flat arrays.

    Args:
        rows: ``keypoint`` (R, V, C) and, if there are scores, ``keypoint_score`` (R, V), of any
            float type; usually read-only, and often mapped from a file.
        persons: M of each sample, (S,) int64.
        frames: T of each sample, (S,) int64.
        columns: The other keys: an array (S,) or (S, ...), or a list of length S, which may hold
            :data:`pyskl.datasets.batch.ABSENT`.
    """

    def __init__(
        self,
        rows: Mapping[str, np.ndarray],
        persons: np.ndarray,
        frames: np.ndarray,
        columns: Mapping[str, np.ndarray | list[Any]],
    ) -> None:
        self.rows = dict(rows)
        self.columns = dict(columns)
        self.axis = Axis(persons, frames)
        total = len(self.axis) if len(persons) else 0
        if any(len(array) != total for array in self.rows.values()):
            raise ValueError(
                f"the samples have {total} rows, but the arrays "
                f"{ {key: len(array) for key, array in self.rows.items()} }"
            )

    @classmethod
    def from_samples(cls, samples: Sequence[Mapping[str, Any]]) -> RowStore:
        """Copy samples into flat arrays; V, C and the keys of the arrays must be the same.

        If floating-point types differ, the widest one is used.
        """
        keys = [key for key in ROW_KEYS if key in samples[0]]
        rows = {}
        for key in keys:
            parts = [sample[key].reshape(-1, *sample[key].shape[2:]) for sample in samples]
            rows[key] = np.concatenate(parts)
        shapes = np.array([sample[keys[0]].shape[:2] for sample in samples], dtype=np.int64)
        return cls(rows, shapes[:, 0].copy(), shapes[:, 1].copy(), columns_of(samples))

    def __len__(self) -> int:
        """Return the number of samples S."""
        return len(self.axis.persons)

    def value(self, key: str, index: int) -> Any:
        """Return the value of a column for one sample as a plain Python object, or ABSENT."""
        column = self.columns.get(key)
        value = ABSENT if column is None else column[index]
        return value.item() if isinstance(value, np.generic) else value

    def sample(self, index: int) -> Sample:
        """Return a sample as a dict; its arrays are views of the rows."""
        sample: Sample = {}
        for key in self.columns:
            value = self.value(key, index)
            if value is not ABSENT:
                sample[key] = value
        start, stop = int(self.axis.starts[index]), int(self.axis.ends[index])
        shape = (int(self.axis.persons[index]), int(self.axis.frames[index]))
        for key, array in self.rows.items():
            sample[key] = array[start:stop].reshape(*shape, *array.shape[1:])
        return sample

    def batch(
        self,
        indices: np.ndarray,
        values: Mapping[str, Any],
        keys: Keys = None,
        device: Any = None,
        device_rows: Mapping[str, Any] | None = None,
    ) -> Batch:
        """Return some samples as a batch.

        Args:
            indices: Which samples, (N,) int64.
            values: Values to set in addition to the columns; see :class:`Batch`.
            keys: Keys of the samples' randomness; see :class:`Batch`.
            device: Where the batch computes; None for NumPy on the host.
            device_rows: The rows as tensors of that device.
        """
        axis = Axis(self.axis.persons[indices], self.axis.frames[indices])
        # The offset from a row of the batch to a row of the store.
        shift = self.axis.starts[indices] - axis.starts
        rows: Mapping[str, Any] = self.rows if device is None else device_rows or {}

        def source(key: str) -> tuple[Any, tuple[int, ...]]:
            array = rows[key]
            return (
                lambda some: batch.take(
                    array, some + (shift if len(shift) == 1 else shift[axis.sample[some]])
                ),
                tuple(array.shape[1:]),
            )

        batch = Batch(
            axis,
            {key: source(key) for key in rows},
            {**self._columns(indices, values), **values},
            keys,
            device,
        )
        return batch

    def _columns(self, indices: np.ndarray, without: Mapping[str, Any]) -> dict[str, Any]:
        numbers = indices.tolist()
        return {
            key: column.take(indices, axis=0)
            if isinstance(column, np.ndarray)
            else [column[number] for number in numbers]
            for key, column in self.columns.items()
            if key not in without
        }


class Samples(Sequence[Sample]):
    """Some samples of a store as a sequence of dicts, whose arrays are views.

    Args:
        store: The store.
        indices: Which samples, (len,) int64.
    """

    def __init__(self, store: RowStore, indices: np.ndarray) -> None:
        self.store = store
        self.indices = indices

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.indices)

    def __getitem__(self, index: Any) -> Any:
        """Return a sample, or those of a slice."""
        if isinstance(index, slice):
            return Samples(self.store, self.indices[index])
        return self.store.sample(int(self.indices[index]))

    def __iter__(self) -> Iterator[Sample]:
        """Yield the samples."""
        for index in self.indices:
            yield self.store.sample(int(index))

    def where(self, chosen: Sequence[bool]) -> Samples:
        """Return the samples for which ``chosen`` (len,) is true."""
        return Samples(self.store, self.indices[np.asarray(chosen, dtype=bool)])

    def values(self, key: str) -> list[Any]:
        """Return the value of a column for each sample; None for samples that lack it."""
        column = self.store.columns.get(key)
        if column is None:
            return [None] * len(self)
        if isinstance(column, np.ndarray) and column.ndim == 1:
            return column[self.indices].tolist()
        values = (self.store.value(key, int(index)) for index in self.indices)
        return [None if value is ABSENT else value for value in values]


def columns_of(samples: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray | list[Any]]:
    """Return the columns of all keys that are not rows.

    A column is an array if its values are scalars of one type, or arrays of one shape and type, and
    the array preserves them. Otherwise it is a list.
    """
    keys = dict.fromkeys(key for sample in samples for key in sample if key not in ROW_KEYS)
    return {key: _column([sample.get(key, ABSENT) for sample in samples]) for key in keys}


def _column(values: list[Any]) -> np.ndarray | list[Any]:
    first = values[0]
    if isinstance(first, np.ndarray):
        alike = all(
            isinstance(value, np.ndarray)
            and value.shape == first.shape
            and value.dtype == first.dtype
            for value in values
        )
        return np.stack(values) if alike and first.ndim and first.dtype.kind in "biuf" else values
    plain = [value.item() if isinstance(value, np.generic) else value for value in values]
    kinds = {type(value) for value in plain}
    if kinds in ({bool}, {float}) or (
        kinds == {int} and all(-(2**63) <= value < 2**63 for value in plain)
    ):
        return np.array(plain)
    # NumPy strips trailing null characters.
    if kinds == {str} and not any(value.endswith("\0") for value in plain):
        return np.array(plain)
    return plain
