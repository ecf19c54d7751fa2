"""What a work dir says of its run, in words for a report."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pyskl.apis.test_data import TestData
from pyskl.evaluation.scores_file import ScoreFile
from pyskl.reports.runs import Run


def environment_of(run: Run) -> Mapping[str, Any]:
    """Return what the log says of machine and software; empty where it does not."""
    env = run.head.get("env")
    return env if isinstance(env, Mapping) else {}


def epochs_in_words(run: Run) -> str:
    """Return how far a run is."""
    return f"{run.epochs} of {run.total_epochs or '?'} epochs"


def about_run(run: Run) -> Iterator[tuple[str, str]]:
    """Yield names and values of what is known of a run."""
    yield "work dir", plain(str(run.work_dir))
    env = environment_of(run)
    if "command" in env:
        yield "started with", plain(f"python {env['command']}")
    if run.seed is not None:
        yield "seed", str(run.seed)
    if run.processes is not None:
        device = run.head.get("device")
        yield "processes", f"{run.processes}" + (plain(f" ({device})") if device else "")
    software = [f"{name} {env[name]}" for name in ("pyskl", "torch", "python") if name in env]
    if software:
        yield "software", plain(", ".join(software))
    if "git" in env:
        yield "revision", plain(str(env["git"]))


def about_scores(
    file: ScoreFile, data: TestData, checkpoint: Path | None
) -> Iterator[tuple[str, str]]:
    """Yield likewise what scores are of."""
    yield "test data", plain(data.where)
    yield "samples", f"{len(data.labels)}, of {file.scores.shape[1]} classes"
    yield "scores", plain(str(file.path))
    if checkpoint is not None:
        yield "checkpoint", plain(str(checkpoint))
    if file.origin is not None and file.origin.num_clips is not None:
        yield "clips of a sample", str(file.origin.num_clips)
    if file.note is not None:
        yield "note", plain(file.note)


def config_text_of(run: Run) -> str:
    """Return the dumped config, else the one in the log, else nothing."""
    if run.config_file is not None:
        return run.config_file.read_text(encoding="utf-8", errors="replace")
    text = run.head.get("config")
    return text if isinstance(text, str) else ""


def plain(text: str, keep: str = "") -> str:
    """Return text with a mark in place of what pages and SVG files can't hold.

    These are control characters, unless in ``keep``, and the halves of surrogates that names of
    files may have.
    """
    return "".join(one if one in keep or _is_text(one) else "\ufffd" for one in text)


def _is_text(letter: str) -> bool:
    return unicodedata.category(letter) not in ("Cc", "Cs") and letter not in "\ufffe\uffff"
