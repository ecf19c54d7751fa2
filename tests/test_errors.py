"""How errors are worded, and who may catch what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyskl import errors
from pyskl.errors import InputError, RunError, did_you_mean, nearest


def test_each_is_either_of_the_input_or_of_the_run() -> None:
    found = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, Exception)
    ]
    assert len(found) > 4
    for error in found:
        assert issubclass(error, InputError) != issubclass(error, RunError)
        assert issubclass(error, ValueError) == issubclass(error, InputError)
        assert (error.exit_status == 2) == issubclass(error, InputError)
    statuses = [error.exit_status for error in found if issubclass(error, RunError)]
    assert len(set(statuses)) == len(statuses)


@given(st.lists(st.text(min_size=1), min_size=1))
def test_a_choice_is_nearest_to_itself(choices: list[str]) -> None:
    assert nearest(choices[0], choices) == choices[0]


@pytest.mark.parametrize(
    ("name", "choices", "likeness", "found"),
    [
        ("totl_epochs", ["total_epochs", "data"], 0.6, "total_epochs"),
        ("modality", ["model"], 0.6, "model"),
        ("modality", ["model"], 0.7, None),
        ("xyz", ["model"], 0.6, None),
        ("1", [1, 2], 0.6, "1"),
        ("a", [], 0.6, None),
    ],
)
def test_nearest(name: str, choices: list[str], likeness: float, found: str | None) -> None:
    assert nearest(name, choices, likeness=likeness) == found


def test_did_you_mean() -> None:
    assert did_you_mean("SDG", ["SGD", "Adam"]) == "; did you mean 'SGD'?"
    assert did_you_mean("xyz", ["SGD", "Adam", "Adam"]) == "; there are Adam, SGD"
    assert did_you_mean("xyz", []) == ""
