"""``data.device``: training and testing with batches made on the training device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tool_commands import ALL_TESTS, Commands, Run

ON_CPU = ("--cfg-options", "data.device=cpu", "data.workers_per_gpu=2")


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def test_a_run_with_the_data_on_the_device(train: Callable[..., Run], tmp_path: Path) -> None:
    run = train(tmp_path, *ALL_TESTS, *ON_CPU)
    lines = [line for line in run.log_lines() if line.get("mode") == "train"]
    assert [line["iter"] for line in lines] == [3, 6, 3, 6]
    tests = [line for line in run.log_lines() if line.get("mode") == "test"]
    assert all(0 <= line["top1_acc"] <= 1 for line in tests)


def test_a_run_that_was_interrupted_in_an_epoch_ends_with_the_same_weights(
    train: Callable[..., Run], tmp_path: Path
) -> None:
    saving = dict(checkpoint_config=dict(interval=4, by_epoch=False))
    whole = train(tmp_path, *ON_CPU, **saving)
    resumed = train(
        tmp_path, "--resume", whole.work_dir / "iter_4.pth", *ON_CPU, name="resumed", **saving
    )
    expected, given = (weights(run.work_dir / "latest.pth") for run in (whole, resumed))
    assert all(torch.equal(given[name], expected[name]) for name in expected)


def test_scores_do_not_depend_on_where_batches_are_made(
    commands: Commands, trained: Run, tmp_path: Path
) -> None:
    import pickle

    scores = {}
    for name, options in (("workers", ()), ("device", ON_CPU)):
        out = tmp_path / f"{name}.pkl"
        done = commands.quick("tools/test.py", trained.config, trained.best, "--out", out, *options)
        assert done.status == 0, done.err
        scores[name] = np.stack(pickle.loads(out.read_bytes()))
    np.testing.assert_array_equal(scores["device"], scores["workers"])


def test_a_sample_too_long_is_told_before_the_first_step(
    commands: Commands, write_tiny_config: Callable[..., Path], tmp_path: Path
) -> None:
    pipeline = [
        dict(type="PreNormalize3D"),
        dict(type="PadTo", length=24),
        dict(type="FormatGCNInput", num_person=1),
    ]
    config = write_tiny_config(tmp_path / "tiny.py", data__train__pipeline=pipeline)
    done = commands.quick(
        "tools/train.py",
        config,
        "--work-dir",
        tmp_path / "work",
        "--cfg-options",
        "data.device=cpu",
    )
    assert done.status == 2
    assert "PadTo" in done.err


@pytest.mark.slow
def test_two_processes_keep_a_store_each(
    commands: Commands, write_tiny_config: Callable[..., Path], tmp_path: Path
) -> None:
    config = write_tiny_config(tmp_path / "tiny.py", total_epochs=1)
    done = commands.real(
        "bash", "tools/dist_train.sh", config, 2, "--work-dir", tmp_path / "work", *ON_CPU
    )
    assert done.status == 0, done.err
    assert (tmp_path / "work" / "epoch_1.pth").exists()
