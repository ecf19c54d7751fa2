"""Experiment trackers: the entries of ``log_config.hooks``.

A hook is registered in :data:`pyskl.registry.LOGGER_HOOKS`. A config gives the arguments of its
constructor, and its ``open`` returns a :class:`Tracker` for a run.
"""

from pyskl.logging.trackers.base import LoggerHook, Metrics, RunInfo, Tracker, open_trackers
from pyskl.logging.trackers.files import CSVLoggerHook, TextLoggerHook
from pyskl.logging.trackers.services import (
    MlflowLoggerHook,
    TensorboardLoggerHook,
    WandbLoggerHook,
)

__all__ = [
    "CSVLoggerHook",
    "LoggerHook",
    "Metrics",
    "MlflowLoggerHook",
    "RunInfo",
    "TensorboardLoggerHook",
    "TextLoggerHook",
    "Tracker",
    "WandbLoggerHook",
    "open_trackers",
]
