"""Examine an annotation file: measure every sample once, then say what that tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from pyskl.health.duplicates import (
    duplicate_findings,
    identical_groups,
    label_text,
    shared_findings,
)
from pyskl.health.expected import Expected, expectation_findings
from pyskl.health.facts import Collected, dead_joints, find_facts, too_coarse
from pyskl.health.fingerprint import Run, SharedFrames
from pyskl.health.measure import Measured, measure
from pyskl.health.reading import CheckedFile
from pyskl.health.report import (
    Facts,
    Finding,
    Group,
    HealthReport,
    Item,
    SharedRun,
    sorted_findings,
)
from pyskl.health.samples import consistency_findings, flat_findings, sample_findings
from pyskl.health.splits import Splits, sort_out, split_findings

# How many groups of duplicates and shared runs the figures spell out; findings name all samples.
_LISTED = 1000


def examine(
    file: CheckedFile,
    expected: Expected | None = None,
    *,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> HealthReport:
    """Find out about the health of an annotation file.

    Args:
        file: The file, read by :func:`~pyskl.health.reading.read_for_check`.
        expected: What a config expects of it.
        progress: Wraps the loop over the samples, as ``tqdm`` does.

    Example:
        >>> import numpy as np
        >>> from pathlib import Path
        >>> clips = [dict(frame_dir=str(i), label=i % 2, total_frames=9,
        ...               keypoint=np.random.randn(1, 9, 25, 3)) for i in range(4)]
        >>> file = CheckedFile(Path('mine.pkl'), clips, dict(train=['0', '1'], val=['2', '4']))
        >>> [finding.kind for finding in examine(file).findings if finding.severity == 'error']
        ['split_unknown']
    """
    multi_class = is_multi_class(file, expected)
    layout = None if expected is None else expected.layout
    collected, frames = Collected(len(file.samples), layout), SharedFrames()
    measured: list[Measured] = []
    seen: set[bytes] = set()
    for index, (name, sample) in enumerate(progress(list(zip(file.names, file.samples)))):
        found, rows = measure(
            name, sample, needs_id=file.split is not None, multi_class=multi_class
        )
        measured.append(found)
        if rows is not None and found.body is not None:
            collected.add(rows)
            if found.body.digest not in seen:  # of identical ones the first stands for all
                seen.add(found.body.digest)
                frames.add(index, sample["keypoint"])

    splits = sort_out(file.split, file.names, expected.pairs() if expected else ())
    facts = find_facts(measured, splits, collected, file.label_names)
    groups = identical_groups(measured)
    runs = frames.runs(_Keypoints(file.samples))
    _list_duplicates(facts, groups, runs, measured, splits)
    findings = [
        *sample_findings(measured),
        *consistency_findings(measured, dead_joints(facts)),
        *flat_findings(measured),
        *split_findings(splits, file.names, [sample.labels for sample in measured]),
        *duplicate_findings(groups, measured, splits),
        *shared_findings(runs, groups, measured, splits),
        *_set_findings(file, facts, measured),
    ]
    if expected is not None:
        findings += expectation_findings(
            expected, facts, measured, splits, collected.bones(), file.joint_names
        )
    return HealthReport(
        path=str(file.path),
        bytes=file.path.stat().st_size if file.path.is_file() else 0,
        config=None if expected is None else expected.source,
        facts=facts,
        findings=sorted_findings(findings),
    )


def is_multi_class(file: CheckedFile, expected: Expected | None = None) -> bool:
    """Return whether samples have several classes: the config says so, or they all look so."""
    if expected is not None and any(use.multi_class for use in expected.uses):
        return True
    labels = [
        sample["label"]
        for sample in file.samples
        if isinstance(sample, Mapping) and "label" in sample
    ]
    return bool(labels) and all(isinstance(one, (list, tuple, np.ndarray)) for one in labels)


class _Keypoints(Sequence[np.ndarray]):
    """The keypoints of samples, by position."""

    def __init__(self, samples: Sequence[Any]) -> None:
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: Any) -> Any:
        return self._samples[index]["keypoint"]


def _set_findings(file: CheckedFile, facts: Facts, measured: Sequence[Measured]) -> list[Finding]:
    """Return the findings about the set as a whole, apart from its splits."""
    bodies = [sample.body for sample in measured if sample.body is not None]
    counted = Counter(file.names)
    labels = facts.classes.get("", {})
    coarse = too_coarse(facts, bodies)
    names = dict(enumerate(facts.joint_names))
    unnamed = [label for label in labels if label >= len(facts.label_names)]
    return [
        Finding(
            "duplicate_ids",
            [Item(name, f"{n} samples") for name, n in counted.items() if n > 1 and file.split],
        ),
        Finding("dead_joints", [Item(str(v), names.get(v, "")) for v in dead_joints(facts)]),
        Finding("float16_coarse", [] if coarse is None else [Item("float16", coarse)]),
        Finding("label_gap", _gaps(labels)),
        Finding(
            "label_names", [Item(str(label)) for label in unnamed] if facts.label_names else []
        ),
    ]


def _gaps(labels: Mapping[int, int]) -> list[Item]:
    """Return the labels below the greatest that no sample has, or how many where they are many."""
    top = max(labels, default=-1)
    missing = top + 1 - len(labels)
    if missing > _LISTED:
        return [Item(f"0 to {top}", f"{missing} of them")]
    return [Item(str(n)) for n in range(top) if n not in labels]


def _list_duplicates(
    facts: Facts,
    groups: Sequence[Sequence[int]],
    runs: Sequence[Run],
    measured: Sequence[Measured],
    splits: Splits,
) -> None:
    facts.duplicates = [
        Group(
            [measured[index].name for index in group],
            [label_text(measured[index]) for index in group],
            [splits.of_sample.get(index, []) for index in group],
        )
        for group in groups[:_LISTED]
    ]
    facts.shared = [
        SharedRun(measured[run.first].name, measured[run.second].name, *run[2:])
        for run in runs[:_LISTED]
    ]
