"""``tools/export.py``: what it prints, writes and refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from in_process import tool_runner
from tool_commands import Done

from pyskl.apis import init_recognizer
from pyskl.runtime import OnnxRecognizer

for package in ("onnxscript", "onnxruntime", "safetensors"):
    pytest.importorskip(package, reason="needs the extra 'export'")

Tool = Callable[..., Done]


@pytest.fixture(scope="module")
def pair(
    write_tiny_config: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """A config and random weights for it."""
    folder = tmp_path_factory.mktemp("tiny")
    config = write_tiny_config(folder / "tiny.py")
    torch.save({"state_dict": init_recognizer(config).state_dict()}, folder / "tiny.pth")
    return config, folder / "tiny.pth"


@pytest.fixture
def export(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tool:
    """Runs the tool."""
    return tool_runner("export.py", monkeypatch, capsys)


@pytest.mark.slow
def test_onnx_is_written_and_compared(
    pair: tuple[Path, Path], export: Tool, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "folder" / "tiny.onnx"
    done = export(*pair, "--out", out, "--eval")
    assert (done.status, done.err) == (0, "")
    first, compared, *rest = done.out.splitlines()
    assert first.startswith(f"{out} (")
    assert first.endswith("keypoint (N, M, T, 25, 3) -> logits (N, 3), fp32")
    assert "1x1x8, 1x2x100, 3x2x37" in compared
    figures = dict(line.split(": ", 1) for line in rest)
    assert float(figures["max_difference"].split()[0]) < 1e-4
    assert float(figures["same_top1"]) == 1
    assert re.fullmatch(r"([\d.]+) \(original: \1\)", figures["top1_acc"])
    assert {"ms_per_clip, exported", "ms_per_clip, torch"} <= figures.keys()
    assert OnnxRecognizer(out).metadata.streams == ("j",)


def test_safetensors_are_the_weights_of_the_checkpoint(
    pair: tuple[Path, Path], export: Tool, tmp_path: Path
) -> None:
    config, checkpoint = pair
    out = tmp_path / "tiny.safetensors"
    done = export(*pair, "--format", "safetensors", "--out", out)
    assert done.status == 0, done.err
    assert "max_difference: 0.00e+00" in done.out
    expected = init_recognizer(config, checkpoint).state_dict()
    found = init_recognizer(config, out).state_dict()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


@pytest.mark.parametrize(
    ("options", "status", "found"),
    [
        (["--format", "torchscript", "--precision", "int8"], 2, "--precision"),
        (["--out", "model.pth"], 2, "model.pth"),
        (["--labels", "absent.txt"], 2, "absent.txt"),
        (["--format", "torchscript", "--tolerance", "1e-30"], 70, "differs"),
    ],
)
def test_errors_have_one_message(
    pair: tuple[Path, Path],
    export: Tool,
    tmp_path: Path,
    options: list[str],
    status: int,
    found: str,
) -> None:
    if "--out" not in options:
        suffix = ".pt" if "torchscript" in options else ".onnx"
        options = [*options, "--out", str(tmp_path / f"tiny{suffix}")]
    done = export(*pair, *options)
    assert done.status == status, done.err
    assert done.err.startswith("error: ")
    assert found in done.err
    assert "Traceback" not in done.err
    assert not list(tmp_path.iterdir())
