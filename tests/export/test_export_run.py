"""An export as a whole: what is refused, and that nothing wrong gets its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pyskl.errors import CheckpointError, ConfigError, InputError
from pyskl.export import FORMATS, ExportSettings, export_model
from pyskl.export import torchscript as torchscript_format
from pyskl.export.check import Comparison, DisparityError, compare, random_inputs
from pyskl.export.source import Source
from pyskl.export.speed import milliseconds_per_clip
from pyskl.runtime import ModelMetadata

MakeCheckpoint = Callable[..., tuple[dict[str, Any], Path]]
SCRIPT = ExportSettings(format="torchscript")


def _doubled(source: Source, path: Path) -> None:
    """Write a model whose classifier is another than that of the original."""
    source.clip_model.head.fc_cls.weight.data *= 2
    _write(source, path)


_write = torchscript_format.write


def test_a_model_that_differs_is_not_left_under_the_name(
    tiny_checkpoint: MakeCheckpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, checkpoint = tiny_checkpoint()
    path = tmp_path / "model.pt"
    monkeypatch.setattr(torchscript_format, "write", _doubled)
    with pytest.raises(DisparityError, match="nothing was written") as caught:
        export_model(config, checkpoint, path, SCRIPT)
    assert caught.value.exit_status == 70
    assert list(tmp_path.iterdir()) == []
    path.write_bytes(b"the model of before")
    with pytest.raises(DisparityError):
        export_model(config, checkpoint, path, SCRIPT)
    assert path.read_bytes() == b"the model of before"
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


def test_a_comparison_counts_what_differs() -> None:
    inputs = [np.zeros((2, 1, 4, 5, 3)), np.ones((1, 1, 8, 5, 3))]

    def original(clips: np.ndarray) -> np.ndarray:
        return np.array([[1.0, 0.0, 3.0]]).repeat(len(clips), axis=0)

    def other(clips: np.ndarray) -> np.ndarray:
        return original(clips) - np.array([[0, 0, 4.0 * clips.max()]])

    found = compare(original, other, inputs, 1e-4)
    assert found.inputs == ((2, 1, 4), (1, 1, 8))
    assert found.difference == 4
    assert found.largest == 3
    assert found.agreement == pytest.approx(2 / 3)
    with pytest.raises(DisparityError, match="shape"):
        compare(original, lambda clips: original(clips)[:, :2], inputs, 1e-4)


def test_inputs_are_of_several_sizes_and_always_the_same() -> None:
    free = ModelMetadata(2, ("N", "M", "T", 5, 3), ({"type": "A"},))
    first, again = random_inputs(free, (2, 64)), random_inputs(free, (2, 64))
    assert first[0].shape == (1, 2, 64, 5, 3)
    assert len({clips.shape for clips in first}) == len(first)
    assert all(np.array_equal(a, b) for a, b in zip(first, again))
    fixed = ModelMetadata(2, ("N", 2, "T", 5, 3), ({"type": "A"},))
    assert {clips.shape[1] for clips in random_inputs(fixed, (2, 64))} == {2}
    assert min(clips.shape[2] for clips in random_inputs(free, (2, 64), 16)) == 16


def test_both_are_timed() -> None:
    clip = np.zeros((1, 1, 2, 3, 3), np.float32)
    found = milliseconds_per_clip({"a": lambda x: x, "b": lambda x: x + 1}, clip)
    assert found.keys() == {"a", "b"}
    assert all(0 < one.low <= one.median <= one.high for one in found.values())


def test_without_a_name_it_goes_beside_the_checkpoint(tiny_checkpoint: MakeCheckpoint) -> None:
    config, checkpoint = tiny_checkpoint()
    half = ExportSettings(format="torchscript", precision="fp16")
    for settings, name in ((SCRIPT, "weights.pt"), (half, "weights_fp16.pt")):
        assert export_model(config, checkpoint, settings=settings).path == checkpoint.parent / name


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        (dict(format="onxx"), "did you mean 'onnx'"),
        (dict(precision="fp8"), "precision is one of"),
        (dict(format="torchscript", precision="int8"), "int8 goes with --format onnx"),
        (dict(calibrate="nothing"), "calibrate"),
        (dict(samples=0), "samples"),
        (dict(tolerance=0.0), "tolerance"),
        (dict(tolerance=float("nan")), "tolerance"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], found: str) -> None:
    with pytest.raises(InputError, match=found):
        ExportSettings(**settings)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    find = FORMATS["onnx"].check.__globals__["importlib"].util
    monkeypatch.setattr(find, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"needs onnx, onnxscript, onnxruntime.*pip install onnx"):
        ExportSettings()
    with pytest.raises(InputError, match="pip install safetensors"):
        ExportSettings(format="safetensors")
    ExportSettings(format="torchscript")  # needs nothing but torch


def test_places_that_can_not_be_written_are_refused(
    tiny_checkpoint: MakeCheckpoint, tmp_path: Path
) -> None:
    config, checkpoint = tiny_checkpoint()
    with pytest.raises(InputError, match=r"end in \.pt"):
        export_model(config, checkpoint, tmp_path / "model.onnx", SCRIPT)
    (tmp_path / "folder.pt").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        export_model(config, checkpoint, tmp_path / "folder.pt", SCRIPT)
    same = checkpoint.rename(checkpoint.with_suffix(".pt"))
    with pytest.raises(InputError, match="is the checkpoint itself"):
        export_model(config, same, same, SCRIPT)


def test_faults_of_config_and_checkpoint_are_told(
    tiny_checkpoint: MakeCheckpoint, tmp_path: Path
) -> None:
    config, checkpoint = tiny_checkpoint()
    out = tmp_path / "model.pt"
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        export_model(config, tmp_path / "absent.pth", out, SCRIPT)
    with pytest.raises(CheckpointError, match="fc_cls"):
        export_model(config, checkpoint, out, SCRIPT, cfg_options=["model.cls_head.num_classes=4"])
    with pytest.raises(ConfigError, match=r"no data set in data\.test"):
        export_model({"model": config["model"]}, checkpoint, out, SCRIPT)
    (tmp_path / "names.txt").write_text("one\ntwo\n", encoding="utf-8")
    named = ExportSettings(format="torchscript", labels=tmp_path / "names.txt")
    with pytest.raises(InputError, match="2 names for the 3 classes"):
        export_model(config, checkpoint, out, named)


def test_a_module_that_the_exporter_does_not_take_is_told(
    tiny_checkpoint: MakeCheckpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, checkpoint = tiny_checkpoint()

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("unsupported operator\nand a page of details")

    monkeypatch.setattr(torch.jit, "trace", fail)
    with pytest.raises(InputError, match=r"as torchscript \(RuntimeError: unsupported operator\)"):
        export_model(config, checkpoint, tmp_path / "model.pt", SCRIPT)
    assert list(tmp_path.iterdir()) == []
