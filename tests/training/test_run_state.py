"""The position of a run that resumes with another step size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyskl.training.run_state import StepSize


@given(
    samples=st.integers(1, 500),
    batches=st.tuples(st.integers(1, 16), st.integers(1, 16)),
    epoch=st.integers(0, 5),
    share=st.floats(0, 1),
)
def test_the_position_keeps_the_samples(
    samples: int, batches: tuple[int, int], epoch: int, share: float
) -> None:
    before, after = (StepSize(-(-samples // batch), batch, 1) for batch in batches)
    inside = round(share * before.steps_per_epoch)
    iteration = before.convert(epoch, epoch * before.steps_per_epoch + inside, after)
    steps = iteration - epoch * after.steps_per_epoch
    assert 0 <= steps <= after.steps_per_epoch
    # Up to half a step, and the samples that the last step of an epoch lacks.
    assert abs(steps * after.batch - inside * before.batch) <= after.batch / 2 + max(batches)


def test_changes_of_the_step_size() -> None:
    before = StepSize(6, 4, 1)
    assert before.describe_change(before) is None
    both = str(before.describe_change(StepSize(6, 2, 2)))
    assert "processes 1 → 2, samples per process and step 4 → 2" in both
    assert "samples of each step" not in both  # they are the same eight
    other = str(before.describe_change(StepSize(3, 8, 1)))
    assert "steps per epoch 6 → 3" in other
    assert "samples of each step" in other


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ({"epoch": 2, "iter": 20}, StepSize(10, 4, 1)),  # of mmcv
        ({"epoch": 0, "iter": 3}, StepSize(6, 4, 1)),
        (
            {"epoch": 0, "iter": 3, "iters_per_epoch": 5, "batch": 8, "world_size": 2},
            StepSize(5, 8, 2),
        ),
    ],
)
def test_the_step_size_of_a_checkpoint(meta: dict[str, int], expected: StepSize) -> None:
    assert StepSize.from_meta(meta, StepSize(6, 4, 1)) == expected
