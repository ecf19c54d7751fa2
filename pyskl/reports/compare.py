"""Compare two runs: configs, figures, predictions sample by sample, curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.apis.test_data import TestData, data_of_config, open_test_data
from pyskl.config.diff import config_differences
from pyskl.errors import InputError
from pyskl.evaluation.comparison import compare_classes, mcnemar
from pyskl.evaluation.evaluate import evaluate
from pyskl.evaluation.scores_file import ScoreFile, read_scores
from pyskl.logging.log import get_logger, setup_logging
from pyskl.reports.comparison_report import Comparison
from pyskl.reports.runs import Run, Weights, read_run

# What differs between any two runs and tells nothing.
_NOT_COMPARED = ("work_dir",)
_CURVES = (("train", "loss"), ("val", "top1_acc"))
_FIGURES = ("top_k_accuracy", "mean_class_accuracy")


@dataclass(frozen=True)
class _Side:
    """One of the two.

    Attributes:
        name: As it was given.
        run: What its work dir tells, if it is one.
        scores: Its scores, if it has any.
        lacking: Why it has none.
    """

    name: str
    run: Run | None
    scores: ScoreFile | None
    lacking: str = ""

    @property
    def config(self) -> Mapping[str, Any]:
        """The run's config, without what is not compared."""
        config = {} if self.run is None else self.run.config
        return {key: value for key, value in config.items() if key not in _NOT_COMPARED}


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
        source: A config or an annotation file with the labels; by default those of the work dirs'
            configs.
        split: The split, where ``source`` leaves that open.
        weights: Whose scores of a work dir to take; where one of the runs does not have these, the
            other's are taken of both.
        cfg_options: ``key=value`` overrides of ``source``.
        trusted: Load files with plain pickle, which runs what they say.

    Raises:
        InputError: for what is neither a work dir nor a score file, scores of different samples,
            or labels that can't be found.
    """
    setup_logging()
    runs = [read_run(path) if Path(path).is_dir() else None for path in (a, b)]
    chosen = _common_weights([run for run in runs if run is not None], weights)
    left, right = (_side(path, run, chosen, trusted=trusted) for path, run in zip((a, b), runs))
    differences = None
    if left.run is not None and right.run is not None:
        differences = config_differences(left.config, right.config)
    curves = {
        f"{mode}/{figure}": (
            left.run.curve(mode, figure) if left.run is not None else [],
            right.run.curve(mode, figure) if right.run is not None else [],
        )
        for mode, figure in _CURVES
    }
    result = Comparison(str(a), str(b), chosen, differences, curves)
    if left.scores is None or right.scores is None:
        result.not_tested = left.lacking or right.lacking
        return result
    data = _labels([left, right], source, split, cfg_options, trusted=trusted)
    for file in (left.scores, right.scores):
        if file.note is not None:
            get_logger().warning("%s", file.note)
        data.check_scores(file)
    _measure(result, left.scores.scores, right.scores.scores, data)
    return result


def _common_weights(runs: Sequence[Run], weights: Weights) -> Weights:
    """Return the weights to compare: those wanted, or else those that all runs have scores of."""
    other: Weights = "last" if weights == "best" else "best"
    for chosen in (weights, other):
        if all(run.scores(chosen) is not None for run in runs):
            return chosen
    return weights


def _side(path: str | Path, run: Run | None, weights: Weights, *, trusted: bool) -> _Side:
    if run is None:
        return _Side(str(path), None, read_scores(path, trusted=trusted))
    scores = run.scores(weights)
    if scores is None:
        lacking = f"{path} has no {weights}_pred.pkl: its run was not tested"
        return _Side(str(path), run, None, lacking)
    return _Side(str(path), run, read_scores(scores, trusted=trusted))


def _labels(
    sides: Sequence[_Side],
    source: str | Path | None,
    split: str | None,
    cfg_options: Sequence[str],
    *,
    trusted: bool,
) -> TestData:
    """Return the test data of both sides.

    Raises:
        InputError: if there are none, or the work dirs' configs have different ones.
    """
    if source is not None:
        origins = [side.scores.origin for side in sides if side.scores is not None]
        return open_test_data(
            source,
            split=split,
            cfg_options=cfg_options,
            trusted=trusted,
            origins=[origin for origin in origins if origin is not None],
        )
    if split is not None or cfg_options:
        raise InputError("--split and --cfg-options change what --config or --ann names: give it")
    found = [
        data_of_config(side.run.config, trusted=trusted) for side in sides if side.run is not None
    ]
    if not found:
        raise InputError(
            "two score files tell nothing of the labels: name a config (--config) or an annotation "
            "file (--ann)"
        )
    first, last = found[0], found[-1]
    if first.sample_ids != last.sample_ids or not np.array_equal(first.labels, last.labels):
        raise InputError(
            f"{sides[0].name} was tested on {first.where}, {sides[1].name} on {last.where}: a "
            "paired test takes the same samples"
        )
    return first


def _measure(result: Comparison, a: np.ndarray, b: np.ndarray, data: TestData) -> None:
    """Fill in figures and tests."""
    labels = data.labels
    if labels.ndim > 1:
        raise InputError(f"the samples of {data.where} have several labels each: no top-1 to test")
    if a.shape[1] != b.shape[1]:
        raise InputError(f"the scores are of {a.shape[1]} and of {b.shape[1]} classes")
    result.data, result.samples = data.where, len(labels)
    result.figures = (evaluate(a, labels, _FIGURES), evaluate(b, labels, _FIGURES))
    hits_a, hits_b = a.argmax(axis=1) == labels, b.argmax(axis=1) == labels
    result.test = mcnemar(hits_a, hits_b)
    result.classes = compare_classes(hits_a, hits_b, labels)
    ids = np.array(data.sample_ids, dtype=object)
    result.only_a_right = [str(one) for one in ids[hits_a & ~hits_b]]
    result.only_b_right = [str(one) for one in ids[hits_b & ~hits_a]]
