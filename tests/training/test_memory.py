"""Memory of processes: what Linux reports, and what glibc keeps."""

from __future__ import annotations

import mmap
import multiprocessing
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pyskl.training import memory
from pyskl.training.memory import children, keep_freed_memory, peak_memory, process_age, resident

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
MB = 2**20


def _in_a_fork(function: Callable[[], Any]) -> Any:
    """Return what a function returns in a process of its own."""
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    process = context.Process(target=lambda: queue.put(function()))
    process.start()
    process.join(30)
    assert process.exitcode == 0
    return queue.get()


def _allocate(size: int) -> mmap.mmap:
    """Return memory fresh from the system, which an array may not be."""
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for page in range(0, size, mmap.PAGESIZE):
        memory[page] = 1
    return memory


# Counts the page faults of allocating, writing and freeing 64 MB ten times, after a first time.
COUNT = """
import resource
import numpy as np
from pyskl.training.memory import keep_freed_memory
assert keep_freed_memory()
np.ones(8 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.ones(8 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
CHOSEN_BY_USER = ("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD")


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_freed_memory_is_used_again(repo_root: Path) -> None:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(CHOSEN_BY_USER)}
    done = subprocess.run(
        [sys.executable, "-c", COUNT],
        capture_output=True,
        text=True,
        check=True,
        env={**inherited, "PYTHONPATH": str(repo_root)},
    )
    # If it is not kept, 640 MB are 160,000 pages of 4 KiB, or 320 of 2 MiB.
    assert int(done.stdout) < 100


def test_the_user_s_settings_and_other_allocators_are_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: pytest.fail("the library was loaded"))
    monkeypatch.setattr(memory.platform, "libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setenv("MALLOC_ARENA_MAX", "2")
    assert not keep_freed_memory()
    monkeypatch.delenv("MALLOC_ARENA_MAX")
    monkeypatch.setattr(memory.platform, "libc_ver", lambda: ("", ""))
    assert not keep_freed_memory()


@linux_only
def test_own_and_mapped_memory(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(60 * MB))

    def measure() -> list[Any]:
        found = [resident()]
        own = _allocate(80 * MB)
        found.append(resident())
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        assert not any(mapped[page] for page in range(0, len(mapped), mmap.PAGESIZE))
        found.append(resident())
        own.close()
        return found

    before, with_own, with_mapped = _in_a_fork(measure)
    tolerance = 10 * MB
    assert with_own.anonymous - before.anonymous == pytest.approx(80 * MB, abs=tolerance)
    assert with_own.file - before.file == pytest.approx(0, abs=tolerance)
    assert with_mapped.anonymous - with_own.anonymous == pytest.approx(0, abs=tolerance)
    assert with_mapped.file - with_own.file == pytest.approx(60 * MB, abs=tolerance)


@linux_only
def test_the_peak_belongs_to_the_block() -> None:
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("this system does not let a process reset its peak")
    cpu = torch.device("cpu")
    with peak_memory(cpu) as high:
        _allocate(150 * MB).close()
    with peak_memory(cpu) as low:
        pass
    assert high.bytes is not None
    assert low.bytes is not None
    assert high.bytes - low.bytes > 100 * MB


@linux_only
def test_children_and_their_memory() -> None:
    command = [sys.executable, "-c", "print('up', flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert child.pid in children()
        found = resident(child.pid)
        assert found is not None
        assert found.anonymous > MB
        child.communicate(b"\n")
    assert child.pid not in children()
    assert resident(child.pid) is None


@linux_only
def test_the_age_counts_from_the_creation_of_the_process() -> None:
    def measure() -> float | None:
        time.sleep(0.3)
        return process_age()

    began = time.perf_counter()
    age = _in_a_fork(measure)
    assert 0.29 <= age <= time.perf_counter() - began + 0.02  # Linux counts in 0.01 s
