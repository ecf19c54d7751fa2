"""int8: calibrated on data, close to the original on other data, and smaller."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyskl.errors import InputError
from pyskl.export import ExportSettings, export_model
from pyskl.export.data import random_clips, sample_clips
from pyskl.runtime import OnnxRecognizer

pytest.importorskip("onnxscript", reason="needs the extra 'export'")
pytest.importorskip("onnxruntime", reason="needs the extra 'export'")

MakeCheckpoint = Callable[..., tuple[dict[str, Any], Path]]


@pytest.mark.slow
def test_weights_of_eight_bits(
    tiny_checkpoint: MakeCheckpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import onnx

    config, checkpoint = tiny_checkpoint()
    path = tmp_path / "int8.onnx"
    settings = ExportSettings(precision="int8", samples=12, evaluate=True)
    report = export_model(config, checkpoint, path, settings)
    found = report.comparison
    assert len(found.inputs) == 12  # the other half of the 24 training samples
    assert 0 < found.difference < 0.1 * max(1, found.largest)
    assert found.agreement > 0.7
    assert report.accuracies.keys() == {"top1_acc", "top5_acc"}
    assert OnnxRecognizer(path).metadata.precision == "int8"
    kinds = [one.data_type for one in onnx.load(path).graph.initializer if len(one.dims) == 4]
    assert kinds
    assert set(kinds) == {onnx.TensorProto.INT8}  # the weights of all convolutions
    assert "noise" not in caplog.text
    noise = ExportSettings(precision="int8", samples=2, calibrate="random")
    assert export_model(config, checkpoint, path, noise).comparison.difference > 0
    assert "calibrated on noise" in caplog.text


def test_without_data_there_is_a_way(tiny_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    config, checkpoint = tiny_checkpoint()
    config["data"]["train"]["ann_file"] = str(tmp_path / "absent.pkl")
    with pytest.raises(InputError, match=r"(?s)absent\.pkl.*--calibrate random"):
        export_model(config, checkpoint, tmp_path / "a.onnx", ExportSettings(precision="int8"))


def test_clips_are_spread_over_the_training_set_and_prepared_as_in_testing(
    tiny_config: Callable[..., dict[str, Any]],
) -> None:
    config = tiny_config()
    few = sample_clips(config, 5)
    assert len(few) == 5
    assert {tuple(clip.shape) for clip in few} == {(1, 1, 8, 25, 3)}  # one of the two clips
    assert len(sample_clips(config, 1000)) == 24
    assert all((a == b).all() for a, b in zip(few, sample_clips(config, 5)))  # no augmentation
    nested = tiny_config(
        data__train=dict(type="RepeatDataset", times=3, dataset=config["data"]["train"])
    )
    assert len(sample_clips(nested, 1000)) == 24
    only_test = tiny_config(data__train=None)
    assert len(sample_clips(only_test, 1000)) == 10
    assert random_clips((2, 4, 5, 3), 3)[0].shape == (1, 2, 4, 5, 3)
