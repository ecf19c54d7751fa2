"""Hold a data set against what a config expects of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pyskl.errors import did_you_mean
from pyskl.health.measure import Measured
from pyskl.health.report import Facts, Finding, Item
from pyskl.health.splits import Splits
from pyskl.skeleton import SkeletonLayout, names_fault

# Share by which the bones of a mirror pair may differ: people are less lopsided, clothes are not.
_LOPSIDED = 0.5


@dataclass(frozen=True)
class Use:
    """What one data set of a config does with the samples.

    Attributes:
        key: Where it stands in the config, such as ``data.train.dataset``.
        split: The split that it reads; None for all samples.
        multi_class: Whether labels are lists of classes.
        clip_len: Frames that are drawn for a clip, where they are.
        pad_to: The length that samples are padded to, where they are.
        num_person: Persons that go into a batch, where that is said.
        flipped: Joints that ``Flip`` names.
    """

    key: str
    split: str | None = None
    multi_class: bool = False
    clip_len: int | None = None
    pad_to: int | None = None
    num_person: int | None = None
    flipped: tuple[int, ...] = ()


@dataclass(frozen=True)
class Expected:
    """What a config expects of its data.

    Attributes:
        source: The config file.
        layout: Of the model's graph, where it has one.
        num_classes: Of the model, where it says so.
        uses: Its data sets that read annotation files.
        faults: What is wrong with the config by itself.
    """

    source: str
    layout: SkeletonLayout | None = None
    num_classes: int | None = None
    uses: tuple[Use, ...] = ()
    faults: tuple[str, ...] = ()

    def pairs(self) -> list[tuple[str, str]]:
        """Return the splits (to train on, to measure on) that belong together."""
        splits: dict[bool, list[str]] = {True: [], False: []}
        for use in self.uses:
            if use.split is not None:
                splits[use.key.startswith("data.train")].append(use.split)
        return [(train, test) for train in splits[True] for test in splits[False] if train != test]


def expectation_findings(
    expected: Expected,
    facts: Facts,
    measured: Sequence[Measured],
    splits: Splits,
    bones: np.ndarray | None,
    joint_names: Sequence[str] = (),
) -> list[Finding]:
    """Return where a data set is not what a config expects.

    Args:
        expected: What that is.
        facts: Figures of the data set.
        measured: Its samples.
        splits: Its splits.
        bones: Mean length of each joint's bone (V,), 3D; None where it was not measured.
        joint_names: Names of its joints (V,), where it has them.
    """
    return [
        Finding("config_faults", [Item(fault) for fault in expected.faults]),
        Finding("config_split", _missing_splits(expected, splits)),
        *_layout_findings(expected, facts, bones, joint_names),
        *_class_findings(expected, facts, measured, splits),
        *_use_findings(expected, measured, splits),
    ]


def _missing_splits(expected: Expected, splits: Splits) -> list[Item]:
    found = []
    for use in expected.uses:
        if use.split is not None and use.split not in splits.names:
            hint = did_you_mean(use.split, splits.names) if splits.names else "; there are none"
            found.append(Item(use.split, f"{use.key}{hint}"))
    return found


def _layout_findings(
    expected: Expected, facts: Facts, bones: np.ndarray | None, joint_names: Sequence[str]
) -> list[Finding]:
    joints, coordinates = [], []
    layout = expected.layout
    if layout is not None and facts.joints:
        if layout.num_joints != facts.joints:
            text = f"the layout has {layout.num_joints} joints, the samples {facts.joints}"
            joints.append(Item(layout.name, text))
        elif (fault := names_fault(joint_names, layout)) is not None:
            joints.append(Item(layout.name, fault))
        if layout.dim > facts.coordinates:
            text = f"the layout has {layout.dim} coordinates, the samples {facts.coordinates}"
            coordinates.append(Item(layout.name, text))
    for use in expected.uses:
        beyond = [joint for joint in use.flipped if joint >= facts.joints]
        if beyond and facts.joints:
            text = f"Flip names joint {beyond[0]}, the samples have {facts.joints}"
            joints.append(Item(use.key, text))
    return [
        Finding("config_joints", joints),
        Finding("config_coordinates", coordinates),
        Finding("config_mirror", _lopsided(layout, bones)),
    ]


def _lopsided(layout: SkeletonLayout | None, bones: np.ndarray | None) -> list[Item]:
    if layout is None or bones is None or not np.median(bones) > 0:
        return []
    names = layout.joint_names or tuple(map(str, range(layout.num_joints)))
    # Bones of a centimetre or two differ by chance.
    least = 0.2 * float(np.median(bones))
    return [
        Item(
            f"{names[left]} and {names[right]}",
            f"bones of {bones[left]:.3g} and {bones[right]:.3g} in the mean",
        )
        for left, right in zip(layout.left, layout.right)
        if abs(bones[left] - bones[right]) > _LOPSIDED * max(min(bones[left], bones[right]), least)
    ]


def _class_findings(
    expected: Expected, facts: Facts, measured: Sequence[Measured], splits: Splits
) -> list[Finding]:
    classes = expected.num_classes
    if classes is None:
        return []
    used = _used(expected.uses, splits, len(measured))
    beyond = [
        Item(measured[index].name, f"label {max(measured[index].labels)} of {classes} classes")
        for index in used
        if measured[index].labels and max(measured[index].labels) >= classes
    ]
    present = {label for index in used for label in measured[index].labels}
    unused = [label for label in range(classes) if label not in present] if present else []
    names = dict(enumerate(facts.label_names))
    return [
        Finding("config_classes", beyond),
        Finding("config_unused_classes", [Item(str(n), names.get(n, "")) for n in unused]),
    ]


def _used(uses: Iterable[Use], splits: Splits, samples: int) -> list[int]:
    """Return the positions of the samples that some use reads."""
    found: set[int] = set()
    for use in uses:
        found.update(_members(use, splits, samples))
    return sorted(found)


def _members(use: Use, splits: Splits, samples: int) -> Sequence[int]:
    return range(samples) if use.split is None else splits.members.get(use.split, ())


def _use_findings(
    expected: Expected, measured: Sequence[Measured], splits: Splits
) -> list[Finding]:
    long: dict[int, Item] = {}
    short: dict[int, Item] = {}
    crowded: dict[int, Item] = {}
    spare: list[Item] = []
    for use in expected.uses:
        most = 0
        for index in _members(use, splits, len(measured)):
            body = measured[index].body
            if body is None:
                continue
            name, T = measured[index].name, body.shape[1]
            most = max(most, body.persons)
            if use.pad_to is not None and use.pad_to < T:
                long.setdefault(index, Item(name, f"{T} frames, {use.key} pads to {use.pad_to}"))
            if use.clip_len is not None and use.clip_len > T:
                text = f"{T} frames, {use.key} draws {use.clip_len}"
                short.setdefault(index, Item(name, text))
            if use.num_person is not None and body.persons > use.num_person:
                text = f"{body.persons} persons, {use.key} takes {use.num_person}"
                crowded.setdefault(index, Item(name, text))
        if use.num_person is not None and 0 < most < use.num_person:
            spare.append(Item(use.key, f"takes {use.num_person} persons, samples have {most}"))
    return [
        Finding("config_long", [long[index] for index in sorted(long)]),
        Finding("config_short", [short[index] for index in sorted(short)]),
        Finding("config_persons", [crowded[index] for index in sorted(crowded)]),
        Finding("config_spare_persons", spare),
    ]
