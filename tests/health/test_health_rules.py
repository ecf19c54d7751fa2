"""Every kind of finding is made where it should be, and none where all is well."""

from __future__ import annotations

import pytest
from health_defects import DEFECTS
from health_sets import Set, found, healthy_set
from hypothesis import given, settings
from hypothesis import strategies as st

from pyskl.health.kinds import KINDS

# --- no false alarms ------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    dims=st.sampled_from([2, 3]),
    dtype=st.sampled_from(["float16", "float32", "float64"]),
    persons=st.integers(1, 3),
)
def test_a_healthy_set_has_no_findings(seed: int, dims: int, dtype: str, persons: int) -> None:
    report = healthy_set(seed, dims=dims, dtype=dtype, persons=persons).report()
    assert found(report) == {}
    assert not report.reaches("note")


def test_a_healthy_bare_list_has_no_findings() -> None:
    data = healthy_set()
    assert found(Set(data.samples, None).report()) == {}


# --- each defect, and the finding that it is ------------------------------------------------------

# What necessarily comes with a defect.
COMPANIONS = {
    "mostly_empty": {"empty_frames"},
    "duplicate_labels": {"duplicate_training"},
}


@pytest.mark.parametrize("kind", DEFECTS)
def test_a_defect_is_found_by_its_kind_and_name(kind: str) -> None:
    names, spoil, dims = DEFECTS[kind]
    data = healthy_set(dims=dims)
    spoil(data)
    report = found(data.report())
    assert report.pop(kind, None) == names
    assert set(report) <= COMPANIONS.get(kind, set())


def test_every_kind_has_its_test() -> None:
    assert set(DEFECTS) == {kind for kind in KINDS if not kind.startswith("config_")}
