"""What a file says of itself: written and read back, and refused where it is nonsense."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyskl.errors import InputError
from pyskl.runtime import ModelMetadata
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


def test_it_comes_back_as_it_was_written() -> None:
    assert ModelMetadata.from_json(FULL.to_json(), "x.onnx") == FULL
    bare = ModelMetadata(
        num_classes=1, input_shape=("N", "M", "T", 2, 3), pipeline=({"type": "PoseDecode"},)
    )
    assert ModelMetadata.from_json(bare.to_json(), "x.onnx") == bare


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_comes_back(name: str) -> None:
    layout = resolve_layout(name)
    one = ModelMetadata(2, ("N", "M", "T", layout.num_joints, 3), ({"type": "A"},), layout=layout)
    assert ModelMetadata.from_json(one.to_json(), "x.onnx").layout == layout


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, "not a model that tools/export.py wrote"),
        ("{", "no JSON"),
        ("[]", "an object, found list"),
        ("{}", "format None"),
        ("[" * 100_000, "no JSON|recursion"),
        ('{"a": ' * 100_000, "no JSON|recursion"),
        (" " * (5 << 20), "characters"),
        (_changed("format", 2), "format 2.*export the model again, or update"),
        (_changed("format", True), "format True"),
        (_changed("num_classes", 0), "num_classes should be a whole number from 1"),
        (_changed("num_classes", "3"), "found '3'"),
        (_changed("num_classes", True), "num_classes"),
        (_changed("num_classes", 10**9), "num_classes"),
        (_changed("num_classes", 4), "labels has 3 names for 4 classes"),
        (_changed("labels", "abc"), "labels should be a list"),
        (_changed("labels.0", 1), "labels should be a list of short texts"),
        (_changed("labels.0", "x" * 2000), "short texts"),
        (_changed("input_shape", [1, 2, 3]), "input_shape should be"),
        (_changed("input_shape.3", "V"), "input_shape, V,"),
        (_changed("input_shape.0", "M"), "input_shape, N,"),
        (_changed("input_shape.4", 10**9), "input_shape, C,"),
        (_changed("average_clips", "max"), "average_clips should be one of"),
        (_changed("average_clips", {}), "average_clips"),
        (_changed("precision", "fp4"), "precision"),
        (_changed("layout", "nturgb+d"), "layout should be an object"),
        (_changed("layout.num_joints", 10**12), "layout.num_joints"),
        (_changed("layout.edges.0", [0, 99]), "nturgb"),
        (_changed("layout.colour", 1), "unknown key 'colour'"),
        (_changed("streams", {"a": 1}), "streams"),
        (_changed("checkpoint_sha256", 5), "checkpoint_sha256"),
        (_changed("pipeline", []), "pipeline should be a list of 1 to 100"),
        (_changed("pipeline", [{"type": "A"}] * 101), "pipeline should be a list of 1 to 100"),
        (_changed("pipeline.0", "PoseDecode"), "entry 0: should be an object"),
        (_changed("pipeline.0.type", 3), "key 'type'"),
        (_changed("pipeline.0.dataset", "/home/me/layout.json"), "no file is taken"),
        (_changed("pipeline.0.dataset", {"edges": [[1, 10**9]]}), "entry 0, edges"),
        (_changed("pipeline.1.clip_len", 10**6), "more than 1000000"),
        (_changed("pipeline.1.clip_len", 10**18), "a number up to"),
        (_changed("pipeline.1.clip_len", "100"), "clip_len, should be a whole number"),
        (_changed("pipeline.1.num_clips", 10**4), "2 persons x 1000000 frames"),
        (_changed("pipeline.1.p_interval", [float("inf"), 1]), "a number up to"),
        (_changed("pipeline.1.p_interval", float("nan")), "a number up to"),
        (_changed("pipeline.2.num_person", 10**6), "more than 1000000"),
    ],
)
def test_nonsense_is_refused_with_the_file_and_the_place(text: str | None, found: str) -> None:
    with pytest.raises(InputError, match=rf"(?s)x\.onnx: .*({found})"):
        ModelMetadata.from_json(text, "x.onnx")


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
def test_whatever_stands_there_it_is_read_or_refused(key: str, value: Any) -> None:
    try:
        found = ModelMetadata.from_json(_changed(key, value), "x.onnx")
    except InputError:
        return
    assert ModelMetadata.from_json(found.to_json(), "x.onnx") == found


def test_what_could_not_be_read_is_not_written() -> None:
    odd = ModelMetadata(2, ("N", "M", "T", 2, 3), ({"type": "A", "scale": float("nan")},))
    with pytest.raises(ValueError, match="not JSON compliant"):
        odd.to_json()
