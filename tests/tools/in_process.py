"""Run a tool inside the test process, which saves importing torch."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tool_commands import Done

ROOT = Path(__file__).resolve().parents[2]


def tool_runner(
    script: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Return a function that runs ``tools/SCRIPT`` with arguments, as ``python tools/SCRIPT``."""
    path = ROOT / "tools" / script
    monkeypatch.syspath_prepend(str(path.parent))

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", [str(path), *map(str, arguments)])
        status = 0
        try:
            runpy.run_path(str(path), run_name="__main__")
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        return Done(status, *capsys.readouterr())

    return run
