"""The model zoo: a table of finished runs, with how each number was obtained."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pyskl.apis.test_data import num_clips
from pyskl.errors import InputError
from pyskl.evaluation.fusion import FUSIONS, STREAMS, fuse
from pyskl.evaluation.scores import ScoreFile
from pyskl.logging.log import setup_logging
from pyskl.reports.run_scores import ScoreReader, measure
from pyskl.reports.runs import Run, Weights, find_runs, read_run
from pyskl.reports.zoo_names import (
    annotation_name,
    data_name,
    epochs_name,
    practice_name,
    stream_name,
)

_DASH = "-"


@dataclass(frozen=True)
class ZooResult:
    """A number of the table and how it was obtained.

    Attributes:
        name: A stream in words, ``'two-stream'`` or ``'four-stream'``.
        figures: ``top1_acc``, ``top5_acc``, ``mean_class_accuracy``, from 0 to 1; empty if there
            is no number.
        files: The score files.
        weights: ``'best'`` or ``'last'``, for each file.
        epoch: The epoch after which the weights were saved.
        total_epochs: Epochs of the run.
        seed: Seed of the run.
        clips: Test clips per sample.
        samples: Number of test samples.
        processes: Number of training processes.
        config: The config, to link to.
        checkpoint: The weights, to link to.
        reason: Why there is no number.
        remark: A remark about the number.
    """

    name: str
    figures: dict[str, float] = field(default_factory=dict)
    files: Sequence[str] = ()
    weights: Sequence[str] = ()
    epoch: int | None = None
    total_epochs: int | None = None
    seed: int | None = None
    clips: int | None = None
    samples: int | None = None
    processes: int | None = None
    config: str | None = None
    checkpoint: str | None = None
    reason: str | None = None
    remark: str | None = None

    @property
    def top1(self) -> float | None:
        """The number in the table."""
        return self.figures.get("top1_acc")

    def obtained(self) -> str:
        """Return in words how the number was obtained."""
        files = ", ".join(f"`{file}`" for file in self.files)
        if self.name in FUSIONS:
            weights = " and ".join(sorted(set(self.weights)))
            return f"{self.remark} of {files}; {weights} weights; {self.samples} samples"
        words = [files, f"{self.weights[0]} weights"]
        if self.epoch is not None:
            words.append(f"epoch {self.epoch} of {self.total_epochs}")
        words += [f"seed {self.seed}"] if self.seed is not None else []
        words += [f"{self.clips} clips"] if self.clips is not None else []
        words += [f"{self.samples} samples"] if self.samples is not None else []
        return ", ".join(words) + (f" ({self.remark})" if self.remark else "")


@dataclass(frozen=True)
class ZooRow:
    """A row of the table: the streams of one practice on one data set.

    Attributes:
        folder: The folder of the runs.
        data: The data set.
        practice: The practice.
        annotation: The kind of skeletons.
        gpus: The number of GPUs, or ``'CPU (...)'``.
        epochs: Epochs over the data.
        cells: The results by name.
    """

    folder: str
    data: str
    practice: str
    annotation: str
    gpus: str
    epochs: str
    cells: dict[str, ZooResult]


@dataclass(frozen=True)
class Zoo:
    """The table; its rows are sorted by folder."""

    rows: list[ZooRow]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return asdict(self)

    def markdown(self, folder: str | Path = ".") -> str:
        """Return the table in Markdown, followed by how each number was obtained.

        Args:
            folder: The folder of the file that it will be written to, where its links start.
        """
        names = [*STREAMS.values(), *FUSIONS]
        header = ["data set", "practice", "annotation", "GPUs", "epochs", *names]
        lines = [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
        for row in self.rows:
            practice = f"[{row.practice or _DASH}]({_link(row.folder, folder)})"
            words = [row.data, practice, row.annotation, row.gpus, row.epochs]
            words += [_shown(row.cells[name], folder) for name in names]
            cells = [word.replace("|", "\\|").replace("\n", " ") or _DASH for word in words]
            lines.append(f"| {' | '.join(cells)} |")
        results = [(row.folder, result) for row in self.rows for result in row.cells.values()]
        lines += ["", "Top-1 in %. How each number was obtained:", ""]
        lines += [
            f"- {path}, {result.name} {100 * result.top1:.1f}: {result.obtained()}"
            for path, result in results
            if result.top1 is not None
        ] or ["- there are none"]
        missing = [
            f"- {path}, {result.name}: {result.reason}" for path, result in results if result.reason
        ]
        return "\n".join([*lines, *(["", "Missing:", "", *missing] if missing else [])]) + "\n"


def _shown(result: ZooResult, folder: str | Path) -> str:
    if result.top1 is None:
        return _DASH
    text = f"{100 * result.top1:.1f}"
    if result.config is not None:
        text = f"[{text}]({_link(result.config, folder)})"
    if result.checkpoint is not None:
        text += f" ([pth]({_link(result.checkpoint, folder)}))"
    return text


def _link(path: str, folder: str | Path) -> str:
    relative = os.path.relpath(path, folder).replace(os.sep, "/")
    return relative.replace(" ", "%20").replace("(", "%28").replace(")", "%29")


def zoo_from_folder(root: str | Path, *, weights: Weights = "best", trusted: bool = False) -> Zoo:
    """Do what ``tools/zoo.py`` does.

    Runs in sibling folders with different streams form a row.

    Args:
        root: The folder whose work dirs to look at, at any depth.
        weights: Which scores to take. A run without these is shown with the others and a remark.
        trusted: Load files with plain pickle, which runs any code in them.

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
        else:  # no known stream, or a second run of the same one: it gets its own row
            groups[path] = {stream or "j": run}
    reader = ScoreReader(trusted=trusted)
    return Zoo([_row(folder, runs, weights, reader) for folder, runs in sorted(groups.items())])


def _row(folder: Path, runs: Mapping[str, Run], weights: Weights, reader: ScoreReader) -> ZooRow:
    results = dict(_results(runs, weights, reader))
    configs = [run.config for run in runs.values()]
    return ZooRow(
        folder=str(folder),
        data=_joined(map(data_name, configs)),
        practice=_joined(map(practice_name, configs)),
        annotation=_joined(map(annotation_name, configs)),
        gpus=_joined(map(_gpus, runs.values())),
        epochs=_joined(map(epochs_name, configs)),
        cells=results,
    )


def _joined(words: Iterable[str]) -> str:
    return ", ".join(word for word in dict.fromkeys(words) if word)


def _gpus(run: Run) -> str:
    if run.processes is None:
        return ""
    if "gpus" in run.environment:
        return str(run.processes)
    return f"CPU ({run.processes} process{'es' if run.processes > 1 else ''})"


def _results(
    runs: Mapping[str, Run], weights: Weights, reader: ScoreReader
) -> Iterator[tuple[str, ZooResult]]:
    """Yield the results of the streams, then of the fusions, by name."""
    results, files = {}, {}
    for stream, name in STREAMS.items():
        results[stream], file = ZooResult(name, reason="there is no run"), None
        if stream in runs:
            results[stream], file = _stream_result(name, runs[stream], weights, reader)
        if file is not None:
            files[stream] = file
        yield name, results[stream]
    for name, shares in FUSIONS.items():
        lacking = [STREAMS[stream] for stream in shares if stream not in files]
        if lacking:
            reason = f"no readable scores of {', '.join(lacking)}"
            yield name, ZooResult(name, reason=reason)
            continue
        data = [reader.test_data(runs[stream].config) for stream in shares]
        tables = [files[stream].scores for stream in shares]
        if any(one.sample_ids != data[0].sample_ids for one in data):
            yield name, ZooResult(name, reason="the streams were tested on different samples")
        elif len({table.shape for table in tables}) > 1:
            yield name, ZooResult(name, reason="the streams have different numbers of classes")
        else:
            yield (
                name,
                ZooResult(
                    name,
                    measure(fuse(tables, list(shares.values())), data[0].labels),
                    files=[str(files[stream].path) for stream in shares],
                    weights=[results[stream].weights[0] for stream in shares],
                    samples=len(data[0].labels),
                    remark=" : ".join(f"{w:g} {STREAMS[stream]}" for stream, w in shares.items()),
                ),
            )


def _stream_result(
    name: str, run: Run, weights: Weights, reader: ScoreReader
) -> tuple[ZooResult, ScoreFile | None]:
    """Return the result of a run, and its scores if they can be read."""
    if not run.config:
        return ZooResult(name, reason=f"no readable config in {run.work_dir}"), None
    if not run.is_finished:
        reason = f"the run in {run.work_dir} is not finished ({run.progress})"
        return ZooResult(name, reason=reason), None
    try:
        scored = run.scored(weights)
    except InputError as error:
        return ZooResult(name, reason=str(error)), None
    if scored is None:
        reason = f"the run in {run.work_dir} was not tested (no {weights}_pred.pkl)"
        return ZooResult(name, reason=reason), None
    path, taken = scored.path, scored.weights
    facts: dict[str, Any] = {
        "files": [str(path)],
        "weights": [taken],
        "epoch": scored.epoch,
        "total_epochs": run.total_epochs,
        "seed": run.seed,
        "clips": num_clips(run.config.get("data", {}).get("test")),
        "processes": run.processes,
        "config": None if run.config_file is None else str(run.config_file),
        "checkpoint": None if scored.checkpoint is None else str(scored.checkpoint),
    }
    remarks = [] if taken == weights else [f"there is no {weights}_pred.pkl"]
    remarks += ["the epoch is unknown: no usable .meta.json"] if scored.epoch is None else []
    file = None
    try:
        file, data = reader.read(path, run.config)
        if data.labels.ndim > 1:
            raise InputError("samples with several labels have no top-1 accuracy")
        figures = measure(file.scores, data.labels)
        facts["samples"] = len(data.labels)
        if file.origin is not None and file.origin.num_clips is not None:
            facts["clips"] = file.origin.num_clips
        logged = run.outdated_top1(taken, figures)
        if logged is not None:
            remarks.append(f"the log says {100 * logged:.1f}: the scores were replaced since")
    except InputError as error:
        figures, file = run.tested(taken), None
        if "top1_acc" not in figures:
            return ZooResult(name, reason=f"{path} can't be measured: {error}", **facts), None
        remarks.append(f"as logged; not measured again: {error}")
    return ZooResult(name, figures, remark="; ".join(remarks) or None, **facts), file
