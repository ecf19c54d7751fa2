"""The figures of a resumed run, read as a whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyskl.logging.log_history import drop_later_lines

PER_EPOCH, INTERVAL, EPOCHS = 6, 4, 4


def _run(first_iteration: int, last_iteration: int) -> list[dict[str, Any]]:
    """Return the lines of a run from one iteration to another, as the trainer writes them.

    Validation comes with an epoch's end, and again where a run starts at one.
    """
    lines: list[dict[str, Any]] = [{"env": {}, "seed": 1}]
    for iteration in range(max(1, first_iteration), last_iteration + 1):
        epoch, step = divmod(iteration - 1, PER_EPOCH)
        started_here = iteration == first_iteration
        due = (step + 1) % INTERVAL == 0 or step + 1 == PER_EPOCH
        if due and not started_here:
            lines.append({"mode": "train", "epoch": epoch + 1, "iter": step + 1, "loss": 1.0})
        if step + 1 == PER_EPOCH:
            lines.append({"mode": "val", "epoch": epoch + 1, "iter": 2, "top1_acc": 0.5})
    if last_iteration == PER_EPOCH * EPOCHS:
        lines.append({"mode": "test", "weights": "last", "top1_acc": 0.5})
    return lines


def _figures(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if "mode" in line]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    kills=st.lists(st.tuples(st.integers(0, PER_EPOCH * EPOCHS), st.integers(0, 30)), max_size=4),
    cut=st.integers(0, 20),
)
def test_every_line_is_there_once_whatever_was_interrupted(
    tmp_path: Path, kills: list[tuple[int, int]], cut: int
) -> None:
    path = tmp_path / "run.log.json"
    path.write_text("")
    saved = 0
    for died_at, lost in [*kills, (PER_EPOCH * EPOCHS, 0)]:
        died_at = max(died_at, saved)
        drop_later_lines(path, iteration=saved, per_epoch=PER_EPOCH)
        with path.open("a") as file:
            for line in _run(saved, died_at):
                file.write(json.dumps(line) + "\n")
            if died_at < PER_EPOCH * EPOCHS:
                file.write(json.dumps({"mode": "train", "epoch": 1})[:cut])
        saved = max(saved, died_at - lost)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert _figures(lines) == _figures(_run(0, PER_EPOCH * EPOCHS))


def test_a_file_without_later_lines_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "run.log.json"
    path.write_text("".join(json.dumps(line) + "\n" for line in _run(0, 10)))
    before = path.stat().st_mtime_ns
    drop_later_lines(path, iteration=11, per_epoch=PER_EPOCH)
    assert path.stat().st_mtime_ns == before
