"""Hooks for TensorBoard, Weights & Biases and MLflow, whose packages are optional."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from pyskl.logging.log import get_logger
from pyskl.logging.trackers.base import Metrics, RunInfo, Tracker
from pyskl.registry import LOGGER_HOOKS


@LOGGER_HOOKS.register_module()
class TensorboardLoggerHook:
    """Writes event files for TensorBoard.

    A resumed run makes TensorBoard drop the metrics of iterations that are taken again.

    Args:
        log_dir: The folder; by default ``tf_logs`` in the work dir.
    """

    def __init__(self, log_dir: str | None = None) -> None:
        self.log_dir = log_dir

    def open(self, run: RunInfo) -> Tracker | None:
        """Open an event file."""
        if not _is_installed("tensorboard", self):
            return None
        from torch.utils.tensorboard import SummaryWriter

        log_dir = self.log_dir or str(run.work_dir / "tf_logs")
        tracker = _TensorboardTracker(SummaryWriter(log_dir, purge_step=run.first_step or None))
        for metrics in run.last_metrics:
            tracker.log(metrics, run.first_step)
        return tracker


class _TensorboardTracker:
    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def log(self, metrics: Metrics, step: int) -> None:
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def image(self, name: str, array: np.ndarray, step: int) -> None:
        self._writer.add_image(name, array, step, dataformats="HWC")
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


@LOGGER_HOOKS.register_module()
class WandbLoggerHook:
    """Sends metrics to Weights & Biases, or with ``mode='offline'`` to files for ``wandb sync``.

    A resumed run has the same id, and does not send metrics again: an exact resume repeats them.

    Args:
        init_kwargs: Arguments of ``wandb.init``, such as ``project``, ``entity``, ``name``,
            ``tags``, ``mode``.
    """

    def __init__(self, init_kwargs: Mapping[str, Any] | None = None) -> None:
        self.init_kwargs = dict(init_kwargs or {})

    def open(self, run: RunInfo) -> Tracker | None:
        """Start a run, or resume it."""
        if not _is_installed("wandb", self):
            return None
        wandb: Any = importlib.import_module("wandb")
        settings = {
            "dir": str(run.work_dir),
            "name": f"{run.work_dir.name}-{run.name}",
            "id": self.init_kwargs.get("id") or run.service_id("wandb"),
            "resume": "allow",
            "config": dict(run.config),
            **self.init_kwargs,
        }
        return _WandbTracker(wandb, wandb.init(**settings))


class _WandbTracker:
    def __init__(self, wandb: Any, run: Any) -> None:
        self._wandb, self._run = wandb, run
        self._first_step = int(run.step)  # 0 for a new run, else after the last step that was sent

    def log(self, metrics: Metrics, step: int) -> None:
        if step >= self._first_step:
            self._run.log(dict(metrics), step=step)

    def image(self, name: str, array: np.ndarray, step: int) -> None:
        if step >= self._first_step:
            self._run.log({name: self._wandb.Image(array)}, step=step)

    def close(self) -> None:
        self._run.finish(exit_code=int(_is_failing()))


@LOGGER_HOOKS.register_module()
class MlflowLoggerHook:
    """Sends metrics to MLflow: a server, a database, or a folder.

    A resumed run has the same id, and does not send metrics again: an exact resume repeats them.

    Args:
        exp_name: The experiment, created if it does not exist; by default MLflow's ``Default``.
        tags: Tags of the run.
        params: Parameters of the run.
        tracking_uri: The target; by default ``MLFLOW_TRACKING_URI``, or MLflow's own choice. MLflow
            3 accepts a folder (``'file:...'``) only with ``MLFLOW_ALLOW_FILE_STORE=true`` in the
            environment.
    """

    def __init__(
        self,
        exp_name: str | None = None,
        tags: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        tracking_uri: str | None = None,
    ) -> None:
        self.exp_name = exp_name or "Default"
        self.tags = {key: str(value) for key, value in (tags or {}).items()}
        self.params = dict(params or {})
        self.tracking_uri = tracking_uri

    def open(self, run: RunInfo) -> Tracker | None:
        """Start a run, or resume it."""
        if not _is_installed("mlflow", self):
            return None
        tracking: Any = importlib.import_module("mlflow.tracking")
        client = tracking.MlflowClient(tracking_uri=self.tracking_uri)

        def create_run() -> str:
            experiment = client.get_experiment_by_name(self.exp_name)
            new = client.create_run(
                experiment.experiment_id
                if experiment is not None
                else client.create_experiment(self.exp_name),
                run_name=f"{run.work_dir.name}-{run.name}",
                tags=self.tags,
            )
            for key, value in self.params.items():
                client.log_param(new.info.run_id, key, value)
            return str(new.info.run_id)

        run_id = run.service_id("mlflow", create_run)
        client.update_run(run_id, status="RUNNING")
        return _MlflowTracker(client, run_id)


class _MlflowTracker:
    def __init__(self, client: Any, run_id: str) -> None:
        self._client, self._run_id = client, run_id
        self._sent_steps: dict[str, set[int]] = {}  # by metric

    def log(self, metrics: Metrics, step: int) -> None:
        entities: Any = importlib.import_module("mlflow.entities")
        now = int(1000 * time.time())
        new = []
        for name, value in metrics.items():
            if name not in self._sent_steps:
                history = self._client.get_metric_history(self._run_id, name)
                self._sent_steps[name] = {metric.step for metric in history}
            if step not in self._sent_steps[name]:
                self._sent_steps[name].add(step)
                new.append(entities.Metric(name, value, now, step))
        if new:
            self._client.log_batch(self._run_id, metrics=new)

    def image(self, name: str, array: np.ndarray, step: int) -> None:
        self._client.log_image(self._run_id, array, f"images/{name.replace('/', '.')}.png")

    def close(self) -> None:
        self._client.set_terminated(self._run_id, "FAILED" if _is_failing() else "FINISHED")


def _is_installed(package: str, hook: object) -> bool:
    """Return whether an optional package is installed; warn if it is not."""
    if importlib.util.find_spec(package) is not None:
        return True
    get_logger().warning(
        "log_config asks for %s, but %s is not installed (pip install %s): continuing without it",
        type(hook).__name__,
        package,
        package,
    )
    return False


def _is_failing() -> bool:
    """Return whether the tracker is closed because of an exception."""
    return sys.exc_info()[0] is not None
