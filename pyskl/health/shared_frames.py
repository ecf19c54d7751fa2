"""Find runs of frames that two samples share bit for bit.

Every window of ``RUN_LENGTH`` frames gets a 64-bit hash. Windows with equal hashes are compared
value by value and extended in both directions.
Shapes: M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

RUN_LENGTH = 16
"""Two samples share frames if at least this many in a row are equal."""

# A window is compared with this many others of the same hash, as all pairs of a large group would
# be too many.
_NEIGHBOURS = 8

_SEED = 20240229  # of the hash weights
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Run(NamedTuple):
    """A run of frames that a person of one sample (by index) shares with a person of another."""

    first: int
    second: int
    first_start: int
    second_start: int
    frames: int


class SharedFrames:
    """Collects the window hashes of many samples and finds those that occur twice."""

    def __init__(self) -> None:
        # By piece: consecutive frames in which a person is present.
        self._hashes: list[np.ndarray] = []
        self._origins: list[tuple[int, int, int]] = []  # sample, person, frame
        self._weights: dict[int, np.ndarray] = {}
        self._window_weights = _odd_weights(_SEED, RUN_LENGTH)

    def add(self, index: int, keypoint: np.ndarray) -> None:
        """Add the windows of a sample in which a person is present in every frame.

        Args:
            index: Index of the sample.
            keypoint: (M, T, V, C), of a float type.
        """
        if keypoint.shape[1] < RUN_LENGTH:
            return
        bits = _bits(keypoint)  # (M, T, words)
        words = bits.shape[2]
        if words not in self._weights:
            self._weights[words] = _odd_weights(_SEED + words, words)
        frame_hashes = _mix(bits @ self._weights[words])  # (M, T)
        present: np.ndarray = np.any(bits, axis=2)
        for person in range(len(bits)):
            windows = sliding_window_view(frame_hashes[person], RUN_LENGTH)
            hashes = _mix(windows @ self._window_weights)
            whole = sliding_window_view(present[person], RUN_LENGTH).all(axis=1)
            edges = np.flatnonzero(np.diff(np.concatenate([[0], whole, [0]])))
            for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist()):
                self._hashes.append(hashes[start:stop])
                self._origins.append((index, person, start))

    def runs(self, keypoint_of: Callable[[int], np.ndarray]) -> list[Run]:
        """Return the longest shared run of each pair of samples.

        Args:
            keypoint_of: Returns the keypoints (M, T, V, C) of a sample by its index.
        """
        if not self._hashes:
            return []
        hashes = np.concatenate(self._hashes)
        starts = np.cumsum([0, *map(len, self._hashes)])
        ordered = np.sort(hashes)
        repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        del ordered
        if not len(repeated):
            return []
        places = np.searchsorted(repeated, hashes)
        places[places == len(repeated)] = 0
        windows = np.flatnonzero(repeated[places] == hashes)
        pieces = np.searchsorted(starts, windows, side="right") - 1
        found: dict[tuple[int, int], Run] = {}
        for pair in self._candidates(hashes[windows], pieces):
            (sample, person, start), (other, other_person, other_start) = (
                (*self._origins[pieces[i]][:2], self._start(starts, windows[i], pieces[i]))
                for i in pair
            )
            run = _extended(
                keypoint_of(sample)[person], keypoint_of(other)[other_person], start, other_start
            )
            if run is not None and (
                (sample, other) not in found or run[2] > found[sample, other].frames
            ):
                found[sample, other] = Run(sample, other, *run)
        return [found[key] for key in sorted(found)]

    def _start(self, starts: np.ndarray, window: int, piece: int) -> int:
        """Return the first frame of a window."""
        return self._origins[piece][2] + int(window - starts[piece])

    def _candidates(self, hashes: np.ndarray, pieces: np.ndarray) -> list[tuple[int, int]]:
        """Return pairs of equal windows in different samples, one for each pair of pieces."""
        samples = np.array([origin[0] for origin in self._origins])[pieces]
        order = np.lexsort((samples, hashes))  # stable: pieces stay in their order
        # One window of each hash is enough for a sample that repeats itself.
        first = np.ones(len(order), bool)
        first[1:] = (np.diff(hashes[order]) != 0) | (np.diff(samples[order]) != 0)
        order = order[first]
        ordered = hashes[order]
        found: dict[int, tuple[int, int]] = {}
        for lag in range(1, _NEIGHBOURS + 1):
            same = np.flatnonzero(ordered[lag:] == ordered[:-lag])
            one, other = order[same], order[same + lag]
            keys = pieces[one] * len(self._origins) + pieces[other]
            unique, at = np.unique(keys, return_index=True)
            for key, a, b in zip(unique.tolist(), one[at].tolist(), other[at].tolist()):
                found.setdefault(key, (a, b))
        return list(found.values())


def _bits(keypoint: np.ndarray) -> np.ndarray:
    """Return the bits of values (M, T, V, C) as uint64, (M, T, words)."""
    content = np.ascontiguousarray(keypoint)
    size = min(content.dtype.itemsize, 4)
    bits: np.ndarray = content.reshape(*content.shape[:2], -1).view(f"u{size}").astype(np.uint64)
    return bits


def _extended(
    first: np.ndarray, second: np.ndarray, start: int, other_start: int
) -> tuple[int, int, int] | None:
    """Return both starts and the length of the run that contains two windows of persons.

    Persons are (T, V, C). Returns None if only the hashes are equal.
    """
    if first.dtype != second.dtype or first.shape[1:] != second.shape[1:]:
        return None
    shift = other_start - start
    begin, end = max(0, -shift), min(len(first), len(second) - shift)
    left, right = (
        _bits(first[None, begin:end])[0],
        _bits(second[None, begin + shift : end + shift])[0],
    )
    same = (left == right).all(axis=1) & left.any(axis=1)
    at = start - begin
    if not same[at : at + RUN_LENGTH].all():
        return None
    before, after = np.flatnonzero(~same[:at]), np.flatnonzero(~same[at:])
    run_start = int(before[-1]) + 1 if len(before) else 0
    run_stop = at + int(after[0]) if len(after) else len(same)
    return begin + run_start, begin + run_start + shift, run_stop - run_start


def _mix(values: np.ndarray) -> np.ndarray:
    """Spread the high bits over all bits, so that sums of products keep their information."""
    values = values ^ (values >> np.uint64(32))
    values = values * _GOLDEN
    mixed: np.ndarray = values ^ (values >> np.uint64(29))
    return mixed


def _odd_weights(seed: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    weights: np.ndarray = rng.integers(0, 2**64, count, dtype=np.uint64) | np.uint64(1)
    return weights
