"""Fuse the score files of several streams and measure each stream and the fusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.apis.test_data import TestData, open_test_data
from pyskl.errors import InputError
from pyskl.evaluation.fusion import (
    STREAMS,
    check_weights,
    default_weights,
    fuse,
    search_weights,
    stratified_halves,
    stream_of,
)
from pyskl.evaluation.scores import (
    ScoreFile,
    ScoreOrigin,
    check_score_file,
    digest_of_ids,
    dump_scores,
    read_scores,
)
from pyskl.files.output_file import refuse_overwriting
from pyskl.logging.log import get_logger, setup_logging
from pyskl.reports.run_scores import measure
from pyskl.text_table import text_table


@dataclass(frozen=True)
class FusedRow:
    """The metrics of a stream or of a fusion.

    Attributes:
        name: The stream in words, or ``'fused'``.
        file: The score file; None for a fusion.
        weights: The weight of each file.
        figures: See :func:`pyskl.evaluation.evaluate.evaluate`.
    """

    name: str
    file: str | None
    weights: list[float]
    figures: dict[str, float]


@dataclass(frozen=True)
class FusionReport:
    """The metrics of streams and their fusion.

    Attributes:
        data: The test set in words.
        samples: Number of samples that the metrics were measured on.
        tuned_on: Number of other samples that the weights were searched on; 0 without a search.
        seed: The seed of the halves.
        weights: The weights used.
        rows: The streams, then the fusions; the last one uses ``weights``.
    """

    data: str
    samples: int
    tuned_on: int
    seed: int
    weights: list[float]
    rows: list[FusedRow]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return asdict(self)

    def text(self) -> str:
        """Return the report as a table."""
        names = list(self.rows[0].figures)
        lines = [["", "weights", *names]]
        for row in self.rows:
            weights = " : ".join(f"{weight:g}" for weight in row.weights)
            lines.append([row.name, weights, *(f"{row.figures[name]:.4f}" for name in names)])
        head = f"{self.data}: {self.samples} samples"
        if self.tuned_on:
            head += f" (the weights were searched on {self.tuned_on} others; seed {self.seed})"
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
        source: A config, whose ``data.test`` the scores belong to, or an annotation file.
        scores: Two or more score files.
        weights: One for each file; by default the published ones for the streams that the file
            names contain.
        search: Search for weights on one half of the samples and measure on the other.
        seed: The seed of the halves.
        out: Where to write the fused scores of all samples.
        split: The split, if ``source`` has several.
        cfg_options: ``key=value`` overrides of the config.
        trusted: Load files with plain pickle, which runs any code in them.

    Raises:
        InputError: for files that don't belong together, or weights without a default.
    """
    setup_logging()
    paths = [Path(path) for path in scores]
    if out is not None:
        refuse_overwriting(check_score_file(out), [source, *paths])
    if len(paths) < 2:
        raise InputError("too few score files", found=len(paths), expected="two or more")
    if len({path.resolve() for path in paths}) < len(paths):
        raise InputError("a score file is given twice", found=" ".join(map(str, paths)))
    if search and weights is not None:
        raise InputError("--search and --weights exclude each other")
    files = [read_scores(path, trusted=trusted) for path in paths]
    streams = [_stream(file) for file in files]
    start = _start_weights(paths, streams, weights, search=search)
    data = open_test_data(
        source,
        split=split,
        cfg_options=cfg_options,
        trusted=trusted,
        origins=[file.origin for file in files if file.origin is not None],
    )
    _check_files(files, data)
    names = [
        STREAMS[stream] if stream is not None else str(path) for path, stream in zip(paths, streams)
    ]
    report = _measure(files, names, data, start, seed=seed if search else None)
    if out is not None:
        fused = fuse([file.scores for file in files], report.weights).astype(np.float32)
        parts = [
            {
                "file": str(file.path),
                "weight": weight,
                "checkpoint": file.origin.checkpoint if file.origin is not None else None,
            }
            for file, weight in zip(files, report.weights)
        ]
        samples, classes = fused.shape
        digest = digest_of_ids(data.sample_ids)
        origin = ScoreOrigin(samples, classes, digest, data=data.data, fused=parts)
        dump_scores(fused, out, origin)
        get_logger().info("fused scores of all %d samples written to %s", len(fused), out)
        if search:
            get_logger().warning(
                "%s includes the samples that the weights were searched on: metrics on all of "
                "them are slightly too good",
                out,
            )
    return report


def _stream(file: ScoreFile) -> str | None:
    """Return the stream of scores: what their metadata say or else what the file name says."""
    known = None if file.origin is None else file.origin.stream
    return known or stream_of(file.path)


def _start_weights(
    paths: Sequence[Path],
    streams: Sequence[str | None],
    weights: Sequence[float] | None,
    *,
    search: bool,
) -> list[float]:
    """Return the weights to use, or to start a search from."""
    if weights is not None:
        check_weights(weights, len(paths))
        return list(map(float, weights))
    found = default_weights(streams) or ([1.0] * len(paths) if search else None)
    if found is None:
        raise InputError(
            "these streams have no default weights",
            key="weights",
            found="; ".join(
                f"{path}: {STREAMS[stream] if stream else 'unknown stream'}"
                for path, stream in zip(paths, streams)
            ),
            expected="j and b (1 : 1), or j, b, jm and bm (2 : 2 : 1 : 1), as a part of the file's "
            "name or of its folder's",
            hint="give --weights, one for each file",
        )
    return found


def _check_files(files: Sequence[ScoreFile], data: TestData) -> None:
    """Check that all scores belong to the same samples and classes."""
    for file in files:
        if file.scores.shape != files[0].scores.shape:
            raise InputError(
                f"its (samples, classes) differ from those of {files[0].path}",
                file=file.path,
                found=file.scores.shape,
                expected=str(files[0].scores.shape),
            )
        data.check_scores(file)
    are_probabilities = [file.are_probabilities() for file in files]
    if len(set(are_probabilities)) > 1:
        get_logger().warning(
            "%s contains probabilities, %s does not (logits, from --average-clips score?): their "
            "weights are not comparable",
            files[are_probabilities.index(True)].path,
            files[are_probabilities.index(False)].path,
        )


def _measure(
    files: Sequence[ScoreFile],
    names: Sequence[str],
    data: TestData,
    start: list[float],
    *,
    seed: int | None,
) -> FusionReport:
    """Measure the streams and their fusion; with a seed, search for the weights on one half."""
    tables, labels = [file.scores for file in files], data.labels
    chosen, tuned_on = start, 0
    if seed is not None:
        if labels.ndim > 1:
            raise InputError("--search needs samples with one label each")
        tuning, rest = stratified_halves(labels, seed)
        if not len(rest):
            raise InputError("too few samples for --search", found=len(labels))
        chosen = search_weights([table[tuning] for table in tables], labels[tuning], start)
        tables, labels, tuned_on = [table[rest] for table in tables], labels[rest], len(tuning)
    alone = np.eye(len(files)).tolist()
    rows = [
        FusedRow(name, str(file.path), weights, measure(table, labels))
        for name, file, weights, table in zip(names, files, alone, tables)
    ]
    fusions = {"fused": chosen}
    if seed is not None:
        fusions = {"fused, not searched": start, "fused, searched": chosen}
    rows += [
        FusedRow(name, None, weights, measure(fuse(tables, weights), labels))
        for name, weights in fusions.items()
    ]
    return FusionReport(data.where, len(labels), tuned_on, seed or 0, chosen, rows)
