"""Exports as a whole: settings, problems, and that only a file that passes gets its name."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pyskl.errors import CheckpointError, ConfigError, InputError
from pyskl.export import FORMATS, ExportSettings, export_model
from pyskl.export.compare import (
    Comparison,
    DisparityError,
    compare,
    milliseconds_per_clip,
    random_inputs,
)
from pyskl.export.formats import ExportedModel
from pyskl.runtime import ModelMetadata

MakeCheckpoint = Callable[..., tuple[dict[str, Any], Path]]
SCRIPT = ExportSettings(format="torchscript")


def test_a_model_that_differs_does_not_get_the_name(
    tiny_checkpoint: MakeCheckpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, checkpoint = tiny_checkpoint()
    path = tmp_path / "model.pt"
    right = FORMATS["torchscript"]

    def write_doubled(model: ExportedModel, path: Path) -> None:
        model.recognizer.cls_head.fc_cls.weight.data *= 2
        right.write(model, path)
        model.recognizer.cls_head.fc_cls.weight.data /= 2

    wrong = dataclasses.replace(right, write=write_doubled)
    monkeypatch.setitem(FORMATS, "torchscript", wrong)
    with pytest.raises(DisparityError) as caught:
        export_model(config, checkpoint, path, SCRIPT)
    assert caught.value.exit_status == 70
    assert list(tmp_path.iterdir()) == []
    path.write_bytes(b"an older model")
    with pytest.raises(DisparityError):
        export_model(config, checkpoint, path, SCRIPT)
    assert path.read_bytes() == b"an older model"
    lenient = ExportSettings(format="torchscript", tolerance=100)
    assert export_model(config, checkpoint, path, lenient).comparison.difference > 0.01


def test_the_tolerance_grows_with_the_logits() -> None:
    def found(difference: float, largest: float) -> Comparison:
        return Comparison(((1, 2, 3),), difference, largest, 0.0, 1.0, tolerance=1e-5)

    found(0.9e-4, 10).check()
    found(0.9e-3, 100).check()
    found(0, 0).check()
    for difference, largest in ((1.1e-4, 10), (1.1e-3, 100), (float("nan"), 5), (1e-9, 0)):
        with pytest.raises(DisparityError):
            found(difference, largest).check()


def test_a_comparison_measures_differences() -> None:
    inputs = [np.zeros((2, 1, 4, 5, 3)), np.ones((1, 1, 8, 5, 3))]

    def original(clips: np.ndarray) -> np.ndarray:
        return np.array([[1.0, 0.0, 3.0]]).repeat(len(clips), axis=0)

    def other(clips: np.ndarray) -> np.ndarray:
        return original(clips) - np.array([[0, 0, 4.0 * clips.max()]])

    found = compare(original, other, inputs, 1e-4)
    assert found.inputs == ((2, 1, 4), (1, 1, 8))
    assert (found.difference, found.largest) == (4, 3)
    assert found.agreement == pytest.approx(2 / 3)
    with pytest.raises(DisparityError):
        compare(original, lambda clips: original(clips)[:, :2], inputs, 1e-4)


def test_inputs_have_several_sizes_and_are_always_the_same() -> None:
    description: dict[str, Any] = {"num_classes": 2, "pipeline": ({"type": "A"},)}
    free = ModelMetadata(input_shape=("N", "M", "T", 5, 3), **description)
    first, again = random_inputs(free, (2, 64)), random_inputs(free, (2, 64))
    assert first[0].shape == (1, 2, 64, 5, 3)
    assert len({clips.shape for clips in first}) == len(first)
    assert all(np.array_equal(a, b) for a, b in zip(first, again))
    fixed = ModelMetadata(input_shape=("N", 2, "T", 5, 3), **description)
    assert {clips.shape[1] for clips in random_inputs(fixed, (2, 64))} == {2}
    assert min(clips.shape[2] for clips in random_inputs(free, (2, 64), 16)) == 16


@pytest.mark.slow
def test_both_models_are_timed() -> None:
    clip = np.zeros((1, 1, 2, 3, 3), np.float32)
    found = milliseconds_per_clip({"a": lambda x: x, "b": lambda x: x + 1}, clip)
    assert found.keys() == {"a", "b"}
    assert all(0 < one.low <= one.median <= one.high for one in found.values())


def test_the_default_is_next_to_the_checkpoint(tiny_checkpoint: MakeCheckpoint) -> None:
    config, checkpoint = tiny_checkpoint()
    half = ExportSettings(format="torchscript", precision="fp16")
    for settings, name in ((SCRIPT, "weights.pt"), (half, "weights_fp16.pt")):
        assert export_model(config, checkpoint, settings=settings).path == checkpoint.parent / name


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (dict(format="onxx"), "--format"),
        (dict(precision="fp8"), "--precision"),
        (dict(format="torchscript", precision="int8"), "--precision"),
        (dict(calibrate="nothing"), "--calibrate"),
        (dict(samples=0), "--samples"),
        (dict(tolerance=0.0), "--tolerance"),
        (dict(tolerance=float("nan")), "--tolerance"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], key: str) -> None:
    with pytest.raises(InputError) as caught:
        ExportSettings(**settings)
    assert caught.value.key == key


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for format in ("onnx", "safetensors"):
        with pytest.raises(InputError) as caught:
            ExportSettings(format=format)
        assert caught.value.hint == f"pip install {' '.join(FORMATS[format].packages)}"
    ExportSettings(format="torchscript")  # needs nothing but torch


def test_bad_paths_are_refused(tiny_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    config, checkpoint = tiny_checkpoint()
    (tmp_path / "folder.pt").mkdir()
    same = checkpoint.rename(checkpoint.with_suffix(".pt"))
    for path in (tmp_path / "model.onnx", tmp_path / "folder.pt", same):
        with pytest.raises(InputError) as caught:
            export_model(config, same, path, SCRIPT)
        assert caught.value.file == str(path)


def test_problems_of_config_and_checkpoint(tiny_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    config, checkpoint = tiny_checkpoint()
    out = tmp_path / "model.pt"
    with pytest.raises(CheckpointError):
        export_model(config, tmp_path / "absent.pth", out, SCRIPT)
    with pytest.raises(CheckpointError):
        export_model(config, checkpoint, out, SCRIPT, cfg_options=["model.cls_head.num_classes=4"])
    with pytest.raises(ConfigError):
        export_model({"model": config["model"]}, checkpoint, out, SCRIPT)
    assert list(tmp_path.iterdir()) == []


def test_a_module_that_the_exporter_refuses(
    tiny_checkpoint: MakeCheckpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, checkpoint = tiny_checkpoint()

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("unsupported operator\nand a page of details")

    monkeypatch.setattr(torch.jit, "trace", fail)
    with pytest.raises(InputError, match="unsupported operator") as caught:
        export_model(config, checkpoint, tmp_path / "model.pt", SCRIPT)
    assert caught.value.key == "--format torchscript"
    assert list(tmp_path.iterdir()) == []
