"""Learning rates: as published, in closed form, with and without warm-up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyskl.training.schedule import LearningRate

lengths = st.tuples(st.integers(1, 20), st.integers(1, 20))  # epochs, iterations of each
bases = st.floats(1e-4, 10)
schedules = st.sampled_from(
    [
        dict(policy="fixed"),
        dict(policy="step", step=[2, 10]),
        dict(policy="step", step=3, gamma=0.5),
        dict(policy="CosineAnnealing", by_epoch=False),
        dict(policy="CosineAnnealing", min_lr_ratio=0.01),
    ]
)


def rates(base_lr: float, epochs: int, iters: int, **options: Any) -> np.ndarray:
    schedule = LearningRate(base_lr, epochs, iters, **options)
    return np.array([schedule.at(iteration) for iteration in range(epochs * iters)])


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cosine_16ep_10it", dict(policy="CosineAnnealing", min_lr=0, by_epoch=False)),
        ("step_2_10_16ep_10it", dict(policy="step", step=[2, 10])),
    ],
)
def test_rates_of_the_original(golden: Path, name: str, options: dict[str, Any]) -> None:
    with np.load(golden / "lr.npz", allow_pickle=False) as expected:
        np.testing.assert_allclose(rates(0.1, 16, 10, **options), expected[name], rtol=0, atol=1e-9)


@given(bases, lengths, st.floats(0, 1))
def test_cosine_falls_from_base_towards_its_floor(
    base: float, length: tuple[int, int], floor: float
) -> None:
    found = rates(base, *length, policy="CosineAnnealing", by_epoch=False, min_lr=floor * base)
    n = length[0] * length[1]
    low = floor * base
    expected = low + (base - low) * (1 + np.cos(np.pi * np.arange(n) / n)) / 2
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found[0] == pytest.approx(base)
    assert (np.diff(found) <= 1e-12).all()


@given(bases, lengths, st.lists(st.integers(0, 20), unique=True, max_size=4), st.floats(0.1, 0.9))
def test_steps_fall_at_the_start_of_their_epochs(
    base: float, length: tuple[int, int], step: list[int], gamma: float
) -> None:
    found = rates(base, *length, policy="step", step=step, gamma=gamma)
    epochs = np.arange(length[0] * length[1]) // length[1]
    passed = sum((epochs >= milestone).astype(int) for milestone in step)
    np.testing.assert_allclose(found, base * gamma**passed, rtol=1e-9)


def test_a_number_steps_again_and_again() -> None:
    found = rates(1.0, 6, 2, policy="step", step=2, gamma=0.1)
    np.testing.assert_allclose(found, [1] * 4 + [0.1] * 4 + [0.01] * 4)
    found = rates(1.0, 6, 2, policy="step", step=5, by_epoch=False)
    np.testing.assert_allclose(found, [1] * 5 + [0.1] * 5 + [0.01] * 2)


def test_steps_stop_at_the_floor() -> None:
    assert rates(1.0, 4, 1, policy="step", step=1, min_lr=0.05).tolist() == [1, 0.1, 0.05, 0.05]
    assert rates(2.0, 2, 1, policy="step", step=1, min_lr_ratio=0.3).tolist() == [2, 0.6]


@given(bases, lengths)
def test_cosine_by_epoch_is_constant_within_an_epoch(base: float, length: tuple[int, int]) -> None:
    found = rates(base, *length, policy="CosineAnnealing").reshape(length)
    assert (found == found[:, :1]).all()
    np.testing.assert_allclose(
        found[:, 0], rates(base, length[0], 1, policy="CosineAnnealing", by_epoch=False)
    )


@given(bases, lengths, schedules, st.integers(1, 30), st.floats(0.01, 1))
def test_warm_ups_rise_to_the_schedule(
    base: float, length: tuple[int, int], options: dict[str, Any], iters: int, ratio: float
) -> None:
    plain = rates(base, *length, **options)
    share = np.minimum(np.arange(len(plain)) / iters, 1)
    factors = {
        "constant": np.where(share < 1, ratio, 1),
        "linear": ratio + (1 - ratio) * share,
        "exp": ratio ** (1 - share),
    }
    for warmup, factor in factors.items():
        found = rates(
            base, *length, **options, warmup=warmup, warmup_iters=iters, warmup_ratio=ratio
        )
        np.testing.assert_allclose(found, plain * factor, rtol=1e-9)


def test_warm_up_by_epoch() -> None:
    options = dict(warmup="linear", warmup_ratio=0.1)
    np.testing.assert_array_equal(
        rates(1.0, 4, 10, warmup_iters=2, warmup_by_epoch=True, **options),
        rates(1.0, 4, 10, warmup_iters=20, **options),
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(policy="cosine"), "there is no policy 'cosine'"),
        (dict(policy="step"), "'step' needs step"),
        (dict(policy="step", step=0), "period of at least 1"),
        (dict(policy="CosineAnnealing", min_lr=0, min_lr_ratio=0.1), "not both"),
        (dict(warmup="cubic", warmup_iters=5), "found 'cubic'"),
        (dict(warmup="linear"), "warmup_iters of at least 1"),
        (dict(warmup="linear", warmup_iters=5, warmup_ratio=0), "warmup_ratio in"),
        (dict(warmup="linear", warmup_iters=5, warmup_ratio=1.5), "found 5 and 1.5"),
    ],
)
def test_arguments_that_do_not_go_together(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LearningRate(0.1, 4, 10, **options)
