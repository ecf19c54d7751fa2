"""Make a cleaned copy of an annotation file: all that has one right answer, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pyskl.errors import AnnotationError
from pyskl.health.duplicates import identical_groups, labels_text
from pyskl.health.examine import is_multi_class
from pyskl.health.expected import Expected
from pyskl.health.measure import Measured, measure
from pyskl.health.reading import CheckedFile
from pyskl.health.repair import Change, Sample, converted, repaired
from pyskl.health.samples import most_common
from pyskl.health.splits import Splits, sort_out


def fix(file: CheckedFile, expected: Expected | None = None) -> tuple[CheckedFile, list[Change]]:
    """Return a cleaned copy of an annotation file, and all that is different in it.

    Samples are repaired or dropped wherever they are. What is measured stays comparable otherwise:
    duplicates are only taken off the lists of training splits, never off those to measure on.

    Args:
        file: The file; it is not changed.
        expected: What a config expects, for which splits belong together.

    Raises:
        AnnotationError: if nothing is left.
    """
    multi_class = is_multi_class(file, expected)
    needs_id = file.split is not None
    samples: list[Sample] = []
    names: list[str] = []
    changes: list[Change] = []
    for name, sample in zip(file.names, file.samples):
        found, done = repaired(name, sample, needs_id=needs_id, multi_class=multi_class)
        changes += done
        if found is not None:
            samples.append(found)
            names.append(name)
    samples, names = _alike(samples, names, changes)
    samples, names = _unique_ids(samples, names, changes) if needs_id else (samples, names)
    if samples:
        pairs = expected.pairs() if expected else ()
        lists = _clean_lists(file.split, names, changes)
        samples, lists = _without_duplicates(samples, names, lists, pairs, changes, multi_class)
    if not samples:
        raise AnnotationError(
            f"{file.path}: no sample is fit to be kept, so there is no clean copy"
        )
    return CheckedFile(file.path, samples, lists, file.extra), changes


def _alike(
    samples: Sequence[Sample], names: Sequence[str], changes: list[Change]
) -> tuple[list[Sample], list[str]]:
    """Keep the samples that have as many joints and coordinates as most, in one float type."""
    if not samples:
        return [], []
    joints = most_common(sample["keypoint"].shape[2] for sample in samples)
    alike = [sample for sample in samples if sample["keypoint"].shape[2] == joints]
    coordinates = most_common(sample["keypoint"].shape[3] for sample in alike)
    usual = [sample for sample in alike if sample["keypoint"].shape[3] == coordinates]
    dtype = _common_type(usual)
    kept, kept_names = [], []
    for name, sample in zip(names, samples):
        V, C = sample["keypoint"].shape[2:]
        if joints != V:
            changes.append(Change("joints_differ", name, f"dropped: {V} joints"))
        elif coordinates != C:
            changes.append(Change("coordinates_differ", name, f"dropped: {C} coordinates"))
        else:
            was = sample["keypoint"].dtype
            if was != dtype:
                sample = converted(sample, dtype)
                changes.append(Change("dtype_differ", name, f"{dtype} instead of {was}"))
            kept.append(sample)
            kept_names.append(name)
    return kept, kept_names


def _common_type(samples: Sequence[Sample]) -> Any:
    """Return the most common float type that the values of all samples fit into."""
    types = {sample["keypoint"].dtype for sample in samples}
    usual = most_common(sample["keypoint"].dtype for sample in samples)
    if all(
        converted(sample, usual)["keypoint"].dtype == usual
        for sample in samples
        if sample["keypoint"].dtype != usual
    ):
        return usual
    return max(types, key=lambda dtype: dtype.itemsize)


def _unique_ids(
    samples: Sequence[Sample], names: Sequence[str], changes: list[Change]
) -> tuple[list[Sample], list[str]]:
    """Keep the first sample of each id."""
    firsts: dict[str, Sample] = {}
    for name, sample in zip(names, samples):
        if name in firsts:
            changes.append(Change("duplicate_ids", name, "dropped: another sample has that id"))
        else:
            firsts[name] = sample
    return list(firsts.values()), list(firsts)


def _clean_lists(
    split: dict[str, list[str]] | None, names: Iterable[str], changes: list[Change]
) -> dict[str, list[str]] | None:
    """Return the splits without ids that have no sample, repeated ids, and empty splits."""
    if split is None:
        return None
    known = set(names)
    # Ids of dropped samples leave the lists without a word: the dropping was told.
    told = {change.name for change in changes if change.text.startswith("dropped")}
    lists = {}
    for key, ids in split.items():
        once = list(dict.fromkeys(ids))
        if len(once) < len(ids):
            text = f"{len(ids) - len(once)} repeated ids listed once"
            changes.append(Change("split_repeats", key, text))
        changes += [
            Change("split_unknown", one, f"taken off {key}: it has no sample")
            for one in once
            if one not in known and one not in told
        ]
        kept = [one for one in once if one in known]
        if kept:
            lists[key] = kept
        else:
            changes.append(Change("split_empty", key, "left out: no sample is left in it"))
    return lists


def _without_duplicates(
    samples: Sequence[Sample],
    names: Sequence[str],
    lists: dict[str, list[str]] | None,
    pairs: Sequence[tuple[str, str]],
    changes: list[Change],
    multi_class: bool,
) -> tuple[list[Sample], dict[str, list[str]] | None]:
    """Take copies off the training lists, and drop samples that are then listed nowhere."""
    measured = [
        measure(name, sample, needs_id=False, multi_class=multi_class)[0]
        for name, sample in zip(names, samples)
    ]
    groups = identical_groups(measured)
    if lists is None:
        gone = _gone_from(groups, measured, None, changes)
        return [sample for i, sample in enumerate(samples) if i not in gone], None
    splits = sort_out(lists, names, pairs)
    listed_before = set(splits.of_sample)
    lists = dict(lists)
    for train in splits.training:
        tests = {test for one, test in splits.pairs if one == train}
        gone = _leaks(groups, splits, train, tests, measured, changes)
        rest = {index for index in splits.members[train] if index not in gone}
        gone |= _gone_from(
            [[index for index in group if index in rest] for group in groups],
            measured,
            train,
            changes,
        )
        names_gone = {names[index] for index in gone}
        lists[train] = [one for one in lists[train] if one not in names_gone]
        if not lists[train]:
            del lists[train]
            changes.append(Change("split_empty", train, "left out: no sample is left in it"))
    listed = {one for ids in lists.values() for one in ids}
    kept = [
        sample
        for index, (name, sample) in enumerate(zip(names, samples))
        if name in listed or index not in listed_before
    ]
    return kept, lists


def _leaks(
    groups: Iterable[Sequence[int]],
    splits: Splits,
    train: str,
    tests: set[str],
    measured: Sequence[Measured],
    changes: list[Change],
) -> set[int]:
    """Return the samples of a training split that are measured on, or are copies of such."""
    trained = set(splits.members[train])
    measured_on = {index: test for test in tests for index in splits.members[test]}
    gone = {index for index in trained if index in measured_on}
    for index in sorted(gone):
        text = f"taken off {train}: it is in {measured_on[index]}, too"
        changes.append(Change("split_overlap", measured[index].name, text))
    for group in groups:
        other = next((index for index in group if index in measured_on), None)
        for index in group:
            if other is not None and index in trained and index not in gone:
                gone.add(index)
                text = f"taken off {train}: {measured[other].name} of {measured_on[other]} is equal"
                changes.append(Change("duplicate_across", measured[index].name, text))
    return gone


def _gone_from(
    groups: Iterable[Sequence[int]],
    measured: Sequence[Measured],
    train: str | None,
    changes: list[Change],
) -> set[int]:
    """Return the samples of a training split (or file) that repeat or contradict another."""
    gone: set[int] = set()
    done = "dropped" if train is None else f"taken off {train}"
    for group in groups:
        if len(group) < 2:
            continue
        first = measured[group[0]]
        if len({measured[index].labels for index in group}) > 1:
            texts = labels_text([measured[index] for index in group])
            for index in group:
                text = f"{done}: equal samples with different labels ({texts})"
                changes.append(Change("duplicate_labels", measured[index].name, text))
            gone.update(group)
        else:
            for index in group[1:]:
                text = f"{done}: {first.name} is equal"
                changes.append(Change("duplicate_training", measured[index].name, text))
            gone.update(group[1:])
    return gone
