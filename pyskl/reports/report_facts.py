"""Collect what a report of runs shows, from their work dirs and their data sets."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.apis.test_data import TestData, data_of_config
from pyskl.config import load_config
from pyskl.config.diff import config_differences
from pyskl.datasets.label_names import names_of_data, read_label_file
from pyskl.datasets.nested import first_with
from pyskl.errors import AnnotationError, InputError
from pyskl.evaluation.calibration import softmax
from pyskl.evaluation.evaluate import evaluate
from pyskl.evaluation.scores_file import ScoreFile, read_scores
from pyskl.reports.page import Missing, Predictions, ReportFacts, RunFacts
from pyskl.reports.report_curves import curves_of
from pyskl.reports.report_samples import gather_samples
from pyskl.reports.report_words import (
    about_run,
    about_scores,
    config_text_of,
    environment_of,
    epochs_in_words,
    plain,
)
from pyskl.reports.runs import Run, Weights, read_run

# A figure measured from the file may differ by this from the logged one: it has all its digits.
_SAME = 1e-6


@dataclass(frozen=True)
class ReportWishes:
    """What of the runs is wanted.

    Attributes:
        scores: Whose scores; where there are none of these the other's are taken.
        gallery: How many samples to draw.
        importance: Whether to compute which joints their predictions came from.
        labels: A text file with the names of the classes, one in each line.
        cfg_options: ``key=value`` overrides of the runs' configs.
        trusted: Load files with plain pickle, which runs what they say.
    """

    scores: Weights = "best"
    gallery: int = 48
    importance: bool = False
    labels: str | Path | None = None
    cfg_options: Sequence[str] = ()
    trusted: bool = False


def collect_facts(work_dirs: Sequence[str | Path], wishes: ReportWishes) -> ReportFacts:
    """Collect what a report shows; what can't be had is among its facts as missing.

    Args:
        work_dirs: Of the runs, the main one first.
        wishes: What is wanted.

    Raises:
        InputError: for a folder that is no work dir or is named twice, or options that can't be
            used.
    """
    paths = [Path(path) for path in work_dirs]
    runs = [_TestedRun(name, read_run(path), wishes) for name, path in zip(run_names(paths), paths)]
    main = runs[0]
    class_names = _class_names(main, wishes)
    found = [run.facts(main, class_names) for run in runs]
    title = f"Report of {plain('/'.join(paths[0].absolute().parts[-2:]))}"
    if len(runs) > 1:
        title += f" and {len(runs) - 1} more"
    predictions = main.predictions(class_names)
    if predictions is None:
        return ReportFacts(title, found)
    samples = gather_samples(
        main.config,
        predictions,
        wishes.gallery,
        checkpoint=main.checkpoint,
        importance=wishes.importance,
        trusted=wishes.trusted,
    )
    found[0] = replace(found[0], missing=[*found[0].missing, *samples.missing])
    return ReportFacts(title, found, predictions, samples.examples, samples.layout)


def run_names(work_dirs: Sequence[Path]) -> list[str]:
    """Return a short name for each run: its path from the folder that all have in common.

    Raises:
        InputError: if one is named twice.

    Example:
        >>> run_names([Path('runs/ntu60/j'), Path('runs/ntu60/b')])
        ['j', 'b']
    """
    full = [path.resolve() for path in work_dirs]
    for number, path in enumerate(full):
        if path in full[:number]:
            raise InputError(f"{work_dirs[number]} is given twice")
    if len(full) == 1:
        return [plain(full[0].name or str(full[0]))]
    common = os.path.commonpath(full)
    # A run may lie within another's folder.
    return [
        plain(os.path.relpath(path, common)) if str(path) != common else path.name for path in full
    ]


@dataclass(frozen=True)
class _Measured:
    """Figures of scores; see the attributes of :class:`pyskl.reports.page.RunFacts`."""

    figures: Mapping[str, float] = field(default_factory=dict)
    calibration_error: float | None = None
    class_accuracy: np.ndarray | None = None


@dataclass(frozen=True)
class _TestedRun:
    """A run, and as far as they can be had its scores and what they are held against.

    Attributes:
        name: Short.
        run: What its work dir tells.
        wishes: What is wanted.
    """

    name: str
    run: Run
    wishes: ReportWishes

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """The config, with the command line's overrides."""
        if not self.wishes.cfg_options:
            return self.run.config
        return load_config(self.run.config, self.wishes.cfg_options)

    @cached_property
    def weights(self) -> Weights | None:
        """Whose scores are taken."""
        other: Weights = "last" if self.wishes.scores == "best" else "best"
        for weights in (self.wishes.scores, other):
            if self.run.scores(weights) is not None:
                return weights
        return None

    @property
    def checkpoint(self) -> Path | None:
        """The weights that the scores are of, if they are there."""
        return None if self.weights is None else self.run.checkpoint(self.weights)

    @cached_property
    def _read(self) -> tuple[ScoreFile, TestData] | Missing:
        """Scores and test data; or why there are none."""
        path = None if self.weights is None else self.run.scores(self.weights)
        if path is None:
            return self._not_tested()
        config = self.config  # outside: options that can't be used are no gap in a report
        try:
            file = read_scores(path, trusted=self.wishes.trusted)
            data = data_of_config(config, trusted=self.wishes.trusted)
            data.check_scores(file)
        except InputError as error:
            advice = ""
            if isinstance(error, AnnotationError):
                advice = " If the file has moved: --cfg-options data.test.ann_file=FILE"
            return Missing(f"What needs scores and their labels: {error}.{advice}")
        return file, data

    def _not_tested(self) -> Missing:
        wanted = self.wishes.scores
        what = f"What needs the scores of test samples: there is no {wanted}_pred.pkl."
        if not self.run.is_finished:
            command = str(environment_of(self.run).get("command", ""))
            what += (
                f" The training is not finished ({epochs_in_words(self.run)}). The command that it "
                "was started with goes on with it; --test-last and --test-best write the scores at "
                "its end"
            )
            return Missing(what, plain(f"python {command}") if command else "")
        weights = wanted if self.run.checkpoint(wanted) is not None else "last"
        checkpoint = self.run.checkpoint(weights)
        if checkpoint is None or self.run.config_file is None:
            return Missing(f"{what} There is no checkpoint, or no config, to test either.")
        out = self.run.work_dir / f"{weights}_pred.pkl"
        words = ["python", "tools/test.py", self.run.config_file, checkpoint, "--out", out]
        return Missing(f"{what} This makes it:", plain(shlex.join(map(str, words))))

    def predictions(self, class_names: Sequence[str]) -> Predictions | None:
        """Return the scores as probabilities, with their labels; None where there are none."""
        if isinstance(self._read, Missing) or self._read[1].labels.ndim > 1:
            return None
        file, data = self._read
        probabilities, note = file.scores, ""
        if not file.are_probabilities():
            probabilities = softmax(file.scores)
            note = "The scores are not probabilities; their softmax is taken for them."
        ids = [plain(one) for one in data.sample_ids]
        return Predictions(probabilities, data.labels, ids, class_names, note)

    def facts(self, main: _TestedRun, class_names: Sequence[str]) -> RunFacts:
        """Return what is known of the run.

        Args:
            main: The first of the runs.
            class_names: Of its classes.
        """
        missing, told = [], dict(about_run(self.run))
        measured = _Measured()
        if isinstance(self._read, Missing):
            missing.append(self._read)
        else:
            file, data = self._read
            told.update(about_scores(file, data, self.checkpoint))
            measured = self._measure(file, data, main, len(class_names))
            told.update(self._as_logged(measured.figures))
            if data.labels.ndim > 1:
                missing.append(
                    Missing("Classes, confusion and mistakes: the samples have several labels each")
                )
        curves = curves_of(self.run)
        if not any(mode == "val" for mode, _ in curves):
            missing.append(Missing("Curves of validation: the training ran without --validate"))
        config = config_text_of(self.run)
        differences = [
            (plain(one.key), plain(one.a), plain(one.b))
            for one in config_differences(main.run.config, self.run.config)
            if self is not main and one.key != "work_dir"
        ]
        return RunFacts(
            name=self.name,
            work_dir=plain(str(self.run.work_dir)),
            epochs=epochs_in_words(self.run),
            weights=self._weights_in_words(),
            figures=measured.figures,
            calibration_error=measured.calibration_error,
            class_accuracy=measured.class_accuracy,
            curves=curves,
            facts=told,
            config=plain(config, keep="\n\t"),
            differences=differences,
            missing=missing,
        )

    def _measure(
        self, file: ScoreFile, data: TestData, main: _TestedRun, num_classes: int
    ) -> _Measured:
        """Measure the scores; single classes only where they are of the first run's samples."""
        own = self.predictions([""] * file.scores.shape[1])
        if own is None:  # several labels
            return _Measured(evaluate(file.scores, data.labels, ["mean_average_precision"]))
        figures = evaluate(file.scores, data.labels, ["top_k_accuracy", "mean_class_accuracy"])
        same = self._has_samples_of(main) and num_classes == len(own.class_names)
        return _Measured(
            figures, own.reliability.expected_error, own.class_accuracy if same else None
        )

    def _as_logged(self, figures: Mapping[str, float]) -> dict[str, str]:
        """Return a remark where the run's own test says otherwise."""
        logged = self.run.tested(self.weights or "best").get("top1_acc")
        if logged is None or abs(logged - figures.get("top1_acc", logged)) <= _SAME:
            return {}
        return {"log": f"says top-1 {100 * logged:.1f} %: the scores were made anew since"}

    def _has_samples_of(self, other: _TestedRun) -> bool:
        if isinstance(self._read, Missing) or isinstance(other._read, Missing):
            return False
        mine, theirs = self._read[1], other._read[1]
        return mine.sample_ids == theirs.sample_ids and np.array_equal(mine.labels, theirs.labels)

    def _weights_in_words(self) -> str:
        if self.weights is None:
            return ""
        epoch = self.run.epoch_of(self.weights)
        words = self.weights + (f", epoch {epoch}" if epoch is not None else "")
        if self.weights != self.wishes.scores:
            words += f" (there is no {self.wishes.scores}_pred.pkl)"
        return words


def _class_names(main: _TestedRun, wishes: ReportWishes) -> list[str]:
    """Return a name for each class: as far as they are known, else their numbers."""
    if isinstance(main._read, Missing):
        return []
    size = main._read[0].scores.shape[1]
    if wishes.labels is not None:
        names: tuple[str, ...] | None = read_label_file(wishes.labels)
        if len(names or ()) != size:
            raise InputError(
                f"{wishes.labels} has {len(names or ())} names, but the scores are of {size} "
                "classes"
            )
    else:
        names = names_of_data(first_with(main.config, "test"), size)
    return [plain(name) for name in names or [f"class {label}" for label in range(size)]]
