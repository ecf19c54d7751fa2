"""Compare two runs: configs, metrics, predictions sample by sample, curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.apis.test_data import TestData, open_test_data
from pyskl.config.diff import Difference, config_differences
from pyskl.errors import InputError
from pyskl.evaluation.comparison import (
    ClassComparison,
    PairedTest,
    compare_classes,
    mcnemar,
)
from pyskl.evaluation.scores import ScoreFile, read_scores
from pyskl.logging.log import setup_logging
from pyskl.reports.run_scores import ScoreReader, measure
from pyskl.reports.runs import Points, Run, Weights, epoch_of, read_run
from pyskl.text_table import text_table

_ALPHA = 0.05
_MAX_CLASSES, _MAX_EPOCHS, _MAX_VALUE_LENGTH = 15, 12, 48


@dataclass
class Comparison:
    """How the second of two runs differs from the first.

    Attributes:
        a: The first, as given.
        b: The second, as given.
        weights: Which scores are compared: ``'best'`` or ``'last'``.
        differences: Differences of the configs; None if one has none.
        curves: By name, the (epoch, value) of both.
        data: The test set in words.
        samples: Number of test samples.
        figures: The metrics of both; None if one of them was not tested.
        test: The paired test of top-1 accuracy.
        classes: The paired tests of the classes.
        only_a_right: Ids of the samples that only the first classified correctly.
        only_b_right: Ids of the samples that only the second classified correctly.
        not_tested: Why there are no metrics.
        scored: The weights of both in words; empty for a score file.
    """

    a: str
    b: str
    weights: Weights
    differences: list[Difference] | None
    curves: dict[str, tuple[Points, Points]]
    data: str = ""
    samples: int = 0
    figures: tuple[dict[str, float], dict[str, float]] | None = None
    test: PairedTest | None = None
    classes: list[ClassComparison] = field(default_factory=list)
    only_a_right: list[str] = field(default_factory=list)
    only_b_right: list[str] = field(default_factory=list)
    not_tested: str = ""
    scored: tuple[str, str] = ("", "")

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        content = asdict(self)
        if self.test is not None:
            content["test"] = _test_dict(self.test)
        for entry, one in zip(content["classes"], self.classes):
            entry["test"] = _test_dict(one.test)
        return content

    def text(self) -> str:
        """Return the comparison as text."""
        names = zip("AB", (self.a, self.b), self.scored)
        lines = [f"{side}: {name}" + (f" ({one})" if one else "") for side, name, one in names]
        parts = ["\n".join(lines), self._config_text()]
        if self.figures is None or self.test is None:
            parts.append(f"predictions are not compared: {self.not_tested}")
        else:
            a, b = self.figures
            rows = [[f"{self.weights} weights on {self.samples} samples", "A", "B", "B - A"]]
            rows += [
                [name, f"{a[name]:.4f}", f"{b[name]:.4f}", f"{b[name] - a[name]:+.4f}"]
                for name in a
            ]
            parts += [f"{self.data}\n{text_table(rows)}", _test_text(self.test)]
            parts.append(self._classes_text())
        return "\n\n".join(part for part in [*parts, self._curves_text()] if part)

    def _config_text(self) -> str:
        if self.differences is None:
            return ""
        if not self.differences:
            return "configs: the same"
        rows = [["configs differ in", "A", "B"]]
        rows += [[one.key, _shortened(one.a), _shortened(one.b)] for one in self.differences]
        return text_table(rows, left=3)

    def _classes_text(self) -> str:
        differing = [one for one in self.classes if one.test.only_a or one.test.only_b]
        differing.sort(key=lambda one: (-abs(one.test.difference), one.label))
        if not differing:
            return "classes: A and B are right on the same samples of all classes"
        rows = [["class", "samples", "A", "B", "B - A", "only A", "only B", "p", "p, Holm"]]
        for one in differing[:_MAX_CLASSES]:
            test, star = one.test, " *" if one.corrected < _ALPHA else ""
            rows.append(
                [
                    str(one.label),
                    str(test.samples),
                    f"{test.accuracy_a:.4f}",
                    f"{test.accuracy_b:.4f}",
                    f"{test.difference:+.4f}",
                    str(test.only_a),
                    str(test.only_b),
                    f"{test.p:.3g}",
                    f"{one.corrected:.3g}{star}",
                ]
            )
        lines = [text_table(rows)]
        if len(differing) > _MAX_CLASSES:
            more = len(differing) - _MAX_CLASSES
            lines.append(f"... and {more} more classes that differ (--json lists all)")
        same = len(self.classes) - len(differing)
        lines.append(
            f"{same} of {len(self.classes)} classes do not differ; the last p has Holm's "
            f"correction for {len(self.classes)} tests"
        )
        return "\n".join(lines)

    def _curves_text(self) -> str:
        columns = [
            (f"{name} {side}", dict(points))
            for name, pair in self.curves.items()
            for side, points in zip("AB", pair)
            if points
        ]
        epochs = sorted({epoch for _, values in columns for epoch in values})
        if not epochs:
            return ""
        every = -(-len(epochs) // _MAX_EPOCHS)
        rows = [["epoch", *(name for name, _ in columns)]]
        for epoch in dict.fromkeys([*epochs[::every], epochs[-1]]):
            values = [points.get(epoch) for _, points in columns]
            rows.append(
                [f"{epoch:g}", *("-" if value is None else f"{value:.4f}" for value in values)]
            )
        return text_table(rows)


def _test_dict(test: PairedTest) -> dict[str, Any]:
    return {
        **asdict(test),
        "accuracy_a": test.accuracy_a,
        "accuracy_b": test.accuracy_b,
        "difference": test.difference,
        "interval_95": test.interval(),
    }


def _test_text(test: PairedTest) -> str:
    if not test.only_a + test.only_b:
        return "McNemar: A and B get the same samples right"
    low, high = test.interval()
    verdict = (
        "unlikely to be chance"
        if test.p < _ALPHA
        else "a difference of this size may well be chance"
    )
    return (
        f"McNemar, exact: only A is right on {test.only_a}, only B on {test.only_b}; "
        f"p = {test.p:.3g}, {verdict}\n"
        f"B - A: {test.difference:+.4f}, 95 % interval {low:+.4f} to {high:+.4f} "
        "(for other test samples, not for another training)"
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_VALUE_LENGTH else f"{text[: _MAX_VALUE_LENGTH - 3]}..."


def compare_runs(
    a: str | Path,
    b: str | Path,
    *,
    source: str | Path | None = None,
    split: str | None = None,
    weights: Weights = "best",
    cfg_options: Sequence[str] = (),
    trusted: bool = False,
) -> Comparison:
    """Do what ``tools/compare.py`` does.

    Args:
        a: A work dir, or a score file.
        b: Another.
        source: A config or an annotation file with the labels; by default the configs of the work
            dirs.
        split: The split, if ``source`` has several.
        weights: Which scores of a work dir to take. If a run lacks these, the others are taken for
            both runs.
        cfg_options: ``key=value`` overrides of ``source``.
        trusted: Load files with plain pickle, which runs any code in them.

    Raises:
        InputError: for something that is neither a work dir nor a score file, scores of different
            samples, or labels that can't be found.
    """
    setup_logging()
    runs = [read_run(path) if Path(path).is_dir() else None for path in (a, b)]
    found = [run for run in runs if run is not None]
    other: Weights = "last" if weights == "best" else "best"
    for candidate in (weights, other):
        if all(run.scores(candidate) is not None for run in found):
            weights = candidate
            break
    files: list[ScoreFile] = []
    not_tested = ""
    scored: list[str] = []
    for path, run in zip((a, b), runs):
        if run is None:
            files.append(read_scores(path, trusted=trusted))
            scored.append("")
            continue
        try:
            found_scores = run.scored(weights)
        except InputError as error:
            not_tested = not_tested or str(error)
            continue
        if found_scores is None or found_scores.weights != weights:
            not_tested = not_tested or f"{path} has no {weights}_pred.pkl: its run was not tested"
            continue
        files.append(read_scores(found_scores.path, trusted=trusted))
        progress = "" if run.is_finished else f"; the run is not finished ({run.progress})"
        scored.append(found_scores.describe() + progress)
    differences = None
    if len(found) == 2:
        # Any two runs differ in their work dir.
        configs = [{k: v for k, v in run.config.items() if k != "work_dir"} for run in found]
        differences = config_differences(*configs)
    curves = {}
    for mode, name in (("train", "loss"), ("val", "top1_acc")):
        pair = [
            [] if run is None else _epoch_means(run.curves().get((mode, name), [])) for run in runs
        ]
        curves[f"{mode}/{name}"] = (pair[0], pair[1])
    result = Comparison(str(a), str(b), weights, differences, curves, not_tested=not_tested)
    if not_tested:
        return result
    result.scored = (scored[0], scored[1])
    if source is not None:
        data = open_test_data(
            source,
            split=split,
            cfg_options=cfg_options,
            trusted=trusted,
            origins=[file.origin for file in files if file.origin is not None],
        )
    elif split is not None or cfg_options:
        raise InputError("--split and --cfg-options need --config or --ann")
    else:
        data = _shared_test_data(found, ScoreReader(trusted=trusted))
    for file in files:
        data.check_scores(file)
    _compare_scores(result, files[0].scores, files[1].scores, data)
    return result


def _epoch_means(points: Points) -> Points:
    """Return the mean value of each epoch."""
    values: dict[int, list[float]] = {}
    for place, value in points:
        values.setdefault(epoch_of(place), []).append(value)
    return [(epoch, sum(found) / len(found)) for epoch, found in sorted(values.items())]


def _shared_test_data(runs: Sequence[Run], reader: ScoreReader) -> TestData:
    """Return the test data of the runs' configs, which must be the same."""
    if not runs:
        raise InputError(
            "score files do not contain the labels",
            hint="give a config (--config) or an annotation file (--ann)",
        )
    first, last = reader.test_data(runs[0].config), reader.test_data(runs[-1].config)
    if first.sample_ids != last.sample_ids or not np.array_equal(first.labels, last.labels):
        raise InputError(
            "the runs were tested on different samples, but a paired test needs the same ones",
            found=f"{first.where} and {last.where}",
        )
    return first


def _compare_scores(result: Comparison, a: np.ndarray, b: np.ndarray, data: TestData) -> None:
    """Add metrics and tests."""
    labels = data.labels
    if labels.ndim > 1:
        raise InputError(f"the samples of {data.where} have several labels: no top-1 to test")
    if a.shape != b.shape:
        raise InputError("different numbers of classes", found=f"{a.shape[1]} and {b.shape[1]}")
    result.data, result.samples = data.where, len(labels)
    result.figures = (measure(a, labels), measure(b, labels))
    hits_a, hits_b = a.argmax(axis=1) == labels, b.argmax(axis=1) == labels
    result.test = mcnemar(hits_a, hits_b)
    result.classes = compare_classes(hits_a, hits_b, labels)
    ids = np.array(data.sample_ids, dtype=object)
    result.only_a_right = list(map(str, ids[hits_a & ~hits_b]))
    result.only_b_right = list(map(str, ids[hits_b & ~hits_a]))
