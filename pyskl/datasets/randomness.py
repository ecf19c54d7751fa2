"""Random numbers that depend only on (seed, epoch, index).

They don't depend on the worker, the number of workers, the device or the order of reading.

The transforms of this package use :class:`Draws`: each number is a hash of the sample's key and a
counter, so any subset can be computed in any order, for a whole batch at once. The hash is the
output function of SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
Generators", OOPSLA 2014), chained over the parts of the key. It needs 64-bit additions,
multiplications (modulo 2^64) and shifts, which give the same bits in NumPy and in PyTorch.

Transforms of one sample may draw from :func:`generator`, or from the global generators of NumPy,
Python and PyTorch, which :class:`SampleRandomness` seeds from the same key.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np


def _signed(word: int) -> int:
    """Return the int64 with the same 64 bits."""
    word &= 2**64 - 1
    return word - 2**64 if word >= 2**63 else word


# The constants of SplitMix64: the step from one state to the next, and the two multipliers.
_STEP = _signed(0x9E3779B97F4A7C15)
_MULTIPLIERS = _signed(0xBF58476D1CE4E5B9), _signed(0x94D049BB133111EB)

Words = Any
"""An int64 array or tensor of random bits."""


def _shifted(words: Words, bits: int) -> Words:
    """Shift to the right and fill with zeros; ``>>`` alone would repeat the sign."""
    return (words >> bits) & ((1 << (64 - bits)) - 1)


def _mixed(words: Words) -> Words:
    """Return a hash of each word; the mapping is one to one."""
    words = (words ^ _shifted(words, 30)) * _MULTIPLIERS[0]
    words = (words ^ _shifted(words, 27)) * _MULTIPLIERS[1]
    return words ^ _shifted(words, 31)


def sample_keys(seed: int, epoch: int, index: np.ndarray) -> np.ndarray:
    """Return the key of each sample of an epoch.

    Args:
        seed: Seed of the run, from 0.
        epoch: From 0.
        index: Positions of the samples in the data set, (N,) int64.

    Returns:
        (N,) int64, all different within an epoch.
    """
    state = np.zeros(1, dtype=np.int64)
    for part in (seed, epoch):
        state = _mixed(state + _signed((int(part) + 1) * _STEP))
    return _mixed((index + 1) * _STEP + state)


class Draws:
    """The random numbers of one transform for the samples of a batch.

    Args:
        keys: (N,) int64; see :func:`sample_keys`.

    Every method takes the shape to draw for each sample. Two calls give the same numbers; to draw
    several times, take a :meth:`stream` for each.
    """

    def __init__(self, keys: np.ndarray) -> None:
        self.keys = keys

    def stream(self, number: int) -> Draws:
        """Return draws that are independent of these and of the other streams."""
        return Draws(_mixed(self.keys + _signed((number + 1) * _STEP)))

    def words(self, *shape: int) -> np.ndarray:
        """Return 64 random bits for each element, (N, *shape) int64."""
        counters = np.arange(1, math.prod(shape) + 1, dtype=np.int64) * _STEP
        words: np.ndarray = _mixed(self.keys[:, None] + counters)
        return words.reshape(-1, *shape)

    def uniform(self, *shape: int) -> np.ndarray:
        """Return numbers in [0, 1), multiples of 2^-24, (N, *shape) float64."""
        return high_uniform(self.words(*shape)).astype(np.float64)


def hashed(keys: Words, counters: Words) -> Words:
    """Return 64 random bits for each key and counter (from 0), which are broadcast."""
    return _mixed((counters + 1) * _STEP + keys)


def below(words: Words, bound: Any) -> Words:
    """Turn words into integers in [0, ``bound``).

    Args:
        words: int64.
        bound: From 0 to 2^31, broadcastable to the words; 0 gives 0.

    Returns:
        int64. The probabilities differ from 1 / bound by less than 2^-32.
    """
    return (_shifted(words, 32) * bound) >> 32


def high_uniform(words: Words) -> Any:
    """Return the upper 24 bits as numbers in [0, 1), multiples of 2^-24, float32."""
    return _float32(_shifted(words, 40)) * 2.0**-24


def low_uniform(words: Words) -> Any:
    """Return the lower 24 bits as numbers in [0, 1), float32; independent of the upper ones."""
    return _float32(words & (2**24 - 1)) * 2.0**-24


def _float32(words: Words) -> Any:
    return words.astype(np.float32) if isinstance(words, np.ndarray) else words.float()


# --- transforms of one sample ---------------------------------------------------------------------


class SampleRandomness:
    """The generator of one sample, for transforms that handle one sample at a time.

    Args:
        key: The sample's key; see :func:`sample_keys`. None takes the seed from NumPy's global
            generator, so that ``np.random.seed`` controls a pipeline that you call yourself.
    """

    def __init__(self, key: int | None) -> None:
        self.key = key
        self._generator: np.random.Generator | None = None

    @property
    def generator(self) -> np.random.Generator:
        """The generator, created on first use and shared by all transforms of the sample."""
        if self._generator is None:
            if self.key is None:
                seed: Any = np.random.randint(0, 2**32, size=4, dtype=np.uint32)
            else:
                seed = self.key & (2**64 - 1)
            self._generator = np.random.default_rng(seed)
        return self._generator

    @contextmanager
    def active(self) -> Iterator[None]:
        """Let :func:`generator` return this sample's generator within the block."""
        token = _active.set(self)
        try:
            yield
        finally:
            _active.reset(token)

    @contextmanager
    def seeded_globals(self) -> Iterator[None]:
        """As :meth:`active`, and seed the global generators within the block.

        These are the ones of NumPy, Python and, if it is imported, PyTorch. Their states are
        restored afterwards. Without a key they are not seeded.
        """
        if self.key is None:
            with self.active():
                yield
            return
        torch = sys.modules.get("torch")
        numpy_state, python_state = np.random.get_state(), random.getstate()
        torch_state = torch.random.get_rng_state() if torch else None
        seeds = self.generator.integers(0, 2**32, size=3)
        np.random.seed(int(seeds[0]))
        random.seed(int(seeds[1]))
        if torch:
            torch.random.default_generator.manual_seed(int(seeds[2]))
        try:
            with self.active():
                yield
        finally:
            np.random.set_state(numpy_state)
            random.setstate(python_state)
            if torch:
                torch.random.set_rng_state(torch_state)


_active: ContextVar[SampleRandomness | None] = ContextVar("sample randomness", default=None)


def generator() -> np.random.Generator:
    """Return the generator that a transform of one sample draws from."""
    return (_active.get() or SampleRandomness(None)).generator


def current_key() -> int | None:
    """Return the key of the sample that is being read, or None if there is none."""
    active = _active.get()
    return None if active is None else active.key


@contextmanager
def keyed(key: int) -> Iterator[np.random.Generator]:
    """Set the key of samples that are read within the block; see :func:`sample_keys`."""
    randomness = SampleRandomness(key)
    with randomness.active():
        yield randomness.generator


@contextmanager
def sample_randomness(seed: int, epoch: int, index: int) -> Iterator[np.random.Generator]:
    """Read samples within the block with the randomness of sample ``index`` of an epoch.

    Data loaders do this themselves; use it to read a sample without a loader.
    """
    with keyed(int(sample_keys(seed, epoch, np.array([index], dtype=np.int64))[0])) as rng:
        yield rng
