"""Trackers of experiments: the entries of ``log_config.hooks``.

A hook is registered in :data:`pyskl.registry.LOGGER_HOOKS`; the arguments of its constructor are
those that a config gives, and its ``open`` returns a :class:`Tracker` for a run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyskl.logging.trackers.base import (
    Guarded,
    LoggerHook,
    RunInfo,
    Tracker,
    figures_at,
    open_guarded,
)
from pyskl.logging.trackers.csv import CSVLoggerHook
from pyskl.logging.trackers.mlflow import MlflowLoggerHook
from pyskl.logging.trackers.tensorboard import TensorboardLoggerHook
from pyskl.logging.trackers.text import TextLoggerHook
from pyskl.logging.trackers.wandb import WandbLoggerHook
from pyskl.registry import LOGGER_HOOKS

__all__ = [
    "CSVLoggerHook",
    "LoggerHook",
    "MlflowLoggerHook",
    "RunInfo",
    "TensorboardLoggerHook",
    "TextLoggerHook",
    "Tracker",
    "WandbLoggerHook",
    "figures_at",
    "open_trackers",
]


def open_trackers(hooks: Sequence[Mapping[str, Any]], run: RunInfo) -> list[Guarded]:
    """Open the trackers that a config asks for.

    Args:
        hooks: ``log_config.hooks``.
        run: The run.

    Returns:
        Those that could be opened; their failures end them, not the run.
    """
    opened = (open_guarded(LOGGER_HOOKS.build(hook), run) for hook in hooks)
    return [tracker for tracker in opened if tracker is not None]
