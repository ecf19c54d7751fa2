"""Rows of the model zoo, from the work dirs of finished runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.apis.test_data import TestData, data_leaves, data_of_config, num_clips
from pyskl.errors import InputError
from pyskl.evaluation.evaluate import evaluate
from pyskl.evaluation.fusion import FAMILY_WEIGHTS, STREAMS, fuse
from pyskl.evaluation.scores_file import ScoreFile, read_scores
from pyskl.logging.log import setup_logging
from pyskl.reports.runs import Run, Weights, find_runs, read_run
from pyskl.reports.zoo_names import (
    annotation_name,
    data_name,
    epochs_name,
    practice_name,
    stream_name,
)
from pyskl.reports.zoo_table import FUSIONS, Cell, Zoo, ZooRow

# A figure that was measured from the file may differ by this from the one in the log: it is the
# same number, written with all its digits.
_SAME = 1e-6


def zoo_from_folder(root: str | Path, *, weights: Weights = "best", trusted: bool = False) -> Zoo:
    """Do what ``tools/zoo.py`` does.

    Runs whose folders stand side by side and are of different streams make a row. Nothing in the
    work dirs is run: dumped configs are read as data.

    Args:
        root: The folder whose work dirs to look at, at any depth.
        weights: Which scores to take; a run that has none of these is shown with the other, and a
            remark.
        trusted: Load files with plain pickle, which runs what they say.

    Raises:
        InputError: if there are no runs.
    """
    setup_logging()
    groups: dict[Path, dict[str, Run]] = {}
    for path in find_runs(root):
        run = read_run(path)
        stream = stream_name(run.config, path)
        if stream is not None and stream not in groups.get(path.parent, {}):
            groups.setdefault(path.parent, {})[stream] = run
        else:  # of no stream, or beside another run of the same: a row of its own
            groups[path] = {stream or "j": run}
    labels = _Labels(trusted=trusted)
    rows = [_row(folder, runs, weights, labels) for folder, runs in sorted(groups.items())]
    return Zoo(rows)


class _Labels:
    """The test data of configs, each read once."""

    def __init__(self, *, trusted: bool) -> None:
        self._trusted = trusted
        self._read: dict[str, TestData | InputError] = {}

    def of(self, config: Mapping[str, Any]) -> TestData:
        """Return the test data of a config.

        Raises:
            InputError: if they can't be read.
        """
        leaves = list(data_leaves(config.get("data", {}).get("test")))
        key = repr(leaves)
        if key not in self._read:
            try:
                self._read[key] = data_of_config(config, trusted=self._trusted)
            except InputError as error:
                self._read[key] = error
        found = self._read[key]
        if isinstance(found, InputError):
            raise found
        return found

    def scores(self, run: Run, path: Path) -> tuple[ScoreFile, TestData]:
        """Return the scores of a run and the test data that they are of."""
        data = self.of(run.config)
        file = read_scores(path, trusted=self._trusted)
        data.check_scores(file)
        if data.labels.ndim > 1:
            raise InputError("its samples have several labels each, which have no top-1 accuracy")
        return file, data


def _row(folder: Path, runs: Mapping[str, Run], weights: Weights, labels: _Labels) -> ZooRow:
    cells, files = {}, {}
    for stream, name in STREAMS.items():
        if stream in runs:
            cell, file = _cell(name, runs[stream], weights, labels)
            if file is not None:
                files[stream] = file
        else:
            cell = Cell(name, reason="there is no run")
        cells[name] = cell
    for name, streams in FUSIONS.items():
        cells[name] = _fused(name, streams, runs, cells, files, labels)
    return ZooRow(
        str(folder),
        _all(data_name(run.config) for run in runs.values()),
        _all(practice_name(run.config) for run in runs.values()),
        _all(annotation_name(run.config) for run in runs.values()),
        _all(map(_gpus, runs.values())),
        _all(epochs_name(run.config) for run in runs.values()),
        cells,
    )


def _all(words: Iterable[str]) -> str:
    """Return what the runs of a row have in common, or all that they have."""
    return ", ".join(word for word in dict.fromkeys(words) if word)


def _gpus(run: Run) -> str:
    count = run.processes
    if count is None:
        return ""
    env = run.head.get("env")
    if isinstance(env, Mapping) and "gpus" in env:
        return str(count)
    return f"CPU ({count} process{'es' if count > 1 else ''})"


def _cell(name: str, run: Run, weights: Weights, labels: _Labels) -> tuple[Cell, ScoreFile | None]:
    """Return the number of a run, and its scores where they could be read."""
    if not run.config:
        return Cell(name, reason=f"no config that can be read in {run.work_dir}"), None
    if not run.is_finished:
        done = f"{run.epochs} of {run.total_epochs or '?'} epochs"
        return Cell(name, reason=f"the run in {run.work_dir} is not finished ({done})"), None
    other: Weights = "last" if weights == "best" else "best"
    taken, remark = weights, None
    path = run.scores(weights)
    if path is None:
        taken, path = other, run.scores(other)
        remark = f"there is no {weights}_pred.pkl"
    if path is None:
        reason = f"the run in {run.work_dir} was not tested (no {weights}_pred.pkl)"
        return Cell(name, reason=reason), None
    checkpoint = run.checkpoint(taken)
    facts: dict[str, Any] = {
        "files": [str(path)],
        "weights": [taken],
        "epoch": run.epoch_of(taken),
        "total_epochs": run.total_epochs,
        "seed": run.seed,
        "clips": num_clips(run.config.get("data", {}).get("test")),
        "processes": run.processes,
        "config": None if run.config_file is None else str(run.config_file),
        "checkpoint": None if checkpoint is None else str(checkpoint),
    }
    logged = run.tested(taken)
    try:
        file, data = labels.scores(run, path)
    except InputError as error:
        if "top1_acc" not in logged:
            return Cell(name, reason=f"{path} can't be measured: {error}", **facts), None
        remark = _and(remark, f"as logged; not measured again: {error}")
        return Cell(name, logged, remark=remark, **facts), None
    figures = _figures(file.scores, data)
    told = logged.get("top1_acc")
    if told is not None and abs(told - figures["top1_acc"]) > _SAME:
        remark = _and(remark, f"the log says {100 * told:.1f}, so the file was made anew since")
    return Cell(name, figures, samples=len(data.labels), remark=remark, **facts), file


def _and(*remarks: str | None) -> str:
    return "; ".join(remark for remark in remarks if remark)


def _figures(scores: np.ndarray, data: TestData) -> dict[str, float]:
    return evaluate(scores, data.labels, ["top_k_accuracy", "mean_class_accuracy"])


def _fused(
    name: str,
    streams: Sequence[str],
    runs: Mapping[str, Run],
    cells: Mapping[str, Cell],
    files: Mapping[str, ScoreFile],
    labels: _Labels,
) -> Cell:
    lacking = [STREAMS[stream] for stream in streams if stream not in files]
    if lacking:
        return Cell(name, reason=f"no scores that can be read of {', '.join(lacking)}")
    shares = FAMILY_WEIGHTS[frozenset(streams)]
    data = [labels.of(runs[stream].config) for stream in streams]
    if any(one.sample_ids != data[0].sample_ids for one in data):
        return Cell(name, reason="the streams were tested on different samples")
    shapes = {files[stream].scores.shape for stream in streams}
    if len(shapes) > 1:
        return Cell(name, reason=f"the streams' scores have different shapes: {sorted(shapes)}")
    weights = [shares[stream] for stream in streams]
    scores = fuse([files[stream].scores for stream in streams], weights)
    parts = " : ".join(f"{shares[stream]:g} {STREAMS[stream]}" for stream in streams)
    return Cell(
        name,
        _figures(scores, data[0]),
        files=[str(files[stream].path) for stream in streams],
        weights=[cells[STREAMS[stream]].weights[0] for stream in streams],
        samples=len(data[0].labels),
        remark=parts,
    )
