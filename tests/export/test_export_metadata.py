"""What goes into a file: from config, model and checkpoint, as plain data that stands by itself."""

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
from pyskl.datasets.label_names import read_label_file
from pyskl.datasets.pipelines import PoseDecode
from pyskl.errors import ConfigError, InputError
from pyskl.export.metadata import describe
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
    assert ModelMetadata.from_json(found.to_json(), "x.onnx") == found


def test_persons_are_fixed_where_each_is_normalised_apart(tiny_recognizer: MakeRecognizer) -> None:
    config, model = tiny_recognizer(data_bn_type="MVC", num_person=4)
    assert describe(config, model, None).input_shape == ("N", 4, "T", 25, 3)
    model.average_clips = None
    assert describe(config, model, None).average_clips is None


def test_names_come_from_the_test_annotations_where_they_are_at_hand(
    tiny_recognizer: MakeRecognizer, tmp_path: Path, tiny_ann_file: Path
) -> None:
    config, model = tiny_recognizer()
    assert describe(config, model, None).labels is None
    copied = tmp_path / "own.pkl"
    copied.write_bytes(tiny_ann_file.read_bytes())
    config["data"]["test"]["ann_file"] = str(copied)
    (tmp_path / "own.pkl.labels.txt").write_text("rise\nswing\nrest\n", encoding="utf-8")
    assert describe(config, model, None).labels == ("rise", "swing", "rest")
    for absent in ("absent.pkl", str(tmp_path)):
        config["data"]["test"]["ann_file"] = absent
        assert describe(config, model, None).labels is None
    copied.write_bytes(b"no pickle")
    config["data"]["test"]["ann_file"] = str(copied)
    assert describe(config, model, None).labels is None


def test_names_are_read_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes("\ufeffeat\r\n drink \n\nöffnen".encode())
    assert read_label_file(path) == ("eat", "drink", "öffnen")
    path.write_text("\n\n")
    with pytest.raises(InputError, match="holds no names"):
        read_label_file(path)
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InputError, match=r"names\.txt"):
        read_label_file(path)
    with pytest.raises(InputError, match=r"absent\.txt"):
        read_label_file(tmp_path / "absent.txt")


def test_layouts_become_data(tiny_recognizer: MakeRecognizer, tmp_path: Path) -> None:
    config, model = tiny_recognizer()
    layout = LAYOUTS["nturgb+d"]
    (tmp_path / "own.json").write_text(layout_to_json(layout), encoding="utf-8")
    for given in (layout, str(tmp_path / "own.json")):
        _with_pipeline(config, dict(type="GenSkeFeat", dataset=given, feats=("b", "bm")))
        found = describe(config, model, None)
        assert found.streams == ("b", "bm")
        again = ModelMetadata.from_json(found.to_json(), "x.onnx")  # no file is named in it
        assert again.pipeline[0]["dataset"]["num_joints"] == 25


def test_classes_and_arrays_become_data(tiny_recognizer: MakeRecognizer) -> None:
    config, model = tiny_recognizer()
    _with_pipeline(config, dict(type=PoseDecode), dict(type="Flip", left_kp=np.arange(3)))
    found = describe(config, model, None).pipeline
    assert json.loads(json.dumps(found)) == [
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
def test_what_is_no_data_is_refused(tiny_recognizer: MakeRecognizer, odd: Any) -> None:
    config, model = tiny_recognizer()
    with pytest.raises(ConfigError, match=r"entry 1 of the test pipeline.*can't be written"):
        describe(_with_pipeline(config, dict(type="PoseDecode"), odd), model, None)


def test_a_model_that_does_not_say_what_it_takes_is_refused(
    tiny_recognizer: MakeRecognizer,
) -> None:
    config, model = tiny_recognizer()
    model.backbone = nn.Identity()
    with pytest.raises(InputError, match="num_node"):
        describe(config, model, None)
