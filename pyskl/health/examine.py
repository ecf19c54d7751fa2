"""Examine an annotation file: measure every sample once, then apply the rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from pyskl.datasets.sample_fields import field_changes, with_plain_fields
from pyskl.health.duplicates import duplicate_findings, identical_groups, shared_findings
from pyskl.health.expectations import ConfigExpectations, expectation_findings
from pyskl.health.measure import SampleMeasurements, measure
from pyskl.health.raw_annotations import RawAnnotations
from pyskl.health.report import (
    DuplicateGroup,
    Finding,
    HealthReport,
    Item,
    SharedRun,
    Statistics,
    sorted_findings,
)
from pyskl.health.rules import consistency_findings, sample_findings
from pyskl.health.shared_frames import SharedFrames
from pyskl.health.splits import resolve_splits, split_findings
from pyskl.health.statistics import StatisticsCollector, dead_joints, float16_too_coarse

# Groups of duplicates and shared runs that the statistics list; the findings name all samples.
_LISTED = 1000


def examine(
    file: RawAnnotations,
    expected: ConfigExpectations | None = None,
    *,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> HealthReport:
    """Examine the health of an annotation file.

    Args:
        file: From :func:`~pyskl.health.raw_annotations.read_raw_annotations`.
        expected: What a config expects of it.
        progress: Wraps the loop over the samples, like ``tqdm``.

    Example:
        >>> import numpy as np
        >>> from pathlib import Path
        >>> clips = [dict(frame_dir=str(i), label=i % 2, total_frames=9,
        ...               keypoint=np.random.randn(1, 9, 25, 3)) for i in range(4)]
        >>> file = RawAnnotations(Path('mine.pkl'), clips, dict(train=['0', '1'], val=['2', '4']))
        >>> [finding.kind for finding in examine(file).findings if finding.severity == 'error']
        ['split_unknown']
    """
    multi_class = is_multi_class(file, expected)
    layout = None if expected is None else expected.layout
    collector, shared = StatisticsCollector(len(file.samples), layout), SharedFrames()
    plain = [with_plain_fields(one) if isinstance(one, Mapping) else one for one in file.samples]
    samples: list[SampleMeasurements] = []
    digests: set[bytes] = set()
    for index, (name, sample) in enumerate(progress(list(zip(file.names, plain)))):
        found, rows = measure(
            name, sample, needs_id=file.split is not None, multi_class=multi_class
        )
        samples.append(found)
        if rows is not None and found.body is not None:
            collector.add(rows)
            if found.body.digest not in digests:  # identical samples are added once
                digests.add(found.body.digest)
                shared.add(index, sample["keypoint"])

    splits = resolve_splits(file.split, file.names, expected.split_pairs() if expected else ())
    statistics = collector.statistics(samples, splits, file.names_of("label_names"))
    groups = identical_groups(samples)
    runs = shared.runs(lambda index: plain[index]["keypoint"])
    statistics.duplicates = [
        DuplicateGroup(
            [samples[index].name for index in group],
            [samples[index].label_text for index in group],
            [splits.of_sample.get(index, []) for index in group],
        )
        for group in groups[:_LISTED]
    ]
    statistics.shared = [
        SharedRun(samples[run.first].name, samples[run.second].name, *run[2:])
        for run in runs[:_LISTED]
    ]
    findings = [
        *sample_findings(samples),
        *consistency_findings(samples, dead_joints(statistics)),
        *split_findings(splits, samples),
        *duplicate_findings(groups, samples, splits),
        *shared_findings(runs, groups, samples, splits),
        *_dataset_findings(file, statistics),
    ]
    if expected is not None:
        findings += expectation_findings(
            *(expected, statistics, samples, splits, collector.bones(), file),
        )
    return HealthReport(
        path=str(file.path),
        bytes=file.path.stat().st_size if file.path.is_file() else 0,
        config=None if expected is None else expected.source,
        statistics=statistics,
        findings=sorted_findings(findings),
    )


def is_multi_class(file: RawAnnotations, expected: ConfigExpectations | None = None) -> bool:
    """Return whether samples have several classes: the config says so, or all labels are lists."""
    if expected is not None and any(use.multi_class for use in expected.uses):
        return True
    labels = [
        sample["label"]
        for sample in file.samples
        if isinstance(sample, Mapping) and "label" in sample
    ]
    several = (isinstance(one, (list, tuple, np.ndarray)) and np.ndim(one) > 0 for one in labels)
    return bool(labels) and all(several)


def changes_text(sample: Mapping[str, Any], changes: Mapping[str, Any]) -> str:
    """Say which fields of a sample have another form than the usual one."""
    texts = [
        f"{key} is {_form(sample[key])}" + (", which counts as absent" if value is None else "")
        for key, value in changes.items()
    ]
    return ", ".join(texts)


def _form(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array {value.shape} of {value.dtype}"
    if isinstance(value, (list, tuple)) and len(value) > 3:
        return f"a {type(value).__name__}"
    return repr(value)


def _dataset_findings(file: RawAnnotations, statistics: Statistics) -> list[Finding]:
    """Return the findings about the whole data set, apart from its splits."""
    repeated = [(name, count) for name, count in Counter(file.names).items() if count > 1]
    forms = [
        Item(name, changes_text(sample, changes))
        for name, sample in zip(file.names, file.samples)
        if isinstance(sample, Mapping) and (changes := field_changes(sample))
    ]
    joint_names = dict(enumerate(statistics.joint_names))
    labels = statistics.classes[""]
    top = max(labels, default=-1)
    gaps = top + 1 - len(labels)
    if gaps > _LISTED:
        missing = [Item(f"0 to {top}", f"{gaps} of them")]
    else:
        missing = [Item(str(label)) for label in range(top) if label not in labels]
    names = statistics.label_names
    unnamed = [Item(str(label)) for label in labels if names and label >= len(names)]
    coarse = float16_too_coarse(statistics)
    found = {
        "field_forms": forms,
        "duplicate_ids": [Item(n, f"{count} samples") for n, count in repeated if file.split],
        "dead_joints": [Item(str(v), joint_names.get(v, "")) for v in dead_joints(statistics)],
        "float16_coarse": [] if coarse is None else [Item("float16", coarse)],
        "label_gap": missing,
        "label_names": unnamed,
    }
    return [Finding(kind, items) for kind, items in found.items()]
