"""Find samples, and runs of frames, that are the same to the last bit.

Shapes: M persons, T frames, V joints, C coordinates, L length of a run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

RUN = 16
"""Frames in a row from which on two samples count as sharing frames."""

# How many neighbours in a group of equal windows are compared with each other. All pairs of larger
# groups would be too many; each sample is still compared with this many of the others.
_NEIGHBOURS = 8

_SEED = 20240229  # of the hash; any number would do, equality is verified afterwards
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Run(NamedTuple):
    """A run of frames that a person of one sample shares with a person of another."""

    first: int
    second: int
    first_start: int
    second_start: int
    frames: int


def digest(keypoint: np.ndarray) -> bytes:
    """Return a hash of type, shape and values: equal for arrays that are the same to the last bit.

    BLAKE2b of 128 bits: that two different ones agree by chance does not happen.
    """
    content = np.ascontiguousarray(keypoint)
    state = hashlib.blake2b(f"{content.dtype.str}{content.shape}".encode(), digest_size=16)
    state.update(content.data)
    return state.digest()


class SharedFrames:
    """Collects the windows of RUN frames of many samples, and finds those that occur twice."""

    def __init__(self) -> None:
        self._hashes: list[np.ndarray] = []
        self._origins: list[tuple[int, int, int]] = []  # sample, person, first frame; by piece
        self._weights: dict[int, np.ndarray] = {}
        rng = np.random.default_rng(_SEED)
        self._places = _odd(rng, RUN)

    def add(self, index: int, keypoint: np.ndarray) -> None:
        """Add the windows of a sample in which a person is there in every frame.

        Args:
            index: Of the sample.
            keypoint: (M, T, V, C), of a float type.
        """
        M, T = keypoint.shape[:2]
        if T < RUN:
            return
        words = bit_rows(keypoint)
        mixed = _mix(words @ self._weights_for(words.shape[2]))  # (M, T)
        there: np.ndarray = np.any(words, axis=2)
        for person in range(M):
            windows = np.lib.stride_tricks.sliding_window_view(mixed[person], RUN)
            whole: np.ndarray = np.all(
                np.lib.stride_tricks.sliding_window_view(there[person], RUN), axis=1
            )
            hashes = _mix(windows @ self._places)
            if whole.all():
                self._keep(index, person, 0, hashes)
            else:
                for start, stop in _stretches(whole):
                    self._keep(index, person, start, hashes[start:stop])

    def runs(self, samples: Sequence[np.ndarray]) -> list[Run]:
        """Return the runs that two samples share: one for each pair of samples.

        Args:
            samples: The keypoints, by the index that :meth:`add` was given.
        """
        if not self._hashes:
            return []
        hashes = np.concatenate(self._hashes)
        starts = np.cumsum([0, *map(len, self._hashes)])
        ordered = np.sort(hashes)
        twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        del ordered
        if not len(twice):
            return []
        places = np.searchsorted(twice, hashes)
        places[places == len(twice)] = 0
        windows = np.flatnonzero(twice[places] == hashes)
        pieces = np.searchsorted(starts, windows, side="right") - 1
        found: dict[tuple[int, int], Run] = {}
        for one, other in self._pairs(hashes[windows], pieces):
            a, b = (self._origin(starts, windows[i], pieces[i]) for i in (one, other))
            run = _extended(samples[a[0]], samples[b[0]], a, b)
            key = (a[0], b[0])
            if run is not None and (key not in found or run.frames > found[key].frames):
                found[key] = run
        return [found[key] for key in sorted(found)]

    def _keep(self, index: int, person: int, start: int, hashes: np.ndarray) -> None:
        self._hashes.append(hashes)
        self._origins.append((index, person, start))

    def _origin(self, starts: np.ndarray, window: int, piece: int) -> tuple[int, int, int]:
        """Return sample, person and first frame of a window."""
        index, person, start = self._origins[piece]
        return index, person, start + int(window - starts[piece])

    def _pairs(self, hashes: np.ndarray, pieces: np.ndarray) -> list[tuple[int, int]]:
        """Return positions of windows with one hash in different samples: one for two pieces."""
        owners = np.array([origin[0] for origin in self._origins])[pieces]
        order = np.lexsort((owners, hashes))  # stable: pieces stay in their order
        # Of a sample that repeats itself one window of each hash is enough.
        first = np.ones(len(order), bool)
        first[1:] = np.diff(hashes[order]) != 0
        first[1:] |= np.diff(owners[order]) != 0
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

    def _weights_for(self, words: int) -> np.ndarray:
        if words not in self._weights:
            self._weights[words] = _odd(np.random.default_rng(_SEED + words), words)
        return self._weights[words]


def bit_rows(keypoint: np.ndarray) -> np.ndarray:
    """Return the values (M, T, V, C) as their bits: (M, T, V · C · words each) uint64."""
    content = np.ascontiguousarray(keypoint)
    M, T = content.shape[:2]
    size = min(content.dtype.itemsize, 4)
    bits: np.ndarray = content.reshape(M, T, -1).view(f"u{size}").astype(np.uint64)
    return bits


def _extended(
    one: np.ndarray, other: np.ndarray, a: tuple[int, int, int], b: tuple[int, int, int]
) -> Run | None:
    """Return the run around two equal windows; None where only their hashes are equal."""
    if one.dtype != other.dtype or one.shape[2:] != other.shape[2:]:
        return None
    first, second = one[a[1]], other[b[1]]  # (T, V, C)
    shift = b[2] - a[2]
    begin, end = max(0, -shift), min(len(first), len(second) - shift)
    left = bit_rows(first[None, begin:end])[0]
    right = bit_rows(second[None, begin + shift : end + shift])[0]
    same = (left == right).all(axis=1) & left.any(axis=1)
    at = a[2] - begin
    if not same[at : at + RUN].all():
        return None
    before = np.flatnonzero(~same[:at])
    after = np.flatnonzero(~same[at:])
    start = int(before[-1]) + 1 if len(before) else 0
    stop = at + int(after[0]) if len(after) else len(same)
    return Run(a[0], b[0], begin + start, begin + start + shift, stop - start)


def _stretches(flags: np.ndarray) -> list[tuple[int, int]]:
    """Return the beginnings and ends of the stretches that are true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist()))


def _mix(values: np.ndarray) -> np.ndarray:
    """Spread what the high bits know over all bits, so that sums of products keep it."""
    values = values ^ (values >> np.uint64(32))
    values = values * _GOLDEN
    mixed: np.ndarray = values ^ (values >> np.uint64(29))
    return mixed


def _odd(rng: np.random.Generator, count: int) -> np.ndarray:
    weights: np.ndarray = rng.integers(0, 2**64, count, dtype=np.uint64) | np.uint64(1)
    return weights
