"""Seeds of a run and of its steps."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from pyskl.distributed.collectives import broadcast_object
from pyskl.errors import InputError


def init_random_seed(seed: int | None = None) -> int:
    """Return ``seed``, or a random seed that is the same on all processes.

    Raises:
        InputError: for a seed that NumPy or torch does not accept.
    """
    if seed is not None:
        if not 0 <= seed < 2**63:
            raise InputError(f"the seed should be an integer from 0 to 2**63 - 1, found {seed}")
        return seed
    return int(broadcast_object(int(np.random.default_rng().integers(2**31))))


def set_random_seed(seed: int, *, deterministic: bool = False) -> None:
    """Seed Python's, NumPy's and torch's global generators.

    Args:
        seed: At least 0.
        deterministic: Also make torch choose deterministic algorithms, which may be slower; an
            operation that has none raises an error.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(True)


def seed_step(seed: int, iteration: int, rank: int) -> None:
    """Seed torch for one training step.

    Dropout masks then depend only on the step, so a resumed run draws the same masks.
    """
    state = np.random.SeedSequence((seed, iteration, rank)).generate_state(1, np.uint64)
    torch.manual_seed(int(state[0]))


def random_states() -> dict[str, Any]:
    """Return the states of Python's and NumPy's global generators, as tensors and numbers.

    Those of torch are not needed: :func:`seed_step` seeds them in every step.
    """
    version, python, gauss = random.getstate()
    name, numpy, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "python": [version, torch.tensor(python), gauss],
        "numpy": [
            str(name),
            torch.from_numpy(np.asarray(numpy).astype(np.int64)),
            int(position),
            int(has_gauss),
            float(cached),
        ],
    }


def set_random_states(states: Mapping[str, Any]) -> None:
    """Restore the states that :func:`random_states` returned."""
    version, python, gauss = states["python"]
    random.setstate((version, tuple(python.tolist()), gauss))
    name, numpy, position, has_gauss, cached = states["numpy"]
    np.random.set_state((name, numpy.numpy().astype(np.uint32), position, has_gauss, cached))
