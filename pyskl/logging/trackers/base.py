"""The interface of trackers, and how a run is protected from their failures."""

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
        name: Name of the run in its work dir, that of its ``.log.json`` without the suffix; a
            resumed run keeps it.
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
        """Return the id by which a service knows the run; a resumed run has the same id.

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
        """Write what is not written yet."""


class LoggerHook(Protocol):
    """An entry of ``log_config.hooks``; its arguments are those of the constructor."""

    def open(self, run: RunInfo) -> Tracker | None:
        """Return a tracker for a run, or None if it needs none or its package is missing."""


class _ProtectedTracker:
    """A tracker whose first failure is logged and ends it, but not the run."""

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
        except Exception as error:  # whatever a service, its package or a full disk may raise
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
        Those that could be opened. If one fails it is closed with a warning.
    """
    trackers = []
    for cfg in hooks:
        hook: LoggerHook = LOGGER_HOOKS.build(cfg)
        tracker = _ProtectedTracker(type(hook).__name__, partial(hook.open, run))
        if tracker.is_open:
            trackers.append(tracker)
    return list(trackers)
