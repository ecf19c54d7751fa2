from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from pyskl.datasets import PIPELINES
from pyskl.datasets.annotation_pickle import Sample
from pyskl.datasets.pipelines import (
    Compose,
    PadTo,
    PoseDecode,
    PreNormalize3D,
    Rename,
)
from pyskl.datasets.precompute import deterministic_prefix
from pyskl.errors import ConfigError, InputError


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
    "entry",
    [
        3,
        "PadTo",
        {"type": "PadToo"},
        {"type": "PadTo", "length": 3, "mod": "zero"},
        {"type": "PadTo"},
        {"length": 3},
    ],
)
def test_an_invalid_entry_is_an_error(entry: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        Compose([{"type": "PoseDecode"}, entry])
    if not isinstance(entry, dict):
        assert caught.value.key == "pipeline[1]"


def test_a_transform_that_returns_nothing_is_named() -> None:
    def forgetful(sample: Sample) -> None:
        sample["marks"] = []

    with pytest.raises(InputError, match="forgetful"):
        Compose([forgetful, add_mark])({})  # type: ignore[list-item]


def test_every_exported_transform_is_registered_under_its_name() -> None:
    from pyskl.datasets import pipelines

    for name in set(pipelines.__all__) - {"PIPELINES", "Compose", "BatchTransform"}:
        assert PIPELINES.get(name) is getattr(pipelines, name)


def test_rename_moves_keys() -> None:
    array = np.zeros(2)
    sample = Rename({"a": "b", "absent": "c"})({"a": array, "d": 1})
    assert sample.keys() == {"b", "d"}
    assert sample["b"] is array
    with pytest.raises(InputError) as caught:
        Rename({"a": "b"})({"a": 1, "b": 2})
    assert caught.value.key == "b"


BUILT_IN: list[Any] = [
    {"type": "RandomScale"},
    {"type": "RandomRot"},
    {"type": "RandomGaussianNoise"},
    {"type": "Flip", "flip_ratio": 1, "layout": "nturgb+d"},
    {"type": "PreNormalize3D"},
    {"type": "PreNormalize3D", "align_center": False},
    {"type": "PreNormalize3D", "align_spine": False, "align_center": False},
    {"type": "PoseCompact"},
    {"type": "JointToBone"},
    {"type": "ToMotion"},
    {"type": "GenSkeFeat", "feats": ["j"]},
    {"type": "GenSkeFeat", "feats": ["b", "jm", "bm"]},
    {"type": "UniformSample", "clip_len": 8},
    {"type": "UniformSampleDecode", "clip_len": 8},
    {"type": "SampleFrames", "clip_len": 4},
    {"type": "PoseDecode"},
    {"type": "PadTo", "length": 30, "mode": "zero"},
    {"type": "PadTo", "length": 30},
    {"type": "FormatGCNInput"},
    {"type": "FormatGCNInput", "num_person": 4, "mode": "loop"},
    {"type": "ToTensor", "keys": ["keypoint"]},
]
BUILT_IN_2D: list[Any] = [
    {"type": "PreNormalize2D"},
    {"type": "PreNormalize2D", "mode": "auto"},
    {"type": "PoseCompact"},
    {"type": "Flip", "flip_ratio": 1, "layout": "coco"},
    {"type": "GenSkeFeat", "dataset": "coco", "feats": ["b", "bm"]},
    {"type": "PoseDecode"},
    {"type": "FormatGCNInput", "num_person": 3},
]


def read_only(sample: Sample) -> Sample:
    for value in sample.values():
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
    return sample


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("config", [*BUILT_IN, *BUILT_IN_2D])
def test_no_built_in_transform_writes_into_what_it_is_given(
    make_sample: Any, config: Any, dtype: str
) -> None:
    flat = config in BUILT_IN_2D
    sample = read_only(make_sample(dtype=dtype, **({"joints": 17, "dims": 2} if flat else {})))
    before = {key: np.copy(value) for key, value in sample.items()}
    sample["img_shape"] = (1080, 1920)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Compose([config, config] if config["type"] == "RandomRot" else [config])(dict(sample))
    for key, value in before.items():
        np.testing.assert_array_equal(sample[key], value)


def test_a_tensor_never_shares_the_memory_of_a_read_only_array() -> None:
    array = np.zeros((2, 3), np.float32)
    array.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Compose([{"type": "ToTensor", "keys": ["x"]}])({"x": array})["x"].add_(1)
    assert not array.any()


def test_users_transforms_may_write_in_place(make_sample: Any) -> None:
    seen: list[Sample] = []

    def in_place(sample: Sample) -> Sample:
        sample["keypoint"] *= 2
        sample["list"].append(1)
        seen.append(sample)
        return sample

    sample = read_only({**make_sample(), "list": []})
    before = sample["keypoint"].copy()
    pipeline = Compose([{"type": "UniformSample", "clip_len": 4}, Compose([in_place]), in_place])
    for _ in range(2):
        given = pipeline(dict(sample))
        np.testing.assert_array_equal(given["keypoint"], before * 4)
        assert given["list"] == [1, 1]
        np.testing.assert_array_equal(sample["keypoint"], before)
        assert sample["list"] == []


def test_what_may_be_applied_ahead_of_time() -> None:
    class Subclassed(PreNormalize3D):
        pass

    class Promising(PreNormalize3D):
        deterministic = True

    first: list[Any] = [{"type": "PreNormalize3D"}, {"type": "PreNormalize2D"}]
    for other in (Subclassed(), {"type": "PoseDecode"}, {"type": "RandomScale"}, add_mark):
        assert deterministic_prefix([*first, other, *first]) == first
    with_class: list[Any] = [{"type": Promising}]
    assert deterministic_prefix(with_class) == []  # only what a name in a config promises


@pytest.mark.parametrize(
    ("kinds", "position"),
    [
        (["UniformSampleDecode", "PoseDecode"], 1),
        (["UniformSample", "PoseDecode", "PoseDecode"], 2),
        (["UniformSampleDecode", "ToMotion", "PoseDecode"], 2),
        (["UniformSample", "PoseDecode"], None),
        (["PoseDecode", "UniformSample", "PoseDecode"], None),
        (["SampleFrames", "PoseDecode", "UniformSampleDecode"], None),
    ],
)
def test_chosen_frames_are_gathered_once(kinds: list[str], position: int | None) -> None:
    lengths = {"UniformSample", "UniformSampleDecode", "SampleFrames"}
    steps = [dict(type=kind, **(dict(clip_len=4) if kind in lengths else {})) for kind in kinds]
    if position is None:
        Compose(steps)
        return
    with pytest.raises(ConfigError) as caught:
        Compose(steps)
    assert caught.value.key == f"pipeline[{position}]"
    assert caught.value.found == "PoseDecode"
