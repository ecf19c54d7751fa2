"""How errors are worded, and who may catch what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyskl import errors
from pyskl.errors import InputError, did_you_mean, nearest


def test_all_are_input_errors_and_value_errors() -> None:
    found = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, Exception)
    ]
    assert len(found) > 4
    assert all(issubclass(error, InputError) and issubclass(error, ValueError) for error in found)


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
