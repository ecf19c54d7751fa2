"""The metadata of exported models: written, read back, and refused if it is nonsense."""

from __future__ import annotations

import json
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyskl.errors import InputError
from pyskl.runtime import ModelMetadata
from pyskl.runtime.metadata import streams_of
from pyskl.skeleton import LAYOUTS, resolve_layout

FULL = ModelMetadata(
    num_classes=3,
    input_shape=("N", 2, "T", 25, 6),
    pipeline=(
        {"type": "GenSkeFeat", "dataset": "nturgb+d", "feats": ["j", "b"]},
        {"type": "UniformSample", "clip_len": 100, "num_clips": 10, "seed": 2**32 - 1},
        {"type": "FormatGCNInput", "num_person": 2},
    ),
    average_clips="score",
    layout=LAYOUTS["nturgb+d"],
    labels=("eat", "drink", "öffnen"),
    streams=("j", "b"),
    precision="int8",
    checkpoint_sha256="0" * 64,
    toolbox="pyskl 9.9",
)


def _changed(key: str, value: Any) -> str:
    """Return the text of :data:`FULL` with the value at a dotted path replaced."""
    content = json.loads(FULL.to_json())
    *path, last = (int(part) if part.isdigit() else part for part in key.split("."))
    section = content
    for part in path:
        section = section[part]
    section[last] = value
    return json.dumps(content)


@pytest.mark.parametrize("layout", [None, *LAYOUTS])
def test_it_survives_a_round_trip(layout: str | None) -> None:
    assert ModelMetadata.from_json(FULL.to_json(), "x.onnx") == FULL
    other = FULL.model_copy(
        update={"layout": layout and resolve_layout(layout), "labels": None, "average_clips": None}
    )
    assert ModelMetadata.from_json(other.to_json(), "x.onnx") == other


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", 2),
        ("format", True),
        ("num_classes", 0),
        ("num_classes", "3"),
        ("num_classes", True),
        ("num_classes", 10**9),
        ("labels", "abc"),
        ("labels.0", 1),
        ("labels.0", "x" * 2000),
        ("input_shape", [1, 2, 3]),
        ("input_shape.3", "V"),
        ("input_shape.0", "M"),
        ("input_shape.4", 0),
        ("average_clips", "mean"),
        ("average_clips", {}),
        ("precision", "fp4"),
        ("layout", "nturgb+d"),
        ("layout.num_joints", 10**12),
        ("layout.edges.0", [0, 99]),
        ("layout.colour", 1),
        ("streams", {"a": 1}),
        ("checkpoint_sha256", 5),
        ("pipeline", []),
        ("pipeline", [{"type": "A"}] * 101),
        ("pipeline.0", "PoseDecode"),
        ("pipeline.0.type", 3),
        ("pipeline.0.dataset", "/home/me/layout.json"),
        ("pipeline.0.dataset", {"edges": [[1, 10**9]]}),
        ("pipeline.1.clip_len", 10**6),
        ("pipeline.1.clip_len", 10**18),
        ("pipeline.1.clip_len", "100"),
        ("pipeline.1.num_clips", 10**4),
        ("pipeline.1.p_interval", [float("inf"), 1]),
        ("pipeline.1.p_interval", float("nan")),
        ("pipeline.2.num_person", 10**6),
    ],
)
def test_nonsense_is_refused(key: str, value: Any) -> None:
    with pytest.raises(InputError) as caught:
        ModelMetadata.from_json(_changed(key, value), "x.onnx")
    assert caught.value.file == "x.onnx"
    assert {str(one.key).split(".")[0] for one in caught.value.errors} == {key.split(".")[0]}


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "{", "[]", "{}", "[" * 100_000, '{"a": ' * 100_000, " " * (5 << 20)),
        _changed("num_classes", 4),  # there are labels for three
    ],
)
def test_other_texts_are_refused(text: str | None) -> None:
    with pytest.raises(InputError) as caught:
        ModelMetadata.from_json(text, "x.onnx")
    assert caught.value.file == "x.onnx"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["type", "num_joints", "edges", "clip_len", "length", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
_KEYS = st.sampled_from([*json.loads(FULL.to_json()), "pipeline.0", "layout.edges", "layout.left"])


@given(_KEYS, _JSON)
def test_any_value_is_accepted_or_refused(key: str, value: Any) -> None:
    try:
        found = ModelMetadata.from_json(_changed(key, value), "x.onnx")
    except InputError:
        return
    assert ModelMetadata.from_json(found.to_json(), "x.onnx") == found


def test_what_could_not_be_read_can_not_be_made() -> None:
    with pytest.raises(pydantic.ValidationError):
        ModelMetadata(
            num_classes=2,
            input_shape=("N", "M", "T", 2, 3),
            pipeline=({"type": "A", "scale": float("nan")},),
        )


def test_streams_of_a_pipeline() -> None:
    assert streams_of([{"type": "PoseDecode"}]) == ()
    assert streams_of([abs, {"type": "pyskl.GenSkeFeat", "dataset": "coco"}]) == ("j",)
    assert streams_of([{"type": "GenSkeFeat", "feats": ["j", "bm"]}]) == ("j", "bm")
