"""Recognise files: from what they hold to lines of results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import IO, Any

import numpy as np

from pyskl.errors import AnnotationError, InputError
from pyskl.inference.ensemble import Ensemble
from pyskl.inference.output import Line, best, error_line, segment_line, window_lines
from pyskl.inference.scoring import score_in_batches
from pyskl.inference.sources import Item, ReadSettings, Unread, read_items
from pyskl.inference.windows import WindowSettings, find_segments, window_starts
from pyskl.runtime.sample import complete_sample

# How many failures the last message spells out before it only counts them.
_SHOWN = 10


@dataclass(frozen=True)
class InferSettings:
    """What is told of each sequence.

    Attributes:
        topk: How many classes.
        batch: How many samples, or windows, go through the networks at once.
        windows: How untrimmed sequences are cut up; None scores each sequence whole.
        per_window: Tell what each window scores, too.
        strict: Stop at the first input that can't be recognised.

    Raises:
        InputError: for a number below 1.
    """

    topk: int = 5
    batch: int = 16
    windows: WindowSettings | None = None
    per_window: bool = False
    strict: bool = False

    def __post_init__(self) -> None:
        for name in ("topk", "batch"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name} is 1 or more, found {getattr(self, name)}")


@dataclass
class InferReport:
    """How it went.

    Attributes:
        count: How many sequences there were.
        failures: Name and fault of those that could not be recognised.
    """

    count: int = 0
    failures: list[str] = field(default_factory=list)

    def raise_if_failed(self) -> None:
        """Raise an :class:`InputError` that names what could not be recognised, if anything."""
        if not self.count:
            raise InputError("there was nothing to recognise")
        if self.failures:
            more = len(self.failures) - _SHOWN
            told = [
                f"{len(self.failures)} of {self.count} inputs could not be recognised:",
                *self.failures[:_SHOWN],
                *([f"... and {more} more"] if more > 0 else []),
            ]
            raise InputError("\n  ".join(told))


def infer_files(
    files: Iterable[str | Path],
    ensemble: Ensemble,
    settings: InferSettings | None = None,
    reading: ReadSettings | None = None,
    *,
    write: Callable[[Line], None],
    stdin: IO[str] | None = None,
) -> InferReport:
    """Recognise all sequences of files, as ``tools/infer.py`` does.

    Args:
        files: See :func:`pyskl.inference.sources.read_items`.
        ensemble: What scores them.
        settings: What is told of each.
        reading: How files are read; by default as their looks say, with the layout of the model.
        write: Takes each line; see :mod:`pyskl.inference.output`. What can't be recognised has a
            line, too.
        stdin: Standard input.

    Raises:
        InputError: with ``settings.strict`` at the first input that can't be recognised.
    """
    settings = settings or InferSettings()
    reading = reading or ReadSettings(wanted=ensemble.layout)
    report = InferReport()
    for line in infer_items(read_items(files, reading, stdin), ensemble, settings):
        report.count += 1
        if "error" in line:
            named = line["error"].startswith(f"{line['name']}: ")
            report.failures.append(line["error"] if named else f"{line['name']}: {line['error']}")
            if settings.strict:
                raise InputError(report.failures[0])
        write(line)
    return report


def infer_items(
    items: Iterable[Item | Unread], ensemble: Ensemble, settings: InferSettings
) -> Iterator[Line]:
    """Yield the line of each sequence, in order."""
    jobs = _jobs(items, settings.windows)
    scored = score_in_batches(ensemble, ((job, job.sample) for job in jobs), settings.batch)
    for _, group in groupby(scored, key=lambda pair: pair[0].number):
        done = list(group)
        job = done[0][0]
        yield _line(ensemble, job, done, settings)


@dataclass(frozen=True)
class _Plan:
    """How one sequence is cut up; without windows, not at all."""

    starts: tuple[int, ...] = ()
    window: int = 0
    total: int = 0
    shortest: int = 1


@dataclass(frozen=True)
class _Job:
    """A sequence or one window of it; None for a sample has a reason, or nobody in it."""

    number: int
    item: Item | Unread
    sample: Mapping[str, Any] | None
    plan: _Plan = _Plan()
    error: InputError | None = None


def _jobs(items: Iterable[Item | Unread], windows: WindowSettings | None) -> Iterator[_Job]:
    for number, item in enumerate(items):
        if isinstance(item, Unread):
            yield _Job(number, item, None, error=item.error)
        elif windows is None:
            yield _Job(number, item, item.sample)
        else:
            try:
                plan, whole = _planned(item, windows)
            except InputError as error:
                yield _Job(number, item, None, error=error)
                continue
            for start in plan.starts:
                part = cut(whole, start, start + plan.window)
                yield _Job(number, item, part if part["keypoint"].any() else None, plan)


def _planned(item: Item, windows: WindowSettings) -> tuple[_Plan, Mapping[str, Any]]:
    whole = complete_sample(item.sample)  # what is wrong is wrong with all of it
    total = int(whole["total_frames"])
    window, stride, shortest = windows.in_frames(item.fps)
    window = min(window, total)
    return _Plan(tuple(window_starts(total, window, stride)), window, total, shortest), whole


def cut(sample: Mapping[str, Any], start: int, end: int) -> dict[str, Any]:
    """Return some frames of a sample as a sample of their own."""
    part = dict(sample)
    for key in ("keypoint", "keypoint_score"):
        if key in part:
            part[key] = part[key][:, start:end]
    part["total_frames"] = part["keypoint"].shape[1]
    return part


def _line(
    ensemble: Ensemble,
    job: _Job,
    done: list[tuple[_Job, np.ndarray | InputError | None]],
    settings: InferSettings,
) -> Line:
    item = job.item
    faults = [found for _, found in done if isinstance(found, InputError)]
    fault = job.error or (faults[0] if faults else None)
    if isinstance(item, Unread) or fault is not None:
        error = fault or AnnotationError("it could not be read")
        return error_line(item.name, item.source, error)
    rows = [np.zeros(ensemble.num_classes) if row is None else row for _, row in done]
    line: Line = {
        "name": item.name,
        "source": item.source,
        "frames": int(np.shape(item.sample["keypoint"])[1]),
    }
    if item.fps is not None:
        line["fps"] = item.fps
    if item.truth is not None:
        line["truth"] = item.truth
    if settings.windows is None:
        line["topk"] = best(ensemble, np.asarray(rows[0]), settings.topk)
        return line
    scores, plan = np.stack([np.asarray(row) for row in rows]), job.plan
    segments = find_segments(
        scores,
        plan.starts,
        plan.window,
        plan.total,
        smooth=settings.windows.smooth,
        threshold=settings.windows.threshold,
        min_length=plan.shortest,
    )
    line["segments"] = [segment_line(ensemble, segment, item.fps) for segment in segments]
    if settings.per_window:
        ends = [start + plan.window for start in plan.starts]
        line["windows"] = window_lines(ensemble, scores, plan.starts, ends, item.fps, settings.topk)
    return line
