"""``tools/infer.py``: the scores of a test, faults, streams, frames that come, and no torch."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from tool_commands import TIMEOUT, Commands, Done, Run

from pyskl.recordings import FORMATS


def lines(text: str) -> list[dict[str, Any]]:
    """Return the lines of JSON."""
    return [json.loads(line) for line in text.splitlines()]


def table(found: list[dict[str, Any]]) -> np.ndarray:
    """Return the scores (N, L) of lines that tell all classes."""
    rows = [{one["class"]: one["score"] for one in line["topk"]} for line in found]
    return np.array([[row[label] for label in sorted(row)] for row in rows])


def piped(commands: Commands, text: str, *command: object) -> Done:
    """Run a tool with text on its standard input."""
    done = subprocess.run(
        [sys.executable, str(commands.root / "tools/infer.py"), *map(str, command)],
        cwd=commands.scratch,
        env=commands.env,
        input=text,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Model:
    """A config and weights for it."""

    config: Path
    best: Path


@pytest.fixture(scope="module")
def sharp(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The model of a short training, made to tell samples apart that it hardly does."""
    checkpoint = torch.load(trained.best, weights_only=False)
    checkpoint["state_dict"]["cls_head.fc_cls.weight"] *= 300
    path = tmp_path_factory.mktemp("sharp") / "weights.pth"
    torch.save({"state_dict": checkpoint["state_dict"], "meta": {}}, path)
    return Model(trained.config, path)


@pytest.fixture(scope="module")
def tested(commands: Commands, sharp: Model, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What ``tools/test.py`` finds: top-1, and the scores."""
    out = tmp_path_factory.mktemp("tested") / "scores.json"
    done = commands.quick(
        *("tools/test.py", sharp.config, sharp.best, "--eval", "top_k_accuracy"),
        *("--out", out),
    )
    assert done.status == 0, done.err
    return done.figures()["top1_acc"], np.array(json.loads(out.read_text()))


@pytest.fixture
def clips(tmp_path: Path, tiny_samples: Callable[[], list[dict]]) -> Path:
    """A folder with four of the validation samples."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for number, sample in enumerate(tiny_samples()[24:28]):
        np.save(folder / f"{number}.npy", sample["keypoint"])
    return folder


def test_scores_and_accuracy_are_those_of_a_test(
    commands: Commands, sharp: Model, tested: Any, tiny_ann_file: Path, clips: Path, tmp_path: Path
) -> None:
    out = tmp_path / "lines.jsonl"
    accuracy, scores = tested
    assert np.ptp(scores, axis=0).max() > 1e-3  # far above the tolerance
    done = commands.quick(
        *("tools/infer.py", sharp.config, sharp.best, tiny_ann_file, "--split", "val"),
        *("--batch", 4, "--out", out),
    )
    assert (done.status, done.out, done.err) == (0, "", "")
    found = lines(out.read_text())
    np.testing.assert_allclose(table(found), scores, rtol=0, atol=2e-6)
    right = [line["topk"][0]["class"] == line["truth"] for line in found]
    assert np.mean(right) == pytest.approx(accuracy, abs=5e-5)  # as it is printed
    alone = commands.quick(
        "tools/infer.py", sharp.config, sharp.best, clips, "--batch", 1, "--topk", 3
    )
    assert alone.status == 0, alone.err
    np.testing.assert_allclose(table(lines(alone.out)), scores[:4], rtol=0, atol=2e-6)
    assert [line["name"] for line in lines(alone.out)] == list("0123")


def test_streams_are_fused(
    commands: Commands, sharp: Model, tested: Any, clips: Path, tmp_path: Path
) -> None:
    bone = tmp_path / "b.py"
    text = sharp.config.read_text(encoding="utf-8")
    assert "'feats': ['j']" in text
    bone.write_text(text.replace("'feats': ['j']", "'feats': ['b']"), encoding="utf-8")
    pair, other = [sharp.config, sharp.best], [bone, sharp.best]
    one = table(lines(commands.quick("tools/infer.py", *pair, clips).out))
    two = table(lines(commands.quick("tools/infer.py", *other, clips).out))
    assert np.abs(one - two).max() > 0.01
    for options, share in (([], 0.5), (["--weights", 3, 1], 0.75)):
        done = commands.quick("tools/infer.py", *pair, "--also", *other, clips, *options)
        assert done.status == 0, done.err
        np.testing.assert_allclose(
            table(lines(done.out)), share * one + (1 - share) * two, rtol=0, atol=2e-6
        )
    done = commands.quick("tools/infer.py", *pair, "--also", *pair, clips)
    assert done.status == 2
    assert "give --weights, one for each model" in done.err


def test_one_bad_file_does_not_stop_the_others(
    commands: Commands, sharp: Model, clips: Path
) -> None:
    (clips / "1.npy").write_bytes(b"nonsense")
    command = ("tools/infer.py", sharp.config, sharp.best, clips, "--topk", 1)
    done = commands.quick(*command)
    assert done.status == 2
    assert ["error" in line for line in lines(done.out)] == [False, True, False, False]
    assert done.err.startswith("error: 1 of 4 inputs could not be recognised:\n  1: ")
    done = commands.quick(*command, "--strict", "--batch", 1)
    assert done.status == 2
    assert [line["name"] for line in lines(done.out)] == ["0"]
    assert done.err.startswith("error: 1: ")
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["x.npy", "--labels", "none.txt"], "names of the classes can't be read"),
        (["x.npy", "--batch", "0"], "--batch is 1 or more"),
        (["x.npy", "--window", "2q"], "no length of time"),
        (["x.npy", "--stride", "2"], "go with --window"),
        (["x.npy", "--live", "--out", "y"], "knows no --out"),
        (["x.npy", "--device", "abacus"], "no such device"),
        (["x.npy", "--layout", "cocoo"], "did you mean 'coco'"),
        ([], "give the files to recognise"),
        (["x.npy", "--model", "weights.pth"], "--model takes an .onnx file"),
    ],
)
def test_what_can_not_be_meant(
    commands: Commands, sharp: Model, options: list[str], message: str
) -> None:
    done = commands.quick("tools/infer.py", sharp.config, sharp.best, *options)
    assert done.status == 2
    assert message in done.err
    assert done.out == ""


def test_config_and_checkpoint_have_to_be_given(commands: Commands, sharp: Model) -> None:
    done = commands.quick("tools/infer.py", sharp.config)
    assert done.status == 2
    assert "give CONFIG and CHECKPOINT, or --model" in done.err


def test_untrimmed_sequences(commands: Commands, sharp: Model, clips: Path, tmp_path: Path) -> None:
    parts = [np.load(path) for path in sorted(clips.glob("*.npy"))]
    np.save(tmp_path / "long.npy", np.concatenate(parts, axis=1))
    done = commands.quick(
        *("tools/infer.py", sharp.config, sharp.best, tmp_path / "long.npy"),
        *("--window", "0.8s", "--stride", 4, "--min-length", "0.2s", "--fps", 20),
        *("--threshold", 0.4, "--per-window"),
    )
    assert done.status == 0, done.err
    (line,) = lines(done.out)
    total = sum(part.shape[1] for part in parts)
    assert (line["segments"][0]["start"], line["segments"][-1]["end"]) == (0, total)
    assert line["segments"][-1]["end_s"] == total / 20
    assert line["windows"][0]["end"] == 16


def test_frames_as_they_come(commands: Commands, sharp: Model, clips: Path) -> None:
    keypoint = np.load(clips / "0.npy")
    text = "\n".join(
        json.dumps({"t": frame / 10, "keypoint": keypoint[:, frame].tolist()})
        for frame in range(keypoint.shape[1])
    )
    command = (sharp.config, sharp.best, "--live", "--window", 1000, "--topk", 1)
    done = piped(commands, text, *command)
    assert done.status == 0, done.err
    (line,) = lines(done.out)  # all of it in the end, as there is less than a window
    whole = commands.quick("tools/infer.py", sharp.config, sharp.best, clips, "--topk", 1)
    assert line["topk"] == lines(whole.out)[0]["topk"]
    assert line["time"] == (keypoint.shape[1] - 1) / 10
    assert re.search(r"^\d+ frames, 1 windows scored, 0 passed over; latency p50", done.err)
    played = commands.quick("tools/infer.py", *command, clips / "0.npy", "--fps", 1000)
    assert lines(played.out)[0]["topk"] == line["topk"]
    done = piped(commands, text + "\nnonsense\n", *command)
    assert done.status == 2
    assert "1 frames or windows could not be used" in done.err
    assert lines(done.out)[0]["topk"] == line["topk"]


def test_paths_from_a_pipe(commands: Commands, sharp: Model, clips: Path) -> None:
    done = piped(commands, f"{clips / '2.npy'}\n{clips}\n", sharp.config, sharp.best, "-")
    assert done.status == 0, done.err
    assert [line["name"] for line in lines(done.out)] == list("20123")


NO_TORCH = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ImportError("torch was asked for")

sys.meta_path.insert(0, NoTorch())
sys.path.insert(0, sys.argv[1])
sys.argv = sys.argv[2:]
import runpy
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_an_exported_model_needs_no_torch(
    commands: Commands, sharp: Model, clips: Path, tmp_path: Path
) -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason=f"needs {package}")
    exported, names = tmp_path / "x.onnx", tmp_path / "names.txt"
    names.write_text("rise\nswing\nrest\n")
    done = commands.quick(
        *("tools/export.py", sharp.config, sharp.best, "--out", exported),
        *("--labels", names, "--no-timing"),
    )
    assert done.status == 0, done.err
    tools = commands.root / "tools"
    done = subprocess.run(
        [
            *(sys.executable, "-c", NO_TORCH, tools, tools / "infer.py"),
            *("--model", exported, clips, "--window", "1000", "--threshold", "0"),
        ],
        cwd=commands.scratch,
        env=commands.env,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, done.stderr
    expected = lines(commands.quick("tools/infer.py", sharp.config, sharp.best, clips).out)
    for line, right in zip(lines(done.stdout), expected, strict=True):
        best = right["topk"][0]
        (segment,) = line["segments"]
        assert segment["class"] == best["class"]
        assert segment["label"] == ("rise", "swing", "rest")[best["class"]]
        assert segment["score"] == pytest.approx(best["score"], abs=1e-4)


# --- the command line itself ----------------------------------------------------------------------


@pytest.fixture
def tool(repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tool as a module."""
    monkeypatch.syspath_prepend(str(repo_root / "tools"))
    monkeypatch.delitem(sys.modules, "infer", raising=False)
    import infer

    return infer


def test_the_formats_are_those_that_are_read(tool: ModuleType) -> None:
    assert ("auto", *FORMATS) == tool.FORMATS


def test_the_commands_of_the_page_are_understood(
    tool: ModuleType, repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (repo_root / "docs" / "inference.md").read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.findall(r"^(?:.*\| )?python tools/infer\.py ([^#<|\n]*)", text, re.M)
    assert len(found) > 8
    for command in found:
        monkeypatch.setattr(sys, "argv", ["infer.py", *shlex.split(command)])
        args = tool.parse_args()
        assert args.files or args.live
