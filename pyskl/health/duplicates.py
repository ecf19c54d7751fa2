"""Findings about samples that are, whole or in part, the same to the last bit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pyskl.health.fingerprint import Run
from pyskl.health.measure import Measured
from pyskl.health.report import Finding, Item
from pyskl.health.splits import ALL, Splits

# How many of a group of identical samples a text names.
_SHOWN = 5


def identical_groups(measured: Sequence[Measured]) -> list[list[int]]:
    """Return the positions of samples whose persons are the same to the last bit.

    Samples in which all is zero are left out: that they are alike says nothing.
    """
    groups: dict[bytes, list[int]] = {}
    for index, sample in enumerate(measured):
        if sample.body is not None and sample.body.digest:
            groups.setdefault(sample.body.digest, []).append(index)
    return [group for group in groups.values() if len(group) > 1]


def duplicate_findings(
    groups: Iterable[Sequence[int]], measured: Sequence[Measured], splits: Splits
) -> list[Finding]:
    """Return findings about identical samples.

    Args:
        groups: See :func:`identical_groups`.
        measured: All samples.
        splits: The splits; samples that none of them lists are not looked at.
    """
    across: list[Item] = []
    labels: list[Item] = []
    repeated: dict[bool, list[Item]] = {True: [], False: []}  # in training; elsewhere
    for group in groups:
        used = [index for index in group if not splits.names or index in splits.of_sample]
        for test, train, name in _leaks(used, used, splits):
            where = [one for one in splits.of_sample[test] if (name, one) in splits.pairs]
            detail = f"= {measured[train].name} of {name}; in {', '.join(where)}"
            across.append(Item(measured[test].name, detail))
        found = {measured[index].labels for index in used if measured[index].labels}
        if len(found) > 1:
            labels.append(Item(measured[used[0]].name, labels_text([measured[i] for i in used])))
        for index, first, split in _within(used, splits):
            item = Item(measured[index].name, f"= {measured[first].name}, in {split}")
            repeated[split in splits.training or not splits.names].append(item)
    return [
        Finding("duplicate_across", across),
        Finding("duplicate_labels", labels),
        Finding("duplicate_training", repeated[True]),
        Finding("duplicate_test", repeated[False]),
    ]


def shared_findings(
    runs: Iterable[Run],
    groups: Iterable[Sequence[int]],
    measured: Sequence[Measured],
    splits: Splits,
) -> list[Finding]:
    """Return findings about runs of frames that samples share.

    Args:
        runs: The runs; of a group of identical samples the first stands for all.
        groups: See :func:`identical_groups`.
        measured: All samples.
        splits: The splits.
    """
    alike: Mapping[int, Sequence[int]] = {group[0]: group for group in groups}
    across: dict[int, Item] = {}
    within: dict[int, Item] = {}
    for run in runs:
        left, right = alike.get(run.first, [run.first]), alike.get(run.second, [run.second])
        one, other = label_text(measured[run.first]), label_text(measured[run.second])
        differing = f"; labels {one} and {other}" if one != other else ""
        starts = f"from frame {run.first_start} and {run.second_start}{differing}"
        leaks = [*_leaks(left, right, splits), *_leaks(right, left, splits)]
        for test, train, _ in leaks:
            text = f"{run.frames} frames of {measured[train].name}, {starts}"
            across.setdefault(test, Item(measured[test].name, text))
        if not leaks:
            text = f"{run.frames} frames of {measured[run.first].name}, {starts}"
            within.setdefault(run.second, Item(measured[run.second].name, text))
    return [
        Finding("shared_across", [across[index] for index in sorted(across)]),
        Finding("shared_frames", [within[index] for index in sorted(within)]),
    ]


def label_text(sample: Measured) -> str:
    """Return a sample's label as text."""
    return " ".join(map(str, sample.labels)) or "no label"


def labels_text(samples: Sequence[Measured]) -> str:
    """Return what labels some samples have, of many the first."""
    more = ", ..." if len(samples) > _SHOWN else ""
    return ", ".join(f"{one.name}: {label_text(one)}" for one in samples[:_SHOWN]) + more


def _leaks(
    tests: Sequence[int], trains: Sequence[int], splits: Splits
) -> list[tuple[int, int, str]]:
    """Return (sample, another one, its split) where the first is measured on, the other trained on.

    Args:
        tests: Samples that may be measured on; each is returned once.
        trains: Samples that are like them; of those in a split the first stands for all.
        splits: The splits.
    """
    # Two, as the first may be the sample itself.
    firsts: dict[str, list[int]] = {}
    for index in trains:
        for name in splits.of_sample.get(index, ()):
            if len(firsts.setdefault(name, [])) < 2:
                firsts[name].append(index)
    found = []
    for test in tests:
        names = splits.of_sample.get(test, ())
        pairs = [pair for pair in splits.pairs if pair[1] in names]
        partner = (
            (test, train, name)
            for name, _ in pairs
            for train in firsts.get(name, ())
            if train != test
        )
        found += [one for one in [next(partner, None)] if one is not None]
    return found


def _within(group: Sequence[int], splits: Splits) -> list[tuple[int, int, str]]:
    """Return (sample, the first one like it, split) for those that repeat one of their split."""
    firsts: dict[str, int] = {}
    found: dict[int, tuple[int, int, str]] = {}
    for index in group:
        for split in splits.of_sample.get(index, [] if splits.names else [ALL]):
            first = firsts.setdefault(split, index)
            if first != index and index not in found:
                found[index] = (index, first, split)
    return list(found.values())
