"""What a row of the model zoo calls things, by a run's config."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyskl.apis.test_data import data_leaves
from pyskl.datasets.nested import keyed_data_sets, transforms
from pyskl.evaluation.fusion import STREAMS

_SETS = {"ntu60": "NTURGB+D", "ntu120": "NTURGB+D 120"}
_SPLITS = {"xsub": "XSub", "xview": "XView", "xset": "XSet"}
_ANNOTATIONS = {"3danno": "Official 3D Skeleton", "hrnet": "HRNet 2D Skeleton"}
# What tells the practices apart is how frames are chosen.
_PRACTICES = {
    "UniformSample": "PYSKL",
    "UniformSampleFrames": "PYSKL",
    "UniformSampleDecode": "PYSKL",
    "PadTo": "Vanilla",
}


def data_name(config: Mapping[str, Any]) -> str:
    """Return the data set and split of ``data.test``, as ``'NTURGB+D XSub'``.

    Files of other names keep theirs, as ``'hdm05_11 xsub_val'``.
    """
    names = []
    for leaf in data_leaves(config.get("data", {}).get("test")):
        stem, split = Path(leaf["ann_file"] or leaf["type"]).stem, leaf["split"] or ""
        known = _SETS.get(stem.partition("_")[0])
        kind = _SPLITS.get(split.partition("_")[0])
        published = known and kind and split.endswith("_val") and annotation_of(stem)
        names.append(f"{known} {kind}" if published else f"{stem} {split}".strip())
    return " + ".join(names)


def annotation_name(config: Mapping[str, Any]) -> str:
    """Return what the skeletons are, as ``'Official 3D Skeleton'``, or ``'hdm05, 3D'``."""
    for leaf in data_leaves(config.get("data", {}).get("test")):
        known = annotation_of(Path(leaf["ann_file"] or "").stem)
        if known is not None:
            return known
    words = []
    for transform in transforms(config, "test"):
        layout = transform.get("dataset", transform.get("layout"))
        name = layout.get("name") if isinstance(layout, Mapping) else layout
        if transform.get("type") == "GenSkeFeat" and isinstance(name, str):
            words.append(name)
    kinds = {transform.get("type") for transform in transforms(config, "test")}
    words += [f"{c}D" for c in (2, 3) if f"PreNormalize{c}D" in kinds]
    return ", ".join(words)


def annotation_of(stem: str) -> str | None:
    """Return what a published annotation file holds, by its name."""
    match = re.fullmatch(r"ntu(?:60|120)_(\w+)", stem)
    return _ANNOTATIONS.get(match[1]) if match else None


def practice_name(config: Mapping[str, Any]) -> str:
    """Return the practice, ``'PYSKL'`` or ``'Vanilla'``, by how frames are chosen."""
    kinds = [str(transform.get("type")) for transform in transforms(config, "train")]
    found = {_PRACTICES[kind] for kind in kinds if kind in _PRACTICES}
    return "PYSKL" if "PYSKL" in found else "Vanilla" if found else ""


def stream_name(config: Mapping[str, Any], folder: Path) -> str | None:
    """Return the stream, by the features that a run's pipeline makes, else by its folder's name."""
    for transform in transforms(config, "test"):
        feats = transform.get("feats")
        if isinstance(feats, (list, tuple)):
            return feats[0] if len(feats) == 1 and feats[0] in STREAMS else None
    return folder.name if folder.name in STREAMS else None


def epochs_name(config: Mapping[str, Any]) -> str:
    """Return the epochs over the data, as ``'80'`` of 16 epochs that repeat it five times."""
    total, times = config.get("total_epochs"), 1
    train = config.get("data", {}).get("train")
    for _, data_set in keyed_data_sets(train, ""):
        if isinstance(data_set.get("times"), int):
            times *= data_set["times"]
    return str(total * times) if isinstance(total, int) else ""
