"""The training loop, on a small model and a small data set."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pyskl.checkpoints import manager as manager_module
from pyskl.checkpoints import writer as writer_module
from pyskl.checkpoints.checkpoint import open_checkpoint
from pyskl.checkpoints.manager import CheckpointManager, SavePolicy
from pyskl.datasets import PoseDataset, build_dataloader
from pyskl.errors import CheckpointError, WriteError
from pyskl.evaluation.metrics import NonFiniteScoresError
from pyskl.logging.run_log import RunLog
from pyskl.models import STGCN, GCNHead, RecognizerGCN
from pyskl.training.nonfinite import NonFiniteStep, TrainingError
from pyskl.training.schedule import LearningRate
from pyskl.training.trainer import Trainer
from pyskl.training.validation import Validation

EPOCHS, BATCH, ITERS = 3, 4, 6  # 24 samples in batches of 4
Make = Callable[..., Trainer]


def _pipeline(*augment: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        dict(type="PreNormalize3D"),
        *augment,
        dict(type="UniformSample", clip_len=6),
        dict(type="PoseDecode"),
        dict(type="FormatGCNInput", num_person=1),
        dict(type="Collect", keys=["keypoint", "label"]),
        dict(type="ToTensor", keys=["keypoint"]),
    ]


def _model() -> RecognizerGCN:
    torch.manual_seed(0)
    backbone = STGCN(
        dict(layout="nturgb+d", mode="stgcn_spatial"),
        base_channels=4,
        num_stages=2,
        inflate_stages=[2],
        down_stages=[2],
        tcn_dropout=0.2,
    )
    return RecognizerGCN(backbone, GCNHead(3, 8, dropout=0.2))


@pytest.fixture
def make(tiny_ann_file: Path, tmp_path: Path) -> Make:
    """A function that makes a trainer of the same model, data and seed each time."""

    def make(
        work_dir: Path = tmp_path,
        *,
        validate: bool | dict[str, Any] = False,
        batch: int = BATCH,
        lr: float = 0.05,
        **options: Any,
    ) -> Trainer:
        augment = dict(type="RandomRot", theta=0.3)
        train = PoseDataset(tiny_ann_file, _pipeline(augment), "train")
        epochs = options.pop("epochs", EPOCHS)
        loader = build_dataloader(train, batch, seed=1, pin_memory=False)
        if validate is not False:
            val = PoseDataset(tiny_ann_file, _pipeline(), "val", test_mode=True)
            chosen = {} if validate is True else validate
            options["validation"] = Validation(
                loader=build_dataloader(val, 5, shuffle=False, pin_memory=False),
                labels=val.labels,
                metrics=["top_k_accuracy"],
                **chosen,
            )
        model = options.pop("model", None) or _model()
        fused = options.pop("fused", None)
        work_dir.mkdir(exist_ok=True)
        return Trainer(
            model=model,
            optimizer=torch.optim.SGD(
                model.parameters(), 1.0, momentum=0.9, nesterov=True, fused=fused
            ),
            schedule=LearningRate(
                lr, epochs, len(loader), policy="CosineAnnealing", by_epoch=False
            ),
            loader=loader,
            device=torch.device("cpu"),
            work_dir=work_dir,
            epochs=epochs,
            seed=1,
            **options,
        )

    return make


def _state(trainer: Trainer) -> dict[str, Tensor]:
    """Return all that a run has learnt: weights, statistics, momentum."""
    momentum = trainer.optimizer.state_dict()["state"]
    return {
        **{name: value.clone() for name, value in trainer.model.state_dict().items()},
        **{f"momentum {i}": state["momentum_buffer"].clone() for i, state in momentum.items()},
    }


def _assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    different = [name for name in found if not torch.equal(found[name], expected[name])]
    assert different == []


def _names(folder: Path, *patterns: str) -> list[str]:
    return sorted(path.name for pattern in patterns for path in folder.glob(pattern))


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


# --- learning -------------------------------------------------------------------------------------


def test_the_loss_falls_and_the_log_tells_it(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "run.log.json"
    trainer = make(epochs=16, lr=0.1, log=RunLog(path), log_interval=4, validate=True)
    trainer.run()
    trainer.log.close()
    lines = _lines(path)
    train = [line for line in lines if line["mode"] == "train"]
    val = [line for line in lines if line["mode"] == "val"]
    assert train[-1]["loss"] < 0.7 * train[0]["loss"]
    assert val[-1]["top1_acc"] > 0.6  # three classes

    # A line every four iterations and at the end of the epoch.
    assert [(line["epoch"], line["iter"]) for line in train] == [
        (epoch, iteration) for epoch in range(1, 17) for iteration in (4, 6)
    ]
    for line in train:
        assert {"lr", "time", "data_time", "loss", "loss_cls", "top1_acc", "top5_acc"} <= set(line)
        assert line["time"] >= line["data_time"] >= 0
        done = (line["epoch"] - 1) * ITERS + line["iter"]
        assert line["lr"] == trainer.schedule.at(done - 1)
    assert [(line["epoch"], line["iter"]) for line in val] == [(e, 2) for e in range(1, 17)]
    assert set(val[0]) == {"mode", "epoch", "iter", "top1_acc", "top5_acc"}


def test_a_line_of_the_log_is_a_mean(make: Make, tmp_path: Path) -> None:
    one, all_ = tmp_path / "one.json", tmp_path / "all.json"
    for path, interval in ((one, 1), (all_, ITERS)):
        make(epochs=1, log=RunLog(path), log_interval=interval).run()
    expected = np.mean([line["loss"] for line in _lines(one)])
    (line,) = _lines(all_)
    assert line["loss"] == pytest.approx(expected, abs=2e-5)  # rounded to five places


def test_two_runs_are_the_same_and_another_seed_is_not(make: Make) -> None:
    states = []
    for seed in (1, 1, 2):
        trainer = make(epochs=1)
        trainer.seed = seed
        torch.rand(seed)  # what was drawn before has no say
        trainer.run()
        states.append(_state(trainer))
    _assert_same(states[1], states[0])
    assert not torch.equal(states[2]["cls_head.fc_cls.weight"], states[0]["cls_head.fc_cls.weight"])


def test_between_lines_of_the_log_nothing_waits_for_the_device(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []
    trainer = make(epochs=2, log_interval=4, fused=True)  # as optimizers are on a GPU
    for name in ("item", "tolist", "cpu", "numpy", "__bool__", "__float__"):
        original = getattr(Tensor, name)

        def read(self: Tensor, *args: Any, _original: Any = original, **kwargs: Any) -> Any:
            reads.append(trainer.progress.iteration)
            return _original(self, *args, **kwargs)

        monkeypatch.setattr(Tensor, name, read)
    monkeypatch.setattr(CheckpointManager, "save", lambda *_, **__: None)
    # The pipelines' own tensors are on the CPU: take the batches as they come.
    batches = [list(trainer.loader) for _ in range(2)]
    monkeypatch.setattr(type(trainer.loader), "__iter__", lambda self: iter(batches.pop()))
    reads.clear()
    trainer.run()
    assert set(reads) == {4, 6, 10, 12}


def test_gradients_are_clipped(make: Make) -> None:
    norms: dict[str, list[float]] = {}
    for name, clip in (("free", None), ("clipped", dict(max_norm=0.01, norm_type=2))):
        trainer = make(epochs=1, grad_clip=clip)
        seen = norms[name] = []

        def step(*_: Any, _trainer: Trainer = trainer, _seen: list[float] = seen) -> None:
            gradients = [p.grad for p in _trainer.model.parameters() if p.grad is not None]
            _seen.append(float(torch.stack([g.norm() for g in gradients]).norm()))

        trainer.optimizer.register_step_pre_hook(step)
        trainer.run()
    assert min(norms["free"]) > 0.02
    assert max(norms["clipped"]) <= 0.01 * 1.001
    assert norms["clipped"][0] == pytest.approx(0.01, rel=1e-3)


class _Broken(nn.Module):
    """A recognizer with weights whose loss is not a number in some calls."""

    def __init__(self, bad_calls: set[int]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.bad_calls = bad_calls
        self.call = 0

    def forward(self, keypoint: Tensor, label: Tensor, return_loss: bool) -> dict[str, Tensor]:
        self.call += 1
        loss = self.weight**2
        return {"loss": loss * float("nan") if self.call in self.bad_calls else loss}


@pytest.mark.parametrize("fused", [False, True])
def test_a_loss_that_is_no_number_stops_the_run_and_is_kept_to_be_looked_at(
    make: Make, tmp_path: Path, fused: bool
) -> None:
    trainer = make(model=_Broken({ITERS + 4}), log_interval=3, fused=fused)
    with pytest.raises(TrainingError, match="iteration 4 of epoch 2") as caught:
        trainer.run()
    path = tmp_path / "nonfinite_epoch_2_iter_4_process_0.pth"
    assert str(path) in caught.value.found
    assert _names(tmp_path, "epoch*", "latest*") == ["epoch_1.pth", "latest.pth"]
    kept = torch.load(path, weights_only=True)
    assert kept["batch"]["keypoint"].shape[0] == BATCH
    assert len(kept["meta"]["samples"]) == BATCH
    for name in kept["meta"]["samples"]:
        assert repr(name) in caught.value.found
    assert torch.equal(kept["state_dict"]["weight"], trainer.model.weight)
    # It is the batch of that step: the fourth of the second epoch.
    batches = trainer.loader.batch_sampler
    batches.set_epoch(1, first_batch=3)  # type: ignore[union-attr]
    (batch, *_) = list(trainer.loader)
    assert torch.equal(kept["batch"]["keypoint"], batch["keypoint"])


@pytest.mark.parametrize("fused", [False, True])
def test_steps_that_are_no_numbers_can_be_left_out(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture, fused: bool
) -> None:
    log = RunLog(tmp_path / "a.log.json")
    trainer = make(
        model=_Broken({2, 9}), epochs=2, log_interval=3, fused=fused, on_nonfinite="skip", log=log
    )
    trainer.run()
    warnings = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    for message, step in zip(warnings, ("iteration 2 of epoch 1", "iteration 3 of epoch 2")):
        assert step in message
        assert message.count("'clip") == BATCH
    assert len(warnings) == 2
    lines = _lines(tmp_path / "a.log.json")
    assert [line["iter"] for line in lines] == [3, 6, 3, 6]
    assert all(0 < line["loss"] <= 1 for line in lines)
    assert torch.isfinite(trainer.model.weight)


def test_samples_that_are_no_numbers_are_named(make: Make) -> None:
    trainer = make(epochs=1)
    collate = trainer.loader.collate_fn

    def poisoned(samples: Any) -> dict[str, Any]:
        batch = collate(samples)
        batch["keypoint"][2, :, :, 3] = float("nan")
        return batch

    trainer.loader.collate_fn = poisoned
    with pytest.raises(TrainingError) as caught:
        trainer.run()
    samples = NonFiniteStep(trainer.loader, 0, 0, own_loss=True).sample_ids()
    assert caught.value.found.count(repr(samples[2])) == 2
    assert caught.value.found.count(repr(samples[1])) == 1


def test_ignoring_numbers_that_went_wrong(make: Make) -> None:
    trainer = make(model=_Broken({1}), epochs=1, on_nonfinite="ignore")
    trainer.run()
    assert torch.isnan(trainer.model.weight)


def test_a_test_loader_is_refused(make: Make) -> None:
    trainer = make(validate=True)
    trainer.loader = trainer.validation.loader  # type: ignore[union-attr]
    with pytest.raises(TypeError, match="shuffle=True"):
        trainer.run()
    with pytest.raises(ValueError, match="no validation set"):
        make().validate()


def test_bfloat16_trains(make: Make) -> None:
    full, half = make(epochs=1), make(epochs=1, amp="bf16")
    full.run()
    half.run()
    a, b = (t.model.state_dict()["cls_head.fc_cls.weight"] for t in (full, half))
    assert not torch.equal(a, b)
    torch.testing.assert_close(a, b, rtol=0.1, atol=0.05)
    assert b.dtype == torch.float32


# --- saving ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("saving", "names", "latest"),
    [
        (SavePolicy(), ["epoch_1.pth", "epoch_2.pth", "epoch_3.pth"], "epoch_3.pth"),
        (SavePolicy(interval=2), ["epoch_2.pth", "epoch_3.pth"], "epoch_3.pth"),
        (SavePolicy(interval=0), ["epoch_3.pth"], "epoch_3.pth"),
        (SavePolicy(interval=-1), ["epoch_3.pth"], "epoch_3.pth"),
        (SavePolicy(max_keep=2), ["epoch_2.pth", "epoch_3.pth"], "epoch_3.pth"),
        (SavePolicy(max_keep=0), ["epoch_1.pth", "epoch_2.pth", "epoch_3.pth"], "epoch_3.pth"),
        (
            SavePolicy(interval=4, by_epoch=False),
            ["epoch_3.pth", "iter_12.pth", "iter_16.pth", "iter_4.pth", "iter_8.pth"],
            "epoch_3.pth",
        ),
        (
            SavePolicy(interval=4, by_epoch=False, max_keep=1),
            ["epoch_3.pth", "iter_16.pth"],
            "epoch_3.pth",
        ),
    ],
    ids=str,
)
def test_when_checkpoints_are_written(
    make: Make, tmp_path: Path, saving: SavePolicy, names: list[str], latest: str
) -> None:
    make(saving=saving).run()
    assert _names(tmp_path, "epoch*", "iter*") == names
    assert os.readlink(tmp_path / "latest.pth") == latest


def test_a_new_run_in_an_old_folder_keeps_its_own_checkpoints(make: Make, tmp_path: Path) -> None:
    (tmp_path / "epoch_16.pth").write_bytes(b"of the run before")
    make(epochs=2, saving=SavePolicy(max_keep=1)).run()
    assert _names(tmp_path, "epoch*") == ["epoch_16.pth", "epoch_2.pth"]
    assert open_checkpoint(tmp_path / "latest.pth").meta["epoch"] == 2


def test_what_a_checkpoint_says_of_its_run(make: Make, tmp_path: Path) -> None:
    trainer = make(epochs=1, meta={"config": "a = 1"}, validate=True)
    trainer.run()
    meta = open_checkpoint(tmp_path / "epoch_1.pth").meta
    expected = {"config": "a = 1", "epoch": 1, "iter": ITERS, "iters_per_epoch": ITERS, "seed": 1}
    assert expected.items() <= meta.items()
    best = open_checkpoint(tmp_path / "best_top1_acc_epoch_1.pth").meta["best"]
    assert (best["key"], best["epoch"]) == ("top1_acc", 1)


# --- validation -----------------------------------------------------------------------------------


def _validated(
    make: Make, monkeypatch: pytest.MonkeyPatch, figures: list[float], **when: Any
) -> Trainer:
    """Train with validations that give these figures, one after the other."""
    trainer = make(epochs=len(figures), validate=when or True)
    found = iter(figures)
    monkeypatch.setattr(
        Trainer, "validate", lambda self: {"top1_acc": next(found), "top5_acc": 1.0}
    )
    trainer.run()
    return trainer


def test_one_best_checkpoint_is_kept(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = _validated(make, monkeypatch, [0.2, 0.5, 0.5, 0.4])
    assert _names(tmp_path, "best*") == ["best_top1_acc_epoch_2.pth"]
    assert trainer.progress.best == {
        "key": "top1_acc",
        "score": 0.5,
        "epoch": 2,
        "file": "best_top1_acc_epoch_2.pth",
    }
    best, second = (
        open_checkpoint(tmp_path / name).state_dict
        for name in ("best_top1_acc_epoch_2.pth", "epoch_2.pth")
    )
    _assert_same(dict(best), dict(second))


def test_a_figure_that_is_no_number_is_never_the_best(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nan = float("nan")
    _validated(make, monkeypatch, [nan, 0.2, nan, 0.1])
    assert _names(tmp_path, "best*") == ["best_top1_acc_epoch_2.pth"]


@pytest.mark.parametrize("policy", ["stop", "skip", "ignore"])
def test_scores_that_are_no_numbers_stop_the_run_or_are_left_out(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: Any
) -> None:
    predict, validations = RecognizerGCN.predict, iter([False, True, False])
    log = RunLog(tmp_path / "a.log.json")
    trainer = make(epochs=3, validate=True, on_nonfinite=policy, log=log)
    validate = trainer.validate

    def sometimes_broken() -> dict[str, float]:
        factor = float("nan") if next(validations) else 1.0
        monkeypatch.setattr(RecognizerGCN, "predict", lambda *args: predict(*args) * factor)
        return validate()

    monkeypatch.setattr(trainer, "validate", sometimes_broken)
    if policy == "stop":
        with pytest.raises(NonFiniteScoresError, match="10 of 10 samples: 'clip24'"):
            trainer.run()
    else:
        trainer.run()
    validated = [line["epoch"] for line in _lines(tmp_path / "a.log.json") if line["mode"] == "val"]
    assert validated == ([1] if policy == "stop" else [1, 3])
    assert trainer.progress.best is not None
    assert trainer.progress.best["epoch"] in validated
    assert (tmp_path / "epoch_2.pth").exists()


def test_the_old_best_goes_only_when_the_new_one_is_safe(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = manager_module.save_checkpoint

    def failing(content: Any, path: Path) -> None:
        if path.name == "best_top1_acc_epoch_2.pth":
            raise CheckpointError("disk full")
        save(content, path)

    monkeypatch.setattr(manager_module, "save_checkpoint", failing)
    monkeypatch.setattr(writer_module, "FINISH_TIMEOUT", 0.1)
    with pytest.raises(WriteError, match="disk full"):
        _validated(make, monkeypatch, [0.2, 0.5])
    assert _names(tmp_path, "best*") == ["best_top1_acc_epoch_1.pth"]


@pytest.mark.parametrize("key", ["top5_acc", None])
def test_what_is_best_can_be_chosen(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    _validated(make, monkeypatch, [0.2, 0.5], save_best=key)
    assert _names(tmp_path, "best*") == (["best_top5_acc_epoch_1.pth"] if key else [])


@pytest.mark.parametrize(
    ("when", "epochs"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"interval": 2}, [2, 4, 6]),
        ({"start": 3}, [3, 4, 5, 6]),
        ({"interval": 2, "start": 3}, [3, 5]),
        ({"interval": 9}, []),
    ],
)
def test_when_validation_is_due(when: dict[str, int], epochs: list[int]) -> None:
    validation = Validation(None, np.zeros(0), [], **when)  # type: ignore[arg-type]
    assert [epoch for epoch in range(1, 7) if validation.is_due(epoch)] == epochs


def test_validation_runs_when_due_and_leaves_the_training_alone(make: Make) -> None:
    plain, validated = make(), make(validate={"interval": 2})
    seen = []
    validated.validate = lambda: (  # type: ignore[method-assign]
        seen.append(validated.progress.epoch),
        Trainer.validate(validated),
    )[1]
    plain.run()
    validated.run()
    assert seen == [2]
    _assert_same(_state(validated), _state(plain))


# --- resuming -------------------------------------------------------------------------------------


@pytest.fixture
def whole(make: Make, tmp_path: Path) -> dict[str, Tensor]:
    """The state after an uninterrupted run whose checkpoints are in ``tmp_path/whole``."""
    trainer = make(tmp_path / "whole", saving=SavePolicy(interval=4, by_epoch=False), validate=True)
    trainer.run()
    return _state(trainer)


@pytest.mark.parametrize("name", ["iter_4.pth", "iter_8.pth", "iter_12.pth", "iter_16.pth"])
def test_resuming_within_an_epoch_gives_the_same_bits(
    make: Make, tmp_path: Path, whole: dict[str, Tensor], name: str
) -> None:
    trainer = make(tmp_path / "rest")
    torch.rand(7)
    trainer.resume(open_checkpoint(tmp_path / "whole" / name))
    trainer.run()
    assert trainer.progress.iteration == EPOCHS * ITERS
    _assert_same(_state(trainer), whole)


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_resuming_after_an_epoch_gives_the_same_bits(
    make: Make, tmp_path: Path, whole: dict[str, Tensor], epoch: int
) -> None:
    first = make(tmp_path / "first", epochs=EPOCHS)
    first.run()
    _assert_same(_state(first), whole)  # neither saving nor validating has a say
    log = tmp_path / "log.json"
    second = make(tmp_path / "second", log=RunLog(log), log_interval=4)
    second.resume(open_checkpoint(tmp_path / "first" / f"epoch_{epoch}.pth"))
    second.run()
    _assert_same(_state(second), whole)
    steps = [(line["epoch"], line["iter"]) for line in _lines(log)]
    assert steps == [(e, i) for e in range(epoch + 1, EPOCHS + 1) for i in (4, 6)]


def test_a_validation_that_was_missed_is_made_up_for(make: Make, tmp_path: Path) -> None:
    make(tmp_path / "first", epochs=1).run()
    log = tmp_path / "log.json"
    trainer = make(tmp_path / "second", epochs=1, validate=True, log=RunLog(log))
    trainer.resume(open_checkpoint(tmp_path / "first" / "epoch_1.pth"))
    trainer.run()
    assert [(line["mode"], line["epoch"]) for line in _lines(log)] == [("val", 1)]
    assert _names(tmp_path / "second", "best*") == ["best_top1_acc_epoch_1.pth"]


def test_no_validation_is_made_up_for_with_later_weights(
    make: Make, tmp_path: Path, whole: dict[str, Tensor]
) -> None:
    """iter_12 has the weights of the second epoch, of which only the first counts as done."""
    log = tmp_path / "log.json"
    trainer = make(tmp_path / "rest", validate=True, log=RunLog(log))
    trainer.resume(open_checkpoint(tmp_path / "whole" / "iter_12.pth"))
    assert (trainer.progress.epoch, trainer.progress.iteration) == (1, 12)
    trainer.run()
    validated = [line["epoch"] for line in _lines(log) if line["mode"] == "val"]
    assert validated == [2, 3]


def test_the_best_survives_a_resume(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = iter([0.9, 0.1, 0.2, 0.1])
    monkeypatch.setattr(Trainer, "validate", lambda self: {"top1_acc": next(figures)})
    first = make(validate=True, epochs=2)
    first.run()
    resumed = make(validate=True, epochs=3)
    resumed.resume(open_checkpoint(tmp_path / "epoch_2.pth"))
    resumed.run()
    assert _names(tmp_path, "best*") == ["best_top1_acc_epoch_1.pth"]
    assert resumed.progress.best == first.progress.best


def test_other_epochs_lengths_go_on_at_the_same_share(
    make: Make, tmp_path: Path, whole: dict[str, Tensor], caplog: pytest.LogCaptureFixture
) -> None:
    trainer = make(tmp_path / "rest", batch=2 * BATCH)
    trainer.resume(
        open_checkpoint(tmp_path / "whole" / "iter_8.pth")
    )  # an epoch and two of six iterations
    assert (trainer.progress.epoch, trainer.progress.iteration) == (1, 3 + 1)
    assert "steps per epoch 6 → 3" in caplog.text
    assert "but not exactly" in caplog.text
    trainer.run()
    assert trainer.progress.iteration == 9


def test_a_longer_run_goes_on(make: Make, tmp_path: Path) -> None:
    make(epochs=1).run()
    trainer = make(epochs=2)
    trainer.resume(open_checkpoint(tmp_path / "latest.pth"))
    trainer.run()
    assert _names(tmp_path, "epoch*") == ["epoch_1.pth", "epoch_2.pth"]


def test_what_can_not_be_resumed(make: Make, tmp_path: Path) -> None:
    trainer = make(epochs=1)
    trainer.run()
    good = torch.load(tmp_path / "epoch_1.pth", weights_only=True)
    own = good["processes"][0]
    loads_nothing: list[dict[str, Any]] = [
        {"state_dict": good["state_dict"], "meta": good["meta"]},
        {**good, "meta": {"config": "a = 1"}},
        {**good, "meta": {**good["meta"], "epoch": "one"}},
        {**good, "state_dict": {"a": torch.ones(1)}},
    ]
    problems_of_states: list[dict[str, Any]] = [
        {**good, "optimizer": {"state": {}, "param_groups": [{"params": [0], "lr": 1.0}]}},
        {**good, "optimizer": {**good["optimizer"], "state": [1]}},
        *(
            {**good, "processes": [{**own, **wrong}]}
            for wrong in (
                {"buffers": {"nothing": torch.ones(1)}},
                {"random": 1},
                {"random": {**own["random"], "python": [3]}},
                {"meter": {"totals": {"loss": 1.0}, "steps": 1}},
                {"meter": {"totals": {"loss": torch.ones(2)}, "steps": 1}},
            )
        ),
    ]
    for content in (*loads_nothing, *problems_of_states):
        torch.save(content, tmp_path / "bad.pth")
        fresh = make(epochs=1)
        before = {name: value.clone() for name, value in fresh.model.state_dict().items()}
        with pytest.raises(CheckpointError, match=r"bad\.pth"):
            fresh.resume(open_checkpoint(tmp_path / "bad.pth"))
        if any(content is one for one in loads_nothing):
            _assert_same(dict(fresh.model.state_dict()), before)
    shutil.copy(tmp_path / "epoch_1.pth", tmp_path / "moved.pth")
    make(epochs=1).resume(open_checkpoint(tmp_path / "moved.pth"))
