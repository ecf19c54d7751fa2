"""Whatever stands in a file, it is reported: nothing raises, hangs or can't be written down."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
from health_sets import found, healthy_set
from hypothesis import given, settings
from hypothesis import strategies as st

from pyskl.errors import AnnotationError
from pyskl.health.examine import examine
from pyskl.health.fix import fix
from pyskl.health.raw_annotations import RawAnnotations
from pyskl.health.text import changes_text, report_text

floats = st.sampled_from([0.0, -0.0, 1.0, 1e-30, 1e30, 1e300, np.nan, np.inf, -np.inf, 65504.0])


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    shape = draw(st.lists(st.integers(0, 4), max_size=5).map(tuple)) or (1, 20, 3, 2)
    if draw(st.booleans()):
        shape = (draw(st.integers(1, 3)), draw(st.integers(1, 40)), 5, draw(st.integers(2, 3)))
    dtype = draw(st.sampled_from(["f2", "f4", "f8", ">f4", "g", "i4", "?", "O", "U3", "c8"]))
    with np.errstate(all="ignore"):
        return np.full(shape, draw(floats)).astype(dtype)


values = st.one_of(
    arrays(),
    st.none() | st.booleans() | st.integers(-3, 10**20) | floats | st.text(max_size=5),
    st.lists(st.integers(0, 5) | floats, max_size=3),
    st.just({}),
)
keys = ["frame_dir", "filename", "label", "total_frames", "keypoint", "keypoint_score", "img_shape"]
samples = st.one_of(values, st.dictionaries(st.sampled_from(keys), values, max_size=6))


@settings(max_examples=150, deadline=None)
@given(
    odd=st.lists(samples, min_size=1, max_size=5),
    changes=st.lists(st.tuples(st.sampled_from(keys), values), max_size=4),
    with_healthy=st.booleans(),
    split=st.none()
    | st.dictionaries(st.text(max_size=8), st.lists(st.text(max_size=2), max_size=4)),
    label_names=values,
)
def test_any_content_is_reported(
    odd: list[Any],
    changes: list[tuple[str, Any]],
    with_healthy: bool,
    split: dict[str, list[str]] | None,
    label_names: Any,
) -> None:
    content = copy.deepcopy(odd)
    if with_healthy:
        data = healthy_set()
        content += data.samples[:6]
        for index, (key, value) in enumerate(changes):
            content[-1 - index][key] = value
        split = split if split is None else {**split, "train": ["clip01"], "val": ["clip02"]}
    file = RawAnnotations(Path("odd.pkl"), content, split, {"label_names": label_names})
    report = examine(file)
    json.dumps(report.to_dict(), allow_nan=False)
    assert report_text(report)
    try:
        cleaned, done = fix(file)
    except AnnotationError:
        return
    assert changes_text(done)
    assert fix(cleaned)[1] == []
    kinds = {"structure", "nonfinite", "total_frames", "label", "all_zero"}
    assert not kinds & set(found(examine(cleaned)))


def test_values_beyond_all_measure_are_measured() -> None:
    data = healthy_set(dtype="float64")
    data[1]["keypoint"][:] *= 1e300
    report = data.report()
    assert "mixed_scale" in found(report)
    json.dumps(report.to_dict(), allow_nan=False)


def test_a_label_of_many_digits_is_one_gap() -> None:
    data = healthy_set()
    data[1]["label"] = 10**15
    (gap,) = data.report().find("label_gap").items  # type: ignore[union-attr]
    assert gap.name == f"0 to {10**15}"
    assert gap.detail == f"{10**15 - 3} of them"
