"""Samples in flat arrays, and the samples seen through them.

Shapes: S samples, R rows, M persons, T frames, V joints, C coordinates. A row is one person in one
frame. Sample s owns the rows ``starts[s]`` to ``starts[s] + persons[s] * frames[s]``, its persons
one after the other: person m in frame t is row ``starts[s] + m * frames[s] + t``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pyskl.datasets.packed.columns import ABSENT, Column, NotPackableError, make_column

Sample = dict[str, Any]

# The keys whose arrays (M, T, ...) become rows; all others become columns.
ROW_KEYS = ("keypoint", "keypoint_score")


@dataclass(frozen=True)
class PackedStore:
    """All samples of an annotation file.

    Attributes:
        rows: ``keypoint`` (R, V, C) and, where there are scores, ``keypoint_score`` (R, V); of any
            float type, read-only, usually mapped from a file.
        persons: M of each sample (S,) int64.
        frames: T of each sample (S,) int64.
        columns: The other keys.
        starts: First row of each sample (S,) int64.
    """

    rows: Mapping[str, np.ndarray]
    persons: np.ndarray
    frames: np.ndarray
    columns: Mapping[str, Column]
    starts: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        """Work out where each sample starts, and check that the rows are there."""
        counts = self.persons * self.frames
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        if counts.min(initial=0) < 0 or any(len(rows) != starts[-1] for rows in self.rows.values()):
            raise ValueError(
                f"the samples need {starts[-1]} rows, found "
                f"{ {key: len(rows) for key, rows in self.rows.items()} }"
            )
        object.__setattr__(self, "starts", starts[:-1])

    @classmethod
    def from_samples(cls, samples: Sequence[Mapping[str, Any]]) -> PackedStore:
        """Pack samples in memory.

        Raises:
            NotPackableError: if the samples differ in joints, coordinates or type of the
                keypoints, or hold what a pack has no place for.
        """
        layout = RowLayout.of(samples)
        rows = {
            key: np.concatenate([layout.rows_of(sample, key) for sample in samples])
            for key in layout.keys
        }
        for array in rows.values():
            array.flags.writeable = False
        return cls(rows, *shapes_of(samples), columns_of(samples))

    def __len__(self) -> int:
        """Return the number of samples S."""
        return len(self.starts)

    def sample(self, index: int) -> Sample:
        """Return sample ``index``; its arrays are read-only views of the rows."""
        start, persons, frames = self.starts[index], self.persons[index], self.frames[index]
        stop = start + persons * frames
        sample: Sample = {}
        for key, column in self.columns.items():
            if column.has(index):
                sample[key] = column.get(index)
        for key, rows in self.rows.items():
            sample[key] = rows[start:stop].reshape(persons, frames, *rows.shape[1:])
        return sample


class PackedSamples(Sequence[Sample]):
    """Some samples of a store, in the order of ``indices``.

    Args:
        store: The store.
        indices: Which samples, (len,) int64; None for all.
    """

    def __init__(self, store: PackedStore, indices: np.ndarray | None = None) -> None:
        self.store = store
        self.indices = np.arange(len(store)) if indices is None else indices

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.indices)

    def __getitem__(self, index: Any) -> Any:
        """Return a sample, or those of a slice."""
        if isinstance(index, slice):
            return PackedSamples(self.store, self.indices[index])
        return self.store.sample(int(self.indices[index]))

    def __iter__(self) -> Iterator[Sample]:
        """Yield the samples."""
        for index in self.indices:
            yield self.store.sample(int(index))

    def values(self, key: str) -> list[Any]:
        """Return the value of ``key`` in each sample; None for samples that lack it."""
        column = self.store.columns.get(key)
        if column is None:
            return [None] * len(self)
        if column.is_scalar and column.present is None and isinstance(column.values, np.ndarray):
            chosen: list[Any] = column.values[self.indices].tolist()
            return chosen
        return [column.get(int(i)) if column.has(int(i)) else None for i in self.indices]


@dataclass(frozen=True)
class RowLayout:
    """What all rows of some samples have in common.

    Attributes:
        shapes: Shape of one row by key: ``{'keypoint': (V, C), 'keypoint_score': (V,)}``.
        dtypes: Type by key.
    """

    shapes: Mapping[str, tuple[int, ...]]
    dtypes: Mapping[str, np.dtype[Any]]

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that have rows."""
        return tuple(self.shapes)

    @classmethod
    def of(cls, samples: Sequence[Mapping[str, Any]]) -> RowLayout:
        """Return the layout of the first sample, which the others are then held against."""
        first = samples[0]
        arrays = {key: first[key] for key in ROW_KEYS if key in first}
        if not isinstance(arrays.get("keypoint"), np.ndarray) or arrays["keypoint"].ndim != 4:
            raise NotPackableError("the first sample has no keypoint (M, T, V, C)")
        if any(not isinstance(array, np.ndarray) or array.ndim < 2 for array in arrays.values()):
            raise NotPackableError("the first sample's keypoint_score is not (M, T, V)")
        return cls(
            {key: array.shape[2:] for key, array in arrays.items()},
            {key: array.dtype for key, array in arrays.items()},
        )

    def rows_of(self, sample: Mapping[str, Any], key: str) -> np.ndarray:
        """Return a sample's rows (M·T, ...) of ``key``.

        Raises:
            NotPackableError: if they are unlike those of the first sample.
        """
        present = tuple(name for name in ROW_KEYS if name in sample)
        array, keypoint = sample.get(key), sample.get("keypoint")
        if (
            present != self.keys
            or not isinstance(array, np.ndarray)
            or array.shape[2:] != self.shapes[key]
            or not isinstance(keypoint, np.ndarray)
            or array.shape[:2] != keypoint.shape[:2]
            or array.dtype != self.dtypes[key]
        ):
            raise NotPackableError(
                f"the samples differ in {key!r}: {self.dtypes[key]} rows of shape "
                f"{self.shapes[key]} in the first, {_described(array)} in another"
            )
        # (M, T, ...) → (M·T, ...)
        return array.reshape(-1, *self.shapes[key])


def _described(array: Any) -> str:
    if not isinstance(array, np.ndarray):
        return type(array).__name__
    return f"{array.dtype} of shape {array.shape}"


def shapes_of(samples: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the persons M and the frames T of each sample, (S,) int64 each."""
    shapes = np.array([sample["keypoint"].shape[:2] for sample in samples], dtype=np.int64)
    return shapes[:, 0].copy(), shapes[:, 1].copy()


def columns_of(samples: Sequence[Mapping[str, Any]]) -> dict[str, Column]:
    """Return the columns of all keys but the row keys.

    Raises:
        NotPackableError: if a value is not plain.
    """
    keys = dict.fromkeys(key for sample in samples for key in sample if key not in ROW_KEYS)
    return {key: make_column(key, [sample.get(key, ABSENT) for sample in samples]) for key in keys}
