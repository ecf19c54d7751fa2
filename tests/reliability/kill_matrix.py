"""Kill training runs at random moments, and check that they end like undisturbed runs.

    python tests/reliability/kill_matrix.py [--kills 72] [--seed 0] [--seconds 270] [--out FILE]

Covers all combinations of one and two processes, precisions, 0 and 2 data workers, checkpoints by
epoch and by iteration. Each combination runs undisturbed once; then it is killed several times in a
row, continuing with the same command, until its end. Half of the kills come at a random time from
outside, to all processes or to one; half strike a chosen point, see kill_points.py. Both work dirs
have to be equal, see runs.py.

Results are appended to ``--out`` as lines of JSON. Combinations that it contains are not repeated,
so the matrix can be run in pieces. ``--report FILE`` writes a summary as Markdown.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent))

import runs
import torch
from kill_points import KILL_POINTS
from runs import Case, Job, differences, wait_until

TIMEOUT = 120.0  # seconds for a run to end, or for the other processes to notice a kill
CASES = [
    Case(*values)
    for values in itertools.product((1, 2), (None, "bf16", "fp16"), (0, 2), (True, False))
]


@dataclass
class Outcome:
    """The result of a combination.

    Attributes:
        case: Its name.
        kills: When it was killed.
        differences: From the undisturbed run.
        seconds: Its duration.
        survivor_seconds: The longest time that the other process ran after a kill.
    """

    case: str
    kills: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    seconds: float = 0.0
    survivor_seconds: float = 0.0


def run_case(case: Case, kills: int, folder: Path, ann_file: Path, rng: random.Random) -> Outcome:
    """Run a combination undisturbed, then with kills, and compare."""
    begin = time.monotonic()
    outcome = Outcome(str(case))
    for name in ("undisturbed", "killed"):
        (folder / name).mkdir()
        case.write_config(folder / name, ann_file)
    _require_success(case.start(folder / "undisturbed"), folder)
    duration = time.monotonic() - begin
    for _ in range(10 * kills):
        if len(outcome.kills) == kills:
            break
        backup = folder / "backup"
        shutil.rmtree(backup, ignore_errors=True)
        shutil.copytree(folder / "killed", backup, symlinks=True)
        description = kill_once(case, folder / "killed", duration, rng, outcome)
        if description is not None:
            outcome.kills.append(description)
        else:  # it ended before the kill
            shutil.rmtree(folder / "killed")
            backup.rename(folder / "killed")
    _require_success(case.start(folder / "killed"), folder)
    outcome.differences = differences(folder / "undisturbed/work", folder / "killed/work")
    outcome.seconds = time.monotonic() - begin
    return outcome


def kill_once(
    case: Case, folder: Path, duration: float, rng: random.Random, outcome: Outcome
) -> str | None:
    """Start a run and kill it; return when, or None if it ended before."""
    if rng.random() < 0.5:
        point, call = rng.choice(list(KILL_POINTS)), rng.randint(1, 6)
        victim = rng.randrange(case.processes)

        def prepare(rank: int) -> None:
            if rank == victim:
                KILL_POINTS[point](call)

        job = case.start(folder, prepare=prepare)
        description = f"{point} ({call}), process {victim}"
        wait_until(lambda: job.poll() or bool(job.statuses), TIMEOUT)
    else:
        delay = rng.uniform(0.1, 0.8) * duration
        job = case.start(folder)
        if job.wait(delay):
            return None
        ranks = range(case.processes) if rng.random() < 0.5 else [rng.randrange(case.processes)]
        job.send(signal.SIGKILL, *ranks)
        description = f"after {delay:.2f} s, process {' and '.join(map(str, ranks))}"
    struck = time.monotonic()
    if not job.wait(TIMEOUT):
        job.send(signal.SIGKILL)
        raise RuntimeError(f"{description}: the other processes still run after {TIMEOUT:.0f} s")
    outcome.survivor_seconds = max(outcome.survivor_seconds, time.monotonic() - struck)
    return description if -signal.SIGKILL in job.statuses.values() else None


def _require_success(job: Job, folder: Path) -> None:
    if not job.wait(TIMEOUT) or set(job.statuses.values()) != {0}:
        job.send(signal.SIGKILL)
        raise RuntimeError(f"an undisturbed run ended with {job.statuses}: see {folder}")


def check_comparison(folder: Path) -> None:
    """Negative control: a flipped bit of a weight or of the momentum has to be found."""
    flipped = folder / "flipped"
    for part in ("weight", "momentum"):
        shutil.rmtree(flipped, ignore_errors=True)
        shutil.copytree(folder / "undisturbed/work", flipped, symlinks=True)
        path = (flipped / "latest.pth").resolve()
        content = torch.load(path, weights_only=True)
        state = content["optimizer"]["state"][0]["momentum_buffer"]
        tensor = content["state_dict"]["cls_head.fc_cls.bias"] if part == "weight" else state
        tensor.view(-1)[:1].view(torch.int32).bitwise_xor_(1)
        torch.save(content, path)
        found = differences(folder / "undisturbed/work", flipped)
        if len(found) != 2 or not all("latest" in one or path.name in one for one in found):
            raise RuntimeError(f"a flipped bit of a {part} was not found: {found}")


def summary(outcomes: list[Outcome]) -> str:
    """Return the results as Markdown."""
    kills = sum(len(outcome.kills) for outcome in outcomes)
    different = sum(bool(outcome.differences) for outcome in outcomes)
    lines = [
        f"{kills} kills in {len(outcomes)} combinations; {different} ended different from the "
        "undisturbed run."
    ]
    survivors = sorted(one.survivor_seconds for one in outcomes if one.case.startswith("2 proc"))
    if survivors:
        lines += [
            f"After the kill of one of two processes the other one ended within "
            f"{survivors[-1]:.1f} s (median over combinations: {median(survivors):.1f} s)."
        ]
    lines += [f"- {one.case}: {'; '.join(one.differences)}" for one in outcomes if one.differences]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run the matrix; return 1 if a run ended with other bits."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=3 * len(CASES), help="in all")
    parser.add_argument("--cases", type=int, default=len(CASES), help="number of combinations")
    parser.add_argument("--seed", type=int, default=0, help="of the kills")
    parser.add_argument("--seconds", type=float, default=1e9, help="start no combination after")
    parser.add_argument("--out", type=Path, help="lines of JSON, appended to")
    parser.add_argument("--report", type=Path, help="write a summary as Markdown")
    args = parser.parse_args()
    begin = time.monotonic()
    outcomes = []
    if args.out and args.out.exists():
        lines = args.out.read_text(encoding="utf-8").splitlines()
        outcomes = [Outcome(**json.loads(line)) for line in lines]
    cases = list(CASES)
    random.Random(args.seed).shuffle(cases)
    cases = cases[: args.cases]
    done = {outcome.case for outcome in outcomes}
    with tempfile.TemporaryDirectory(prefix="kill_matrix") as scratch:
        ann_file = runs.prepare_data(Path(scratch))
        for number, case in enumerate(cases):
            if str(case) in done or time.monotonic() - begin > args.seconds:
                continue
            folder = Path(scratch) / str(number)
            folder.mkdir()
            rng = random.Random(f"{args.seed} {case}")
            outcome = run_case(case, -(-args.kills // len(cases)), folder, ann_file, rng)
            check_comparison(folder)
            outcomes.append(outcome)
            line = json.dumps(asdict(outcome)) + "\n"
            sys.stdout.write(line)
            if args.out:
                with args.out.open("a", encoding="utf-8") as file:
                    file.write(line)
    if args.report:
        args.report.write_text(summary(outcomes), encoding="utf-8")
    return int(any(outcome.differences for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
