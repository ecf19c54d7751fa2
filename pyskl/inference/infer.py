"""Recognise files: from their sequences to lines of JSON.

========================= =====================================================================
key of a line             meaning
========================= =====================================================================
``name``, ``source``      id of the sequence, and the file it is in (``-``: standard input)
``frames``, ``fps``       its length, and its frames per second if known
``topk``                  the best classes: ``[{"class": 3, "label": "clap", "score": 0.93}, ...]``
``truth``                 the label in the annotation file
``segments``              of untrimmed sequences: one after the other, ``class`` null is background
``windows``               with ``--per-window``: the scores of each window
``start``, ``end``        first frame of a segment or window, and the frame after its last
``start_s``, ``end_s``    the same in seconds, if the frames per second are known
``error``                 what is wrong with the input; such a line has no results
========================= =====================================================================
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import IO, Any

import numpy as np

from pyskl.errors import InputError, WriteError
from pyskl.files.atomic import replace_with
from pyskl.inference.ensemble import Ensemble
from pyskl.inference.sources import InputSequence, ReadSettings, read_sequences
from pyskl.inference.windows import WindowSettings, find_segments, window_starts
from pyskl.runtime.recognizer import complete_sample, top_classes

Line = dict[str, Any]

# Failures that the final error lists; further ones are only counted.
_MAX_LISTED = 10


@dataclass(frozen=True)
class InferSettings:
    """Options for recognising sequences.

    Attributes:
        topk: Number of classes.
        batch: Number of samples or windows in a batch.
        windows: How to cut up untrimmed sequences; None scores each sequence as a whole.
        per_window: Write the scores of each window, too.
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
                raise InputError("below 1", key=f"--{name}", found=getattr(self, name))


@dataclass
class InferReport:
    """The outcome of :func:`infer_files`.

    Attributes:
        count: Number of sequences.
        failures: Name and error of those that could not be recognised.
    """

    count: int = 0
    failures: list[str] = field(default_factory=list)

    def raise_if_failed(self) -> None:
        """Raise an :class:`InputError` that lists the failures, if there are any."""
        if not self.count:
            raise InputError("there is nothing to recognise")
        if self.failures:
            listed = self.failures[:_MAX_LISTED]
            if len(self.failures) > _MAX_LISTED:
                listed.append(f"... and {len(self.failures) - _MAX_LISTED} more")
            raise InputError(
                f"{len(self.failures)} of {self.count} inputs could not be recognised:",
                errors=[InputError(text) for text in listed],
            )


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
        files: See :func:`pyskl.inference.sources.read_sequences`.
        ensemble: What scores the sequences.
        settings: What to write about each.
        reading: How to read files; by default with the layout of the model.
        write: Called with each line, including those of inputs that can't be recognised.
        stdin: Standard input.

    Raises:
        InputError: with ``settings.strict``, at the first input that can't be recognised.
    """
    settings = settings or InferSettings()
    reading = reading or ReadSettings(ensemble.layout)
    report = InferReport()
    for line in infer_sequences(read_sequences(files, reading, stdin), ensemble, settings):
        report.count += 1
        if "error" in line:
            report.failures.append(f"{line['name']}: {line['error']}")
            if settings.strict:
                raise InputError(report.failures[0])
        write(line)
    return report


def infer_sequences(
    sequences: Iterable[InputSequence], ensemble: Ensemble, settings: InferSettings
) -> Iterator[Line]:
    """Yield the line of each sequence, in order. A batch may hold several sequences."""
    scored = ensemble.score_in_batches(_jobs(sequences, settings.windows), settings.batch)
    for job, group in groupby(scored, key=lambda pair: pair[0]):
        yield _line(job, [found for _, found in group], ensemble, settings)


@dataclass(eq=False)
class _Job:
    """A sequence and its windows; ``starts`` is empty if it is not cut."""

    sequence: InputSequence
    error: InputError | None = None
    starts: list[int] = field(default_factory=list)
    window: int = 0
    total: int = 0
    min_length: int = 1


def _jobs(
    sequences: Iterable[InputSequence], windows: WindowSettings | None
) -> Iterator[tuple[_Job, Mapping[str, Any] | None]]:
    """Yield the samples to score, each with its job; None for windows without persons and
    errors."""
    for sequence in sequences:
        job = _Job(sequence, sequence.error)
        if job.error is not None or windows is None:
            yield job, None if job.error else sequence.sample
            continue
        try:
            whole = complete_sample(sequence.sample)
            window, stride, job.min_length = windows.in_frames(sequence.fps)
        except InputError as error:
            job.error = error
            yield job, None
            continue
        job.total = int(whole["total_frames"])
        job.window = min(window, job.total)
        job.starts = window_starts(job.total, job.window, stride)
        for start in job.starts:
            part = _cut(whole, start, start + job.window)
            yield job, part if part["keypoint"].any() else None


def _cut(sample: Mapping[str, Any], start: int, end: int) -> dict[str, Any]:
    """Return some frames of a sample as a sample."""
    arrays = {key: sample[key] for key in ("keypoint", "keypoint_score") if key in sample}
    parts = {key: array[:, start:end] for key, array in arrays.items()}
    return {**sample, **parts, "total_frames": parts["keypoint"].shape[1]}


def _line(
    job: _Job,
    found: list[np.ndarray | InputError | None],
    ensemble: Ensemble,
    settings: InferSettings,
) -> Line:
    sequence = job.sequence
    line: Line = {"name": sequence.name, "source": sequence.source}
    errors = [job.error, *(one for one in found if isinstance(one, InputError))]
    error = next((one for one in errors if one is not None), None)
    if error is not None:
        return {**line, "error": str(error)}
    line["frames"] = int(np.shape(sequence.sample["keypoint"])[1])
    if sequence.fps is not None:
        line["fps"] = sequence.fps
    if sequence.truth is not None:
        line["truth"] = sequence.truth
    zeros = np.zeros(ensemble.num_classes)
    scores = np.stack([one if isinstance(one, np.ndarray) else zeros for one in found])
    if settings.windows is None:
        return {**line, "topk": topk_entries(ensemble, scores[0], settings.topk)}
    segments = find_segments(
        scores,
        job.starts,
        job.window,
        job.total,
        smooth=settings.windows.smooth,
        threshold=settings.windows.threshold,
        min_length=job.min_length,
    )
    line["segments"] = []
    for segment in segments:
        entry = {"class": None, "label": "background", "score": None}
        if segment.label is not None:
            entry = _class_entry(ensemble, segment.label, segment.score or 0.0)
        line["segments"].append({**frame_range(segment.start, segment.end, sequence.fps), **entry})
    if settings.per_window:
        line["windows"] = [
            {
                **frame_range(start, start + job.window, sequence.fps),
                "topk": topk_entries(ensemble, row, settings.topk) if row.any() else [],
            }
            for start, row in zip(job.starts, scores)
        ]
    return line


# --- lines ----------------------------------------------------------------------------------------


def topk_entries(ensemble: Ensemble, scores: np.ndarray, topk: int) -> list[Line]:
    """Return the ``topk`` best classes of scores (L,), best first."""
    return [_class_entry(ensemble, *pair) for pair in top_classes(scores, topk)]


def frame_range(start: int, end: int, fps: float | None) -> Line:
    """Return a range of frames, also in seconds if the frames per second are known."""
    line: Line = {"start": start, "end": end}
    if fps is not None:
        line.update(start_s=_round(start / fps), end_s=_round(end / fps))
    return line


def write_line(line: Mapping[str, Any], stream: IO[str]) -> None:
    """Write a line, escaping what the encoding of the stream lacks, and flush it."""
    text = json.dumps(line, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:  # a file name that is not valid text, or a stream that is not UTF-8
        text = json.dumps(line, allow_nan=False)
    stream.write(text + "\n")
    stream.flush()


def write_lines(
    path: str | Path, run: Callable[[Callable[[Line], None]], InferReport]
) -> InferReport:
    """Write lines to a file that appears only once it is complete.

    Args:
        path: The file.
        run: Is called with the function that writes a line; its result is returned.

    Raises:
        WriteError: if the file can't be written.
    """
    reports: list[InferReport] = []

    def write(partial: Path) -> None:
        with partial.open("w", encoding="utf-8") as stream:
            reports.append(run(lambda line: write_line(line, stream)))

    try:
        replace_with(Path(path), write)
    except OSError as error:
        raise WriteError(f"it can't be written ({error})", file=path) from error
    return reports[0]


def _class_entry(ensemble: Ensemble, label: int, score: float) -> Line:
    return {"class": label, "label": ensemble.label_name(label), "score": _round(score)}


def _round(number: float) -> float:
    """Round to six significant digits, as many as a float32 has."""
    return float(f"{number:.6g}")
