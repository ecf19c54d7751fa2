"""What a config expects of its data, and where a data set differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from pyskl.apis.prepare import prepare
from pyskl.config import load_config
from pyskl.datasets.annotation import AnnotationFile
from pyskl.datasets.annotation_cache import AnnotationFiles
from pyskl.datasets.annotation_pickle import annotation_content
from pyskl.datasets.dataset_tree import leaves, map_leaves
from pyskl.errors import ConfigError, did_you_mean
from pyskl.health.measure import SampleMeasurements
from pyskl.health.raw_annotations import RawAnnotations
from pyskl.health.report import Finding, Item, Statistics
from pyskl.health.splits import Splits
from pyskl.registry import TransformConfig
from pyskl.skeleton import SkeletonLayout, joint_names_problem, resolve_layout

# Transforms that sample clip_len frames.
_SAMPLING = ("UniformSample", "UniformSampleFrames", "UniformSampleDecode", "SampleFrames")

# Share by which the bones of a mirror pair may differ.
_ASYMMETRY = 0.5


@dataclass(frozen=True)
class DatasetUse:
    """How one data set of a config uses the samples.

    Attributes:
        key: Its key in the config, such as ``data.train.dataset``.
        split: The split that it reads; None for all samples.
        multi_class: Whether labels are lists of classes.
        clip_len: Frames sampled for a clip, if any.
        pad_to: Length that samples are padded to, if any.
        num_person: Persons in a batch, if known.
        flipped: Joints that ``Flip`` names.
    """

    key: str
    split: str | None = None
    multi_class: bool = False
    clip_len: int | None = None
    pad_to: int | None = None
    num_person: int | None = None
    flipped: tuple[int, ...] = ()


class _ThisFile(AnnotationFiles):
    """Opens the file that is checked from what was read of it, and others from the disk."""

    def __init__(self, file: RawAnnotations) -> None:
        super().__init__()
        self._file = file

    def open(
        self, path: str | Path, *, precompute: Sequence[TransformConfig] = (), **options: Any
    ) -> AnnotationFile:
        """Return an annotation file."""
        if not _is_same(path, self._file.path):
            return super().open(path, precompute=precompute, **options)
        content = annotation_content(self._file.path, self._file.content())
        return AnnotationFile.from_content(content, precompute)


@dataclass(frozen=True)
class ConfigExpectations:
    """What a config expects of its data.

    Attributes:
        source: The config file.
        layout: Layout of the model's graph, if any.
        num_classes: Number of classes of the model, if known.
        uses: Its data sets.
        config_errors: Errors in the config itself.
        config: The config; None compares only what the other attributes say.
    """

    source: str
    layout: SkeletonLayout | None = None
    num_classes: int | None = None
    uses: tuple[DatasetUse, ...] = ()
    config_errors: tuple[str, ...] = ()
    config: Config | Mapping[str, Any] | None = None

    def refusals(self, file: RawAnnotations) -> list[str]:
        """Return why training, validation and tests with this config would refuse a file.

        Args:
            file: The file. It takes the place of the config's files, unless the config names it.
        """
        if self.config is None:
            return []
        config = load_config(self.config)
        data = config.get("data") or {}
        uses = {
            use: [leaf for _, leaf in leaves(data[use])]
            for use in ("train", "val", "test")
            if isinstance(data.get(use), (Mapping, list, tuple))
        }
        named = [use for use in uses if any(_reads(leaf, file.path) for leaf in uses[use])]
        if not named:

            def change(leaf: dict[str, Any]) -> dict[str, Any]:
                return {**leaf, "ann_file": str(file.path)} if "ann_file" in leaf else leaf

            for use in uses:
                data[use] = map_leaves(data[use], change)
        try:
            prepare(config, named or list(uses), files=_ThisFile(file))
        except ConfigError as error:
            refused = [one for one in error.errors if str(one.key).startswith("data.")]
            return [
                str(one).replace("\n", " ") for one in refused if str(one) not in self.config_errors
            ]
        return []

    def split_pairs(self) -> list[tuple[str, str]]:
        """Return the pairs of training and test splits."""
        training: list[str] = []
        testing: list[str] = []
        for use in self.uses:
            if use.split is not None:
                (training if use.key.startswith("data.train") else testing).append(use.split)
        return [(train, test) for train in training for test in testing if train != test]


def expectations_of(config: str | Path | Mapping[str, Any], ann_file: Path) -> ConfigExpectations:
    """Return what a config expects of an annotation file.

    Args:
        config: The config, or its path.
        ann_file: The file. If the config names it, only the data sets that read it count.

    Raises:
        ConfigError: if the config can't be read. Its other errors are part of the result.
    """
    loaded = config if isinstance(config, Mapping) else load_config(config)
    content = loaded.to_dict() if isinstance(loaded, Config) else dict(loaded)

    def value(*path: str) -> Any:
        found: Any = content
        for key in path:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found

    data_sets = [
        (key, leaf)
        for name in ("train", "val", "test")
        for key, leaf in leaves(value("data", name), f"data.{name}")
    ]
    here = [(key, leaf) for key, leaf in data_sets if _reads(leaf, ann_file)]
    config_errors: tuple[str, ...] = ()
    try:
        prepare(loaded, ())  # does not open the data sets
    except ConfigError as error:
        config_errors = tuple(map(str, error.errors)) or (str(error),)
    layout = value("model", "backbone", "graph_cfg", "layout")
    try:
        layout = None if layout is None else resolve_layout(layout)
    except (ConfigError, ValueError):  # already one of the errors in the config
        layout = None
    return ConfigExpectations(
        source=str(getattr(loaded, "filename", None) or "config"),
        layout=layout,
        num_classes=_int_or_none(value("model", "cls_head", "num_classes")),
        uses=tuple(_use(key, leaf) for key, leaf in here or data_sets),
        config_errors=config_errors,
        config=loaded,
    )


def _reads(data_set: Mapping[str, Any], ann_file: Path) -> bool:
    """Return whether a data set's config names a file."""
    named = data_set.get("ann_file")
    return isinstance(named, (str, Path)) and _is_same(named, ann_file)


def _is_same(one: str | Path, other: Path) -> bool:
    try:
        return Path(one).expanduser().resolve() == other.resolve()
    except (OSError, RuntimeError):
        return False


def _use(key: str, data_set: Mapping[str, Any]) -> DatasetUse:
    steps = [step for step in data_set.get("pipeline") or () if isinstance(step, Mapping)]
    by_type = {str(step.get("type")): step for step in steps}
    clip_lens = [
        _int_or_none(by_type[name].get("clip_len")) for name in _SAMPLING if name in by_type
    ]
    num_person = None
    if "FormatGCNInput" in by_type:
        num_person = _int_or_none(by_type["FormatGCNInput"].get("num_person", 2))
    flip = by_type.get("Flip", {})
    flipped = [*(flip.get("left_kp") or ()), *(flip.get("right_kp") or ())]
    return DatasetUse(
        key=key,
        split=None if data_set.get("split") is None else str(data_set["split"]),
        multi_class=bool(data_set.get("multi_class", False)),
        clip_len=max((length for length in clip_lens if length is not None), default=None),
        pad_to=_int_or_none(by_type.get("PadTo", {}).get("length")),
        num_person=num_person,
        flipped=tuple(joint for joint in flipped if _int_or_none(joint) is not None),
    )


def _int_or_none(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def expectation_findings(
    expected: ConfigExpectations,
    statistics: Statistics,
    samples: Sequence[SampleMeasurements],
    splits: Splits,
    bones: np.ndarray | None,
    file: RawAnnotations,
) -> list[Finding]:
    """Return the findings about differences between a data set and a config.

    Args:
        expected: The expectations.
        statistics: Statistics of the data set.
        samples: Its samples.
        splits: Its splits.
        bones: Mean length of each joint's bone in 3D (V,); None if it was not measured.
        file: The data set as it was read.
    """
    missing_splits = [
        Item(use.split, use.key + (did_you_mean(use.split, splits.ids) or "; there are none"))
        for use in expected.uses
        if use.split is not None and use.split not in splits.ids
    ]
    found = {
        "config_errors": [Item(problem) for problem in expected.config_errors],
        "config_refused": [Item(reason) for reason in expected.refusals(file)],
        "config_split": missing_splits,
        "config_mirror": _mirror_items(expected.layout, bones),
        **_layout_items(expected, statistics, file.names_of("joint_names")),
        **_class_items(expected, statistics, samples, splits),
        **_pipeline_items(expected, samples, splits),
    }
    return [Finding(kind, items) for kind, items in found.items()]


def _layout_items(
    expected: ConfigExpectations, statistics: Statistics, joint_names: Sequence[str]
) -> dict[str, list[Item]]:
    joints: list[Item] = []
    coordinates: list[Item] = []
    V, C = statistics.joints, statistics.coordinates
    layout = expected.layout
    if not V:
        return {}
    if layout is not None:
        if layout.num_joints == V:
            problem = joint_names_problem(joint_names, layout)
        else:
            problem = f"the layout has {layout.num_joints} joints, the samples {V}"
        if problem is not None:
            joints.append(Item(layout.name, problem))
        if layout.dim > C:
            detail = f"the layout has {layout.dim} coordinates, the samples {C}"
            coordinates.append(Item(layout.name, detail))
    for use in expected.uses:
        beyond = [joint for joint in use.flipped if joint >= V]
        if beyond:
            joints.append(Item(use.key, f"Flip names joint {beyond[0]}, the samples have {V}"))
    return {"config_joints": joints, "config_coordinates": coordinates}


def _mirror_items(layout: SkeletonLayout | None, bones: np.ndarray | None) -> list[Item]:
    if layout is None or bones is None or not np.median(bones) > 0:
        return []
    names = layout.joint_names or tuple(map(str, range(layout.num_joints)))
    least = 0.2 * float(np.median(bones))  # bones of a centimetre or two differ by chance
    return [
        Item(
            f"{names[left]} and {names[right]}",
            f"bones of {bones[left]:.3g} and {bones[right]:.3g} in the mean",
        )
        for left, right in zip(layout.left, layout.right)
        if abs(bones[left] - bones[right]) > _ASYMMETRY * max(min(bones[left], bones[right]), least)
    ]


def _class_items(
    expected: ConfigExpectations,
    statistics: Statistics,
    samples: Sequence[SampleMeasurements],
    splits: Splits,
) -> dict[str, list[Item]]:
    classes = expected.num_classes
    if classes is None:
        return {}
    indices = {index for use in expected.uses for index in _members(use, splits, len(samples))}
    used = [samples[index] for index in sorted(indices)]
    beyond = [
        Item(sample.name, f"label {max(sample.labels)} of {classes} classes")
        for sample in used
        if sample.labels and max(sample.labels) >= classes
    ]
    present = {label for sample in used for label in sample.labels}
    names = dict(enumerate(statistics.label_names))
    unused = [
        Item(str(label), names.get(label, ""))
        for label in (range(classes) if present else ())
        if label not in present
    ]
    return {"config_classes": beyond, "config_unused_classes": unused}


def _members(use: DatasetUse, splits: Splits, total: int) -> Sequence[int]:
    return range(total) if use.split is None else splits.members.get(use.split, ())


def _pipeline_items(
    expected: ConfigExpectations, samples: Sequence[SampleMeasurements], splits: Splits
) -> dict[str, list[Item]]:
    found: dict[str, dict[int, Item]] = {
        "config_long": {},
        "config_short": {},
        "config_persons": {},
    }
    spare: list[Item] = []
    for use in expected.uses:
        most = 0
        for index in _members(use, splits, len(samples)):
            name, body = samples[index].name, samples[index].body
            if body is None:
                continue
            T, persons = body.shape[1], body.persons
            most = max(most, persons)
            if use.pad_to is not None and use.pad_to < T:
                item = Item(name, f"{T} frames, {use.key} pads to {use.pad_to}")
                found["config_long"].setdefault(index, item)
            if use.clip_len is not None and use.clip_len > T:
                item = Item(name, f"{T} frames, {use.key} draws {use.clip_len}")
                found["config_short"].setdefault(index, item)
            if use.num_person is not None and persons > use.num_person:
                item = Item(name, f"{persons} persons, {use.key} takes {use.num_person}")
                found["config_persons"].setdefault(index, item)
        if use.num_person is not None and 0 < most < use.num_person:
            spare.append(Item(use.key, f"takes {use.num_person} persons, samples have {most}"))
    sorted_items = {kind: [items[i] for i in sorted(items)] for kind, items in found.items()}
    return {**sorted_items, "config_spare_persons": spare}
