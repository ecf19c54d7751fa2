"""The training loop."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from pyskl.checkpoints.checkpoint import OpenedCheckpoint
from pyskl.checkpoints.manager import CheckpointManager, SavePolicy
from pyskl.datasets.sampling import TrainBatches
from pyskl.distributed.failures import who_was_lost
from pyskl.distributed.monitor import Watch
from pyskl.distributed.processes import Place, average_batchnorm, failing_together, in_group
from pyskl.distributed.stop_signals import end_workers_at_exit, leave_signals_to_the_run
from pyskl.errors import InputError, StoppedError, WriteError
from pyskl.evaluation.evaluate import collect_scores, describe_metrics, evaluate
from pyskl.logging.log import RunLog, get_logger
from pyskl.logging.progress import Progress, Steps
from pyskl.training.nonfinite import FiniteGuard, Policy
from pyskl.training.nonfinite_samples import Offender, TrainingError
from pyskl.training.precision import autocast
from pyskl.training.run_state import RunState
from pyskl.training.schedule import LearningRate
from pyskl.training.seeding import seed_step
from pyskl.training.train_line import TrainLine
from pyskl.training.validation import LeavableLoader, Left, Validation

__all__ = ["Progress", "SavePolicy", "Trainer", "TrainingError", "Validation"]

# Whether a forward pass copies the main process's buffers to the others: torch 2.13 renamed it.
_NO_BUFFERS: dict[str, Any] = {
    "forward_sync_buffers"
    if "forward_sync_buffers" in inspect.signature(DistributedDataParallel).parameters
    else "broadcast_buffers": False
}

# Below this scale the gradients of fp16 overflow for another reason than their scale.
_LEAST_SCALE = 2.0**-10


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
        on_nonfinite: What to do about a loss or gradients that are not finite: ``'stop'``,
            ``'skip'`` (leave the step out) or ``'ignore'``.
        log: Where figures go.
        log_interval: Iterations from one line of the log to the next.
        meta: What else a checkpoint's ``meta`` should hold.
        find_unused_parameters: For models of which a step may leave parameters out.
        watch: Where requests to stop arrive, and who looks after the other processes.
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
    saving: SavePolicy = field(default_factory=SavePolicy)
    grad_clip: Mapping[str, Any] | None = None
    amp: str | None = None
    on_nonfinite: Policy = "stop"
    log: RunLog = field(default_factory=lambda: RunLog(None))
    log_interval: int = 100
    meta: Mapping[str, Any] = field(default_factory=dict)
    find_unused_parameters: bool = False
    watch: Watch = field(default_factory=Watch)

    def __post_init__(self) -> None:
        """Prepare what lives as long as the run."""
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.amp == "fp16")
        batch = getattr(self.loader.batch_sampler, "batch_size", 0)
        steps = Steps(len(self.loader), batch, self.place.world_size)
        self.state = RunState(
            self.model, self.optimizer, self.scaler, steps, self.place.rank, self.seed
        )
        self.meter = self.state.meter
        self.checkpoints = CheckpointManager(self.work_dir, self.saving)
        self._validated_epoch = 0
        self._saved_iteration = 0
        self.guard = FiniteGuard(
            self.model, self.optimizer, self.on_nonfinite, scaled=self.scaler.is_enabled()
        )
        self._prepare_workers(self.loader)
        if self.validation is not None:
            self._prepare_workers(self.validation.loader)
        self.parallel: nn.Module = self.model
        if in_group():
            self.parallel = DistributedDataParallel(
                self.model,
                device_ids=[self.device.index] if self.device.type == "cuda" else None,
                find_unused_parameters=self.find_unused_parameters,
                # Running statistics are averaged where they are used instead: see `run`.
                **_NO_BUFFERS,
            )

    @property
    def progress(self) -> Progress:
        """How far the run is."""
        return self.state.progress

    # --- the loop ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Train from where the run stands to its last epoch.

        Raises:
            StoppedError: if the run was asked to stop; its state is saved.
            WriteError: if the last checkpoint can't be written.
            LostProcessError: if a data worker or another process died.
            TrainingError: if the numbers went wrong.
        """
        with self._seen_to_the_end():
            at_end_of_epoch = self.progress.iteration == self.progress.epoch * len(self.loader)
            if self.progress.epoch > 0 and at_end_of_epoch:
                self._validate_if_due()  # a run may be stopped between saving and validating
            while self.progress.epoch < self.epochs:
                self._train_epoch()
                self.progress.epoch += 1
                average_batchnorm(self.model)
                done = self.progress.epoch
                if done == self.epochs or self.saving.is_due(done, by_epoch=True):
                    self.save(f"epoch_{done}.pth")
                self._validate_if_due()
            self._finish_writing()
            if not self.watch.may_enter():
                raise StoppedError(f"stopped by {self.watch.reason}; the training is finished")

    @contextmanager
    def _seen_to_the_end(self) -> Iterator[None]:
        """Keep what is written in the background, and name the process that is to blame."""
        self.watch.stop.at_once = False
        try:
            yield
        except RuntimeError as error:
            self._finish_writing_after(error)
            lost = who_was_lost(
                error,
                self.watch,
                f"after iteration {self.progress.iteration}",
                advice=". The same command goes on from the last checkpoint",
            )
            if lost is None:
                raise
            raise lost from error
        except InputError as error:
            self._finish_writing_after(error)
            raise
        finally:
            self.watch.stop.at_once = True
            self.watch.rest()

    def _train_epoch(self) -> None:
        """Take the steps of one epoch, or those that are left of it after resuming."""
        batches = self.loader.batch_sampler
        if not isinstance(batches, TrainBatches):
            raise TypeError("Trainer takes a loader built with shuffle=True")
        epoch = self.progress.epoch + 1
        done = self.progress.iteration - self.progress.epoch * len(self.loader)
        batches.set_epoch(self.progress.epoch, first_batch=done)
        self.parallel.train()
        self.meter.restart_clock()
        line = TrainLine(
            epoch, self.epochs, len(self.loader), device=self.device, bar=self.place.is_main
        )
        with line.bar_from(done) as bar:
            self.watch.doing("waiting for the data of iteration", done + 1, "of epoch", epoch)
            for step, batch in enumerate(self.loader, start=done + 1):
                if not self.watch.may_enter():
                    self._stop()
                self.watch.doing("in iteration", step, "of epoch", epoch)
                self.meter.data_arrived()
                losses, updated = self._step(batch)
                self.progress.iteration += 1
                if updated or self.on_nonfinite != "skip":
                    self.meter.add(self.guard.cleaned(losses), samples=len(batch["keypoint"]))
                bar.update()
                if not updated:
                    self._check_numbers()
                if step % self.log_interval == 0 or step == len(self.loader):
                    self._report(step, line)
                if self.saving.is_due(self.progress.iteration, by_epoch=False):
                    self.save(f"iter_{self.progress.iteration}.pth")
                self.watch.doing("waiting for the data of iteration", step + 1, "of epoch", epoch)

    def _step(self, batch: Mapping[str, Any]) -> tuple[dict[str, Tensor], bool]:
        """Take one step; on a GPU nothing in it waits for the device.

        Returns:
            The losses, and whether the optimizer was asked to take the step.
        """
        iteration = self.progress.iteration
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.at(iteration)
        seed_step(self.seed, iteration, self.place.rank)
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
        updated = self.guard.may_update(losses["loss"], norm)
        if updated:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        return losses, updated

    def _prepare_workers(self, loader: DataLoader) -> None:
        """Let data workers outlive a request to stop, and not hang for ever."""
        if getattr(loader, "num_workers", 0) > 0:
            loader.worker_init_fn = partial(leave_signals_to_the_run, then=loader.worker_init_fn)
            end_workers_at_exit()
            loader.timeout = loader.timeout or self.watch.patience.stall

    def _report(self, step: int, line: TrainLine) -> None:
        """Log the means since the last report; this waits for the device."""
        self._check_numbers()
        if self.meter.steps == 0:
            return  # all steps were left out
        lr = self.optimizer.param_groups[0]["lr"]
        figures = line.write(self.meter, step, lr, world_size=self.place.world_size)
        self.log.write(figures, step=self.progress.iteration)
        self.meter.clear()

    # --- numbers gone wrong -----------------------------------------------------------------------

    def _check_numbers(self) -> None:
        """Look whether the steps since the last look were finite; stop, or tell what was left out.

        Raises:
            TrainingError: if they were not and the policy is to stop.
        """
        for steps_ago, own_loss in self.guard.look():
            index = self.progress.iteration - 1 - steps_ago
            epoch, step = divmod(index, len(self.loader))
            offender = Offender(self.loader, epoch, step, own_loss=own_loss)
            samples = offender.describe()
            if self.on_nonfinite == "stop":
                meta = {**self.meta, "seed": self.seed, "done": self.progress.iteration}
                kept = offender.save(self.work_dir, self.place.rank, self.model, meta)
                raise offender.error(samples, kept, self.schedule.at(index))
            get_logger().warning(
                "%s was left out, as its loss or gradients were not finite: %s",
                offender.where(),
                samples,
            )
            if self.guard.on_device:
                self.meter.leave_out_one()
        judged = self.scaler.is_enabled() and self.on_nonfinite != "ignore"
        if judged and self.scaler.get_scale() < _LEAST_SCALE:
            raise TrainingError(
                f"the gradients of iteration {self.progress.iteration} are not finite in fp16, "
                "however small their scale: use --amp bf16, or a lower lr"
            )

    # --- validation -------------------------------------------------------------------------------

    def _validate_if_due(self) -> None:
        epoch = self.progress.epoch
        validation = self.validation
        if validation is None or not validation.is_due(epoch) or self._validated_epoch == epoch:
            return
        self._validated_epoch = epoch
        try:
            found = self.validate()
        except Left:
            self._stop()
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
            LeavableLoader(self.validation.loader, self.watch),  # type: ignore[arg-type]
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
        checkpoint = self.checkpoint()
        if self.place.is_main:
            self.checkpoints.save_best(checkpoint, key, name)
            get_logger().info("the best so far, by %s: %s", key, name)

    # --- checkpoints ------------------------------------------------------------------------------

    def checkpoint(self) -> dict[str, Any]:
        """Return all that a run needs to go on from here; every process has to call it."""
        return self.state.checkpoint({**self.meta, "log": self.log.name})

    def save(self, name: str, *, interim: bool = False) -> None:
        """Write a checkpoint in the background, and point ``latest.pth`` to it."""
        self._check_numbers()
        self._saved_iteration = self.progress.iteration
        checkpoint = self.checkpoint()
        checkpoint["meta"]["interim"] = interim
        if self.place.is_main:
            self.checkpoints.save(checkpoint, name, interim=interim)

    def _stop(self) -> NoReturn:
        """Save where the run stands, unless that is saved, and end it."""
        iteration = self.progress.iteration
        get_logger().warning("%s: stopping after iteration %d", self.watch.reason, iteration)
        if self._saved_iteration != iteration:
            self.save(f"iter_{iteration}.pth", interim=True)
        self._finish_writing()
        raise StoppedError(
            f"stopped by {self.watch.reason} after iteration {iteration}; the state is saved, and "
            "the same command goes on from there"
        )

    def _finish_writing(self) -> None:
        """Wait until all checkpoints are safe; every process has to call it."""
        with failing_together():
            self.checkpoints.finish()

    def _finish_writing_after(self, error: Exception) -> None:
        """Let a checkpoint that is being written become safe while an error is on its way."""
        if isinstance(error, WriteError):
            return
        try:
            self.checkpoints.finish()
        except WriteError as another:
            get_logger().error("%s", another)

    def resume(self, checkpoint: OpenedCheckpoint) -> None:
        """Go on from a checkpoint: weights, optimizer, position, best score.

        Raises:
            CheckpointError: if it does not fit, or holds no training state.
        """
        self.state.resume(checkpoint)
        self._saved_iteration = self.progress.iteration
        if self.place.is_main:
            self.checkpoints.resume_from(checkpoint)
        get_logger().info(
            "resumed from %s: %d of %d epochs done, at iteration %d",
            checkpoint.path,
            self.progress.epoch,
            self.epochs,
            self.progress.iteration,
        )
