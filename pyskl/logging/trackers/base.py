"""What a tracker of experiments is, and how one is kept from harming the run that it watches."""

from __future__ import annotations

import importlib
import importlib.util
import json
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pyskl.logging.log import get_logger, named_figures

Figures = Mapping[str, float]


@dataclass(frozen=True)
class RunInfo:
    """What a tracker may want to know of the run that it is opened for.

    Attributes:
        work_dir: Where the run writes.
        name: The run's own name in it, that of its ``.log.json`` without the ending; a run that
            goes on keeps it.
        first_step: Iterations that are finished: 0, or where a run goes on.
        told: Figures of just that iteration that are not going to be measured again.
        config: The config, resolved.
    """

    work_dir: Path
    name: str
    first_step: int = 0
    told: Sequence[Figures] = ()
    config: Mapping[str, Any] = field(default_factory=dict)

    def kept_id(self, kind: str, *, new: Callable[[], str] | None = None) -> str:
        """Return the id that a service knows the run by; a run that goes on has that of before.

        Args:
            kind: The service's; the id is kept as ``<name>.<kind>_id`` in the work dir.
            new: Makes an id where there is none; by default eight random letters.
        """
        path = self.work_dir / f"{self.name}.{kind}_id"
        if path.is_file():
            return path.read_text(encoding="utf-8").strip()
        found = new() if new is not None else secrets.token_hex(4)
        path.write_text(f"{found}\n", encoding="utf-8")
        return found


class Tracker(Protocol):
    """Where figures and pictures of a run go, besides its own files."""

    def log(self, figures: Figures, step: int) -> None:
        """Take figures.

        Args:
            figures: By name: ``'train/loss'``, ``'val/top1_acc'``, ``'test/best/top1_acc'`` ...
            step: Finished iterations.
        """

    def image(self, name: str, array: np.ndarray, step: int) -> None:
        """Take a picture.

        Args:
            name: As those of figures.
            array: (height, width, 3) uint8.
            step: Finished iterations.
        """

    def close(self) -> None:
        """Write what is not written yet."""


class LoggerHook(Protocol):
    """An entry of ``log_config.hooks``: its arguments are those of the constructor."""

    def open(self, run: RunInfo) -> Tracker | None:
        """Return a tracker for a run, or None where it has none or its package is absent."""


class Guarded:
    """A tracker whose failures are told once and end it, but never the run.

    Args:
        tracker: The tracker.
        name: What to call it in messages.
    """

    def __init__(self, tracker: Tracker, name: str) -> None:
        self._tracker: Tracker | None = tracker
        self._name = name

    def log(self, figures: Figures, step: int) -> None:
        """Pass figures on."""
        self._try(lambda tracker: tracker.log(figures, step))

    def image(self, name: str, array: np.ndarray, step: int) -> None:
        """Pass a picture on."""
        self._try(lambda tracker: tracker.image(name, array, step))

    def close(self) -> None:
        """Close the tracker."""
        self._try(lambda tracker: tracker.close())
        self._tracker = None

    def _try(self, act: Callable[[Tracker], None]) -> None:
        if self._tracker is None:
            return
        try:
            act(self._tracker)
        except Exception as error:  # whatever a service, its package or a full disk may raise
            self._tracker = None
            _tell_of(self._name, error)


def open_guarded(hook: LoggerHook, run: RunInfo) -> Guarded | None:
    """Open a hook's tracker; one that can't be opened is told, and the run goes on without it."""
    name = type(hook).__name__
    try:
        tracker = hook.open(run)
    except Exception as error:  # no account, no network, no space ...
        _tell_of(name, error)
        return None
    return None if tracker is None else Guarded(tracker, name)


def _tell_of(name: str, error: Exception) -> None:
    get_logger().warning(
        "%s failed (%s: %s): going on without it", name, type(error).__name__, str(error)[:500]
    )


def installed(package: str, hook: str, *, install: str | None = None) -> bool:
    """Return whether a package is there; where it is not, warn.

    Args:
        package: Its name as imported.
        hook: Which hook asks for it.
        install: Its name to pip, where that is another.
    """
    if importlib.util.find_spec(package) is not None:
        return True
    get_logger().warning(
        "log_config asks for %s, but %s is not installed (pip install %s): going on without it",
        hook,
        package,
        install or package,
    )
    return False


def imported(package: str) -> Any:
    """Return a package that only those have who want it, which types know nothing of."""
    return importlib.import_module(package)


def is_failing() -> bool:
    """Return whether an exception is on its way, so that a run which is closed has not finished."""
    return sys.exc_info()[0] is not None


def figures_at(path: Path, iteration: int, per_epoch: int) -> list[dict[str, float]]:
    """Return the figures of the steps up to one iteration that a file of figures ends with.

    Args:
        path: The ``.log.json`` of a run that goes on, without what is measured again.
        iteration: Finished iterations.
        per_epoch: Iterations of an epoch.
    """
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        figures = json.loads(line)
        if figures.get("mode") == "train":
            done = (figures["epoch"] - 1) * per_epoch + figures["iter"]
            if done == iteration:
                found.append(named_figures(figures))
    return found
