"""What happens to a training run after a fault: a signal, a lost process, a full disk.

    python tests/reliability/faults.py [--only NAME ...] [--report FILE]

Each scenario starts a small run, injects a fault, and records the exit statuses, the seconds until
the last process ended, the message, and whether the same command, started again, ended with the
same bits as an undisturbed run. The docstring of a scenario is its title in the table.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import runs
import torch
from runs import TRAIN, Case, Job, differences, wait_until

HERE = Path(__file__).parent
ONE = Case(1, None, 0, True)
ONE_WITH_WORKERS = Case(1, None, 2, True)
TWO = Case(2, None, 0, True)
TWO_WITH_WORKERS = Case(2, "fp16", 2, False)

WAIT_LIMIT = 60.0
TIMEOUT, STALL = 3, 6  # seconds of dist_params, where something hangs
SAME = "same bits"


@dataclass
class Result:
    """How a scenario ended.

    Attributes:
        statuses: Exit statuses by rank, negative for a signal.
        seconds: From the fault to the end of the last process.
        message: The last error message.
        restart: What the same command, started again, led to.
    """

    statuses: str
    seconds: float
    message: str
    restart: str


class Scene:
    """A folder in which a run is disturbed.

    Args:
        root: Of all scenarios.
        name: Of the folder.
        case: The kind of run.
    """

    undisturbed_runs: dict[Case, Path] = {}  # noqa: RUF012 - shared by all scenarios

    def __init__(self, root: Path, name: str, case: Case) -> None:
        self.root, self.case, self.folder = root, case, root / re.sub(r"\W+", "_", name)
        self.folder.mkdir()
        case.write_config(self.folder, root / "tiny.pkl")
        self.work = self.folder / "work"

    def start(
        self,
        *options: str,
        prepare: Callable[[int], None] = lambda rank: None,
        step_time: float = 0.05,
    ) -> Job:
        """Start the run; each step is ``step_time`` seconds longer, to leave time for the fault."""

        def prepare_all(rank: int) -> None:
            from pyskl.training.trainer import Trainer

            _delay(Trainer, "train_step", step_time)
            prepare(rank)

        return self.case.start(self.folder, *options, prepare=prepare_all)

    def wait_for_line(self, number: int, mode: str = "train") -> None:
        """Wait until the log has that many lines of a mode."""

        def is_there() -> bool:
            text = "".join(path.read_text() for path in self.work.glob("*.log.json"))
            return text.count(f'"mode": "{mode}"') >= number

        if not wait_until(is_there, WAIT_LIMIT):
            raise RuntimeError(f"{self.folder} has no line {number}")

    def result(self, job: Job, struck: float, *, restart: bool = True) -> Result:
        """Wait for the end of a run whose fault happened at the time ``struck``, and restart it."""
        if not job.wait(WAIT_LIMIT):
            job.send(signal.SIGKILL)
            job.wait(WAIT_LIMIT)
            raise RuntimeError(f"{self.folder}: still running {WAIT_LIMIT:.0f} s after the fault")
        seconds = time.monotonic() - struck
        statuses = ", ".join(str(job.statuses[rank]) for rank in sorted(job.statuses))
        return Result(statuses, seconds, self.message(), self.restart() if restart else "-")

    def message(self) -> str:
        """Return the last error message of any process."""
        texts = [path.read_text() for path in sorted(self.folder.glob("output_*.txt"))]
        lines = [line for text in texts for line in text.splitlines()]
        found = re.compile(r"^error: |^.* - (ERROR|CRITICAL) - ")
        messages = [found.sub("", line) for line in lines if found.search(line)]
        return messages[-1].replace(str(self.root), "") if messages else ""

    def restart(self) -> str:
        """Start the same command again, and compare with an undisturbed run."""
        job = self.start(step_time=0)
        if not job.wait(WAIT_LIMIT) or set(job.statuses.values()) != {0}:
            return f"the restarted run ended with {job.statuses}"
        return self.compare()

    def compare(self, *, same_files: bool = True) -> str:
        """Compare with an undisturbed run."""
        found = differences(self.undisturbed(), self.work, same_files=same_files)
        return "; ".join(found) or SAME

    def undisturbed(self) -> Path:
        """Return the work dir of the same run without a fault."""
        if self.case not in self.undisturbed_runs:
            scene = Scene(self.root, f"undisturbed {self.case}", self.case)
            job = scene.start(step_time=0)
            if not job.wait(WAIT_LIMIT) or set(job.statuses.values()) != {0}:
                raise RuntimeError(f"the undisturbed run failed: see {scene.folder}")
            self.undisturbed_runs[self.case] = scene.work
        return self.undisturbed_runs[self.case]


def _delay(owner: Any, name: str, seconds: float) -> None:
    """Make each call of a method wait first."""
    original = getattr(owner, name)

    def delayed(*args: Any, **kwargs: Any) -> Any:
        time.sleep(seconds)
        return original(*args, **kwargs)

    if seconds:
        setattr(owner, name, delayed)


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]


# --- signals --------------------------------------------------------------------------------------


def _signal(root: Path, name: str, case: Case, number: int, *ranks: int) -> Result:
    scene = Scene(root, name, case)
    job = scene.start()
    scene.wait_for_line(3)
    struck = time.monotonic()
    job.send(number, *ranks)
    return scene.result(job, struck)


def sigterm(root: Path) -> Result:
    """SIGTERM between two checkpoints"""
    return _signal(root, "sigterm", ONE, signal.SIGTERM)


def sigusr1_to_one_of_two(root: Path) -> Result:
    """SIGUSR1 to process 1 of 2 (fp16, 2 workers each)"""
    return _signal(root, "sigusr1", TWO_WITH_WORKERS, signal.SIGUSR1, 1)


def ctrl_c_to_two(root: Path) -> Result:
    """Ctrl-C to both of 2 processes"""
    return _signal(root, "sigint", TWO, signal.SIGINT)


def sigterm_in_validation(root: Path) -> Result:
    """SIGTERM to process 0 of 2 during validation (0.5 s per batch)"""
    scene = Scene(root, "in validation", TWO)

    def slow_validation(rank: int) -> None:
        from pyskl.training.trainer import Trainer

        _delay(Trainer, "_before_validation_batch", 0.5)

    job = scene.start(prepare=slow_validation, step_time=0)
    scene.wait_for_line(2)
    struck = time.monotonic()
    job.send(signal.SIGTERM, 0)
    return scene.result(job, struck)


def sigterm_to_everything(root: Path) -> Result:
    """SIGTERM to every process of a job, including data workers"""
    scene = Scene(root, "everything", ONE_WITH_WORKERS)
    job = scene.start()
    scene.wait_for_line(3)
    struck = time.monotonic()
    for child in _children(job.pids[0]):
        os.kill(child, signal.SIGTERM)
    job.send(signal.SIGTERM)
    return scene.result(job, struck)


def ctrl_c_twice(root: Path) -> Result:
    """Ctrl-C twice, in a long step"""
    scene = Scene(root, "twice", ONE)
    job = scene.start(step_time=2)
    time.sleep(4)
    job.send(signal.SIGINT)
    time.sleep(0.2)
    struck = time.monotonic()
    job.send(signal.SIGINT)
    return scene.result(job, struck)


# --- lost and stalled processes -------------------------------------------------------------------


def _signal_one_of_two(root: Path, name: str, number: int, rank: int) -> Result:
    scene = Scene(root, name, TWO)
    job = scene.start("--cfg-options", f"dist_params.timeout={TIMEOUT}")
    scene.wait_for_line(3)
    struck = time.monotonic()
    job.send(number, rank)
    try:
        wait_until(lambda: job.poll() or bool(job.statuses.keys() - {rank}), WAIT_LIMIT)
        seconds = time.monotonic() - struck
    finally:
        job.send(signal.SIGKILL, rank)  # a frozen process has to be killed
    result = scene.result(job, struck)
    result.seconds = seconds
    return result


def process_killed(root: Path) -> Result:
    """process 1 of 2 killed (SIGKILL)"""
    return _signal_one_of_two(root, "killed 1", signal.SIGKILL, 1)


def main_process_killed(root: Path) -> Result:
    """process 0 of 2 killed (SIGKILL)"""
    return _signal_one_of_two(root, "killed 0", signal.SIGKILL, 0)


def process_frozen(root: Path) -> Result:
    """process 1 of 2 frozen (SIGSTOP), dist_params.timeout=3"""
    return _signal_one_of_two(root, "frozen 1", signal.SIGSTOP, 1)


def main_process_frozen(root: Path) -> Result:
    """process 0 of 2 frozen (SIGSTOP), dist_params.timeout=3"""
    return _signal_one_of_two(root, "frozen 0", signal.SIGSTOP, 0)


def _killed_at_start(root: Path, name: str, rank: int) -> Result:
    scene = Scene(root, name, TWO)

    def prepare(own_rank: int) -> None:
        if own_rank == rank:
            os.kill(os.getpid(), signal.SIGKILL)

    struck = time.monotonic()
    job = scene.start("--cfg-options", f"dist_params.join={TIMEOUT}", prepare=prepare)
    return scene.result(job, struck)


def killed_before_the_rendezvous(root: Path) -> Result:
    """process 1 of 2 killed before the rendezvous, dist_params.join=3 (seconds: from the start)"""
    return _killed_at_start(root, "at start 1", 1)


def main_process_killed_before_the_rendezvous(root: Path) -> Result:
    """process 0 of 2 killed before the rendezvous, dist_params.join=3 (seconds: from the start)"""
    return _killed_at_start(root, "at start 0", 0)


def worker_killed(root: Path) -> Result:
    """a data worker killed (SIGKILL)"""
    scene = Scene(root, "worker killed", ONE_WITH_WORKERS)
    job = scene.start()
    scene.wait_for_line(3)
    struck = time.monotonic()
    os.kill(_children(job.pids[0])[0], signal.SIGKILL)
    return scene.result(job, struck)


def worker_frozen(root: Path) -> Result:
    """a data worker frozen (SIGSTOP), dist_params.stall=6"""
    scene = Scene(root, "worker frozen", ONE_WITH_WORKERS)
    job = scene.start("--cfg-options", f"dist_params.stall={STALL}")
    scene.wait_for_line(3)
    struck = time.monotonic()
    child = _children(job.pids[0])[0]
    os.kill(child, signal.SIGSTOP)
    try:
        job.wait(WAIT_LIMIT)
    finally:
        os.kill(child, signal.SIGKILL)
    return scene.result(job, struck)


def started_differently(root: Path) -> Result:
    """two processes with different configs"""
    scene = Scene(root, "different", TWO)

    def prepare(rank: int) -> None:
        if rank == 1:
            sys.argv += ["--cfg-options", "optimizer.lr=0.04"]

    struck = time.monotonic()
    return scene.result(scene.start(prepare=prepare), struck, restart=False)


# --- writing --------------------------------------------------------------------------------------


def _shorten_retries(rank: int) -> None:
    from pyskl.checkpoints import writer

    writer.RETRY_INTERVAL, writer.FINISH_TIMEOUT = 0.2, 1.0


def _fail_fsync(first: int, last: int) -> Callable[[int], None]:
    """Return a function that makes a range of the calls of ``os.fsync`` fail."""

    def prepare(rank: int) -> None:
        _shorten_retries(rank)
        original, calls = os.fsync, [0]

        def failing(descriptor: int) -> None:
            calls[0] += 1
            if first <= calls[0] <= last:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            original(descriptor)

        os.fsync = failing  # type: ignore[assignment]

    return prepare


def disk_error_for_a_while(root: Path) -> Result:
    """EIO in some writes"""
    scene = Scene(root, "eio for a while", ONE)
    struck = time.monotonic()
    result = scene.result(scene.start(prepare=_fail_fsync(4, 12)), struck, restart=False)
    # A checkpoint that could not be written is replaced by the next, so others may be kept.
    result.restart = scene.compare(same_files=False)
    return result


def disk_error_to_the_end(root: Path) -> Result:
    """EIO in all writes until the end"""
    scene = Scene(root, "eio to the end", ONE)
    struck = time.monotonic()
    return scene.result(scene.start(prepare=_fail_fsync(8, 10**9)), struck)


@contextmanager
def _small_disk(folder: Path, kilobytes: int) -> Iterator[bool]:
    """Mount a small file system on a folder; yield whether this process has the right to."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    mounted = shutil.which("mount") is not None and (
        subprocess.run(["mount", *options], capture_output=True, check=False).returncode == 0
    )
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)


def disk_full(root: Path) -> Result:
    """full disk (a small tmpfs) from epoch 2 on; freed before the restart"""
    scene = Scene(root, "full", ONE)
    with _small_disk(scene.work, 1024) as mounted:
        if not mounted:
            return Result("-", 0, "not tested: no right to mount a tmpfs", "-")
        job = scene.start(prepare=_shorten_retries)
        scene.wait_for_line(1, "val")
        struck = time.monotonic()
        filler = scene.work / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1024))
            except OSError:
                pass
        job.wait(WAIT_LIMIT)
        filler.unlink()
        return scene.result(job, struck)


def _drop_capabilities() -> None:
    """Make file permissions apply to this process even if it belongs to root."""
    version = 0x20080522  # _LINUX_CAPABILITY_VERSION_3
    nothing = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice
    ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(version, 0), nothing)


def read_only(root: Path) -> Result:
    """folder read-only from epoch 2 on; writable before the restart"""
    scene = Scene(root, "read-only", ONE)

    def prepare(rank: int) -> None:
        _shorten_retries(rank)
        _drop_capabilities()

    job = scene.start(prepare=prepare)
    scene.wait_for_line(1, "val")
    scene.work.chmod(0o555)
    struck = time.monotonic()
    job.wait(WAIT_LIMIT)
    scene.work.chmod(0o755)
    return scene.result(job, struck)


# --- restarts -------------------------------------------------------------------------------------

_KILLED_ONCE = """
import os, runpy, sys
sys.path[:0] = [{here!r}, {tools!r}]
if os.environ["RANK"] == "1" and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
    from kill_points import in_a_step
    in_a_step(9)
runpy.run_path({train!r}, run_name="__main__")
"""


def _restarted(root: Path, name: str, *command: str, **environment: str) -> Result:
    scene = Scene(root, name, TWO)
    script = scene.folder / "killed_once.py"
    script.write_text(
        _KILLED_ONCE.format(here=str(HERE), tools=str(TRAIN.parent), train=str(TRAIN))
    )
    launcher = ["--launcher", "pytorch"] if name == "torchrun" else []
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, *command, str(script), *TWO.arguments(), *launcher],
        cwd=scene.folder,
        env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    seconds = time.monotonic() - begin
    lines = [line for line in done.stderr.splitlines() if line.startswith(("error", "starting"))]
    restart = scene.compare() if done.returncode == 0 else "the run failed"
    return Result(str(done.returncode), seconds, "; ".join(lines), restart)


def launcher_restarts(root: Path) -> Result:
    """process 1 of 2 killed, MAX_RESTARTS=1 of tools/launch.py (seconds: whole run)"""
    return _restarted(root, "launcher", str(TRAIN.with_name("launch.py")), "2", MAX_RESTARTS="1")


def torchrun_restarts(root: Path) -> Result:
    """process 1 of 2 killed, torchrun --max-restarts=1 (seconds: whole run)"""
    options = ("--standalone", "--nproc_per_node=2", "--max-restarts=1")
    return _restarted(root, "torchrun", "-m", "torch.distributed.run", *options)


# --- others ---------------------------------------------------------------------------------------


def saving_more_often(root: Path) -> Result:
    """no fault, but checkpoints every 4 iterations instead of every epoch (2 processes)"""
    first, second = (
        torch.load(
            Scene(root, f"saving {case}", case).undisturbed() / "latest.pth", weights_only=True
        )["state_dict"]
        for case in (TWO, Case(2, None, 0, False))
    )
    other = [name for name, value in first.items() if not torch.equal(second[name], value)]
    return Result("0, 0", 0.0, "", "; ".join(other) or SAME)


def clock_set_back(root: Path) -> Result:
    """killed, and the clock set back by a day before the restart"""
    scene = Scene(root, "clock", ONE)
    job = scene.start()
    scene.wait_for_line(3)
    struck = time.monotonic()
    job.send(signal.SIGKILL)
    result = scene.result(job, struck, restart=False)

    def yesterday(rank: int) -> None:
        now, as_text = time.time, time.strftime
        time.time = lambda: now() - 86400  # type: ignore[assignment]
        time.strftime = lambda form, *_: as_text(form, time.localtime(time.time()))

    scene.start(prepare=yesterday, step_time=0).wait(WAIT_LIMIT)
    result.restart = scene.compare()
    return result


def _other_number_of_processes(root: Path, first: Case, second: Case) -> Result:
    scene = Scene(root, f"{first.processes} to {second.processes}", first)
    job = scene.start()
    scene.wait_for_line(3)
    struck = time.monotonic()
    job.send(signal.SIGTERM)
    job.wait(WAIT_LIMIT)
    seconds = time.monotonic() - struck
    scene.case = second
    job = scene.start(step_time=0)
    job.wait(WAIT_LIMIT)
    text = (scene.folder / "output_0.txt").read_text()
    warning = next((line for line in text.splitlines() if "not exactly" in line), "")
    accuracy = re.findall(r"last weights: top1_acc ([\d.]+)", text)
    statuses = ", ".join(map(str, job.statuses.values()))
    message = warning.partition("WARNING - ")[2]
    return Result(statuses, seconds, message, f"top-1 {float(accuracy[-1])}")


def two_to_one(root: Path) -> Result:
    """stopped with 2 processes, resumed with 1"""
    return _other_number_of_processes(root, TWO, ONE)


def one_to_two(root: Path) -> Result:
    """stopped with 1 process, resumed with 2"""
    return _other_number_of_processes(root, ONE, TWO)


SCENARIOS: list[Callable[[Path], Result]] = [
    sigterm,
    sigusr1_to_one_of_two,
    ctrl_c_to_two,
    sigterm_in_validation,
    sigterm_to_everything,
    ctrl_c_twice,
    process_killed,
    main_process_killed,
    process_frozen,
    main_process_frozen,
    killed_before_the_rendezvous,
    main_process_killed_before_the_rendezvous,
    worker_killed,
    worker_frozen,
    started_differently,
    disk_error_for_a_while,
    disk_error_to_the_end,
    disk_full,
    read_only,
    launcher_restarts,
    torchrun_restarts,
    saving_more_often,
    clock_set_back,
    two_to_one,
    one_to_two,
]


def main() -> int:
    """Run the scenarios; return 1 if a restart did not end like an undisturbed run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", default=[], help="names of scenarios")
    parser.add_argument("--report", type=Path, help="append the table to this file")
    args = parser.parse_args()
    failures = 0
    with tempfile.TemporaryDirectory(prefix="faults") as scratch:
        root = Path(scratch)
        runs.prepare_data(root)
        for scenario in SCENARIOS:
            if args.only and scenario.__name__ not in args.only:
                continue
            try:
                result = scenario(root)
            except (RuntimeError, OSError, LookupError, ValueError) as error:
                result = Result("?", 0.0, repr(error), "FAILED")
            failures += not re.match(rf"{SAME}|-$|top-1", result.restart)
            row = (
                f"| {scenario.__doc__} | {result.statuses} | {result.seconds:.1f} | "
                f"{result.message} | {result.restart} |\n"
            )
            sys.stdout.write(row)
            sys.stdout.flush()
            if args.report:
                with args.report.open("a", encoding="utf-8") as file:
                    file.write(row)
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
