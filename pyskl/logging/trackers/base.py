"""The interface of trackers; a failing tracker does not end the run."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pyskl.logging.log import get_logger
from pyskl.registry import LOGGER_HOOKS

Metrics = Mapping[str, float]


@dataclass(frozen=True)
class RunInfo:
    """The run that a tracker is opened for.

    Attributes:
        work_dir: Where the run writes.
        name: Name of its ``.log.json`` without the suffix; a resumed run keeps it.
        first_step: Finished iterations: 0, or where a run resumes.
        last_metrics: Metrics of exactly that iteration, which are not measured again.
        config: The config, resolved.
    """

    work_dir: Path
    name: str
    first_step: int = 0
    last_metrics: Sequence[Metrics] = ()
    config: Mapping[str, Any] = field(default_factory=dict)

    def service_id(
        self, service: str, create: Callable[[], str] = lambda: secrets.token_hex(4)
    ) -> str:
        """Return the id of the run at a service; a resumed run has the same id.

        Args:
            service: The id is kept as ``<name>.<service>_id`` in the work dir.
            create: Creates the id of a new run.
        """
        path = self.work_dir / f"{self.name}.{service}_id"
        if path.is_file():
            return path.read_text(encoding="utf-8").strip()
        new_id = create()
        path.write_text(f"{new_id}\n", encoding="utf-8")
        return new_id


class Tracker(Protocol):
    """Receives the metrics and images of a run."""

    def log(self, metrics: Metrics, step: int) -> None:
        """Record metrics.

        Args:
            metrics: By name: ``'train/loss'``, ``'val/top1_acc'``, ``'test/best/top1_acc'`` ...
            step: Finished iterations.
        """

    def image(self, name: str, array: np.ndarray, step: int) -> None:
        """Record an image.

        Args:
            name: Like the names of metrics.
            array: (height, width, 3) uint8.
            step: Finished iterations.
        """

    def close(self) -> None:
        """Flush and close."""


class LoggerHook(Protocol):
    """An entry of ``log_config.hooks``; its arguments are those of the constructor."""

    def open(self, run: RunInfo) -> Tracker | None:
        """Return a tracker for a run, or None if it needs none or its package is missing."""


class _ProtectedTracker:
    """Logs the first failure of a tracker and stops using it; the run continues."""

    def __init__(self, name: str, open_tracker: Callable[[], Tracker | None]) -> None:
        self._name = name
        self._tracker: Tracker | None = None
        self._tracker = self._protect(open_tracker)

    @property
    def is_open(self) -> bool:
        return self._tracker is not None

    def log(self, metrics: Metrics, step: int) -> None:
        if self._tracker is not None:
            self._protect(self._tracker.log, metrics, step)

    def image(self, name: str, array: np.ndarray, step: int) -> None:
        if self._tracker is not None:
            self._protect(self._tracker.image, name, array, step)

    def close(self) -> None:
        if self._tracker is not None:
            self._protect(self._tracker.close)

    def _protect(self, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except Exception as error:  # a service or its package may raise any error
            self._tracker = None
            get_logger().warning(
                "%s failed (%s: %s): continuing without it",
                self._name,
                type(error).__name__,
                str(error)[:500],
            )
            return None


def open_trackers(hooks: Sequence[Mapping[str, Any]], run: RunInfo) -> list[Tracker]:
    """Open the trackers of a config.

    Args:
        hooks: ``log_config.hooks``.
        run: The run.

    Returns:
        The opened trackers. One that fails is no longer used, with a warning.
    """
    trackers = []
    for cfg in hooks:
        hook: LoggerHook = LOGGER_HOOKS.build(cfg)
        tracker = _ProtectedTracker(type(hook).__name__, partial(hook.open, run))
        if tracker.is_open:
            trackers.append(tracker)
    return list(trackers)
