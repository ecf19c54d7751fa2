"""The position of a run among other steps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyskl.logging.progress import Progress, Steps, moved, no_longer_exact


@given(
    samples=st.integers(1, 500),
    batches=st.tuples(st.integers(1, 16), st.integers(1, 16)),
    epoch=st.integers(0, 5),
    share=st.floats(0, 1),
)
def test_a_position_keeps_its_samples(
    samples: int, batches: tuple[int, int], epoch: int, share: float
) -> None:
    then, now = (Steps(-(-samples // batch), batch, 1) for batch in batches)
    inside = round(share * then.per_epoch)
    best = {"score": 0.5}
    found = moved(Progress(epoch, epoch * then.per_epoch + inside, best), then, now)
    steps = found.iteration - epoch * now.per_epoch
    assert (found.epoch, found.best) == (epoch, best)
    assert 0 <= steps <= now.per_epoch
    # To half a step, and what the last step of an epoch lacks.
    assert abs(steps * now.batch - inside * then.batch) <= now.batch / 2 + max(batches)


def test_what_is_other_is_said() -> None:
    then = Steps(6, 4, 1)
    assert no_longer_exact(then, then) is None
    both = no_longer_exact(then, Steps(6, 2, 2))
    assert both is not None
    assert "processes 1 → 2, samples a process and step 4 → 2" in both
    assert "which samples form a step" not in both  # they are the same eight
    other = no_longer_exact(then, Steps(3, 8, 1))
    assert other is not None
    assert "steps an epoch 6 → 3" in other
    assert "which samples form a step" in other


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ({"epoch": 2, "iter": 20}, Steps(10, 4, 1)),  # of the family
        ({"epoch": 0, "iter": 3}, Steps(6, 4, 1)),
        (
            {"epoch": 0, "iter": 3, "iters_per_epoch": 5, "batch": 8, "world_size": 2},
            Steps(5, 8, 2),
        ),
    ],
)
def test_the_steps_of_a_checkpoint(meta: dict[str, int], expected: Steps) -> None:
    assert Steps.of_meta(meta, Steps(6, 4, 1)) == expected
