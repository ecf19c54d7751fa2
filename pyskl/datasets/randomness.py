"""Randomness of a sample: a function of (seed, epoch, index) and of nothing else.

Built-in transforms draw from :func:`generator`. While a sample is read inside
:func:`sample_randomness` that is a fresh generator keyed by the sample, so that neither the
worker, nor the number of workers, nor what was read before has a say. Transforms written
elsewhere may call ``np.random``, ``random`` or ``torch``; :func:`seeded_globals` gives them global
generators that are keyed likewise, and puts the global state back afterwards.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import torch

_current: ContextVar[np.random.Generator | None] = ContextVar("sample generator", default=None)


@contextmanager
def sample_randomness(seed: int, epoch: int, index: int) -> Iterator[np.random.Generator]:
    """Make :func:`generator` return one keyed by ``(seed, epoch, index)`` within the block."""
    fresh = np.random.default_rng((seed, epoch, index))
    token = _current.set(fresh)
    try:
        yield fresh
    finally:
        _current.reset(token)


def is_keyed() -> bool:
    """Return whether a sample is being read inside :func:`sample_randomness`."""
    return _current.get() is not None


def generator() -> np.random.Generator:
    """Return the generator that a transform draws from.

    Outside :func:`sample_randomness` it is seeded from NumPy's global one, so that a pipeline
    called by hand repeats after ``np.random.seed``.
    """
    current = _current.get()
    if current is not None:
        return current
    return np.random.default_rng(np.random.randint(0, 2**32, size=4, dtype=np.uint32))


@contextmanager
def seeded_globals() -> Iterator[None]:
    """Seed the global generators from :func:`generator` within the block, then restore them."""
    numpy_state, python_state = np.random.get_state(), random.getstate()
    torch_state = torch.random.get_rng_state()
    seeds = generator().integers(0, 2**32, size=3)
    np.random.seed(int(seeds[0]))
    random.seed(int(seeds[1]))
    torch.random.default_generator.manual_seed(int(seeds[2]))
    try:
        yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)
        torch.random.set_rng_state(torch_state)
