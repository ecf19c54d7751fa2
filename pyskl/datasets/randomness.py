"""Randomness of a sample: a function of (seed, epoch, index) and of nothing else.

Built-in transforms draw from :func:`generator`. While a sample is read inside
:class:`KeyedRandomness` that is a fresh generator keyed by the sample, so that neither the
worker, nor the number of workers, nor what was read before has a say. Transforms written
elsewhere may call ``np.random``, ``random`` or ``torch``; :func:`seeded_globals` gives them global
generators that are keyed likewise, and puts the global state back afterwards.
"""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence


class _HashedKey(ISeedSequence):
    """Gives a generator its first state: the BLAKE2 hash of a key.

    Equals ``np.random.SeedSequence`` in what counts here (the states of different keys have
    nothing to do with each other) and takes a fraction of its time.
    """

    def __init__(self, key: tuple[int, int, int]) -> None:
        self.key = key

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> np.ndarray:
        """Return ``n_words`` words of 32 or 64 bits; PCG64 asks for four of 64 bits."""
        size = n_words * (8 if dtype is np.uint64 else np.dtype(dtype).itemsize)
        text = b"%d,%d,%d" % self.key
        return np.frombuffer(hashlib.blake2b(text, digest_size=size).digest(), dtype)


class KeyedRandomness:
    """Make :func:`generator` return one keyed by ``(seed, epoch, index)`` within the block.

    The generator is made when it is first asked for: pipelines that draw nothing don't pay for it.
    """

    __slots__ = ("_generator", "_key", "_token")

    def __init__(self, seed: int, epoch: int, index: int) -> None:
        self._key = (seed, epoch, index)
        self._generator: np.random.Generator | None = None

    def __enter__(self) -> None:
        self._token = _current.set(self)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)

    def generator(self) -> np.random.Generator:
        """Return the sample's generator, the same at every call."""
        if self._generator is None:
            seed: Any = _HashedKey(self._key)  # of the interface that NumPy's type hints leave out
            self._generator = np.random.Generator(np.random.PCG64(seed))
        return self._generator


_current: ContextVar[KeyedRandomness | None] = ContextVar("keyed sample", default=None)


@contextmanager
def sample_randomness(seed: int, epoch: int, index: int) -> Iterator[np.random.Generator]:
    """As :class:`KeyedRandomness`, and give the generator to the block."""
    keyed = KeyedRandomness(seed, epoch, index)
    with keyed:
        yield keyed.generator()


def is_keyed() -> bool:
    """Return whether a sample is being read inside :class:`KeyedRandomness`."""
    return _current.get() is not None


def generator() -> np.random.Generator:
    """Return the generator that a transform draws from.

    Outside :class:`KeyedRandomness` it is seeded from NumPy's global one, so that a pipeline
    called by hand repeats after ``np.random.seed``.
    """
    current = _current.get()
    if current is not None:
        return current.generator()
    return np.random.default_rng(np.random.randint(0, 2**32, size=4, dtype=np.uint32))


@contextmanager
def seeded_globals() -> Iterator[None]:
    """Seed the global generators from :func:`generator` within the block, then restore them.

    torch's is one of them where the process has imported torch.
    """
    torch = sys.modules.get("torch")
    numpy_state, python_state = np.random.get_state(), random.getstate()
    torch_state = torch.random.get_rng_state() if torch else None
    seeds = generator().integers(0, 2**32, size=3)
    np.random.seed(int(seeds[0]))
    random.seed(int(seeds[1]))
    if torch:
        torch.random.default_generator.manual_seed(int(seeds[2]))
    try:
        yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)
        if torch:
            torch.random.set_rng_state(torch_state)
