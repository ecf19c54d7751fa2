"""Collect the content of a report from the runs' work dirs and their test data."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy.special import softmax

from pyskl.apis.test_data import TestData
from pyskl.config import load_config
from pyskl.config.diff import config_differences
from pyskl.datasets.dataset_tree import first_with
from pyskl.datasets.label_names import names_of_data, read_label_file
from pyskl.errors import AnnotationError, InputError
from pyskl.evaluation.scores import ScoreFile
from pyskl.reports.gallery_samples import read_gallery
from pyskl.reports.page.content import (
    Missing,
    Predictions,
    ReportContent,
    ReportedRun,
)
from pyskl.reports.page.report_page import printable
from pyskl.reports.run_scores import ScoreReader, measure
from pyskl.reports.runs import Run, Weights, read_run

# More players make a page slow.
_MAX_SAMPLES = 1000


@dataclass(frozen=True)
class ReportSettings:
    """The options of a report.

    Attributes:
        scores: Which scores to show; if a run lacks these, the others.
        gallery: How many samples to draw.
        importance: Compute the importance of the joints for the predictions.
        labels: A text file with the class names, one per line.
        cfg_options: ``key=value`` overrides of the runs' configs.
        trusted: Load files with plain pickle, which runs any code in them.
        out: The page, or the folder of the pictures; by default ``report.html`` or ``report`` in
            the first work dir.
        format: A page or pictures.
        dark: Draw pictures on a dark background; pages follow the reader's system.
    """

    scores: Weights = "best"
    gallery: int = 48
    importance: bool = False
    labels: str | Path | None = None
    cfg_options: Sequence[str] = ()
    trusted: bool = False
    out: str | Path | None = None
    format: Literal["html", "png", "svg"] = "html"
    dark: bool = False

    def __post_init__(self) -> None:
        """Check the number of samples."""
        if not 0 <= self.gallery <= _MAX_SAMPLES:
            raise InputError(
                "the gallery can't have this size",
                key="gallery",
                found=self.gallery,
                expected=f"0 to {_MAX_SAMPLES}",
            )


def collect_report(work_dirs: Sequence[str | Path], settings: ReportSettings) -> ReportContent:
    """Collect the content of a report. What can't be read is listed as missing.

    Args:
        work_dirs: The work dirs, the main one first.
        settings: The options of the report.

    Raises:
        InputError: for a folder that is not a work dir or is given twice, or unusable options.
    """
    paths = [Path(path) for path in work_dirs]
    reader = ScoreReader(trusted=settings.trusted)
    runs: list[ReportedRun] = []
    names: list[str] = []  # of the classes of the first run
    for name, path in zip(run_names(paths), paths):
        run = ReportedRun(name, read_run(path))
        run.facts.update(_run_facts(run.run))
        if runs:
            run.differences = [
                (one.key, one.a, one.b)
                for one in config_differences(runs[0].run.config, run.run.config)
                if one.key != "work_dir"
            ]
        found = _read_scores(run, reader, settings)
        if found is not None:
            file, data = found
            size = file.scores.shape[1]
            if not runs:
                names = _class_names(_config(run.run, settings), size, settings.labels)
            run.predictions = _predictions(
                file, data, names if len(names) == size else _numbered(size)
            )
        if not any(mode == "val" for mode, _ in run.run.curves()):
            run.missing.append(Missing("Validation curves: the training ran without --validate"))
        runs.append(run)
    title = f"Report of {'/'.join(paths[0].absolute().parts[-2:])}"
    title += f" and {len(runs) - 1} more" if len(runs) > 1 else ""
    main = runs[0]
    if main.predictions is None:
        return ReportContent(title, runs)
    gallery, layout, missing = read_gallery(
        _config(main.run, settings),
        main.predictions,
        settings.gallery,
        checkpoint=main.checkpoint,
        importance=settings.importance,
        trusted=settings.trusted,
    )
    main.missing += missing
    return ReportContent(title, runs, gallery, layout)


def run_names(work_dirs: Sequence[Path]) -> list[str]:
    """Return a short name for each run: its path below the folder that all have in common.

    Raises:
        InputError: if one is given twice.

    Example:
        >>> run_names([Path('runs/ntu60/j'), Path('runs/ntu60/b')])
        ['j', 'b']
    """
    full = [path.resolve() for path in work_dirs]
    if len(set(full)) < len(full):
        raise InputError("a work dir is given twice", found=" ".join(map(str, work_dirs)))
    common = os.path.commonpath(full) if len(full) > 1 else full[0].parent
    # One run may be in the folder of another, which is then the common folder.
    return [
        printable(path.name if str(path) == common else os.path.relpath(path, common))
        for path in full
    ]


def _config(run: Run, settings: ReportSettings) -> Mapping[str, Any]:
    """Return a run's config with the overrides of the command line."""
    return load_config(run.config, settings.cfg_options) if settings.cfg_options else run.config


def _read_scores(
    reported: ReportedRun, reader: ScoreReader, settings: ReportSettings
) -> tuple[ScoreFile, TestData] | None:
    """Read and measure the scores of a run, or add to ``missing`` why there are none."""
    run = reported.run
    config = _config(run, settings)
    try:
        scored = run.scored(settings.scores)
    except InputError as error:
        reported.missing.append(Missing(f"Everything about test samples: {error}"))
        return None
    if scored is None:
        reported.missing.append(_not_tested(run, settings.scores))
        return None
    weights = scored.weights
    reported.weights, reported.checkpoint = scored.describe(), scored.checkpoint
    if weights != settings.scores:
        reported.weights += f" (there is no {settings.scores}_pred.pkl)"
    try:
        file, data = reader.read(scored.path, config)
    except InputError as error:
        advice = ""
        if isinstance(error, AnnotationError):
            advice = ". If the file has moved: --cfg-options data.test.ann_file=FILE"
        reported.missing.append(Missing(f"Everything about test samples: {error}{advice}"))
        return None
    reported.figures = measure(file.scores, data.labels)
    reported.facts.update(_score_facts(file, data, scored.checkpoint))
    logged = run.outdated_top1(weights, reported.figures)
    if logged is not None:
        reported.facts["log"] = f"says top-1 {100 * logged:.1f} %: the scores were replaced since"
    if data.labels.ndim > 1:
        reported.missing.append(
            Missing("Classes, confusion and mistakes: the samples have several labels")
        )
    return file, data


def _not_tested(run: Run, wanted: Weights) -> Missing:
    """Return why there are no scores, and the command that writes them."""
    what = f"Everything about test samples: there is no {wanted}_pred.pkl."
    if not run.is_finished:
        command = run.environment.get("command")
        return Missing(
            f"{what} The training is not finished ({run.progress}). The command that started it "
            "continues it; with --test-last and --test-best it writes the scores at the end",
            f"python {command}" if command else "",
        )
    weights: Weights = wanted if run.checkpoint(wanted) is not None else "last"
    checkpoint = run.checkpoint(weights)
    if checkpoint is None or run.config_file is None:
        return Missing(f"{what} There is also no checkpoint or no config to test.")
    out = run.work_dir / f"{weights}_pred.pkl"
    words = ["python", "tools/test.py", run.config_file, checkpoint, "--out", out]
    return Missing(f"{what} This command writes it:", shlex.join(map(str, words)))


def _class_names(config: Mapping[str, Any], size: int, labels: str | Path | None) -> list[str]:
    """Return a name for each class: its number if the names are not known."""
    names: Sequence[str] | None
    if labels is None:
        names = names_of_data(first_with(config, "test"), size)
    else:
        names = read_label_file(labels)
        if len(names) != size:
            raise InputError(
                "wrong number of class names", file=labels, found=len(names), expected=str(size)
            )
    return list(map(printable, names or _numbered(size)))


def _numbered(size: int) -> list[str]:
    return [f"class {label}" for label in range(size)]


def _predictions(file: ScoreFile, data: TestData, names: list[str]) -> Predictions | None:
    """Return the predictions of a run, if its samples have one label each."""
    if data.labels.ndim > 1:
        return None
    probabilities, note = file.scores, ""
    if not file.are_probabilities():
        probabilities = softmax(file.scores.astype(np.float64), axis=1)
        note = "The scores are not probabilities; this is their softmax."
    ids = list(map(printable, data.sample_ids))
    return Predictions(probabilities, data.labels, ids, names, note)


def _run_facts(run: Run) -> dict[str, str]:
    env = run.environment
    facts = {"work dir": str(run.work_dir)}
    if "command" in env:
        facts["started with"] = f"python {env['command']}"
    if run.seed is not None:
        facts["seed"] = str(run.seed)
    if run.processes is not None:
        device = run.head.get("device")
        facts["processes"] = f"{run.processes}" + (f" ({device})" if device else "")
    software = [f"{name} {env[name]}" for name in ("pyskl", "torch", "python") if name in env]
    if software:
        facts["software"] = ", ".join(software)
    if "git" in env:
        facts["revision"] = str(env["git"])
    return facts


def _score_facts(file: ScoreFile, data: TestData, checkpoint: Path | None) -> dict[str, str]:
    facts = {
        "test data": data.where,
        "samples": f"{len(data.labels)}, of {file.scores.shape[1]} classes",
        "scores": str(file.path),
    }
    if checkpoint is not None:
        facts["checkpoint"] = str(checkpoint)
    if file.origin is not None and file.origin.num_clips is not None:
        facts["clips per sample"] = str(file.origin.num_clips)
    return facts
