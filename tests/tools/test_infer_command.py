"""``tools/infer.py``: the scores of a test, errors, streams, live frames, and no torch."""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from in_process import ROOT, tool_runner
from tool_commands import TIMEOUT, Done

from pyskl import apis
from pyskl.apis import init_recognizer
from pyskl.datasets import build_dataset
from pyskl.recordings import FORMATS

Tool = Callable[..., Done]


def lines(text: str) -> list[dict[str, Any]]:
    """Return the lines of JSON."""
    return [json.loads(line) for line in text.splitlines()]


def table(found: list[dict[str, Any]]) -> np.ndarray:
    """Return the scores (N, L) of lines with all classes."""
    rows = [{one["class"]: one["score"] for one in line["topk"]} for line in found]
    return np.array([[row[label] for label in sorted(row)] for row in rows])


@pytest.fixture(scope="module")
def pair(
    write_tiny_config: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """A config, and random weights that tell samples apart."""
    folder = tmp_path_factory.mktemp("tiny")
    config = write_tiny_config(folder / "tiny.py")
    torch.manual_seed(0)
    weights = init_recognizer(config).state_dict()
    weights["cls_head.fc_cls.weight"] *= 300
    torch.save({"state_dict": weights, "meta": {}}, folder / "weights.pth")
    return config, folder / "weights.pth"


@pytest.fixture
def infer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tool:
    """Runs the tool in this process, with ``stdin`` as its standard input."""
    run = tool_runner("infer.py", monkeypatch, capsys)

    def infer(*arguments: object, stdin: str = "") -> Done:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        return run(*arguments)

    return infer


@pytest.fixture(scope="module")
def clips(tiny_samples: Callable[[], list[dict]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four of the validation samples; nobody may write to it."""
    folder = tmp_path_factory.mktemp("clips")
    for number, sample in enumerate(tiny_samples()[24:28]):
        np.save(folder / f"{number}.npy", sample["keypoint"])
    return folder


def test_scores_are_those_of_a_test(
    infer: Tool, pair: tuple[Path, Path], tiny_ann_file: Path, clips: Path, tmp_path: Path
) -> None:
    model = init_recognizer(*pair)
    scores = apis.test_model(model, build_dataset(model.cfg.data.test, {"test_mode": True}))
    assert np.ptp(scores, axis=0).max() > 1e-3  # far above the tolerance
    out = tmp_path / "lines.jsonl"
    done = infer(*pair, tiny_ann_file, "--split", "val", "--batch", 4, "--out", out)
    assert (done.status, done.out, done.err) == (0, "", "")
    found = lines(out.read_text())
    np.testing.assert_allclose(table(found), scores, rtol=0, atol=2e-6)
    assert [line["truth"] for line in found] == [index % 3 for index in range(24, 34)]
    done = infer(*pair, clips, "--batch", 1, "--topk", 3)
    assert done.status == 0, done.err
    np.testing.assert_allclose(table(lines(done.out)), scores[:4], rtol=0, atol=2e-6)
    assert [line["name"] for line in lines(done.out)] == list("0123")


def test_streams_are_fused(
    infer: Tool, pair: tuple[Path, Path], clips: Path, tmp_path: Path
) -> None:
    config, checkpoint = pair
    text = config.read_text(encoding="utf-8")
    assert "'feats': ['j']" in text
    bone = tmp_path / "b.py"
    bone.write_text(text.replace("'feats': ['j']", "'feats': ['b']"), encoding="utf-8")
    one = table(lines(infer(*pair, clips).out))
    two = table(lines(infer(bone, checkpoint, clips).out))
    assert np.abs(one - two).max() > 1e-3  # far above the tolerance
    for options, share in (([], 0.5), (["--weights", 3, 1], 0.75)):
        done = infer(*pair, "--also", bone, checkpoint, clips, *options)
        assert done.status == 0, done.err
        expected = share * one + (1 - share) * two
        np.testing.assert_allclose(table(lines(done.out)), expected, rtol=0, atol=2e-6)
    done = infer(*pair, "--also", *pair, clips)
    assert done.status == 2
    assert "--weights" in done.err


def test_one_bad_file_does_not_stop_the_others(
    infer: Tool, pair: tuple[Path, Path], clips: Path, tmp_path: Path
) -> None:
    files = [clips / "0.npy", tmp_path / "bad.npy", clips / "1.npy"]
    files[1].write_bytes(b"nonsense")
    done = infer(*pair, *files, "--topk", 1)
    assert done.status == 2
    assert ["error" in line for line in lines(done.out)] == [False, True, False]
    assert done.err.startswith("error: 1 of 3 inputs could not be recognised:\n  bad: ")
    done = infer(*pair, *files, "--strict", "--batch", 1)
    assert done.status == 2
    assert [line["name"] for line in lines(done.out)] == ["0"]
    assert done.err.startswith("error: bad: ")
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["x.npy", "--labels", "none.txt"], "none.txt"),
        (["x.npy", "--batch", "0"], "--batch"),
        (["x.npy", "--window", "2q"], "2q"),
        (["x.npy", "--stride", "2"], "--window"),
        (["x.npy", "--live", "--out", "y"], "--out"),
        (["x.npy", "--device", "abacus"], "abacus"),
        (["x.npy", "--layout", "cocoo"], "'coco'"),
        ([], "files"),
        (["x.npy", "--model", "weights.pth"], "weights.pth"),
    ],
)
def test_bad_options_are_refused(
    infer: Tool, pair: tuple[Path, Path], options: list[str], found: str
) -> None:
    done = infer(*pair, *options)
    assert (done.status, done.out) == (2, "")
    assert found in done.err


def test_config_and_checkpoint_are_needed(infer: Tool, pair: tuple[Path, Path]) -> None:
    assert infer(pair[0]).status == 2


def test_untrimmed_sequences(
    infer: Tool, pair: tuple[Path, Path], clips: Path, tmp_path: Path
) -> None:
    parts = [np.load(path) for path in sorted(clips.glob("*.npy"))]
    np.save(tmp_path / "long.npy", np.concatenate(parts, axis=1))
    done = infer(
        *(*pair, tmp_path / "long.npy", "--window", "0.8s", "--stride", 4, "--fps", 20),
        *("--min-length", "0.2s", "--threshold", 0.4, "--per-window"),
    )
    assert done.status == 0, done.err
    (line,) = lines(done.out)
    total = sum(part.shape[1] for part in parts)
    assert (line["segments"][0]["start"], line["segments"][-1]["end"]) == (0, total)
    assert line["segments"][-1]["end_s"] == total / 20
    assert line["windows"][0]["end"] == 16


def test_live_frames_and_paths_from_a_pipe(
    infer: Tool, pair: tuple[Path, Path], clips: Path
) -> None:
    keypoint = np.load(clips / "0.npy")
    text = "\n".join(
        json.dumps({"t": frame / 10, "keypoint": keypoint[:, frame].tolist()})
        for frame in range(keypoint.shape[1])
    )
    command = (*pair, "--live", "--window", 1000, "--topk", 1)
    done = infer(*command, stdin=text)
    assert done.status == 0, done.err
    (line,) = lines(done.out)  # at the end, as there is less than a window
    whole = infer(*pair, "-", "--topk", 1, stdin=f"{clips / '0.npy'}\n{clips}\n")
    assert [one["name"] for one in lines(whole.out)] == list("00123")
    assert line["topk"] == lines(whole.out)[0]["topk"]
    assert line["time"] == (keypoint.shape[1] - 1) / 10
    assert re.search(r"^\d+ frames, 1 windows scored, 0 skipped; latency p50", done.err)
    played = infer(*command, clips / "0.npy", "--fps", 1000)
    assert lines(played.out)[0]["topk"] == line["topk"]
    done = infer(*command, stdin=text + "\nnonsense\n")
    assert done.status == 2
    assert lines(done.out)[0]["topk"] == line["topk"]


NO_TORCH = """
import runpy, sys
sys.modules["torch"] = None
sys.path.insert(0, sys.argv[1])
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.slow
def test_an_exported_model_needs_no_torch(
    infer: Tool, pair: tuple[Path, Path], clips: Path, tmp_path: Path
) -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason=f"needs {package}")
    from pyskl.export import ExportSettings, export_model

    exported, names = tmp_path / "x.onnx", tmp_path / "names.txt"
    names.write_text("rise\nswing\nrest\n")
    export_model(*pair, exported, ExportSettings(labels=names))
    command = ("--model", exported, clips, "--window", "1000", "--threshold", "0")
    done = subprocess.run(
        [sys.executable, "-c", NO_TORCH, ROOT / "tools", ROOT / "tools" / "infer.py", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, done.stderr
    expected = lines(infer(*pair, clips).out)
    for line, right in zip(lines(done.stdout), expected, strict=True):
        best = right["topk"][0]
        (segment,) = line["segments"]
        assert segment["class"] == best["class"]
        assert segment["label"] == ("rise", "swing", "rest")[best["class"]]
        assert segment["score"] == pytest.approx(best["score"], abs=1e-4)


def test_the_formats_and_the_documented_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    monkeypatch.delitem(sys.modules, "infer", raising=False)
    import infer

    assert ("auto", *FORMATS) == infer.FORMATS
    text = (ROOT / "docs" / "inference.md").read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.findall(r"^(?:.*\| )?python tools/infer\.py ([^#<|\n]*)", text, re.M)
    assert len(found) > 8
    for command in found:
        monkeypatch.setattr(sys, "argv", ["infer.py", *shlex.split(command)])
        args = infer.parse_args()
        assert args.files or args.live
