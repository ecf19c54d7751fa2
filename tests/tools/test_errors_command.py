"""Errors in the input: one message says where, what was found and what is expected; status 2."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tool_commands import Commands, Done, Run

Refused = Callable[..., str]


def one_message(done: Done, *parts: object) -> str:
    """Check that a command was refused with one message that has all the parts; return it."""
    assert done.status == 2, done.err
    assert done.out == ""
    assert done.err.startswith("error: "), done.err
    assert done.err.count("error: ") == 1
    assert "Traceback" not in done.err
    for part in parts:
        assert str(part) in done.err
    return done.err


@pytest.fixture
def refused(commands: Commands, write_tiny_config: Callable[..., Path], tmp_path: Path) -> Refused:
    """A function that checks that a training is refused: message parts, options, changes."""

    def refused(*parts: object, options: tuple[object, ...] = (), **changes: Any) -> str:
        config = write_tiny_config(tmp_path / "tiny.py", **changes)
        work_dir = tmp_path / "work"
        done = commands.quick("tools/train.py", config, "--work-dir", work_dir, *options)
        message = one_message(done, *parts)
        assert not work_dir.exists()
        return message

    return refused


@pytest.fixture
def tested(trained: Run, commands: Commands) -> Callable[..., Done]:
    """A function that tests a checkpoint, the trained one by default, with options."""

    def tested(*options: object, checkpoint: object = trained.best) -> Done:
        return commands.quick("tools/test.py", trained.config, checkpoint, *options)

    return tested


# --- configs --------------------------------------------------------------------------------------


def test_a_config_that_is_not_there(commands: Commands, tmp_path: Path) -> None:
    for tool, *rest in (("train",), ("test", "best.pth")):
        done = commands.quick(f"tools/{tool}.py", tmp_path / "missing.py", *rest)
        one_message(done, tmp_path / "missing.py", "no such config file")


def test_all_errors_of_a_config_are_listed_at_once(refused: Refused) -> None:
    refused(
        "tiny.py: 4 errors",
        "model.backbone.base_chanels",
        "'base_channels'",
        "optimizer.type",
        "total_epochs",
        "data.train.split",
        model__backbone__base_chanels=4,
        optimizer__type="SDG",
        total_epochs="many",
        data__train__split="trian",
    )


def test_options_that_do_not_go_together(refused: Refused, commands: Commands) -> None:
    refused("--test-best needs --validate", options=("--test-best",))
    refused(
        "evaluation.save_best=None",
        options=("--validate", "--test-best"),
        evaluation__save_best=None,
        evaluation=dict(save_best=None),
    )
    refused("--nonsense", "usage: ", options=("--nonsense",))


def test_a_launcher_without_its_environment(commands: Commands, refused: Refused) -> None:
    refused("RANK", "tools/dist_train.sh", options=("--launcher", "pytorch"))
    refused("SLURM_PROCID", "srun", options=("--launcher", "slurm"))


def test_debug_shows_the_traceback(
    commands: Commands, write_tiny_config: Callable[..., Path], tmp_path: Path
) -> None:
    config = write_tiny_config(tmp_path / "tiny.py", total_epochs=0)
    done = commands.quick("tools/train.py", config, "--debug", "--work-dir", tmp_path / "work")
    assert done.status != 0
    assert "Traceback" in done.err
    assert "total_epochs" in done.err


# --- annotations ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "parts"),
    [
        ("keypoint", np.full((1, 20, 25, 3), np.nan, np.float32), ("NaN", "20 frames")),
        ("keypoint", np.zeros((1, 2, 20, 25, 3)), ("(M, T, V, C)", "(1, 2, 20, 25, 3)")),
        ("keypoint", np.zeros((1, 20, 25, 3), bool), ("float", "bool")),
        ("keypoint", np.ones((20, 1, 25, 3), np.float32), ("(T, M, V, C)", "(20, 1, 25, 3)")),
        ("label", 3, ("label 3", "0 to 2")),
        ("label", "wave", ("label", "'wave'")),
        ("total_frames", 19, ("total_frames: is 19", "20 frames")),
    ],
)
def test_a_malformed_sample(
    refused: Refused,
    tiny_samples: Callable[..., list[dict]],
    write_tiny_annotations: Callable[..., Path],
    tmp_path: Path,
    key: str,
    value: Any,
    parts: tuple[str, ...],
) -> None:
    samples = tiny_samples()
    samples[5].update({"keypoint": samples[5]["keypoint"][:, np.arange(20) % 16]})
    samples[5].update({"total_frames": 20, key: value})
    ann_file = write_tiny_annotations(tmp_path / "bad.pkl", samples)
    refused(ann_file, "'clip5'", *parts, ann_file=ann_file)


def test_annotations_that_would_run_a_program(
    refused: Refused, commands: Commands, tiny_config: Any, tmp_path: Path
) -> None:
    sentinel, ann_file = tmp_path / "sentinel", tmp_path / "evil.pkl"
    ann_file.write_bytes(pickle.dumps({"split": {}, "annotations": [Program(sentinel)]}))
    refused(ann_file, "refused", "system", "--trust-files", ann_file=ann_file)
    assert not sentinel.exists()


class Program:
    """Makes a pickle that creates a file when it is loaded.

    Args:
        sentinel: The file.
    """

    def __init__(self, sentinel: Path) -> None:
        self.sentinel = sentinel

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.sentinel}",)


# --- during a run ---------------------------------------------------------------------------------


def test_a_transform_that_fails_in_a_worker_names_the_sample(
    commands: Commands,
    write_tiny_config: Callable[..., Path],
    tiny_config: Any,
    tmp_path: Path,
) -> None:
    pipeline = tiny_config()["data"]["train"]["pipeline"]
    pipeline[2] = dict(type="PoseDecode")
    pipeline[3] = dict(type="PadTo", length=29, mode="zero")  # some samples have 30 frames
    config = write_tiny_config(
        tmp_path / "tiny.py", data__workers_per_gpu=1, data__train__pipeline=pipeline
    )
    done = commands.quick("tools/train.py", config, "--work-dir", tmp_path / "work")
    assert done.status == 2
    *_, message = done.err.partition("error: ")
    assert "Traceback" not in done.err
    for part in ("tiny.pkl", "sample 'clip", "found 30", "29"):
        assert part in message


def test_a_loss_that_is_no_number_ends_the_run(
    commands: Commands, write_tiny_config: Callable[..., Path], tmp_path: Path
) -> None:
    config = write_tiny_config(tmp_path / "tiny.py", optimizer__lr=1e30)
    done = commands.quick("tools/train.py", config, "--work-dir", tmp_path / "work")
    assert done.status == 2
    assert "Traceback" not in done.err
    assert (
        "error: the loss or its gradients became non-finite in iteration 2 of epoch 1" in done.err
    )
    assert "'clip" in done.err
    assert (tmp_path / "work/nonfinite_epoch_1_iter_2_process_0.pth").is_file()
    assert "lr 1e+30" in done.err


# --- checkpoints ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "problem"),
    [
        *(("test", problem) for problem in ("missing", "truncated", "other model", "program")),
        ("test", "pickled program"),
        *(("resume", "missing"), ("resume", "other model")),
        *(("load_from", "truncated"), ("load_from", "program")),
    ],
)
def test_a_checkpoint_that_will_not_do(
    trained: Run, refused: Refused, tested: Any, tmp_path: Path, how: str, problem: str
) -> None:
    path, sentinel = tmp_path / "bad.pth", tmp_path / "sentinel"
    parts = ["no such checkpoint"]
    if problem == "truncated":
        path.write_bytes(trained.best.read_bytes()[:5000])
        parts = ["damaged"]
    elif problem == "other model":
        checkpoint = torch.load(trained.best, weights_only=True)
        weights = checkpoint["state_dict"]
        weights["neck.weight"] = weights.pop("cls_head.fc_cls.bias")
        weights["backbone.gcn.0.gcn.PA"] = torch.zeros(5, 25, 25)
        torch.save(checkpoint, path)
        parts = ["cls_head.fc_cls.bias: missing", "neck.weight: not in the model", "(5, 25, 25)"]
    elif problem == "program":
        torch.save({"state_dict": {"a": Program(sentinel)}}, path)
        parts = ["refused", "it asks for posix.system", "--trust-files"]
    elif problem == "pickled program":  # not as torch writes it
        path.write_bytes(pickle.dumps({"state_dict": {"a": Program(sentinel)}}, protocol=4))
        parts = ["refused", "it asks for posix.system", "--trust-files"]
    if how == "test":
        one_message(tested(checkpoint=path), path, *parts)
    elif how == "resume":
        refused(path, *parts, options=("--resume", path))
    else:
        refused(path, *parts, load_from=str(path))
    assert not sentinel.exists()


def test_resuming_where_nothing_was_saved(refused: Refused) -> None:
    refused("latest.pth", "no such checkpoint", options=("--resume",))


def test_a_latest_checkpoint_that_was_deleted(
    trained: Run, commands: Commands, tmp_path: Path
) -> None:
    work_dir = shutil.copytree(trained.work_dir, tmp_path / "work", symlinks=True)
    (work_dir / "epoch_2.pth").unlink()
    done = commands.quick("tools/train.py", trained.config, "--work-dir", work_dir)
    one_message(done, "latest.pth", "epoch_2.pth", "--resume")
    assert len(list(work_dir.glob("*.log"))) == 1


# --- writing --------------------------------------------------------------------------------------


def test_a_work_dir_that_can_not_be_made(trained: Run, commands: Commands, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = commands.quick("tools/train.py", trained.config, "--work-dir", tmp_path / "file/work")
    one_message(done, tmp_path / "file/work", "--work-dir")
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_file_of_scores_that_can_not_be_written(tested: Any, tmp_path: Path) -> None:
    one_message(tested("--out", tmp_path / "scores.csv"), "scores.csv", ".pkl", ".json", ".yaml")
    (tmp_path / "file").write_text("in the way")
    one_message(
        tested("--out", tmp_path / "file/scores.pkl"), "file/scores.pkl", "not a writable folder"
    )


# --- several processes ----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("problem", ["config", "work dir"])
def test_several_processes_tell_a_problem_once(
    commands: Commands, write_tiny_config: Callable[..., Path], tmp_path: Path, problem: str
) -> None:
    config = write_tiny_config(
        tmp_path / "tiny.py", **({"seed": -1} if problem == "config" else {})
    )
    (tmp_path / "file").write_text("in the way")
    done = commands.real(
        "bash", "tools/dist_train.sh", config, 2, "--work-dir", tmp_path / "file/work"
    )
    one_message(done, "seed: " if problem == "config" else "--work-dir")


def test_a_reader_that_has_heard_enough_is_no_error(repo_root: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, str(repo_root / "tools/data/layout.py")],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        os.close(writing)
    assert done.returncode == 128 + signal.SIGPIPE
    assert done.stderr == ""
