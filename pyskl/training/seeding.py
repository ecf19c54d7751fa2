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
    """Return ``seed``, or a random one that all processes agree on.

    Raises:
        InputError: for a seed that NumPy and torch don't both take.
    """
    if seed is not None:
        if not 0 <= seed < 2**63:
            raise InputError(f"the seed should be a whole number from 0 to 2**63 - 1, found {seed}")
        return seed
    return int(broadcast_object(int(np.random.default_rng().integers(2**31))))


def set_random_seed(seed: int, *, deterministic: bool = False) -> None:
    """Seed Python's, NumPy's and torch's global generators.

    Args:
        seed: From 0 up.
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

    What dropout drops then depends on the step alone, not on what ran before it, so that a run
    that was interrupted goes on as it would have.
    """
    state = np.random.SeedSequence((seed, iteration, rank)).generate_state(1, np.uint64)
    torch.manual_seed(int(state[0]))


def random_states() -> dict[str, Any]:
    """Return where the global generators stand, as tensors and numbers.

    torch's own are left out: :func:`seed_step` seeds them in every step.
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
    """Put the global generators where :func:`random_states` found them."""
    version, python, gauss = states["python"]
    random.setstate((version, tuple(python.tolist()), gauss))
    name, numpy, position, has_gauss, cached = states["numpy"]
    np.random.set_state((name, numpy.numpy().astype(np.uint32), position, has_gauss, cached))
