from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyskl.datasets import PIPELINES
from pyskl.datasets.annotation import Sample
from pyskl.datasets.pipelines import Compose, PadTo, PoseDecode, Rename
from pyskl.errors import ConfigError


def add_mark(sample: Sample) -> Sample:
    return {**sample, "marks": [*sample.get("marks", []), "mark"]}


def test_transforms_apply_in_order() -> None:
    def twice(sample: Sample) -> Sample:
        return {"value": sample["value"] * 2}

    def plus_one(sample: Sample) -> Sample:
        return {"value": sample["value"] + 1}

    assert Compose([twice, plus_one])({"value": 3}) == {"value": 7}
    assert Compose([plus_one, twice])({"value": 3}) == {"value": 8}
    assert Compose([])({"value": 3}) == {"value": 3}


def test_configs_classes_instances_and_functions_mix(make_sample: Any) -> None:
    pipeline = Compose(
        [{"type": "PoseDecode"}, {"type": PadTo, "length": 20}, PoseDecode(), add_mark]
    )
    sample = pipeline(make_sample())
    assert sample["keypoint"].shape[1] == sample["total_frames"] == 20
    assert sample["marks"] == ["mark"]
    assert repr(pipeline) == "Compose([PoseDecode, PadTo, PoseDecode, add_mark])"


def test_pipelines_nest() -> None:
    inner = Compose([add_mark, add_mark])
    assert Compose([inner, add_mark])({})["marks"] == ["mark"] * 3


def test_a_config_is_left_as_it_was() -> None:
    config = {"type": "PadTo", "length": 20}
    Compose([config])
    Compose([config])
    assert config == {"type": "PadTo", "length": 20}


def test_a_registered_class_of_ones_own_goes_by_its_name() -> None:
    @PIPELINES.register_module(name="TestComposeMark")
    class Mark:
        def __call__(self, sample: Sample) -> Sample:
            return add_mark(sample)

    assert Compose([{"type": "TestComposeMark"}])({})["marks"] == ["mark"]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (3, ["entry 1", "int"]),
        ("PadTo", ["entry 1", "str"]),
        ({"type": "PadToo"}, ["'PadToo'", "did you mean 'PadTo'"]),
        ({"type": "PadTo", "length": 3, "mod": "zero"}, ["PadTo", "'mod'"]),
        ({"type": "PadTo"}, ["PadTo", "length"]),
        ({"length": 3}, ["'type'"]),
    ],
)
def test_a_faulty_entry_is_named(entry: Any, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        Compose([{"type": "PoseDecode"}, entry])
    for word in words:
        assert word in str(caught.value)


def test_a_transform_that_returns_nothing_is_named() -> None:
    def forgetful(sample: Sample) -> None:
        sample["marks"] = []

    with pytest.raises(ValueError, match="forgetful returned None"):
        Compose([forgetful, add_mark])({})  # type: ignore[list-item]


def test_every_exported_transform_is_registered_under_its_name() -> None:
    from pyskl.datasets import pipelines

    for name in set(pipelines.__all__) - {"PIPELINES", "Compose"}:
        assert PIPELINES.get(name) is getattr(pipelines, name)


def test_rename_moves_keys() -> None:
    array = np.zeros(2)
    sample = Rename({"a": "b", "absent": "c"})({"a": array, "d": 1})
    assert sample.keys() == {"b", "d"}
    assert sample["b"] is array
    with pytest.raises(ValueError, match="'a' to 'b': the sample has 'b'"):
        Rename({"a": "b"})({"a": 1, "b": 2})
