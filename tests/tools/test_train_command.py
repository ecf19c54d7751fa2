"""``tools/train.py``: what a training writes, how it goes on, and what its options do."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tool_commands import ALL_TESTS, Commands, Run

from pyskl.config import known_part, load_config

ITERATIONS = 6  # of an epoch: 24 samples, 4 a batch


def weights(path: Path) -> dict[str, torch.Tensor]:
    """Return the parameters and buffers of a checkpoint."""
    return torch.load(path, weights_only=True)["state_dict"]


def same(a: Path, b: Path) -> bool:
    """Return whether two checkpoints hold the same weights, bit for bit."""
    first, second = weights(a), weights(b)
    assert first.keys() == second.keys()
    return all(torch.equal(first[name], second[name]) for name in first)


def copied(run: Run, folder: Path) -> Path:
    """Return a copy of a run's work dir that a test may write to."""
    return Path(shutil.copytree(run.work_dir, folder / "work", symlinks=True))


# --- what a run writes ----------------------------------------------------------------------------


def test_a_run_writes_the_files_that_readers_expect(trained: Run) -> None:
    names = {re.sub(r"\d{8}_\d{6}", "TIME", path.name) for path in trained.work_dir.iterdir()}
    assert names == {
        "latest.pth",
        "epoch_1.pth",
        "epoch_2.pth",
        trained.best.name,
        "last_pred.pkl",
        "best_pred.pkl",
        "last_pred.pkl.meta.json",
        "best_pred.pkl.meta.json",
        "TIME.log",
        "TIME.log.json",
        "tiny.py",
    }
    assert (trained.work_dir / "latest.pth").resolve().name == "epoch_2.pth"


def test_the_figures_of_a_run_are_one_json_object_a_line(trained: Run) -> None:
    head, *lines = trained.log_lines()
    assert {"env", "seed", "config"} <= head.keys()
    assert [line["mode"] for line in lines] == ["train", "train", "val"] * 2 + ["test"] * 2
    for line in lines:
        if line["mode"] == "train":
            assert {"epoch", "iter", "lr", "time", "data_time", "loss_cls", "loss"} <= line.keys()
            assert line["lr"] == 0.05
        else:
            assert 0 <= line["top1_acc"] <= line["top5_acc"] == 1  # 3 classes
    assert [line["iter"] for line in lines if line["mode"] == "train"] == [3, 6, 3, 6]


def test_scores_are_one_float32_vector_per_sample(
    trained: Run, tiny_samples: Callable[..., list[dict]]
) -> None:
    labels = [sample["label"] for sample in tiny_samples()[24:]]
    tests = {line["weights"]: line for line in trained.log_lines() if line.get("mode") == "test"}
    for name in ("last", "best"):
        scores = pickle.loads((trained.work_dir / f"{name}_pred.pkl").read_bytes())
        assert isinstance(scores, list)
        assert len(scores) == len(labels)
        assert all(row.shape == (3,) and row.dtype == np.float32 for row in scores)
        np.testing.assert_allclose(np.sum(scores, axis=1), 1, rtol=1e-5)  # mean of softmax
        hits = np.mean(np.argmax(scores, axis=1) == labels)
        assert tests[name]["top1_acc"] == pytest.approx(hits)


def test_the_best_checkpoint_is_that_of_the_best_validation(trained: Run) -> None:
    accuracy = {
        line["epoch"]: line["top1_acc"] for line in trained.log_lines() if line.get("mode") == "val"
    }
    best = max(accuracy, key=lambda epoch: (accuracy[epoch], -epoch))
    assert trained.best.name == f"best_top1_acc_epoch_{best}.pth"
    assert same(trained.best, trained.work_dir / f"epoch_{best}.pth")


def test_the_config_in_the_work_dir_loads_again(trained: Run) -> None:
    dumped = load_config(trained.work_dir / "tiny.py").to_dict()
    expected = known_part(load_config(trained.config))
    assert dumped == {**expected, "work_dir": str(trained.work_dir)}


def test_the_log_says_what_ran_where(trained: Run) -> None:
    log = trained.log_text()
    for part in ("torch: ", "git: ", "cpu threads: 1", "tools/train.py", "seed 1", "total_epochs"):
        assert part in log
    assert "WARNING" not in log
    assert "Warning" not in trained.done.err


# --- resuming -------------------------------------------------------------------------------------


def test_a_finished_run_is_said_to_be_finished(
    trained: Run, commands: Commands, tmp_path: Path
) -> None:
    work_dir = copied(trained, tmp_path)
    before = {path.name: path.read_bytes() for path in work_dir.glob("*.p[tk]*")}
    done = commands.quick("tools/train.py", trained.config, "--work-dir", work_dir, *ALL_TESTS)
    assert done.status == 0
    assert "2 of 2 epochs done" in done.err
    assert "this run is finished" in done.err
    lines = [line for line in Run(trained.config, work_dir, done).log_lines() if "mode" in line]
    times = ("time", "data_time")
    assert [{k: v for k, v in line.items() if k not in times} for line in lines] == [
        {k: v for k, v in line.items() if k not in times}
        for line in trained.log_lines()
        if "mode" in line
    ]
    assert {path.name: path.read_bytes() for path in work_dir.glob("*.p[tk]*")} == before


@pytest.mark.parametrize(
    "form",
    [
        "auto",
        *(pytest.param(form, marks=pytest.mark.slow) for form in ("--resume", "resume_from")),
        "--resume PATH",
    ],
)
def test_an_interrupted_run_ends_as_an_uninterrupted_one(
    trained: Run, commands: Commands, tmp_path: Path, form: str
) -> None:
    start = tmp_path / "work" / "epoch_1.pth"
    start.parent.mkdir()
    shutil.copy(trained.work_dir / "epoch_1.pth", start)
    (start.parent / "latest.pth").symlink_to(start.name)
    options: dict[str, list[object]] = {
        "auto": [],
        "--resume": ["--resume"],
        "--resume PATH": ["--resume", start, "--work-dir", tmp_path / "elsewhere"],
        "resume_from": [
            *("--cfg-options", f"resume_from={start}", "auto_resume=False"),
            *("--work-dir", tmp_path / "elsewhere"),
        ],
    }
    done = commands.quick(
        "tools/train.py", trained.config, "--work-dir", start.parent, *options[form]
    )
    assert done.status == 0, done.err
    assert "1 of 2 epochs done" in done.err
    work_dir = start.parent if form in ("auto", "--resume") else tmp_path / "elsewhere"
    lines = Run(trained.config, work_dir, done).log_lines()
    assert {line["epoch"] for line in lines[1:]} == {2}
    assert same(work_dir / "epoch_2.pth", trained.work_dir / "epoch_2.pth")


@pytest.mark.slow
def test_a_run_stopped_inside_an_epoch_takes_the_steps_that_are_left(
    trained: Run, train: Callable[..., Run], commands: Commands, tmp_path: Path
) -> None:
    run = train(tmp_path, checkpoint_config=dict(interval=4, by_epoch=False, max_keep_ckpts=2))
    names = {path.name for path in run.work_dir.glob("*.pth")}
    assert names == {"iter_8.pth", "iter_12.pth", "epoch_2.pth", "latest.pth"}
    assert same(run.work_dir / "epoch_2.pth", trained.work_dir / "epoch_2.pth")
    (run.work_dir / "epoch_2.pth").unlink()
    done = commands.quick(
        *("tools/train.py", run.config, "--work-dir", run.work_dir),
        *("--resume", run.work_dir / "iter_8.pth"),
    )
    assert done.status == 0, done.err
    assert same(run.work_dir / "epoch_2.pth", trained.work_dir / "epoch_2.pth")


def test_a_damaged_checkpoint_is_reported_and_the_one_before_is_taken(
    trained: Run, commands: Commands, tmp_path: Path
) -> None:
    work_dir = copied(trained, tmp_path)
    damaged = work_dir / "epoch_2.pth"
    damaged.write_bytes(damaged.read_bytes()[:-1000])
    done = commands.quick("tools/train.py", trained.config, "--work-dir", work_dir)
    assert done.status == 0, done.err
    log = Run(trained.config, work_dir, done).log_text()
    assert "epoch_2.pth: damaged" in log.replace("latest", "epoch_2")
    assert f"{work_dir}/epoch_1.pth instead, from iteration 6" in log
    assert same(damaged, trained.work_dir / "epoch_2.pth")


def test_without_auto_resume_a_run_starts_anew(
    trained: Run, commands: Commands, tmp_path: Path
) -> None:
    work_dir = copied(trained, tmp_path)
    done = commands.quick(
        *("tools/train.py", trained.config, "--work-dir", work_dir),
        *("--cfg-options", "auto_resume=False", "total_epochs=1"),
    )
    assert done.status == 0, done.err
    assert "resumed" not in done.err
    lines = Run(trained.config, work_dir, done).log_lines()
    assert [line["epoch"] for line in lines[1:]] == [1, 1]


def test_a_config_in_its_own_work_dir_stays_as_it_was_written(
    commands: Commands, write_tiny_config: Callable[..., Path], tmp_path: Path
) -> None:
    config = write_tiny_config(tmp_path / "mine.py", total_epochs=1)
    text = config.read_text() + "# a remark\n"
    config.write_text(text)
    done = commands.quick("tools/train.py", config, "--work-dir", tmp_path)
    assert done.status == 0, done.err
    assert config.read_text() == text


# --- randomness -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_one_seed_gives_one_result_whatever_the_workers(
    trained: Run, train: Callable[..., Run], tmp_path: Path
) -> None:
    run = train(tmp_path, data__workers_per_gpu=2)
    assert same(run.work_dir / "epoch_2.pth", trained.work_dir / "epoch_2.pth")


@pytest.mark.slow
def test_another_seed_gives_another_result_and_is_written_down(
    trained: Run, train: Callable[..., Run], tmp_path: Path
) -> None:
    options = ("--seed", 5, "--deterministic")
    runs = [train(tmp_path, *options, name=name, total_epochs=1) for name in ("a", "b")]
    files = [run.work_dir / "epoch_1.pth" for run in runs]
    assert same(*files)
    assert not same(files[0], trained.work_dir / "epoch_1.pth")
    assert load_config(runs[0].work_dir / "tiny.py").seed == 5


# --- data -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_data_sets_can_be_repeated_joined_and_weighted(
    train: Callable[..., Run], tiny_config: Callable[..., dict], tmp_path: Path
) -> None:
    data = tiny_config()["data"]
    run = train(
        tmp_path,
        *ALL_TESTS,
        "--trust-files",
        data__train=[
            dict(type="RepeatDataset", times=2, dataset=data["train"]),  # 48 samples
            dict(data["train"], class_prob=[2, 1, 0]),  # 8 samples of each class: 24
        ],
        data__val=dict(type="ConcatDataset", datasets=[data["val"], data["train"]]),
        data__test=[data["test"], data["test"]],
        log_config__interval=100,
        total_epochs=1,
    )
    assert run.log_lines()[1]["iter"] == (48 + 24) // 4
    scores = pickle.loads((run.work_dir / "last_pred.pkl").read_bytes())
    assert len(scores) == 2 * 10
    np.testing.assert_allclose(scores[:10], scores[10:], atol=1e-6)


# --- optimisation ---------------------------------------------------------------------------------


def test_the_rate_of_a_step_schedule_with_warmup(train: Callable[..., Run], tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    run = train(
        tmp_path,
        "--validate",
        lr_config=dict(policy="step", step=[1], warmup="linear", warmup_iters=3, warmup_ratio=0.1),
        log_config=dict(
            interval=1, hooks=[dict(type="TextLoggerHook"), dict(type="TensorboardLoggerHook")]
        ),
        checkpoint_config=dict(interval=1, max_keep_ckpts=1),
        evaluation=dict(interval=2, metrics=["mean_class_accuracy"], save_best="auto"),
    )
    rates = [line["lr"] for line in run.log_lines() if line.get("mode") == "train"]
    np.testing.assert_allclose(rates, [0.005, 0.02, 0.035, *[0.05] * 3, *[0.005] * 6])
    names = {path.name for path in run.work_dir.glob("*.pth")}
    assert names == {"epoch_2.pth", "latest.pth", "best_mean_class_accuracy_epoch_2.pth"}
    (events,) = (run.work_dir / "tf_logs").glob("events.out.tfevents.*")
    content = events.read_bytes()
    for tag in (b"train/loss", b"train/lr", b"val/mean_class_accuracy"):
        assert tag in content


def test_a_rate_for_another_batch_is_pointed_out_and_scaled_on_demand(
    train: Callable[..., Run], tmp_path: Path
) -> None:
    changes = dict(auto_scale_lr=dict(base_batch_size=16), total_epochs=1)
    warned = train(tmp_path, name="warned", **changes)
    (warning,) = (line for line in warned.log_text().splitlines() if "WARNING" in line)
    assert {"4", "0.05", "16", "0.0125"} <= set(re.findall(r"[\d.]*\d", warning))
    scaled = train(tmp_path, "--auto-scale-lr", name="scaled", **changes)
    assert "to 0.0125" in scaled.log_text()
    assert "WARNING" not in scaled.log_text()
    rates = [
        {line["lr"] for line in run.log_lines() if line.get("mode") == "train"}
        for run in (warned, scaled)
    ]
    assert rates == [{0.05}, {0.0125}]


def test_training_starts_from_weights_with_another_number_of_classes(
    trained: Run, train: Callable[..., Run], tmp_path: Path
) -> None:
    run = train(
        tmp_path,
        load_from=trained.best.as_uri(),
        model__cls_head__num_classes=5,
        optimizer__lr=0.0,
        total_epochs=1,
    )
    warnings = [line for line in run.log_text().splitlines() if "WARNING" in line]
    (warning,) = (line for line in warnings if trained.best.as_uri() in line)
    assert "cls_head.fc_cls.weight" in warning
    assert any("no sample has label 3, 4" in line for line in warnings)
    before, after = weights(trained.best), weights(run.work_dir / "epoch_1.pth")
    assert after["cls_head.fc_cls.weight"].shape == (5, 8)
    for name, value in before.items():
        if "running" not in name and "tracked" not in name and "cls_head" not in name:
            assert torch.equal(after[name], value), name


@pytest.mark.slow
@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_training_in_mixed_precision(
    trained: Run, train: Callable[..., Run], tmp_path: Path, amp: str
) -> None:
    run = train(tmp_path, *ALL_TESTS, "--amp", amp, total_epochs=1)
    exact, rounded = (weights(one.work_dir / "epoch_1.pth") for one in (trained, run))
    assert not torch.equal(exact["cls_head.fc_cls.weight"], rounded["cls_head.fc_cls.weight"])
    torch.testing.assert_close(
        rounded["cls_head.fc_cls.weight"], exact["cls_head.fc_cls.weight"], rtol=0, atol=0.02
    )
    assert all(value.dtype != torch.bfloat16 for value in rounded.values())


@pytest.mark.slow
def test_training_with_a_compiled_backbone(
    trained: Run, train: Callable[..., Run], tmp_path: Path
) -> None:
    if not any(shutil.which(name) for name in ("c++", "g++", "clang++")):
        pytest.skip("torch.compile needs a C++ compiler")
    small = dict(
        total_epochs=1,
        data__train__split="val",
        data__videos_per_gpu=10,  # one step
        model__backbone__num_stages=2,
        model__backbone__down_stages=[],
    )
    plain = train(tmp_path, name="plain", **small)
    run = train(tmp_path, "--compile", **small)
    expected, found = (weights(one.work_dir / "epoch_1.pth") for one in (plain, run))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)


# --- several processes ----------------------------------------------------------------------------


@pytest.mark.slow
def test_two_processes_train_and_write_once(trained_by_two: Run, trained: Run) -> None:
    def names(run: Run) -> set[str]:
        return {re.sub(r"\d{8}_\d{6}", "TIME", path.name) for path in run.work_dir.iterdir()}

    assert names(trained_by_two) == names(trained)
    head, *lines = trained_by_two.log_lines()
    assert "--launcher pytorch" in head["env"]["command"]
    assert [line["iter"] for line in lines if line["mode"] == "train"] == [3, 3]
    scores = pickle.loads((trained_by_two.work_dir / "best_pred.pkl").read_bytes())
    assert len(scores) == 10
    # Each process normalises its own half of the clips, so weights are near, not equal.
    torch.testing.assert_close(
        weights(trained_by_two.work_dir / "epoch_1.pth")["backbone.gcn.0.gcn.PA"],
        weights(trained.work_dir / "epoch_1.pth")["backbone.gcn.0.gcn.PA"],
        rtol=0,
        atol=0.1,
    )


@pytest.mark.slow
def test_two_processes_print_no_message_twice_and_no_warning_of_torch(trained_by_two: Run) -> None:
    err = trained_by_two.done.err
    assert "Warning:" not in err
    for message in ("environment:", "epoch 2, validation", "test of the best weights"):
        assert err.count(message) == 1
    assert "a step takes 8 clips, but lr 0.05 is meant for 4" in err


@pytest.mark.slow
def test_slurm_starts_the_same_training(
    trained_by_two: Run, commands: Commands, free_port: int, tmp_path: Path
) -> None:
    ends = [
        commands.start(
            *("tools/train.py", trained_by_two.config, "--work-dir", tmp_path / "work"),
            *("--launcher", "slurm"),
            env={
                "SLURM_PROCID": str(rank),
                "SLURM_LOCALID": str(rank),
                "SLURM_NTASKS": "2",
                "SLURM_NODELIST": "127.0.0.1",
                "PORT": str(free_port),
            },
        )
        for rank in range(2)
    ]
    for end in ends:
        done = end()
        assert done.status == 0, done.err
    assert same(tmp_path / "work" / "epoch_2.pth", trained_by_two.work_dir / "epoch_2.pth")
    lines = [json.loads(line) for line in next(tmp_path.glob("work/*.log.json")).open()]
    assert [line["mode"] for line in lines[1:]] == ["train", "train"]


BROKEN = """
from pyskl.models import STGCN
from pyskl.registry import BACKBONES


@BACKBONES.register_module()
class Broken(STGCN):
    def forward(self, x):
        raise TypeError("a slip in somebody's own model")
"""


@pytest.mark.slow
def test_an_error_of_the_user_s_own_code_ends_the_run_and_its_workers(
    commands: Commands, write_tiny_config: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "broken_backbone.py").write_text(BROKEN)
    config = write_tiny_config(
        tmp_path / "tiny.py",
        custom_imports=dict(imports=["broken_backbone"]),
        model__backbone__type="Broken",
        data__workers_per_gpu=2,
    )
    done = commands.real(  # which waits until nobody has its output open any more
        *("python", "tools/train.py", config, "--work-dir", tmp_path / "work"),
        env={"PYTHONPATH": f"{tmp_path}{os.pathsep}{commands.root}"},
    )
    assert done.status == 1
    assert "TypeError: a slip in somebody's own model" in done.err
