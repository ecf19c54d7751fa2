"""``tools/export.py``: what it prints, writes and refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tool_commands import Commands, Run

from pyskl.runtime import OnnxRecognizer

pytest.importorskip("onnxscript", reason="needs the extra 'export'")
pytest.importorskip("onnxruntime", reason="needs the extra 'export'")


def test_onnx_is_written_checked_and_told(trained: Run, commands: Commands, tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder" / "tiny.onnx"
    done = commands.quick(
        *("tools/export.py", trained.config, trained.best, "--out", out, "--eval")
    )
    assert done.status == 0, done.err
    first, compared, *rest = done.out.splitlines()
    assert first.startswith(f"{out} (")
    assert first.endswith("keypoint (N, M, T, 25, 3) -> logits (N, 3), fp32")
    assert "1x1x8, 1x2x100, 3x2x37" in compared
    told = dict(line.split(": ", 1) for line in rest)
    assert float(told["max_difference"].split()[0]) < 1e-4
    assert float(told["same_top1"]) == 1
    assert re.fullmatch(r"([\d.]+) \(original: \1\)", told["top1_acc"])
    told_then = trained.log_lines()[-1]["top1_acc"]
    assert float(told["top1_acc"].split()[0]) == pytest.approx(told_then, abs=5e-5)
    assert {"ms_per_clip, exported", "ms_per_clip, torch"} <= told.keys()
    assert done.err == ""
    assert OnnxRecognizer(out).metadata.streams == ("j",)


def test_weights_as_safetensors_test_as_their_checkpoint_does(
    trained: Run, commands: Commands, tmp_path: Path
) -> None:
    pytest.importorskip("safetensors", reason="needs the extra 'export'")
    out = tmp_path / "tiny.safetensors"
    done = commands.quick(
        *("tools/export.py", trained.config, trained.best, "--format", "safetensors"),
        *("--out", out),
    )
    assert done.status == 0, done.err
    assert "max_difference: 0.00e+00" in done.out
    scores = [
        commands.quick("tools/test.py", trained.config, weights).figures()
        for weights in (trained.best, out)
    ]
    assert scores[0] == scores[1] != {}


@pytest.mark.parametrize(
    ("options", "status", "found"),
    [
        (["--format", "torchscript", "--precision", "int8"], 2, "int8 goes with --format onnx"),
        (["--out", "model.pth"], 2, "end in .onnx"),
        (["--labels", "absent.txt"], 2, "absent.txt"),
        (["--format", "torchscript", "--tolerance", "1e-30"], 70, "nothing was written"),
    ],
)
def test_what_can_not_be_is_refused_with_one_message(
    trained: Run, commands: Commands, tmp_path: Path, options: list[str], status: int, found: str
) -> None:
    if "--out" not in options:
        suffix = ".pt" if "torchscript" in options else ".onnx"
        options = [*options, "--out", str(tmp_path / f"tiny{suffix}")]
    done = commands.quick("tools/export.py", trained.config, trained.best, *options)
    assert done.status == status, done.err
    assert found in done.err
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err
    assert not list(tmp_path.iterdir())
