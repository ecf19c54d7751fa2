"""Seeds: what they make repeat, and what they leave alone."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pyskl.training.seeding import init_random_seed, seed_step, set_random_seed

steps = st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 10**6), st.integers(0, 63))


def draw(step: tuple[int, int, int]) -> list[float]:
    seed_step(*step)
    return torch.rand(4).tolist()


@given(steps, steps, st.integers(0, 100))
def test_a_step_depends_on_seed_iteration_and_rank_alone(
    step: tuple[int, int, int], other: tuple[int, int, int], drawn_before: int
) -> None:
    found = draw(step)
    torch.rand(drawn_before)
    assert draw(step) == found
    assert (draw(other) == found) == (other == step)


def test_a_step_leaves_the_other_generators_alone() -> None:
    set_random_seed(3)
    expected = np.random.rand(), random.random()
    set_random_seed(3)
    seed_step(1, 2, 0)
    assert (np.random.rand(), random.random()) == expected


def draw_all() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(1))


@pytest.mark.parametrize("seed", [0, 1, 2**32, 2**40])
def test_all_generators_are_seeded(seed: int) -> None:
    set_random_seed(seed)
    found = draw_all()
    set_random_seed(seed + 1)
    assert all(a != b for a, b in zip(draw_all(), found))
    set_random_seed(seed)
    assert draw_all() == found


def test_deterministic_algorithms_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    asked = []
    monkeypatch.setattr(torch, "use_deterministic_algorithms", asked.append)
    set_random_seed(1)
    assert asked == []
    set_random_seed(1, deterministic=True)
    assert asked == [True]
    assert not torch.backends.cudnn.benchmark


def test_a_seed_is_drawn_where_none_is_given() -> None:
    assert init_random_seed(7) == 7
    assert init_random_seed(0) == 0
    np.random.seed(0)  # the global generator has no say
    first = init_random_seed()
    np.random.seed(0)
    second = init_random_seed()
    assert first != second
    assert 0 <= first < 2**31
