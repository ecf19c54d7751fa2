from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from pyskl.training import allocator as memory

# Counts the page faults of taking, writing and freeing 64 MB ten times, after a first time.
COUNT = """
import resource
import numpy as np
from pyskl.training.allocator import keep_freed_memory
applied = keep_freed_memory() if {keep} else False
np.ones(8 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.ones(8 << 20)
print(int(applied), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

glibc_only = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")


def run(repo_root: Path, *, keep: bool, **environment: str) -> tuple[bool, int]:
    """Return whether the settings were made in a new process, and its page faults."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD"))
    }
    done = subprocess.run(
        [sys.executable, "-c", COUNT.format(keep=keep)],
        capture_output=True,
        text=True,
        check=True,
        env={**inherited, "PYTHONPATH": str(repo_root), **environment},
    )
    applied, faults = done.stdout.split()
    return applied == "1", int(faults)


@glibc_only
def test_freed_memory_is_used_again(repo_root: Path) -> None:
    applied, faults = run(repo_root, keep=True)
    assert applied
    # Not kept, 640 MB are 160,000 pages of 4 KiB, or 320 of 2 MiB.
    assert faults < 100


@glibc_only
def test_the_user_s_own_settings_stay(repo_root: Path) -> None:
    applied, _ = run(repo_root, keep=True, MALLOC_ARENA_MAX="2")
    assert not applied


def test_nothing_happens_with_another_allocator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: pytest.fail("the library was loaded"))
    assert not memory.keep_freed_memory()
