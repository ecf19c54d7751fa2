"""The metadata of exported models: from config, model and checkpoint to plain data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

import pyskl
from pyskl.datasets.pipelines import PoseDecode
from pyskl.errors import ConfigError, InputError
from pyskl.export.describe import describe
from pyskl.runtime import ModelMetadata
from pyskl.skeleton import LAYOUTS, layout_to_json

MakeRecognizer = Callable[..., tuple[dict[str, Any], nn.Module]]


def _with_pipeline(config: dict[str, Any], *transforms: Any) -> dict[str, Any]:
    config["data"]["test"]["pipeline"] = list(transforms)
    return config


def test_everything_that_is_known_is_in_it(tiny_recognizer: MakeRecognizer, tmp_path: Path) -> None:
    config, model = tiny_recognizer()
    checkpoint = tmp_path / "a.pth"
    checkpoint.write_bytes(b"weights")
    found = describe(config, model, checkpoint, precision="fp16", labels=["a", "b", "c"])
    assert found == ModelMetadata(
        num_classes=3,
        input_shape=("N", "M", "T", 25, 3),
        pipeline=tuple(config["data"]["test"]["pipeline"]),
        average_clips="prob",
        layout=LAYOUTS["nturgb+d"],
        labels=("a", "b", "c"),
        streams=("j",),
        precision="fp16",
        checkpoint_sha256=hashlib.sha256(b"weights").hexdigest(),
        toolbox=f"pyskl {pyskl.__version__}",
    )


def test_persons_are_fixed_if_each_is_normalised_apart(tiny_recognizer: MakeRecognizer) -> None:
    config, model = tiny_recognizer(data_bn_type="MVC", num_person=4)
    model.average_clips = None
    found = describe(config, model, None)
    assert found.input_shape == ("N", 4, "T", 25, 3)
    assert found.average_clips is None


def test_labels_are_those_of_the_test_annotations(
    tiny_recognizer: MakeRecognizer, tmp_path: Path, tiny_ann_file: Path
) -> None:
    config, model = tiny_recognizer()
    assert describe(config, model, None).labels is None
    copied = tmp_path / "own.pkl"
    copied.write_bytes(tiny_ann_file.read_bytes())
    config["data"]["test"]["ann_file"] = str(copied)
    (tmp_path / "own.pkl.labels.txt").write_text("rise\nswing\nrest\n", encoding="utf-8")
    assert describe(config, model, None).labels == ("rise", "swing", "rest")
    with pytest.raises(InputError) as caught:
        describe(config, model, None, labels=["one", "two"])
    assert (caught.value.key, caught.value.found) == ("--labels", 2)
    copied.write_bytes(b"no pickle")
    assert describe(config, model, None).labels is None


def test_layouts_classes_and_arrays_become_data(
    tiny_recognizer: MakeRecognizer, tmp_path: Path
) -> None:
    config, model = tiny_recognizer()
    layout = LAYOUTS["nturgb+d"]
    (tmp_path / "own.json").write_text(layout_to_json(layout), encoding="utf-8")
    for given in (layout, str(tmp_path / "own.json")):
        _with_pipeline(config, dict(type="GenSkeFeat", dataset=given, feats=("b", "bm")))
        found = describe(config, model, None)
        assert found.streams == ("b", "bm")
        again = ModelMetadata.from_json(found.to_json(), "x.onnx")
        assert again.pipeline[0]["dataset"]["num_joints"] == 25
    _with_pipeline(config, dict(type=PoseDecode), dict(type="Flip", left_kp=np.arange(3)))
    assert json.loads(json.dumps(describe(config, model, None).pipeline)) == [
        {"type": "PoseDecode"},
        {"type": "Flip", "left_kp": [0, 1, 2]},
    ]


@pytest.mark.parametrize(
    "odd",
    [
        PoseDecode(),
        dict(type=nn.Identity),
        dict(type="Rename", mapping=print),
        dict(type="PadTo", length=float("nan")),
    ],
)
def test_other_transforms_are_refused(tiny_recognizer: MakeRecognizer, odd: Any) -> None:
    config, model = tiny_recognizer()
    with pytest.raises(ConfigError) as caught:
        describe(_with_pipeline(config, dict(type="PoseDecode"), odd), model, None)
    assert caught.value.key == "data.test.pipeline.1"


def test_pipelines_that_no_reader_accepts_are_refused(tiny_recognizer: MakeRecognizer) -> None:
    config, model = tiny_recognizer()
    with pytest.raises(ConfigError) as caught:
        describe(_with_pipeline(config, dict(type="PadTo", length=10**7)), model, None)
    assert [one.key for one in caught.value.errors] == ["pipeline"]


def test_a_model_of_unknown_input_shape_is_refused(tiny_recognizer: MakeRecognizer) -> None:
    config, model = tiny_recognizer()
    model.backbone = nn.Identity()
    with pytest.raises(InputError) as caught:
        describe(config, model, None)
    assert caught.value.key == "num_node"
