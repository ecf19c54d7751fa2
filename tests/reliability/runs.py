"""Small training runs that can be killed, and the comparison of two finished ones.

A process that has imported torch forks itself for each process of a run and executes
``tools/train.py`` there, like ``python tools/train.py ...`` but without seconds of imports.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["CUDA_VISIBLE_DEVICES"] = ""
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "tests"), str(ROOT)]

import torch  # noqa: E402
from conftest import _tiny_config, _tiny_samples, _write_tiny_annotations  # noqa: E402

import pyskl.apis  # noqa: E402, F401 - so that forks find it imported

TRAIN = ROOT / "tools" / "train.py"
EPOCHS = 5


def prepare_data(folder: Path) -> Path:
    """Write the annotation file of all runs; import the rest of torch before the first fork."""
    torch.optim.SGD([torch.zeros(1)], lr=1)  # the first optimizer imports a good deal
    return _write_tiny_annotations(folder / "tiny.pkl", _tiny_samples())


@dataclass(frozen=True)
class Case:
    """A kind of run.

    Attributes:
        processes: Number of processes.
        amp: Precision.
        workers: Data workers of each process.
        by_epoch: Whether checkpoints are written by epoch, or by iteration.
    """

    processes: int
    amp: str | None
    workers: int
    by_epoch: bool

    def __str__(self) -> str:
        saving = "epoch" if self.by_epoch else "iter"
        return f"{self.processes} proc, {self.amp or 'fp32'}, {self.workers} workers, by {saving}"

    def write_config(self, folder: Path, ann_file: Path) -> None:
        """Write its config."""
        config = _tiny_config(
            ann_file,
            total_epochs=EPOCHS,
            data__videos_per_gpu=4 // self.processes,
            data__workers_per_gpu=self.workers,
            optimizer_config=dict(grad_clip=dict(max_norm=5.0)),
            model__cls_head__dropout=0.3,
            lr_config=dict(policy="CosineAnnealing", min_lr=0, by_epoch=False),
            checkpoint_config=dict(interval=1, max_keep_ckpts=2)
            if self.by_epoch
            else dict(interval=4, by_epoch=False, max_keep_ckpts=2),
            dist_params=dict(join=20, timeout=20, stall=60),
        )
        text = "".join(f"{key} = {value!r}\n" for key, value in config.items())
        (folder / "tiny.py").write_text(text, encoding="utf-8")

    def arguments(self) -> list[str]:
        """Return the arguments of ``tools/train.py``."""
        options = ["tiny.py", "--work-dir", "work", "--validate", "--test-last", "--test-best"]
        return options + (["--amp", self.amp] if self.amp else [])

    def start(
        self, folder: Path, *options: str, prepare: Callable[[int], None] = lambda rank: None
    ) -> Job:
        """Start a run in the folder of its config; it prints to ``output_<rank>.txt``.

        Args:
            folder: The working directory.
            options: Further command-line options.
            prepare: Called in each process with its rank before the tool runs.
        """
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        arguments, pids = [*self.arguments(), *options], []
        for rank in range(self.processes):
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    status = _train(arguments, folder, rank, self.processes, port, prepare)
                finally:
                    os._exit(status)
            pids.append(pid)
        return Job(pids)


def _train(
    arguments: list[str],
    folder: Path,
    rank: int,
    processes: int,
    port: int,
    prepare: Callable[[int], None],
) -> int:
    os.setpgid(0, 0)
    os.chdir(folder)
    output = os.open(f"output_{rank}.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = [str(TRAIN), *arguments]
    if processes > 1:
        sys.argv += ["--launcher", "pytorch"]
        os.environ.update(
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            WORLD_SIZE=str(processes),
            LOCAL_WORLD_SIZE=str(processes),
            MASTER_ADDR="127.0.0.1",
            MASTER_PORT=str(port),
        )
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.path.insert(0, str(TRAIN.parent))
    prepare(rank)
    try:
        runpy.run_path(str(TRAIN), run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


@dataclass
class Job:
    """The processes of a run.

    Attributes:
        pids: By rank.
        statuses: Exit statuses of those that have ended, negative for a signal; by rank.
    """

    pids: list[int]
    statuses: dict[int, int] = field(default_factory=dict)

    def poll(self) -> bool:
        """Update the statuses; return whether all processes have ended."""
        for rank, pid in enumerate(self.pids):
            if rank not in self.statuses:
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    self.statuses[rank] = os.waitstatus_to_exitcode(status)
        return len(self.statuses) == len(self.pids)

    def wait(self, seconds: float) -> bool:
        """Wait until all processes have ended; return whether they have."""
        return wait_until(self.poll, seconds)

    def send(self, number: int, *ranks: int) -> None:
        """Send a signal to some of the processes, by default to all."""
        for rank in ranks or range(len(self.pids)):
            if rank not in self.statuses:
                os.kill(self.pids[rank], number)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition; return whether it became true."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


# --- comparison -----------------------------------------------------------------------------------

_START_TIME = {"log"}  # the key of `meta` with the name of the log
_TIMES = {"time", "data_time", "memory"}  # of a log line


def differences(first: Path, second: Path, *, same_files: bool = True) -> list[str]:
    """Return the differences between the work dirs of two finished runs.

    Compares the checkpoints bit by bit, the scores, the names of the checkpoints, and the log lines
    except for times.

    Args:
        first: A work dir.
        second: Another.
        same_files: Whether both must have the same checkpoints; else common ones are compared.
    """
    found = []
    names = [{path.name for path in folder.glob("*.pth")} for folder in (first, second)]
    if same_files and names[0] != names[1]:
        found.append(f"checkpoints {sorted(names[0])} and {sorted(names[1])}")
    for name in sorted(names[0] & names[1]):
        contents = [torch.load(folder / name, weights_only=True) for folder in (first, second)]
        found += [f"{name}: {place}" for place in _differing_places("", *contents)]
    for name in ("last_pred.pkl", "best_pred.pkl"):
        if (first / name).read_bytes() != (second / name).read_bytes():
            found.append(name)
    lines = [_log_lines(folder) for folder in (first, second)]
    if lines[0] != lines[1]:
        pairs = [f"{a} and {b}" for a, b in zip(*lines) if a != b]
        found.append(f"log lines: {[*pairs, f'{len(lines[0])} and {len(lines[1])} lines'][0]}")
    return found


def _differing_places(place: str, a: Any, b: Any) -> Iterator[str]:
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        bits = [x.contiguous().numpy().tobytes() for x in (a, b)]
        if a.dtype != b.dtype or a.shape != b.shape or bits[0] != bits[1]:
            yield place
    elif isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in sorted({*a, *b} - _START_TIME, key=str):
            if key in a and key in b:
                yield from _differing_places(f"{place}/{key}", a[key], b[key])
            else:
                yield f"{place}/{key} (only in one)"
    elif isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) and len(a) == len(b):
        for index, (one, other) in enumerate(zip(a, b)):
            yield from _differing_places(f"{place}/{index}", one, other)
    elif type(a) is not type(b) or a != b:
        yield f"{place} ({str(a)[:60]!r} and {str(b)[:60]!r})"


def _log_lines(work_dir: Path) -> list[dict[str, Any]]:
    """Return the metrics of the log that the last checkpoint names.

    A run that was killed before its first checkpoint starts again with a new file.
    """
    meta = torch.load(work_dir / "latest.pth", weights_only=True)["meta"]
    text = (work_dir / f"{meta['log']}.log.json").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    return [{k: v for k, v in line.items() if k not in _TIMES} for line in lines if "mode" in line]
