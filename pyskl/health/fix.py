"""Make a cleaned copy of an annotation file, with all unambiguous problems fixed.

Shapes: M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pyskl.datasets.sample_fields import (
    as_text,
    crowded,
    field_changes,
    fitting_orders,
    reordered,
    with_plain_fields,
)
from pyskl.errors import AnnotationError
from pyskl.health.duplicates import identical_groups, labels_text
from pyskl.health.examine import changes_text, is_multi_class
from pyskl.health.expectations import ConfigExpectations
from pyskl.health.measure import (
    SampleMeasurements,
    is_keypoint,
    measure,
    order_problem,
    sample_problems,
)
from pyskl.health.raw_annotations import RawAnnotations
from pyskl.health.rules import most_common
from pyskl.health.splits import Splits, resolve_splits

Sample = dict[str, Any]

# A sample is dropped if more than this share of its joints is NaN.
_BEYOND_REPAIR = 0.5


class Change(NamedTuple):
    """A difference between the cleaned copy and the file.

    Attributes:
        kind: The kind of finding that it fixes.
        name: Id of the sample, or name of the split.
        text: What was done.
    """

    kind: str
    name: str
    text: str


def fix(
    file: RawAnnotations, expected: ConfigExpectations | None = None
) -> tuple[RawAnnotations, list[Change]]:
    """Return a cleaned copy of an annotation file, and all changes.

    Invalid samples are repaired or dropped in all splits. Duplicates are removed from the training
    splits only, so that results on test splits stay comparable.

    Args:
        file: The file; it is not modified.
        expected: What a config expects; it defines further pairs of training and test splits.

    Raises:
        AnnotationError: if no sample remains.
    """
    multi_class = is_multi_class(file, expected)
    needs_id = file.split is not None
    samples: list[tuple[str, Sample]] = []
    changes: list[Change] = []
    for name, raw in zip(file.names, file.samples):
        repaired, done = _repaired(raw, needs_id=needs_id, multi_class=multi_class)
        changes += [Change(kind, name, text) for kind, text in done]
        if repaired is not None:
            samples.append((name, repaired))
    samples = _with_one_shape(samples, changes)
    split = file.split
    if samples:
        pairs = expected.split_pairs() if expected else ()
        if split is not None:
            split = _clean_split(split, {name for name, _ in samples}, changes)
        samples, split = _without_duplicates(samples, split, pairs, changes, multi_class)
    if not samples:
        raise AnnotationError("no sample is usable, so there is no clean copy", file=file.path)
    cleaned = [sample for _, sample in samples]
    return RawAnnotations(file.path, cleaned, split, file.extra), changes


# --- single samples: each repair modifies the sample and returns (kind, what was done) ------------

_Done = list[tuple[str, str]]


def _repaired(raw: Any, *, needs_id: bool, multi_class: bool) -> tuple[Sample | None, _Done]:
    """Return a valid sample (None if it has to be dropped) and what was done."""
    if not isinstance(raw, Mapping):
        return None, [("structure", f"dropped: a {type(raw).__name__}, not a dict")]
    changes = field_changes(raw)
    sample = dict(with_plain_fields(raw))
    done = [
        *([("field_forms", f"written as usual: {changes_text(raw, changes)}")] if changes else []),
        *_repair_array(sample),
        *_repair_axes(sample),
        *_repair_label(sample, multi_class),
        *_repair_length(sample),
        *_repair_values(sample),
    ]
    problems = sample_problems(sample, needs_id=needs_id, multi_class=multi_class)
    if problems:
        return None, [*done, (problems[0].kind, f"dropped: {problems[0].text}")]
    if not sample["keypoint"].any():
        return None, [*done, ("all_zero", "dropped: all keypoints are zero")]
    return sample, [*done, *_cut_ends(sample)]


def _repair_array(sample: Sample) -> _Done:
    """Add the axis M of a single person, if there is no number of frames to tell."""
    keypoint = sample.get("keypoint")
    if not isinstance(keypoint, np.ndarray) or keypoint.ndim != 3 or keypoint.dtype.kind != "f":
        return []
    if sample.get("total_frames") is not None or keypoint.shape[2] not in (2, 3):
        return []
    was = keypoint.shape
    sample["total_frames"] = len(keypoint)
    sample.update(with_plain_fields(sample))
    return [("structure", f"keypoint reshaped to (1, T, V, C), was {was}")]


def _repair_axes(sample: Sample) -> _Done:
    """Put the axes in the order (M, T, V, C), if exactly one order fits."""
    if order_problem(sample) is None or not isinstance(
        sample.get("total_frames"), (int, np.integer)
    ):
        return []
    was = sample["keypoint"].shape
    orders = fitting_orders(was, int(sample["total_frames"]))
    if len(orders) != 1:
        return []
    sample.update(reordered(sample, orders[0]))
    now = sample["keypoint"].shape
    return [("axes", f"{as_text(orders[0])} = {was} reordered to (M, T, V, C) = {now}")]


def _repair_label(sample: Sample, multi_class: bool) -> _Done:
    """Convert a label such as 3.0 or array([3]) to int."""
    was = label = sample.get("label")
    if isinstance(label, np.ndarray) and label.size == 1 and not multi_class:
        label = label.reshape(()).item()
    if isinstance(label, (float, np.floating)) and float(label).is_integer():
        label = int(label)
    if label is was or not isinstance(label, int) or isinstance(label, bool):
        return []
    sample["label"] = label
    return [("label", f"label set to {label}, was {was!r}")]


def _repair_length(sample: Sample) -> _Done:
    """Set total_frames to the number of frames."""
    if not is_keypoint(sample.get("keypoint")):
        return []
    T, was = sample["keypoint"].shape[1], sample.get("total_frames")
    if isinstance(was, (int, np.integer)) and not isinstance(was, bool) and was == T:
        return []
    if crowded(*sample["keypoint"].shape[:2]) or order_problem(sample) is not None:
        return []  # the axes are in doubt
    sample["total_frames"] = T
    if was is None:
        return [("structure", f"total_frames set to {T}")]
    return [("total_frames", f"total_frames set to {T}, was {was!r}")]


def _repair_values(sample: Sample) -> _Done:
    """Set joints with NaN or infinity to zero, unless too few others remain."""
    keypoint, score = sample.get("keypoint"), sample.get("keypoint_score")
    if not is_keypoint(keypoint):
        return []
    bad = ~np.isfinite(keypoint).all(axis=-1)  # (M, T, V)
    if not (isinstance(score, np.ndarray) and score.shape == bad.shape and score.dtype.kind == "f"):
        score = None
    if score is not None:
        bad |= ~np.isfinite(score)
    exists = np.any(keypoint, axis=-1)  # NaN is not zero
    count = int(bad.sum())
    if not count or (bad & exists).sum() > _BEYOND_REPAIR * exists.sum():
        return []
    sample["keypoint"] = keypoint.copy()
    sample["keypoint"][bad] = 0
    if score is not None:
        sample["keypoint_score"] = score.copy()
        sample["keypoint_score"][bad] = 0
    return [("nonfinite", f"{count} joint{'s' * (count > 1)} with NaN or infinity set to zero")]


def _cut_ends(sample: Sample) -> _Done:
    """Cut frames without persons off both ends."""
    keypoint = sample["keypoint"]
    T = keypoint.shape[1]
    frames = np.flatnonzero(keypoint.any(axis=(0, 2, 3)))
    start, stop = int(frames[0]), int(frames[-1]) + 1
    if stop - start == T:
        return []
    for key, value in sample.items():  # keypoint, keypoint_score and others of each frame
        if not isinstance(value, np.ndarray):
            continue
        if value.shape[:2] == keypoint.shape[:2]:
            sample[key] = value[:, start:stop].copy()
        elif value.ndim and len(value) == T:
            sample[key] = value[start:stop].copy()
    sample["total_frames"] = stop - start
    return [
        ("empty_ends", f"{start} frames cut off at the beginning, {T - stop} at the end"),
    ]


# --- the set --------------------------------------------------------------------------------------


def _with_one_shape(
    samples: Sequence[tuple[str, Sample]], changes: list[Change]
) -> list[tuple[str, Sample]]:
    """Keep the samples with the usual number of joints and coordinates, in one float type."""
    if not samples:
        return []
    shapes = [sample["keypoint"].shape[2:] for _, sample in samples]
    joints = most_common(V for V, _ in shapes)
    coordinates = most_common(C for V, C in shapes if joints == V)
    kept = []
    for (name, sample), (V, C) in zip(samples, shapes):
        if joints != V:
            changes.append(Change("joints_differ", name, f"dropped: {V} joints"))
        elif coordinates != C:
            changes.append(Change("coordinates_differ", name, f"dropped: {C} coordinates"))
        else:
            kept.append((name, sample))
    dtypes = [sample["keypoint"].dtype for _, sample in kept]
    dtype = most_common(dtypes)
    if any(_converted(sample, dtype)["keypoint"].dtype != dtype for _, sample in kept):
        dtype = max(dtypes, key=lambda one: one.itemsize)  # some values do not fit the usual type
    for index, (name, sample) in enumerate(kept):
        if dtypes[index] != dtype:
            kept[index] = name, _converted(sample, dtype)
            text = f"{dtype} instead of {dtypes[index]}"
            changes.append(Change("dtype_differ", name, text))
    return kept


def _converted(sample: Sample, dtype: np.dtype[Any]) -> Sample:
    """Return the sample in another float type, or as it is if its values do not fit."""
    if sample["keypoint"].dtype == dtype:
        return sample
    with np.errstate(over="ignore"):
        keypoint = sample["keypoint"].astype(dtype)
    return {**sample, "keypoint": keypoint} if np.isfinite(keypoint).all() else sample


def _clean_split(
    split: Mapping[str, Sequence[str]], known: set[str], changes: list[Change]
) -> dict[str, list[str]]:
    """Return the splits without unknown ids, repeated ids and empty splits."""
    # The ids of dropped samples are removed, too, which is reported already.
    dropped = {change.name for change in changes if change.text.startswith("dropped")}
    cleaned = {}
    for key, ids in split.items():
        once = list(dict.fromkeys(ids))
        if len(once) < len(ids):
            text = f"{len(ids) - len(once)} repeated ids listed once"
            changes.append(Change("split_repeats", key, text))
        changes += [
            Change("split_unknown", name, f"removed from {key}: it has no sample")
            for name in once
            if name not in known and name not in dropped
        ]
        cleaned[key] = [name for name in once if name in known]
    return _without_empty(cleaned, changes)


def _without_empty(split: Mapping[str, list[str]], changes: list[Change]) -> dict[str, list[str]]:
    changes += [
        Change("split_empty", key, "removed: it has no samples")
        for key, ids in split.items()
        if not ids
    ]
    return {key: ids for key, ids in split.items() if ids}


def _without_duplicates(
    samples: Sequence[tuple[str, Sample]],
    split: dict[str, list[str]] | None,
    pairs: Sequence[tuple[str, str]],
    changes: list[Change],
    multi_class: bool,
) -> tuple[list[tuple[str, Sample]], dict[str, list[str]] | None]:
    """Remove duplicates from the training splits, and samples that no split lists any more."""
    measured = [
        measure(name, sample, needs_id=False, multi_class=multi_class)[0]
        for name, sample in samples
    ]
    groups = identical_groups(measured)
    if split is None:
        # Copies with different labels stay: there is no training list to remove them from.
        alike = [one for one in groups if len({measured[index].labels for index in one}) == 1]
        gone = _repeated(alike, measured, "dropped", changes)
        return [pair for index, pair in enumerate(samples) if index not in gone], None
    names = [name for name, _ in samples]
    splits = resolve_splits(split, names, pairs)
    split = dict(split)
    dropped: set[int] = set()
    for train in splits.training:
        gone = _leaked(groups, splits, train, measured, changes)
        remaining = set(splits.members[train]) - gone
        rest = [[index for index in group if index in remaining] for group in groups]
        gone |= _repeated(rest, measured, f"removed from {train}", changes)
        kept = {names[index] for index in splits.members[train] if index not in gone}
        split[train] = [name for name in split[train] if name in kept]
        # A split can't leave out one of several samples that share an id.
        dropped |= {index for index in gone if names[index] in kept}
    split = _without_empty(split, changes)
    listed = {name for ids in split.values() for name in ids}
    return [
        pair
        for index, pair in enumerate(samples)
        if index not in dropped and (pair[0] in listed or index not in splits.of_sample)
    ], split


def _leaked(
    groups: Iterable[Sequence[int]],
    splits: Splits,
    train: str,
    samples: Sequence[SampleMeasurements],
    changes: list[Change],
) -> set[int]:
    """Return the samples of a training split that are in its test splits or equal to one there."""
    trained = set(splits.members[train])
    tests = {test for one, test in splits.pairs if one == train}
    tested = {index: test for test in tests for index in splits.members[test]}
    gone = trained & tested.keys()
    for index in sorted(gone):
        text = f"removed from {train}: it is in {tested[index]}, too"
        changes.append(Change("split_overlap", samples[index].name, text))
    for group in groups:
        other = next((index for index in group if index in tested), None)
        for index in group:
            if other is not None and index in trained and index not in gone:
                gone.add(index)
                text = (
                    f"removed from {train}: {samples[other].name} of {tested[other]} is identical"
                )
                changes.append(Change("duplicate_across", samples[index].name, text))
    return gone


def _repeated(
    groups: Iterable[Sequence[int]],
    samples: Sequence[SampleMeasurements],
    done: str,
    changes: list[Change],
) -> set[int]:
    """Return the samples that repeat another one, and identical ones with different labels."""
    gone: set[int] = set()
    for group in groups:
        if len(group) < 2:
            continue
        if len({samples[index].labels for index in group}) > 1:
            labels = labels_text([samples[index] for index in group])
            kind, text = "duplicate_labels", f"identical samples with different labels ({labels})"
            repeats = group
        else:
            kind, text = "duplicate_training", f"{samples[group[0]].name} is identical"
            repeats = group[1:]
        changes += [Change(kind, samples[index].name, f"{done}: {text}") for index in repeats]
        gone.update(repeats)
    return gone
