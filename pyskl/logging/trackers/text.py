"""``TextLoggerHook``: the text log, which is always there."""

from __future__ import annotations

from pyskl.logging.trackers.base import RunInfo, Tracker
from pyskl.registry import LOGGER_HOOKS


@LOGGER_HOOKS.register_module()
class TextLoggerHook:
    """Stands in configs for the ``.log`` and the ``.log.json``, which are written in any case."""

    def open(self, run: RunInfo) -> Tracker | None:
        """Return None: there is nothing to do."""
        return None
