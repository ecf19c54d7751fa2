"""How errors are worded, and who may catch what."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyskl import errors
from pyskl.errors import InputError, RunError, did_you_mean, nearest


def test_each_is_either_of_the_input_or_of_the_run() -> None:
    found = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, (InputError, RunError))
    ]
    assert len(found) > 4
    for error in found:
        assert issubclass(error, InputError) != issubclass(error, RunError)
        assert issubclass(error, ValueError) == issubclass(error, InputError)
        assert (error.exit_status == 2) == issubclass(error, InputError)
    statuses = [error.exit_status for error in found if issubclass(error, RunError)]
    assert len(set(statuses)) == len(statuses)


def test_the_message_is_made_from_the_fields() -> None:
    error = errors.AnnotationError(
        "wrong number of coordinates",
        file="a.pkl",
        sample="S001",
        key="keypoint",
        found=(2, 30, 25, 4),
        expected="C to be 2 or 3",
        hint="see docs/data.md",
    )
    assert str(error) == (
        "a.pkl, sample 'S001', keypoint: wrong number of coordinates; found (2, 30, 25, 4), "
        "expected C to be 2 or 3; see docs/data.md"
    )


def test_one_error_reports_several() -> None:
    parts = [errors.ConfigError("is missing", key=key) for key in ("model", "data")]
    whole = errors.ConfigError("2 problems", file="a.py", errors=parts)
    assert str(whole) == "a.py: 2 problems\n  model: is missing\n  data: is missing"
    assert [part.key for part in whole.errors] == ["model", "data"]


def test_errors_keep_their_fields_when_pickled() -> None:
    error = errors.InputError("odd", file="a.pkl", key="label", found=None)
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error) == "a.pkl, label: odd; found None"
    assert (copy.file, copy.key, copy.found, copy.expected) == ("a.pkl", "label", None, None)


def test_nothing_found_is_not_none_found() -> None:
    assert pickle.loads(pickle.dumps(errors.InputError("odd"))).found is errors.NOT_GIVEN


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
