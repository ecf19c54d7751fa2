"""What becomes of a training run to which this or that happens: signals, deaths, full disks.

    python tests/reliability/faults.py [--only WORD ...] [--report FILE]

Each scenario starts a small run, lets something happen to it, and looks at how it ended: the exit
statuses, how long that took, what the message was, and whether the same command, started again,
ended with the bits of an undisturbed run.
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

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["CUDA_VISIBLE_DEVICES"] = ""
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import torch  # noqa: E402
from comparison import differences  # noqa: E402
from conftest import _tiny_samples, _write_tiny_annotations  # noqa: E402
from jobs import TRAIN, Job, start  # noqa: E402
from kill_matrix import Case  # noqa: E402

import pyskl.apis.test  # noqa: E402
import pyskl.apis.train  # noqa: E402, F401 - so that the forks find it imported

HERE = Path(__file__).parent
ALONE = Case(1, None, 0, True)
WORKERS = Case(1, None, 2, True)
TWO = Case(2, None, 0, True)
TWO_WORKERS = Case(2, "fp16", 2, False)

PATIENCE = 60.0
TIMEOUT, STALL = 3, 6  # seconds, for the scenarios in which something hangs


@dataclass
class Found:
    """What became of a run.

    Attributes:
        statuses: Exit statuses by rank, negative for a signal.
        seconds: From what happened to the end of the last process that was left.
        message: The last error message.
        end: What the same command, started again, came to.
    """

    statuses: str
    seconds: float
    message: str
    end: str


class Scene:
    """A folder with a config, in which a run is disturbed; and what the run is without that."""

    wholes: dict[Case, Path] = {}  # noqa: RUF012 - what undisturbed runs left, for all scenes

    def __init__(self, root: Path, name: str, case: Case) -> None:
        self.root, self.case = root, case
        self.folder = root / re.sub(r"\W+", "_", name)
        self.folder.mkdir()
        case.write_config(self.folder, root / "tiny.pkl")
        self.work = self.folder / "work"

    def start(
        self, *options: str, prepare: Callable[[int], None] | None = None, slow: float = 0.05
    ) -> Job:
        """Start the run; ``slow`` seconds are added to each step, so that there is time."""

        def prepared(rank: int) -> None:
            _slow_down(slow)
            if prepare is not None:
                prepare(rank)

        arguments = [*self.case.arguments(), *options]
        return start(arguments, self.folder, processes=self.case.processes, prepare=prepared)

    def wait_for_line(self, number: int, mode: str = "train") -> None:
        """Wait until the log has so many lines of a mode."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            text = "".join(path.read_text() for path in self.work.glob("*.log.json"))
            if text.count(f'"mode": "{mode}"') >= number:
                return
            time.sleep(0.01)
        raise RuntimeError(f"{self.folder} never came to line {number}")

    def found(self, job: Job, struck: float, *, again: bool = True) -> Found:
        """Wait for the end and start again; ``struck`` is when it happened."""
        if not job.wait(PATIENCE):
            job.send(signal.SIGKILL)
            job.wait(PATIENCE)
            raise RuntimeError(f"{self.folder}: still running {PATIENCE:.0f} s after it happened")
        seconds = time.monotonic() - struck
        statuses = ", ".join(str(job.statuses[rank]) for rank in sorted(job.statuses))
        return Found(statuses, seconds, self.message(), self.end() if again else "-")

    def message(self) -> str:
        """Return the last error message of any process."""
        texts = [path.read_text() for path in sorted(self.folder.glob("output_*.txt"))]
        lines = [
            line
            for text in texts
            for line in text.splitlines()
            if re.search(r"^error: | - (ERROR|CRITICAL) - ", line)
        ]
        last = lines[-1] if lines else ""
        return re.sub(r"^error: |^.* - (ERROR|CRITICAL) - ", "", last).replace(str(self.root), "")

    def end(self) -> str:
        """Start the same command again, and compare with an undisturbed run."""
        job = self.start(slow=0)
        if not job.wait(PATIENCE) or set(job.statuses.values()) != {0}:
            return f"started again it ended with {job.statuses}"
        found = differences(self.whole(), self.work)
        return "; ".join(found) or "the same bits"

    def whole(self) -> Path:
        """Return the work dir of the same run, undisturbed."""
        if self.case not in self.wholes:
            other = Scene(self.root, f"whole {self.case.name()}", self.case)
            job = other.start(slow=0)
            if not job.wait(PATIENCE) or set(job.statuses.values()) != {0}:
                raise RuntimeError(f"the undisturbed run failed: see {other.folder}")
            self.wholes[self.case] = other.work
        return self.wholes[self.case]


def _slow_down(seconds: float) -> None:
    from pyskl.training.trainer import Trainer

    original = Trainer._step

    def slow(self: Any, batch: Any) -> Any:
        time.sleep(seconds)
        return original(self, batch)

    if seconds:
        Trainer._step = slow  # type: ignore[method-assign]


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]


# --- signals --------------------------------------------------------------------------------------


def _asked(root: Path, name: str, case: Case, number: int, *ranks: int, mode: str) -> Found:
    scene = Scene(root, name, case)
    job = scene.start()
    scene.wait_for_line(3 if mode == "train" else 1, mode)
    struck = time.monotonic()
    job.send(number, *ranks)
    return scene.found(job, struck)


def sigterm(root: Path) -> Found:
    """SIGTERM between two checkpoints"""
    return _asked(root, "sigterm", ALONE, signal.SIGTERM, mode="train")


def sigusr1_to_one_of_two(root: Path) -> Found:
    """SIGUSR1 to process 1 of 2 (fp16, 2 workers each)"""
    return _asked(root, "sigusr1", TWO_WORKERS, signal.SIGUSR1, 1, mode="train")


def ctrl_c_to_two(root: Path) -> Found:
    """Ctrl-C to both of 2 processes"""
    return _asked(root, "sigint", TWO, signal.SIGINT, mode="train")


def sigterm_in_validation(root: Path) -> Found:
    """SIGTERM to process 0 of 2 in the validation"""
    scene = Scene(root, "in validation", TWO)

    def slow_validation(rank: int) -> None:
        from pyskl.training.validation import LeavableLoader

        original = LeavableLoader.__iter__

        def slow(self: Any) -> Iterator[Any]:
            for batch in original(self):
                time.sleep(0.5)
                yield batch

        LeavableLoader.__iter__ = slow  # type: ignore[method-assign]

    job = scene.start(prepare=slow_validation, slow=0)
    scene.wait_for_line(2)
    struck = time.monotonic()
    job.send(signal.SIGTERM, 0)
    return scene.found(job, struck)


def sigterm_to_everything(root: Path) -> Found:
    """SIGTERM to every process of a job, data workers among them"""
    scene = Scene(root, "everything", WORKERS)
    job = scene.start()
    scene.wait_for_line(3)
    struck = time.monotonic()
    for child in _children(job.pids[0]):
        os.kill(child, signal.SIGTERM)
    job.send(signal.SIGTERM)
    return scene.found(job, struck)


def ctrl_c_twice(root: Path) -> Found:
    """Ctrl-C twice, in a step that takes long"""
    scene = Scene(root, "twice", ALONE)
    job = scene.start(slow=2)
    time.sleep(4)
    job.send(signal.SIGINT)
    time.sleep(0.2)
    struck = time.monotonic()
    job.send(signal.SIGINT)
    return scene.found(job, struck)


# --- deaths and hangs -----------------------------------------------------------------------------


def _struck_process(root: Path, name: str, case: Case, number: int, rank: int) -> Found:
    scene = Scene(root, name, case)
    job = scene.start("--cfg-options", f"dist_params.timeout={TIMEOUT}")
    scene.wait_for_line(3)
    struck = time.monotonic()
    job.send(number, rank)
    try:
        end = time.monotonic() + PATIENCE
        while not job.statuses.keys() - {rank} and time.monotonic() < end:
            job.poll()
            time.sleep(0.01)
        seconds = time.monotonic() - struck
    finally:
        job.send(signal.SIGKILL, rank)  # who was stopped is still there
    found = scene.found(job, struck)
    found.seconds = seconds
    return found


def process_killed(root: Path) -> Found:
    """process 1 of 2 killed (SIGKILL)"""
    return _struck_process(root, "killed 1", TWO, signal.SIGKILL, 1)


def main_process_killed(root: Path) -> Found:
    """process 0 of 2 killed (SIGKILL)"""
    return _struck_process(root, "killed 0", TWO, signal.SIGKILL, 0)


def process_stopped(root: Path) -> Found:
    """process 1 of 2 stopped (SIGSTOP), dist_params.timeout=3"""
    return _struck_process(root, "stopped 1", TWO, signal.SIGSTOP, 1)


def main_process_stopped(root: Path) -> Found:
    """process 0 of 2 stopped (SIGSTOP), dist_params.timeout=3"""
    return _struck_process(root, "stopped 0", TWO, signal.SIGSTOP, 0)


def _killed_on_the_way(root: Path, name: str, rank: int) -> Found:
    scene = Scene(root, name, TWO)

    def prepare(own: int) -> None:
        if own == rank:
            os.kill(os.getpid(), signal.SIGKILL)

    struck = time.monotonic()
    job = scene.start("--cfg-options", f"dist_params.join={TIMEOUT}", prepare=prepare)
    return scene.found(job, struck)


def killed_before_the_meeting(root: Path) -> Found:
    """process 1 of 2 killed before it comes, dist_params.join=3 (seconds: with the start)"""
    return _killed_on_the_way(root, "on the way 1", 1)


def main_process_killed_before_the_meeting(root: Path) -> Found:
    """process 0 of 2 killed before it comes, dist_params.join=3 (seconds: with the start)"""
    return _killed_on_the_way(root, "on the way 0", 0)


def worker_killed(root: Path) -> Found:
    """a data worker killed (SIGKILL)"""
    scene = Scene(root, "worker killed", WORKERS)
    job = scene.start()
    scene.wait_for_line(3)
    struck = time.monotonic()
    os.kill(_children(job.pids[0])[0], signal.SIGKILL)
    return scene.found(job, struck)


def worker_stopped(root: Path) -> Found:
    """a data worker stopped (SIGSTOP), dist_params.stall=6"""
    scene = Scene(root, "worker stopped", WORKERS)
    job = scene.start("--cfg-options", f"dist_params.stall={STALL}")
    scene.wait_for_line(3)
    struck = time.monotonic()
    child = _children(job.pids[0])[0]
    os.kill(child, signal.SIGSTOP)
    try:
        job.wait(PATIENCE)
    finally:
        os.kill(child, signal.SIGKILL)
    return scene.found(job, struck)


def started_differently(root: Path) -> Found:
    """two processes with different configs"""
    scene = Scene(root, "different", TWO)

    def other(rank: int) -> None:
        if rank == 1:
            sys.argv += ["--cfg-options", "optimizer.lr=0.04"]

    struck = time.monotonic()
    return scene.found(scene.start(prepare=other), struck, again=False)


# --- writing --------------------------------------------------------------------------------------


def _failing_fsync(first: int, last: int, number: int) -> Callable[[int], None]:
    """Return what makes calls of ``os.fsync`` fail, from one to another."""

    def prepare(rank: int) -> None:
        from pyskl.checkpoints import writer

        writer.RETRY_AFTER, writer.PATIENCE = 0.2, 1.0
        original, calls = os.fsync, [0]

        def failing(descriptor: int) -> None:
            calls[0] += 1
            if first <= calls[0] <= last:
                raise OSError(number, os.strerror(number))
            original(descriptor)

        os.fsync = failing  # type: ignore[assignment]

    return prepare


def disk_error_for_a_while(root: Path) -> Found:
    """EIO in writing for a while"""
    scene = Scene(root, "eio for a while", ALONE)
    struck = time.monotonic()
    job = scene.start(prepare=_failing_fsync(4, 12, errno.EIO))
    found = scene.found(job, struck)
    # One that could not be written gave way to the next, so other epochs' may be kept.
    found.end = "; ".join(differences(scene.whole(), scene.work, same_files=False))
    found.end = found.end or "the same bits"
    return found


def disk_error_to_the_end(root: Path) -> Found:
    """EIO in writing, to the end"""
    scene = Scene(root, "eio to the end", ALONE)
    struck = time.monotonic()
    job = scene.start(prepare=_failing_fsync(8, 10**9, errno.EIO))
    return scene.found(job, struck)


@contextmanager
def _small_disk(folder: Path, kilobytes: int) -> Iterator[bool]:
    """Mount a small file system of its own on a folder, where this process may do that."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    mounted = (
        shutil.which("mount") is not None
        and not subprocess.run(["mount", *options], capture_output=True, check=False).returncode
    )
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)


def _hasty(rank: int) -> None:
    from pyskl.checkpoints import writer

    writer.RETRY_AFTER, writer.PATIENCE = 0.2, 1.0


def disk_full(root: Path) -> Found:
    """the disk is full (a small tmpfs) from epoch 2 on; freed before the next start"""
    scene = Scene(root, "full", ALONE)
    with _small_disk(scene.work, 1024) as mounted:
        if not mounted:
            return Found("-", 0, "not tried: no right to mount a tmpfs", "-")
        job = scene.start(prepare=_hasty)
        scene.wait_for_line(1, "val")
        struck = time.monotonic()
        filler = scene.work / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1024))
            except OSError:
                pass
        job.wait(PATIENCE)
        kept = sorted(path.name for path in scene.work.glob("epoch_*.pth"))
        filler.unlink()
        found = scene.found(job, struck)
        found.end += f" (kept: {', '.join(kept)})"
        return found


def _give_up_capabilities() -> None:
    """Let the permissions of files hold for this process even if it is root's."""
    version = 0x20080522  # _LINUX_CAPABILITY_VERSION_3, for the process itself (0)
    nothing = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice
    ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(version, 0), nothing)


def read_only(root: Path) -> Found:
    """the folder is read-only from epoch 2 on; writable before the next start"""
    scene = Scene(root, "read-only", ALONE)

    def without_privileges(rank: int) -> None:
        _hasty(rank)
        _give_up_capabilities()

    job = scene.start(prepare=without_privileges)
    scene.wait_for_line(1, "val")
    scene.work.chmod(0o555)
    struck = time.monotonic()
    job.wait(PATIENCE)
    scene.work.chmod(0o755)
    kept = sorted(path.name for path in scene.work.glob("epoch_*.pth"))
    found = scene.found(job, struck)
    found.end += f" (kept: {', '.join(kept)})"
    return found


# --- starting again -------------------------------------------------------------------------------

_DOOMED = """
import os, runpy, sys
sys.path[:0] = [{here!r}, {tools!r}]
if os.environ["RANK"] == "1" and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
    from dooms import DOOMS
    DOOMS["in a step"](9)
runpy.run_path({train!r}, run_name="__main__")
"""


def _started_again(root: Path, name: str, command: list[str], **environment: str) -> Found:
    scene = Scene(root, name, TWO)
    script = scene.folder / "doomed.py"
    script.write_text(_DOOMED.format(here=str(HERE), tools=str(TRAIN.parent), train=str(TRAIN)))
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, *command, str(script), *TWO.arguments()]
        + (["--launcher", "pytorch"] if "torch" in name else []),
        cwd=scene.folder,
        env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    seconds = time.monotonic() - begin
    end = "the run did not come to its end"
    if done.returncode == 0:
        end = "; ".join(differences(scene.whole(), scene.work)) or "the same bits"
    told = [line for line in done.stderr.splitlines() if line.startswith(("error", "starting"))]
    return Found(str(done.returncode), seconds, "; ".join(told), end)


def launcher_starts_again(root: Path) -> Found:
    """process 1 of 2 killed, MAX_RESTARTS=1 of tools/launch.py (seconds: of the whole)"""
    launch = str(TRAIN.with_name("launch.py"))
    return _started_again(root, "launcher", [launch, "2"], MAX_RESTARTS="1")


def torchrun_starts_again(root: Path) -> Found:
    """process 1 of 2 killed, torchrun --max-restarts=1 (seconds: of the whole)"""
    options = ["--standalone", "--nproc_per_node=2", "--max-restarts=1"]
    return _started_again(root, "torchrun", ["-m", "torch.distributed.run", *options])


# --- others ---------------------------------------------------------------------------------------


def saving_more_often(root: Path) -> Found:
    """nothing, but checkpoints every 4 iterations instead of every epoch (2 processes)"""
    weights = []
    for case in (TWO, Case(2, None, 0, False)):
        whole = Scene(root, f"saving {case.name()}", case).whole()
        weights.append(torch.load(whole / "latest.pth", weights_only=True)["state_dict"])
    other = [name for name, value in weights[0].items() if not torch.equal(weights[1][name], value)]
    return Found("0, 0", 0.0, "", "; ".join(other) or "the same bits")


def clock_set_back(root: Path) -> Found:
    """killed, and the clock set back by a day before it is started again"""
    scene = Scene(root, "clock", ALONE)
    job = scene.start()
    scene.wait_for_line(3)
    struck = time.monotonic()
    job.send(signal.SIGKILL)
    job.wait(PATIENCE)
    seconds = time.monotonic() - struck

    def yesterday(rank: int) -> None:
        now, as_text = time.time, time.strftime
        time.time = lambda: now() - 86400  # type: ignore[assignment]
        time.strftime = lambda form, *_: as_text(form, time.localtime(time.time()))

    job = scene.start(prepare=yesterday, slow=0)
    job.wait(PATIENCE)
    end = "; ".join(differences(scene.whole(), scene.work)) or "the same bits"
    return Found("-9", seconds, "", end)


def _other_number(root: Path, first: Case, second: Case) -> Found:
    scene = Scene(root, f"{first.processes} to {second.processes}", first)
    job = scene.start()
    scene.wait_for_line(3)
    struck = time.monotonic()
    job.send(signal.SIGTERM)
    job.wait(PATIENCE)
    seconds = time.monotonic() - struck
    scene.case = second
    job = scene.start(slow=0)
    job.wait(PATIENCE)
    text = (scene.folder / "output_0.txt").read_text()
    message = next((line for line in text.splitlines() if "no longer" in line), "")
    accuracy = [float(one) for one in re.findall(r"last weights: top1_acc ([\d.]+)", text)]
    statuses = ", ".join(map(str, job.statuses.values()))
    return Found(statuses, seconds, message.partition("WARNING - ")[2], f"top-1 {accuracy[-1]}")


def two_to_one(root: Path) -> Found:
    """stopped with 2 processes, goes on with 1"""
    return _other_number(root, TWO, ALONE)


def one_to_two(root: Path) -> Found:
    """stopped with 1 process, goes on with 2"""
    return _other_number(root, ALONE, TWO)


SCENARIOS: list[Callable[[Path], Found]] = [
    sigterm,
    sigusr1_to_one_of_two,
    ctrl_c_to_two,
    sigterm_in_validation,
    sigterm_to_everything,
    ctrl_c_twice,
    process_killed,
    main_process_killed,
    process_stopped,
    main_process_stopped,
    killed_before_the_meeting,
    main_process_killed_before_the_meeting,
    worker_killed,
    worker_stopped,
    started_differently,
    disk_error_for_a_while,
    disk_error_to_the_end,
    disk_full,
    read_only,
    launcher_starts_again,
    torchrun_starts_again,
    saving_more_often,
    clock_set_back,
    two_to_one,
    one_to_two,
]


def main() -> int:
    """Go through the scenarios; return 1 if one did not end as it should."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", default=[], help="names of scenarios")
    parser.add_argument("--report", type=Path, help="add the table to this file")
    args = parser.parse_args()
    torch.optim.SGD([torch.zeros(1)], lr=1)  # the first optimizer imports a good deal more of torch
    rows, bad = [], 0
    with tempfile.TemporaryDirectory(prefix="faults") as scratch:
        root = Path(scratch)
        _write_tiny_annotations(root / "tiny.pkl", _tiny_samples())
        for scenario in SCENARIOS:
            if args.only and scenario.__name__ not in args.only:
                continue
            try:
                one = scenario(root)
            except (RuntimeError, OSError, LookupError, ValueError) as error:
                one = Found("?", 0.0, repr(error), "FAILED")
            bad += not re.match(r"the same bits|-$|top-1", one.end)
            rows.append(
                f"| {scenario.__doc__} | {one.statuses} | {one.seconds:.1f} | {one.message} | "
                f"{one.end} |"
            )
            sys.stdout.write(rows[-1] + "\n")
            sys.stdout.flush()
    if args.report:
        with args.report.open("a", encoding="utf-8") as file:
            file.write("\n".join(rows) + "\n")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
