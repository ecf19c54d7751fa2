"""``MlflowLoggerHook``: MLflow."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.logging.trackers.base import Figures, RunInfo, Tracker, imported, installed, is_failing
from pyskl.logging.trackers.png import png_bytes
from pyskl.registry import LOGGER_HOOKS


@LOGGER_HOOKS.register_module()
class MlflowLoggerHook:
    """Reports to MLflow: a server, a database, or a folder.

    Args:
        exp_name: The experiment, which is made where there is none; by default MLflow's
            ``Default``.
        tags: Tags of the run.
        params: Parameters of the run.
        tracking_uri: Where to; by default what ``MLFLOW_TRACKING_URI`` says, or MLflow's own
            choice. MLflow 3 takes a folder (``'file:...'``) only with
            ``MLFLOW_ALLOW_FILE_STORE=true`` in the environment.

    The id of the run is kept in the work dir, so that a run which goes on is the same one there.
    What MLflow was told of already is not told again: an exact resume measures the same.
    """

    def __init__(
        self,
        exp_name: str | None = None,
        tags: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        tracking_uri: str | None = None,
    ) -> None:
        self.exp_name = exp_name
        self.tags = dict(tags or {})
        self.params = dict(params or {})
        self.tracking_uri = tracking_uri

    def open(self, run: RunInfo) -> Tracker | None:
        """Begin a run of MLflow's, or go on with the one from before."""
        if not installed("mlflow", "MlflowLoggerHook"):
            return None
        client = imported("mlflow.tracking").MlflowClient(tracking_uri=self.tracking_uri)

        def create() -> str:
            made = client.create_run(
                self._experiment(client),
                run_name=f"{run.work_dir.name}-{run.name}",
                tags={key: str(value) for key, value in self.tags.items()},
            )
            for key, value in self.params.items():
                client.log_param(made.info.run_id, key, value)
            return str(made.info.run_id)

        run_id = run.kept_id("mlflow", new=create)
        client.update_run(run_id, status="RUNNING")
        return _Recorded(client, run_id)

    def _experiment(self, client: Any) -> str:
        name = self.exp_name or "Default"
        found = client.get_experiment_by_name(name)
        return str(found.experiment_id if found is not None else client.create_experiment(name))


class _Recorded:
    """A run of MLflow's."""

    def __init__(self, client: Any, run_id: str) -> None:
        self._client, self._run_id = client, run_id
        self._told: dict[str, set[int]] = {}  # steps, by figure

    def log(self, figures: Figures, step: int) -> None:
        """Record figures that are not there yet."""
        entity = imported("mlflow.entities").Metric
        now = int(1000 * time.time())
        metrics = []
        for name, value in figures.items():
            if name not in self._told:
                history = self._client.get_metric_history(self._run_id, name)
                self._told[name] = {metric.step for metric in history}
            if step not in self._told[name]:
                self._told[name].add(step)
                metrics.append(entity(name, value, now, step))
        if metrics:
            self._client.log_batch(self._run_id, metrics=metrics)

    def image(self, name: str, array: np.ndarray, step: int) -> None:
        """Record a picture; one of the same name is replaced."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{name.replace('/', '.')}.png"
            path.write_bytes(png_bytes(array))
            self._client.log_artifact(self._run_id, str(path), "images")

    def close(self) -> None:
        """End the run; one that an exception ends counts as failed."""
        self._client.set_terminated(self._run_id, "FAILED" if is_failing() else "FINISHED")
