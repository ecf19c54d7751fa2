"""Kill training runs with SIGKILL at random moments, and hold that they end as if nothing was.

    python tests/reliability/kill_matrix.py [--kills 72] [--seed 0] [--seconds 270] [--out FILE]

Goes through all combinations of one and two processes, mixed precision on and off, 0 and 2 data
workers, checkpoints by epoch and by iteration. Each combination is run undisturbed once; then it is
killed several times in a row, each time going on by the same command, and once more to its end.
Half of the kills come at a random time from outside, to all processes or to one of them; half
strike a chosen moment: see dooms.py. The two work dirs have to be the same, see comparison.py.

Results are added to ``--out`` as lines of JSON; what is there already is not done again, so that
the matrix can be run in pieces. ``--report FILE`` writes what was found as Markdown.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["CUDA_VISIBLE_DEVICES"] = ""
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import torch  # noqa: E402
from comparison import differences  # noqa: E402
from conftest import _tiny_config, _tiny_samples, _write_tiny_annotations  # noqa: E402
from dooms import DOOMS  # noqa: E402
from jobs import Job, start  # noqa: E402

import pyskl.apis.test  # noqa: E402
import pyskl.apis.train  # noqa: E402, F401 - so that the forks find it imported

EPOCHS = 5
PATIENCE = 120.0  # seconds for a run to end, or for the others to miss one that was killed


@dataclass(frozen=True)
class Case:
    """A combination.

    Attributes:
        processes: How many.
        amp: Precision.
        workers: Data workers of each process.
        by_epoch: Whether checkpoints are written by epoch.
    """

    processes: int
    amp: str | None
    workers: int
    by_epoch: bool

    def name(self) -> str:
        """Return it in words."""
        saving = "epoch" if self.by_epoch else "iter"
        return f"{self.processes} proc, {self.amp or 'fp32'}, {self.workers} workers, by {saving}"

    def arguments(self) -> list[str]:
        """Return the command line."""
        options = ["tiny.py", "--work-dir", "work", "--validate", "--test-last", "--test-best"]
        return options + (["--amp", self.amp] if self.amp else [])

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


CASES = [
    Case(*values)
    for values in itertools.product((1, 2), (None, "bf16", "fp16"), (0, 2), (True, False))
]


@dataclass
class Outcome:
    """What came of a combination.

    Attributes:
        case: Its name.
        kills: When it was killed.
        differences: In what the end differs from the undisturbed run's.
        seconds: That it took.
        orphans: The longest that other processes went on after one was killed, in seconds.
    """

    case: str
    kills: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    seconds: float = 0.0
    orphans: float = 0.0


def run_case(case: Case, kills: int, folder: Path, ann_file: Path, rng: random.Random) -> Outcome:
    """Run a combination undisturbed, then with kills, and compare."""
    begin = time.monotonic()
    outcome = Outcome(case.name())
    for name in ("whole", "killed"):
        (folder / name).mkdir()
        case.write_config(folder / name, ann_file)
    _must_end_well(start(case.arguments(), folder / "whole", processes=case.processes), folder)
    duration = time.monotonic() - begin
    for _ in range(10 * kills):
        if len(outcome.kills) == kills:
            break
        before = folder / "before"
        shutil.rmtree(before, ignore_errors=True)
        shutil.copytree(folder / "killed", before, symlinks=True)
        how = kill_once(case, folder / "killed", duration, rng, outcome)
        if how is not None:
            outcome.kills.append(how)
        else:  # it came to its end before the kill: back to where it was
            shutil.rmtree(folder / "killed")
            before.rename(folder / "killed")
    _must_end_well(start(case.arguments(), folder / "killed", processes=case.processes), folder)
    outcome.differences = differences(folder / "whole/work", folder / "killed/work")
    outcome.seconds = time.monotonic() - begin
    return outcome


def kill_once(
    case: Case, folder: Path, duration: float, rng: random.Random, outcome: Outcome
) -> str | None:
    """Start a run and kill it; return how, or None if it ended before."""
    if rng.random() < 0.5:
        doom, call = rng.choice(list(DOOMS)), rng.randint(1, 6)
        victim = rng.randrange(case.processes)

        def prepare(rank: int) -> None:
            if rank == victim:
                DOOMS[doom](call)

        job = start(case.arguments(), folder, processes=case.processes, prepare=prepare)
        how = f"{doom} ({call})" + (f", process {victim}" if case.processes > 1 else "")
        _wait_for_first(job)
    else:
        delay = rng.uniform(0.1, 0.8) * duration
        job = start(case.arguments(), folder, processes=case.processes)
        if job.wait(delay):
            return None
        ranks = range(case.processes) if rng.random() < 0.5 else [rng.randrange(case.processes)]
        job.send(signal.SIGKILL, *ranks)
        how = f"after {delay:.2f} s, process {' and '.join(map(str, ranks))}"
    struck = time.monotonic()
    if not job.wait(PATIENCE):
        job.send(signal.SIGKILL)
        raise RuntimeError(f"{how}: the other processes did not end in {PATIENCE:.0f} s")
    outcome.orphans = max(outcome.orphans, time.monotonic() - struck)
    return how if -signal.SIGKILL in job.statuses.values() else None


def _wait_for_first(job: Job) -> None:
    end = time.monotonic() + PATIENCE
    while not job.poll() and not job.statuses and time.monotonic() < end:
        time.sleep(0.005)


def _must_end_well(job: Job, folder: Path) -> None:
    if not job.wait(PATIENCE) or set(job.statuses.values()) != {0}:
        job.send(signal.SIGKILL)
        raise RuntimeError(f"a run that was left alone ended with {job.statuses}: see {folder}")


def negative_control(folder: Path) -> None:
    """Hold that the comparison notices one bit, in a weight and in the optimizer's state."""
    other = folder / "flipped"
    for part in ("weight", "momentum"):
        shutil.rmtree(other, ignore_errors=True)
        shutil.copytree(folder / "whole/work", other, symlinks=True)
        path = (other / "latest.pth").resolve()
        content = torch.load(path, weights_only=True)
        state = content["optimizer"]["state"][0]["momentum_buffer"]
        tensor = content["state_dict"]["cls_head.fc_cls.bias"] if part == "weight" else state
        tensor.view(-1)[:1].view(torch.int32).bitwise_xor_(1)
        torch.save(content, path)
        found = differences(folder / "whole/work", other)
        if len(found) != 2 or not all("latest" in one or path.name in one for one in found):
            raise RuntimeError(f"a flipped bit of a {part} was not noticed: {found}")


def report(outcomes: list[Outcome]) -> str:
    """Return the results as Markdown."""
    kills = sum(len(outcome.kills) for outcome in outcomes)
    different = sum(bool(outcome.differences) for outcome in outcomes)
    lines = [
        f"{kills} kills in {len(outcomes)} combinations; {different} ended different from the "
        "undisturbed run.",
        "",
        "| combination | kills | when | the others ended after | the end |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.case} | {len(one.kills)} | {'; '.join(one.kills)} | "
        f"{f'{one.orphans:.1f} s' if '2 proc' in one.case else '-'} | "
        f"{'; '.join(one.differences) or 'the same bits'} |"
        for one in outcomes
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run what is asked for; return 1 if a run ended with other bits."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=3 * len(CASES), help="in all")
    parser.add_argument("--cases", type=int, default=len(CASES), help="combinations, spread out")
    parser.add_argument("--seed", type=int, default=0, help="of what is killed when")
    parser.add_argument("--seconds", type=float, default=1e9, help="start no combination after")
    parser.add_argument("--out", type=Path, help="lines of JSON, added to")
    parser.add_argument("--report", type=Path, help="write the results as Markdown")
    args = parser.parse_args()
    begin = time.monotonic()
    done = _read(args.out)
    order = list(CASES)
    random.Random(args.seed).shuffle(order)
    order = order[: args.cases]
    torch.optim.SGD([torch.zeros(1)], lr=1)  # the first optimizer imports a good deal more of torch
    with tempfile.TemporaryDirectory(prefix="kill_matrix") as scratch:
        ann_file = _write_tiny_annotations(Path(scratch) / "tiny.pkl", _tiny_samples())
        for number, case in enumerate(order):
            if case.name() in {outcome.case for outcome in done}:
                continue
            if time.monotonic() - begin > args.seconds:
                break
            folder = Path(scratch) / str(number)
            folder.mkdir()
            rng = random.Random(f"{args.seed} {case.name()}")
            outcome = run_case(case, -(-args.kills // len(order)), folder, ann_file, rng)
            negative_control(folder)
            done.append(outcome)
            sys.stdout.write(f"{json.dumps(asdict(outcome))}\n")
            if args.out:
                with args.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(outcome)) + "\n")
    if args.report:
        args.report.write_text(report(done), encoding="utf-8")
    return int(any(outcome.differences for outcome in done))


def _read(path: Path | None) -> list[Outcome]:
    if path is None or not path.exists():
        return []
    return [Outcome(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    sys.exit(main())
