"""Fuse the score files of several streams, and measure what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.apis.test_data import TestData, open_test_data
from pyskl.errors import InputError
from pyskl.evaluation.evaluate import evaluate
from pyskl.evaluation.fusion import (
    STREAMS,
    check_weights,
    family_weights,
    fuse,
    search_weights,
    stratified_halves,
    stream_of,
)
from pyskl.evaluation.results import check_score_file, dump_scores
from pyskl.evaluation.score_origin import ScoreOrigin, digest_of_ids
from pyskl.evaluation.scores_file import ScoreFile, read_scores
from pyskl.logging.log import get_logger, setup_logging
from pyskl.reports.report_file import refuse_overwriting
from pyskl.text_table import text_table


@dataclass(frozen=True)
class FusedRow:
    """Figures of a stream, or of several with their weights.

    Attributes:
        name: The stream in words, or ``'fused'``.
        file: The score file; None for a fusion.
        weights: Of each file.
        figures: See :func:`pyskl.evaluation.evaluate.evaluate`.
    """

    name: str
    file: str | None
    weights: list[float]
    figures: dict[str, float]


@dataclass(frozen=True)
class FusionReport:
    """What was fused, and how good it is.

    Attributes:
        data: The data set in words.
        samples: How many samples the figures are of.
        tuned_on: How many other samples the weights were searched on; 0 where they were given.
        seed: Of the halves, where there are any.
        weights: The weights that were chosen.
        rows: The streams, then the fusions; the last one is of the chosen weights.
    """

    data: str
    samples: int
    tuned_on: int
    seed: int
    weights: list[float]
    rows: list[FusedRow]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return asdict(self)

    def text(self) -> str:
        """Return a table for people."""
        names = list(self.rows[0].figures)
        lines = [["", "weights", *names]]
        for row in self.rows:
            weights = " : ".join(f"{weight:g}" for weight in row.weights)
            lines.append([row.name, weights, *(f"{row.figures[name]:.4f}" for name in names)])
        head = f"{self.data}: {self.samples} samples"
        if self.tuned_on:
            head += (
                f" that the weights were not searched on (on {self.tuned_on} others; "
                f"seed {self.seed})"
            )
        return f"{head}\n{text_table(lines, left=2)}"


def fuse_files(
    source: str | Path,
    scores: Sequence[str | Path],
    *,
    weights: Sequence[float] | None = None,
    search: bool = False,
    seed: int = 0,
    out: str | Path | None = None,
    split: str | None = None,
    cfg_options: Sequence[str] = (),
    trusted: bool = False,
) -> FusionReport:
    """Do what ``tools/fuse.py`` does.

    Args:
        source: A config, whose ``data.test`` the scores are of, or an annotation file.
        scores: Score files, two or more.
        weights: One for each; by default the family's for the streams that the names tell of.
        search: Search for the weights on one half of the samples and measure on the other.
        seed: Of the halves.
        out: Where to write the fused scores of all samples.
        split: The split, where ``source`` leaves that open.
        cfg_options: ``key=value`` overrides of the config.
        trusted: Load files with plain pickle, which runs what they say.

    Raises:
        InputError: for files that don't belong together, or weights that have to be given.
    """
    setup_logging()
    paths = [Path(path) for path in scores]
    if out is not None:
        refuse_overwriting(check_score_file(out), [source, *paths])
    _check_several(paths)
    if search and weights is not None:
        raise InputError("--weights says the weights that --search would look for: give one")
    files = [read_scores(path, trusted=trusted) for path in paths]
    streams = [stream_of(path) for path in paths]
    start = _start_weights(paths, streams, weights, search=search)
    for file in files:
        if file.note is not None:
            get_logger().warning("%s", file.note)
    data = open_test_data(
        source,
        split=split,
        cfg_options=cfg_options,
        trusted=trusted,
        origins=[file.origin for file in files if file.origin is not None],
    )
    _check_together(files, data)
    report = _measured(files, streams, data, start, search=search, seed=seed)
    if out is not None:
        fused = fuse([file.scores for file in files], report.weights).astype(np.float32)
        dump_scores(fused, out, _origin(files, data, report.weights))
        get_logger().info("fused scores of all %d samples written to %s", len(fused), out)
        if search:
            get_logger().warning(
                "%s holds the samples that the weights were searched on, too: what is measured on "
                "all of them is a little too good",
                out,
            )
    return report


def _check_several(paths: Sequence[Path]) -> None:
    if len(paths) < 2:
        raise InputError(f"a fusion takes two score files or more, found {len(paths)}")
    seen: dict[Path, Path] = {}
    for path in paths:
        other = seen.setdefault(path.resolve(), path)
        if other is not path:
            raise InputError(f"{path} is given twice")


def _start_weights(
    paths: Sequence[Path],
    streams: Sequence[str | None],
    weights: Sequence[float] | None,
    *,
    search: bool,
) -> list[float]:
    """Return the weights to take, or those that a search starts from."""
    if weights is not None:
        check_weights(weights, len(paths))
        return [float(weight) for weight in weights]
    found = family_weights(streams)
    if found is not None:
        return found
    if search:
        return [1.0] * len(paths)
    told = "; ".join(
        f"{path}: {STREAMS[stream] if stream else 'unknown'}"
        for path, stream in zip(paths, streams)
    )
    raise InputError(
        "the names of the files tell of no weights: give --weights, one for each file. Weights are "
        "known for j with b (1 : 1) and for j, b, jm and bm (2 : 2 : 1 : 1), by a part of the "
        f"file's name or else of its folder's; here the streams are {told}"
    )


def _check_together(files: Sequence[ScoreFile], data: TestData) -> None:
    """Check that all scores are of the same samples and classes."""
    first = files[0]
    for file in files:
        if file.scores.shape != first.scores.shape:
            raise InputError(
                f"{first.path} has scores of {len(first.scores)} samples and "
                f"{first.scores.shape[1]} classes, {file.path} of {len(file.scores)} and "
                f"{file.scores.shape[1]}: they are not of the same data set"
            )
    for file in files:
        data.check_scores(file)
    kinds = [file.are_probabilities() for file in files]
    if len(set(kinds)) > 1:
        get_logger().warning(
            "%s holds probabilities, %s does not (logits, from --average-clips score?): a weight "
            "does not mean the same for both",
            files[kinds.index(True)].path,
            files[kinds.index(False)].path,
        )


def _measured(
    files: Sequence[ScoreFile],
    streams: Sequence[str | None],
    data: TestData,
    start: Sequence[float],
    *,
    search: bool,
    seed: int,
) -> FusionReport:
    tables = [file.scores for file in files]
    labels = data.labels
    chosen, tuned_on = list(start), 0
    if search:
        if labels.ndim > 1:
            raise InputError("--search takes samples of one label each")
        tuning, rest = stratified_halves(labels, seed)
        if not len(rest):
            raise InputError(f"--search takes two samples or more, found {len(labels)}")
        chosen = search_weights([table[tuning] for table in tables], labels[tuning], start)
        tables, labels, tuned_on = [table[rest] for table in tables], labels[rest], len(tuning)
    metrics = ["top_k_accuracy", "mean_class_accuracy"]
    if labels.ndim > 1:
        metrics = ["mean_average_precision"]
    rows = []
    for index, (file, stream) in enumerate(zip(files, streams)):
        name = STREAMS[stream] if stream is not None else str(file.path)
        alone = [float(index == other) for other in range(len(files))]
        rows.append(FusedRow(name, str(file.path), alone, evaluate(tables[index], labels, metrics)))
    if search:
        figures = evaluate(fuse(tables, start), labels, metrics)
        rows.append(FusedRow("fused, not searched", None, list(start), figures))
    name = "fused, searched" if search else "fused"
    figures = evaluate(fuse(tables, chosen), labels, metrics)
    rows.append(FusedRow(name, None, chosen, figures))
    return FusionReport(data.where, len(labels), tuned_on, seed, chosen, rows)


def _origin(files: Sequence[ScoreFile], data: TestData, weights: Sequence[float]) -> ScoreOrigin:
    parts = [
        {
            "file": str(file.path),
            "weight": weight,
            "checkpoint": file.origin.checkpoint if file.origin is not None else None,
        }
        for file, weight in zip(files, weights)
    ]
    return ScoreOrigin(
        samples=len(data.labels),
        classes=files[0].scores.shape[1],
        sample_ids_sha256=digest_of_ids(data.sample_ids),
        data=data.data,
        fused=parts,
    )
