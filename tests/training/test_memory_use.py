"""Memory and age of processes, as Linux tells them."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from pyskl.training.memory_use import children, peak_memory, process_age, resident

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

MB = 2**20


def taken(size: int) -> mmap.mmap:
    """Return memory fresh from the system: an array's may be what the process has kept."""
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for page in range(0, size, mmap.PAGESIZE):
        memory[page] = 1
    return memory


# In a process of its own: what this one has allocated and freed before would count, too.
OWN_AND_MAPPED = """
import mmap, sys
from pyskl.training.memory_use import resident
before = resident()
own = mmap.mmap(-1, 80 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for page in range(0, len(own), mmap.PAGESIZE):
    own[page] = 1
after_own = resident()
with open(sys.argv[1], "rb") as file:
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    assert not any(mapped[page] for page in range(0, len(mapped), mmap.PAGESIZE))
    after_mapped = resident()
for field in ("anonymous", "file"):
    kinds = [getattr(found, field) for found in (before, after_own, after_mapped)]
    print(kinds[1] - kinds[0], kinds[2] - kinds[1])
"""


def test_own_and_mapped_memory_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(60 * MB))
    done = subprocess.run(
        [sys.executable, "-c", OWN_AND_MAPPED, str(path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    anonymous, file = (list(map(int, line.split())) for line in done.stdout.splitlines())
    assert anonymous == pytest.approx([80 * MB, 0], abs=10 * MB)
    assert file == pytest.approx([0, 60 * MB], abs=10 * MB)


def test_the_peak_is_that_of_the_block_alone() -> None:
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("this system does not let a process forget its peak")
    cpu = torch.device("cpu")
    with peak_memory(cpu) as high:
        taken(150 * MB).close()
    with peak_memory(cpu) as low:
        pass
    assert high.bytes is not None
    assert low.bytes is not None
    assert high.bytes - low.bytes > 100 * MB


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


def test_the_age_counts_from_the_creation_of_the_process() -> None:
    code = "import time; time.sleep(0.3); from pyskl.training.memory_use import process_age as a;"
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", f"{code} print(a())"], capture_output=True, text=True, check=True
    )
    lived = time.perf_counter() - began
    assert 0.3 <= float(done.stdout) <= lived + 0.02  # the system counts in hundredths
    age = process_age()
    assert age is not None
    time.sleep(0.1)
    later = process_age()
    assert later is not None
    assert 0.08 <= later - age < 5
