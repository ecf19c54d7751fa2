"""The training loop."""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer
from torch.utils.data import DataLoader
from tqdm import tqdm

from pyskl.datasets.sampling import TrainBatches
from pyskl.engine.checkpoint import (
    check_resumable,
    load_checkpoint,
    load_optimizer,
    load_weights,
    point_latest_to,
    prune_checkpoints,
    save_checkpoint,
)
from pyskl.engine.distributed import (
    Place,
    average_batchnorm,
    barrier,
    in_group,
    mean_over_ranks,
)
from pyskl.engine.evaluation import collect_scores, describe_metrics, evaluate
from pyskl.engine.log import RunLog, get_logger
from pyskl.engine.precision import autocast
from pyskl.engine.schedule import LearningRate
from pyskl.engine.seeding import seed_step
from pyskl.errors import InputError

# Whether a forward pass copies the main process's buffers to the others: torch 2.13 renamed it.
_NO_BUFFERS: dict[str, Any] = {
    "forward_sync_buffers"
    if "forward_sync_buffers" in inspect.signature(DistributedDataParallel).parameters
    else "broadcast_buffers": False
}


class TrainingError(InputError):
    """Training can't go on; the message says at which step and why."""


@dataclass
class Validation:
    """What is measured between epochs.

    Attributes:
        loader: Batches in the order of the data set.
        labels: See :func:`pyskl.engine.evaluation.evaluate`.
        metrics: Likewise.
        topk: Likewise.
        interval: Epochs from one validation to the next.
        start: The first epoch (from 1) after which to validate.
        save_best: The figure whose best checkpoint is kept: its name, ``'auto'`` for the first
            one measured, None to keep none.
    """

    loader: DataLoader
    labels: np.ndarray
    metrics: list[str]
    topk: tuple[int, ...] = (1, 5)
    interval: int = 1
    start: int | None = None
    save_best: str | None = "auto"

    def is_due(self, epoch: int) -> bool:
        """Return whether to validate after ``epoch`` (from 1)."""
        if self.start is not None and epoch < self.start:
            return False
        return (epoch - (self.start or 0)) % self.interval == 0


@dataclass
class Saving:
    """When checkpoints are written.

    Attributes:
        interval: Epochs, or iterations, from one to the next; below 1 only the last is written.
        by_epoch: Which of the two.
        keep: How many to keep; below 1 for all.
    """

    interval: int = 1
    by_epoch: bool = True
    keep: int = -1


@dataclass
class Progress:
    """How far a run is; what a checkpoint's ``meta`` holds of it.

    Attributes:
        epoch: Finished epochs.
        iteration: Finished iterations of the whole run.
        best: ``{'key', 'score', 'epoch', 'file'}`` of the best checkpoint, once there is one.
    """

    epoch: int = 0
    iteration: int = 0
    best: dict[str, Any] | None = None


@dataclass
class Trainer:
    """Trains a recognizer: steps, epochs, validation, checkpoints, logs.

    Attributes:
        model: The recognizer, on ``device``.
        optimizer: Over its parameters.
        schedule: The learning rate of each iteration.
        loader: From ``build_dataloader(..., shuffle=True)``.
        device: Where to compute.
        work_dir: Where checkpoints go.
        epochs: Epochs of the run.
        seed: Of the run.
        place: Which of the processes this is.
        validation: What to measure between epochs; None measures nothing.
        saving: When to write checkpoints.
        grad_clip: ``max_norm`` and ``norm_type`` of the gradients' clipping, or None.
        amp: ``'bf16'``, ``'fp16'`` or None.
        log: Where figures go.
        log_interval: Iterations from one line of the log to the next.
        meta: What else a checkpoint's ``meta`` should hold.
        find_unused_parameters: For models of which a step may leave parameters out.
    """

    model: nn.Module
    optimizer: Optimizer
    schedule: LearningRate
    loader: DataLoader
    device: torch.device
    work_dir: Path
    epochs: int
    seed: int = 0
    place: Place = field(default_factory=Place)
    validation: Validation | None = None
    saving: Saving = field(default_factory=Saving)
    grad_clip: Mapping[str, Any] | None = None
    amp: str | None = None
    log: RunLog = field(default_factory=lambda: RunLog(None))
    log_interval: int = 100
    meta: Mapping[str, Any] = field(default_factory=dict)
    find_unused_parameters: bool = False

    def __post_init__(self) -> None:
        """Prepare what lives as long as the run."""
        self.progress = Progress()
        self._validated_epoch = 0
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.amp == "fp16")
        self.parallel: nn.Module = self.model
        if in_group():
            self.parallel = DistributedDataParallel(
                self.model,
                device_ids=[self.device.index] if self.device.type == "cuda" else None,
                find_unused_parameters=self.find_unused_parameters,
                # Running statistics are averaged where they are used instead: see `run`.
                **_NO_BUFFERS,
            )

    # --- the loop ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Train from where the run stands to its last epoch."""
        at_end_of_epoch = self.progress.iteration == self.progress.epoch * len(self.loader)
        if self.progress.epoch > 0 and at_end_of_epoch:
            self._validate_if_due()  # a run may have been stopped between saving and validating
        while self.progress.epoch < self.epochs:
            self._train_epoch()
            self.progress.epoch += 1
            average_batchnorm(self.model)
            if self._saving_is_due(by_epoch=True):
                self.save(f"epoch_{self.progress.epoch}.pth")
            self._validate_if_due()

    def _train_epoch(self) -> None:
        """Take the steps of one epoch, or those that are left of it after resuming."""
        batches = self.loader.batch_sampler
        if not isinstance(batches, TrainBatches):
            raise TypeError("Trainer takes a loader built with shuffle=True")
        done = self.progress.iteration - self.progress.epoch * len(self.loader)
        batches.set_epoch(self.progress.epoch, first_batch=done)
        self.parallel.train()
        meter = _Meter(self)
        with meter.bar:
            for step, batch in enumerate(self.loader, start=done + 1):
                meter.data_arrived()
                losses = self._step(batch)
                self.progress.iteration += 1
                last = step == len(self.loader)
                meter.add(losses, samples=len(batch["keypoint"]))
                if step % self.log_interval == 0 or last:
                    meter.report(step)
                if self._saving_is_due(by_epoch=False):
                    average_batchnorm(self.model)
                    self.save(f"iter_{self.progress.iteration}.pth")

    def _step(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Take one step; nothing in it waits for the device."""
        iteration = self.progress.iteration
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.at(iteration)
        seed_step(self.seed, iteration, self.place.rank)
        keypoint = batch["keypoint"].to(self.device, non_blocking=True)
        label = batch["label"].to(self.device, non_blocking=True)
        with autocast(self.device, self.amp):
            losses = self.parallel(keypoint=keypoint, label=label, return_loss=True)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(losses["loss"]).backward()
        if self.grad_clip is not None:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), **self.grad_clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return losses

    # --- validation -------------------------------------------------------------------------------

    def _validate_if_due(self) -> None:
        epoch = self.progress.epoch
        validation = self.validation
        if validation is None or not validation.is_due(epoch) or self._validated_epoch == epoch:
            return
        self._validated_epoch = epoch
        found = self.validate()
        get_logger().info("epoch %d, validation: %s", epoch, describe_metrics(found))
        figures = {"mode": "val", "epoch": epoch, "iter": len(validation.loader), **found}
        self.log.write(figures, step=self.progress.iteration)
        if validation.save_best is not None:
            self._keep_if_best(found, validation.save_best)

    def validate(self) -> dict[str, float]:
        """Measure the model on the validation set; the same on every process."""
        if self.validation is None:
            raise ValueError("this trainer was made without a validation set")
        scores = collect_scores(
            self.model,
            self.validation.loader,
            self.device,
            amp=self.amp,
            progress=self.place.is_main and sys.stderr.isatty(),
        )
        return evaluate(
            scores, self.validation.labels, self.validation.metrics, self.validation.topk
        )

    def _keep_if_best(self, found: Mapping[str, float], key: str) -> None:
        if key == "auto":
            key = next(iter(found))
        score, best = found[key], self.progress.best
        if best is not None and best["key"] == key and score <= best["score"]:
            return
        epoch = self.progress.epoch
        name = f"best_{key}_epoch_{epoch}.pth"
        self.progress.best = {"key": key, "score": score, "epoch": epoch, "file": name}
        if self.place.is_main:
            save_checkpoint(self.checkpoint(), self.work_dir / name)
            # Only now that the new one is safe may the old one go.
            for old in self.work_dir.glob(f"best_{key}_epoch_*.pth"):
                if old.name != name:
                    old.unlink()
            get_logger().info("the best so far, by %s: %s", key, name)
        barrier()

    # --- checkpoints ------------------------------------------------------------------------------

    def _saving_is_due(self, *, by_epoch: bool) -> bool:
        done = self.progress.epoch if by_epoch else self.progress.iteration
        regular = self.saving.by_epoch == by_epoch and self.saving.interval > 0
        last = by_epoch and done == self.epochs
        return last or (regular and done % self.saving.interval == 0)

    def checkpoint(self) -> dict[str, Any]:
        """Return all that a run needs to go on from here."""
        return {
            "meta": {
                **self.meta,
                "epoch": self.progress.epoch,
                "iter": self.progress.iteration,
                "iters_per_epoch": len(self.loader),
                "best": self.progress.best,
                "seed": self.seed,
            },
            "state_dict": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def save(self, name: str) -> None:
        """Write a checkpoint and point ``latest.pth`` to it."""
        if self.place.is_main:
            path = self.work_dir / name
            save_checkpoint(self.checkpoint(), path)
            point_latest_to(path)
            prune_checkpoints(path, self.saving.keep)
        barrier()

    def resume(self, path: Path, *, trusted: bool = False) -> None:
        """Go on from a checkpoint: weights, optimizer, position, best score.

        Raises:
            CheckpointError: if it does not fit, or holds no training state.
        """
        checkpoint = load_checkpoint(path, map_location=self.device, trusted=trusted)
        check_resumable(checkpoint, path)
        meta = checkpoint["meta"]
        load_weights(self.model, checkpoint["state_dict"], str(path))
        load_optimizer(self.optimizer, checkpoint["optimizer"], str(path))
        if self.scaler.is_enabled() and checkpoint.get("scaler"):
            self.scaler.load_state_dict(checkpoint["scaler"])
        self.progress = Progress(int(meta["epoch"]), int(meta["iter"]), meta.get("best"))
        self._place_in_epoch(self._iters_per_epoch(meta))
        get_logger().info(
            "resumed from %s: %d of %d epochs done", path, self.progress.epoch, self.epochs
        )

    def _iters_per_epoch(self, meta: Mapping[str, Any]) -> int:
        """Return how many iterations an epoch of the run that wrote ``meta`` had."""
        if "iters_per_epoch" in meta:
            return int(meta["iters_per_epoch"])
        if meta["epoch"]:  # checkpoints of the family, which are written at the end of epochs
            return round(meta["iter"] / meta["epoch"])
        return len(self.loader)

    def _place_in_epoch(self, iters_per_epoch: int) -> None:
        """Convert the position of a run whose epochs had another number of iterations."""
        if iters_per_epoch == len(self.loader):
            return
        inside = self.progress.iteration - self.progress.epoch * iters_per_epoch
        share = inside / iters_per_epoch if inside > 0 else 0.0
        self.progress.iteration = self.progress.epoch * len(self.loader) + round(
            share * len(self.loader)
        )
        get_logger().warning(
            "an epoch had %d iterations and now has %d (another batch size or number of "
            "processes): the schedule goes on at the same share of the run, but the samples of "
            "each step are others than they would have been",
            iters_per_epoch,
            len(self.loader),
        )


class _Meter:
    """Sums what a stretch of steps yields on the device and reports it once in a while."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        main = trainer.place.is_main
        self.bar = tqdm(
            total=len(trainer.loader),
            initial=trainer.progress.iteration - trainer.progress.epoch * len(trainer.loader),
            desc=f"epoch {trainer.progress.epoch + 1}/{trainer.epochs}",
            disable=not (main and sys.stderr.isatty()),
            leave=False,
        )
        self._clear()

    def _clear(self) -> None:
        self.totals: dict[str, Tensor] = {}
        self.steps = 0
        self.samples = 0
        self.data_time = 0.0
        self._start = self._last = time.perf_counter()

    def data_arrived(self) -> None:
        """Note how long the loader kept the loop waiting."""
        self.data_time += time.perf_counter() - self._last

    def add(self, losses: Mapping[str, Tensor], samples: int) -> None:
        """Add the figures of a step without waiting for them."""
        for name, value in losses.items():
            value = value.detach()
            self.totals[name] = self.totals[name] + value if name in self.totals else value
        self.steps += 1
        self.samples += samples
        self._last = time.perf_counter()
        self.bar.update()

    def report(self, step: int) -> None:
        """Log the means since the last report; this waits for the device."""
        trainer, progress = self.trainer, self.trainer.progress
        epoch = (progress.iteration - 1) // len(trainer.loader) + 1
        means = mean_over_ranks(torch.stack(list(self.totals.values())).float() / self.steps)
        values = dict(zip(self.totals, means.tolist()))
        seconds = time.perf_counter() - self._start
        rate = self.samples * trainer.place.world_size / seconds
        per_step = seconds / self.steps
        left = (trainer.epochs * len(trainer.loader) - progress.iteration) * per_step
        lr = trainer.optimizer.param_groups[0]["lr"]
        if not np.isfinite(values["loss"]):
            raise TrainingError(
                f"the loss became {values['loss']} between iterations {step - self.steps + 1} and "
                f"{step} of epoch {epoch} (lr {lr:.3g}); a lower lr, a warm-up or gradient "
                "clipping may help"
            )
        figures = {
            "mode": "train",
            "epoch": epoch,
            "iter": step,
            "lr": lr,
            "time": round(per_step, 5),
            "data_time": round(self.data_time / self.steps, 5),
            **{name: round(value, 5) for name, value in values.items()},
        }
        if trainer.device.type == "cuda":
            figures["memory"] = torch.cuda.max_memory_allocated(trainer.device) // 2**20
        trainer.log.write(figures, step=progress.iteration)
        self.bar.set_postfix(loss=f"{values['loss']:.3f}", lr=f"{lr:.3g}", rate=f"{rate:.0f}/s")
        get_logger().info(
            "epoch %d [%d/%d] lr %.3g, %.0f samples/s, data %.3f s/it, eta %s, %s",
            epoch,
            step,
            len(trainer.loader),
            lr,
            rate,
            self.data_time / self.steps,
            tqdm.format_interval(left),
            describe_metrics(values),
            extra={"shown_by_bar": True},
        )
        self._clear()
