"""The training loop."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader
from tqdm import tqdm

from pyskl.checkpoints.checkpoint import OpenedCheckpoint
from pyskl.checkpoints.manager import CheckpointManager, SavePolicy
from pyskl.datasets.sampling import TrainBatches
from pyskl.distributed.collectives import average_batchnorm, data_parallel, raise_on_all_ranks
from pyskl.distributed.env import DistEnv
from pyskl.distributed.monitor import Monitor
from pyskl.distributed.stop_signals import prepare_workers
from pyskl.errors import InputError, StoppedError, WriteError
from pyskl.evaluation.evaluate import describe_metrics, evaluate
from pyskl.evaluation.metrics import NonFiniteScoresError
from pyskl.evaluation.scoring import collect_scores
from pyskl.files.terminal import shows_bars
from pyskl.logging.log import get_logger
from pyskl.logging.run_log import RunLog
from pyskl.models.precision import autocast
from pyskl.training.nonfinite import NonFiniteGuard, NonFiniteStep, Policy, TrainingError
from pyskl.training.run_state import RunState, StepSize
from pyskl.training.schedule import LearningRate
from pyskl.training.seeding import seed_step
from pyskl.training.validation import Validation, ValidationInterruptedError

# If gradients of fp16 overflow even with this scale, the scale is not the reason.
_MIN_SCALE = 2.0**-10


@dataclass
class Trainer:
    """Trains a recognizer: steps, epochs, validation, checkpoints, logs.

    Attributes:
        model: The recognizer, on ``device``.
        optimizer: Its optimizer.
        schedule: The learning rate of each iteration.
        loader: From ``build_dataloader(..., shuffle=True)``.
        device: Where to compute.
        work_dir: The folder of the checkpoints.
        epochs: Epochs of the run.
        seed: Seed of the run.
        env: Rank and world size.
        validation: What to measure between epochs, or None.
        saving: When to write checkpoints.
        grad_clip: ``max_norm`` and ``norm_type`` of gradient clipping, or None.
        amp: ``'bf16'``, ``'fp16'`` or None.
        on_nonfinite: What to do if the loss or gradients are not finite: ``'stop'``, ``'skip'``
            (the step) or ``'ignore'``. A validation whose scores are not finite stops the run, too,
            or is skipped.
        log: Where metrics go.
        log_interval: Iterations from one log line to the next.
        meta: Further entries of a checkpoint's ``meta``.
        find_unused_parameters: For models with parameters that a step may not use.
        monitor: Receives requests to stop, and detects lost processes.
    """

    model: nn.Module
    optimizer: Optimizer
    schedule: LearningRate
    loader: DataLoader
    device: torch.device
    work_dir: Path
    epochs: int
    seed: int = 0
    env: DistEnv = field(default_factory=DistEnv)
    validation: Validation | None = None
    saving: SavePolicy = field(default_factory=SavePolicy)
    grad_clip: Mapping[str, Any] | None = None
    amp: str | None = None
    on_nonfinite: Policy = "stop"
    log: RunLog = field(default_factory=lambda: RunLog(None))
    log_interval: int = 100
    meta: Mapping[str, Any] = field(default_factory=dict)
    find_unused_parameters: bool = False
    monitor: Monitor = field(default_factory=Monitor)

    def __post_init__(self) -> None:
        """Create the objects that last for the whole run."""
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.amp == "fp16")
        batch = getattr(self.loader.batch_sampler, "batch_size", 0)
        step_size = StepSize(len(self.loader), batch, self.env.world_size)
        self.state = RunState(
            self.model, self.optimizer, self.scaler, step_size, self.env.rank, self.seed
        )
        self.progress, self.meter = self.state.progress, self.state.meter
        self.guard = NonFiniteGuard(
            self.model, self.optimizer, self.on_nonfinite, scaled=self.scaler.is_enabled()
        )
        self.checkpoints = CheckpointManager(self.work_dir, self.saving)
        self._validated_epoch = 0
        self._saved_iteration = 0
        prepare_workers(self.loader, self.monitor.timeouts.stall)
        if self.validation is not None:
            prepare_workers(self.validation.loader, self.monitor.timeouts.stall)
        self.parallel = data_parallel(
            self.model, self.device, find_unused_parameters=self.find_unused_parameters
        )

    # --- the loop ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Train from the current position to the last epoch.

        Raises:
            StoppedError: if the run was asked to stop; its state is saved.
            WriteError: if the last checkpoint can't be written.
            LostProcessError: if a data worker or another process died.
            TrainingError: if the loss or gradients were not finite.
            NonFiniteScoresError: if the scores of a validation were not finite.
        """
        with self.supervised():
            # A run may have been stopped between saving an epoch and validating it.
            if 0 < self.progress.iteration == self.progress.epoch * len(self.loader):
                self._validate_if_due()
            while self.progress.epoch < self.epochs:
                self._train_epoch()
                self.progress.epoch += 1
                average_batchnorm(self.model)
                epoch = self.progress.epoch
                if epoch == self.epochs or self.saving.is_due(epoch, by_epoch=True):
                    self.save(f"epoch_{epoch}.pth")
                self._validate_if_due()
            self._finish_writing()
            if not self.monitor.stop.should_continue(wait=True):
                raise StoppedError(
                    f"stopped by {self.monitor.stop.reason}; the training is finished"
                )

    @contextmanager
    def supervised(self) -> Iterator[None]:
        """Finish writing checkpoints if the block fails, and name the process that was lost."""
        stop, monitor = self.monitor.stop, self.monitor
        stop.raise_at_once = False
        try:
            with monitor.explain_failures(
                lambda: f"after iteration {self.progress.iteration}",
                hint="The same command continues from the last checkpoint",
            ):
                try:
                    yield
                except (RuntimeError, InputError) as error:
                    if not isinstance(error, WriteError):
                        try:
                            self.checkpoints.finish()
                        except WriteError as write_error:
                            get_logger().error("%s", write_error)
                    raise
        finally:
            stop.raise_at_once = True
            monitor.pause()

    def _train_epoch(self) -> None:
        """Train an epoch, or its remaining steps after resuming."""
        batches, steps = self.loader.batch_sampler, len(self.loader)
        if not isinstance(batches, TrainBatches):
            raise TypeError("Trainer needs a loader built with shuffle=True")
        epoch = self.progress.epoch + 1
        done = self.progress.iteration - self.progress.epoch * steps
        batches.set_epoch(self.progress.epoch, first_batch=done)
        self.parallel.train()
        self.meter.restart_clock()
        with tqdm(
            total=steps,
            initial=done,
            desc=f"epoch {epoch}/{self.epochs}",
            disable=not (self.env.is_main and shows_bars()),
            leave=False,
        ) as bar:
            self.monitor.report("waiting for the data of iteration", done + 1, "of epoch", epoch)
            for step, batch in enumerate(self.loader, start=done + 1):
                if not self.monitor.stop.should_continue():
                    self._stop()
                self.monitor.report("iteration", step, "of epoch", epoch)
                self.meter.data_arrived()
                losses, updated = self.train_step(batch)
                self.progress.iteration += 1
                if updated or self.on_nonfinite != "skip":
                    self.meter.add(self.guard.masked(losses), samples=len(batch["keypoint"]))
                bar.update()
                if not updated:
                    self._check_finite()
                if step % self.log_interval == 0 or step == steps:
                    self._write_log_line(epoch, step, bar)
                if self.saving.is_due(self.progress.iteration, by_epoch=False):
                    self.save(f"iter_{self.progress.iteration}.pth")
                self.monitor.report(
                    "waiting for the data of iteration", step + 1, "of epoch", epoch
                )

    def train_step(self, batch: Mapping[str, Any]) -> tuple[dict[str, Tensor], bool]:
        """Take one step; on a GPU this does not wait for the device.

        Args:
            batch: ``keypoint`` (N, clips, M, T, V, C) and ``label`` (N,) or (N, 1).

        Returns:
            The losses, and whether the optimizer was called.
        """
        iteration = self.progress.iteration
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.at(iteration) * group.get("lr_mult", 1.0)
        seed_step(self.seed, iteration, self.env.rank)
        self.guard.before_step()
        keypoint = batch["keypoint"].to(self.device, non_blocking=True)
        label = batch["label"].to(self.device, non_blocking=True)
        with autocast(self.device, self.amp):
            losses = self.parallel(keypoint=keypoint, label=label, return_loss=True)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(losses["loss"]).backward()
        norm = None
        if self.grad_clip is not None:
            self.scaler.unscale_(self.optimizer)
            norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), **self.grad_clip)
        updated = self.guard.allow_update(losses["loss"], norm)
        if updated:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        return losses, updated

    def _write_log_line(self, epoch: int, step: int, bar: tqdm) -> None:
        """Log the means since the last line; this waits for the device."""
        self._check_finite()
        if self.meter.steps == 0:
            return  # all steps were skipped
        lr = self.schedule.at(self.progress.iteration - 1)
        line = self.meter.log_line(epoch, step, lr, self.device)
        rate = self.meter.samples_per_second() * self.env.world_size
        steps_left = self.epochs * len(self.loader) - self.progress.iteration
        get_logger().info(
            "epoch %d [%d/%d] lr %.3g, %.0f samples/s, data %.3f s/it, eta %s, %s",
            epoch,
            step,
            len(self.loader),
            lr,
            rate,
            line["data_time"],
            tqdm.format_interval(steps_left * line["time"]),
            describe_metrics({name: line[name] for name in self.meter.totals}),
            extra={"shown_by_bar": True},
        )
        bar.set_postfix(loss=f"{line['loss']:.3f}", lr=f"{lr:.3g}", rate=f"{rate:.0f}/s")
        self.log.write(line, step=self.progress.iteration)
        self.meter.clear()

    def _check_finite(self) -> None:
        """Check the steps since the last check; raise an error, or report what was skipped.

        Raises:
            TrainingError: if one was not finite and the policy is to stop.
        """
        for steps_ago, own_loss in self.guard.collect():
            iteration = self.progress.iteration - 1 - steps_ago
            epoch, step = divmod(iteration, len(self.loader))
            bad_step = NonFiniteStep(self.loader, epoch, step, own_loss=own_loss)
            samples = bad_step.describe_samples()
            if self.on_nonfinite == "stop":
                meta = {**self.meta, "seed": self.seed, "done": self.progress.iteration}
                saved = bad_step.save(self.work_dir, self.env.rank, self.model, meta)
                raise bad_step.error(samples, self.schedule.at(iteration), saved)
            get_logger().warning(
                "skipped %s: its loss or gradients were not finite (%s)", bad_step.name, samples
            )
            if self.guard.on_device:
                self.meter.discount_step()
        checked = self.scaler.is_enabled() and self.on_nonfinite != "ignore"
        if checked and self.scaler.get_scale() < _MIN_SCALE:
            raise TrainingError(
                f"the gradients of iteration {self.progress.iteration} are not finite in fp16, "
                "even with a small loss scale",
                hint="use --amp bf16, or a lower lr",
            )

    # --- validation -------------------------------------------------------------------------------

    def _validate_if_due(self) -> None:
        epoch, validation = self.progress.epoch, self.validation
        if validation is None or not validation.is_due(epoch) or self._validated_epoch == epoch:
            return
        self._validated_epoch = epoch
        try:
            found = self.validate()
        except ValidationInterruptedError:
            self._stop()
        except NonFiniteScoresError as error:
            if self.on_nonfinite == "stop":
                get_logger().error("the validation after epoch %d failed", epoch)
                raise
            get_logger().warning("epoch %d is not validated: %s", epoch, error)
            return
        get_logger().info("epoch %d, validation: %s", epoch, describe_metrics(found))
        line = {"mode": "val", "epoch": epoch, "iter": len(validation.loader), **found}
        self.log.write(line, step=self.progress.iteration)
        if validation.save_best is None:
            return
        key = next(iter(found)) if validation.save_best == "auto" else validation.save_best
        best = self.progress.best
        if not math.isfinite(found[key]):  # the mean average precision without positive samples
            return
        if best is None or best["key"] != key or not found[key] <= best["score"]:
            name = f"best_{key}_epoch_{epoch}.pth"
            self.progress.best = {"key": key, "score": found[key], "epoch": epoch, "file": name}
            checkpoint = self.checkpoint()
            if self.env.is_main:
                self.checkpoints.save_best(checkpoint, key, name)
                get_logger().info("the best so far, by %s: %s", key, name)

    def validate(self) -> dict[str, float]:
        """Measure the model on the validation set; the same on every process.

        Raises:
            ValidationInterruptedError: on every process, if the run was asked to stop.
            NonFiniteScoresError: on every process, if a score is NaN or infinite.
        """
        if self.validation is None:
            raise ValueError("this trainer has no validation set")
        scores = collect_scores(
            self.model,
            self.validation.loader,
            self.device,
            amp=self.amp,
            progress=self.env.is_main and shows_bars(),
            before_batch=self._before_validation_batch,
        )
        return evaluate(
            scores, self.validation.labels, self.validation.metrics, self.validation.topk
        )

    def _before_validation_batch(self) -> None:
        self.monitor.report("validation after epoch", self.progress.epoch)
        if not self.monitor.stop.should_continue():
            raise ValidationInterruptedError

    # --- checkpoints ------------------------------------------------------------------------------

    def checkpoint(self) -> dict[str, Any]:
        """Return the content of a checkpoint; every process has to call it."""
        return self.state.checkpoint({**self.meta, "log": self.log.name})

    def save(self, name: str, *, interim: bool = False) -> None:
        """Write a checkpoint in the background, and point ``latest.pth`` to it."""
        self._check_finite()
        self._saved_iteration = self.progress.iteration
        checkpoint = self.checkpoint()
        checkpoint["meta"]["interim"] = interim
        if self.env.is_main:
            self.checkpoints.save(checkpoint, name, interim=interim)

    def _stop(self) -> NoReturn:
        """Save the state, unless it is saved already, and end the run."""
        iteration, reason = self.progress.iteration, self.monitor.stop.reason
        get_logger().warning("%s: stopping after iteration %d", reason, iteration)
        if self._saved_iteration != iteration:
            self.save(f"iter_{iteration}.pth", interim=True)
        self._finish_writing()
        raise StoppedError(
            f"stopped by {reason} after iteration {iteration}; the state is saved, and the same "
            "command continues from there"
        )

    def _finish_writing(self) -> None:
        """Wait until all checkpoints are written; every process has to call it."""
        with raise_on_all_ranks():
            self.checkpoints.finish()

    def resume(self, checkpoint: OpenedCheckpoint) -> None:
        """Continue from a checkpoint: weights, optimizer, position, best score.

        Raises:
            CheckpointError: if it does not fit, or has no training state.
        """
        self.state.resume(checkpoint, self.device)
        self._saved_iteration = self.progress.iteration
        if self.env.is_main:
            self.checkpoints.resume_from(checkpoint)
        get_logger().info(
            "resumed from %s: %d of %d epochs done, at iteration %d",
            checkpoint.path,
            self.progress.epoch,
            self.epochs,
            self.progress.iteration,
        )
