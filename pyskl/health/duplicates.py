"""Findings about samples that are identical bit for bit, as a whole or in part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyskl.health.measure import SampleMeasurements
from pyskl.health.report import Finding, Item
from pyskl.health.shared_frames import Run
from pyskl.health.splits import ALL, Splits

# How many samples of a group are named in a message.
_NAMED = 5


def identical_groups(samples: Sequence[SampleMeasurements]) -> list[list[int]]:
    """Return groups (indices) of samples whose persons are identical, ignoring all-zero persons.

    Each group has at least two samples.
    """
    groups: dict[bytes, list[int]] = {}
    for index, sample in enumerate(samples):
        if sample.body is not None and sample.body.digest:
            groups.setdefault(sample.body.digest, []).append(index)
    return [group for group in groups.values() if len(group) > 1]


def duplicate_findings(
    groups: Iterable[Sequence[int]], samples: Sequence[SampleMeasurements], splits: Splits
) -> list[Finding]:
    """Return the findings about identical samples.

    Args:
        groups: See :func:`identical_groups`.
        samples: All samples.
        splits: The splits; unlisted samples are ignored.
    """
    found: dict[str, list[Item]] = {
        kind: []
        for kind in (
            "duplicate_across",
            "duplicate_labels",
            "duplicate_training",
            "duplicate_test",
        )
    }
    for group in groups:
        used = [index for index in group if not splits.ids or index in splits.of_sample]
        for test, train, name in _leaks(used, used, splits):
            where = [one for one in splits.of_sample[test] if (name, one) in splits.pairs]
            detail = f"= {samples[train].name} of {name}; in {', '.join(where)}"
            found["duplicate_across"].append(Item(samples[test].name, detail))
        if len({samples[index].labels for index in used if samples[index].labels}) > 1:
            detail = labels_text([samples[index] for index in used])
            found["duplicate_labels"].append(Item(samples[used[0]].name, detail))
        firsts: dict[str, int] = {}
        for index in used:
            where = splits.of_sample.get(index, []) if splits.ids else [ALL]
            for split in where:
                firsts.setdefault(split, index)
            repeats = next((split for split in where if firsts[split] != index), None)
            if repeats is not None:
                training = not splits.ids or repeats in splits.training
                detail = f"= {samples[firsts[repeats]].name}, in {repeats}"
                kind = "duplicate_training" if training else "duplicate_test"
                found[kind].append(Item(samples[index].name, detail))
    return [Finding(kind, items) for kind, items in found.items()]


def shared_findings(
    runs: Iterable[Run],
    groups: Iterable[Sequence[int]],
    samples: Sequence[SampleMeasurements],
    splits: Splits,
) -> list[Finding]:
    """Return the findings about runs of frames that samples share.

    Args:
        runs: The runs; of identical samples, they contain the first.
        groups: See :func:`identical_groups`.
        samples: All samples.
        splits: The splits.
    """
    group_of = {group[0]: group for group in groups}
    across: dict[int, Item] = {}
    within: dict[int, Item] = {}
    for run in runs:
        left, right = (group_of.get(index, [index]) for index in run[:2])
        one, other = samples[run.first].label_text, samples[run.second].label_text
        labels = f"; labels {one} and {other}" if one != other else ""
        starts = f"from frame {run.first_start} and {run.second_start}{labels}"
        leaks = [*_leaks(left, right, splits), *_leaks(right, left, splits)]
        for test, train, _ in leaks:
            detail = f"{run.frames} frames of {samples[train].name}, {starts}"
            across.setdefault(test, Item(samples[test].name, detail))
        if not leaks:
            detail = f"{run.frames} frames of {samples[run.first].name}, {starts}"
            within.setdefault(run.second, Item(samples[run.second].name, detail))
    return [
        Finding("shared_across", [across[index] for index in sorted(across)]),
        Finding("shared_frames", [within[index] for index in sorted(within)]),
    ]


def labels_text(samples: Sequence[SampleMeasurements]) -> str:
    """Return the labels of the first few samples."""
    more = ", ..." if len(samples) > _NAMED else ""
    return ", ".join(f"{one.name}: {one.label_text}" for one in samples[:_NAMED]) + more


def _leaks(
    tests: Sequence[int], trains: Sequence[int], splits: Splits
) -> list[tuple[int, int, str]]:
    """Return (test sample, training sample, training split) if they are equal.

    Args:
        tests: Possible test samples; each is returned at most once.
        trains: Samples that are equal to them.
        splits: The splits.
    """
    # Two samples of each split are enough: the first one may be the test sample itself.
    firsts: dict[str, list[int]] = {}
    for index in trains:
        for name in splits.of_sample.get(index, ()):
            if len(firsts.setdefault(name, [])) < 2:
                firsts[name].append(index)
    found = []
    for test in tests:
        names = splits.of_sample.get(test, ())
        leaks = (
            (test, train, train_split)
            for train_split, test_split in splits.pairs
            if test_split in names
            for train in firsts.get(train_split, ())
            if train != test
        )
        found += [leak for leak in [next(leaks, None)] if leak is not None]
    return found
