"""The texts in the model zoo's table, derived from a run's config."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyskl.apis.test_data import data_leaves, stream
from pyskl.datasets.dataset_tree import transforms, walk
from pyskl.evaluation.fusion import STREAMS

_SETS = {"ntu60": "NTURGB+D", "ntu120": "NTURGB+D 120"}
_SPLITS = {"xsub": "XSub", "xview": "XView", "xset": "XSet"}
_ANNOTATIONS = {"3danno": "Official 3D Skeleton", "hrnet": "HRNet 2D Skeleton"}
# The practices differ in how they sample frames.
_PRACTICES = {
    "UniformSample": "PYSKL",
    "UniformSampleFrames": "PYSKL",
    "UniformSampleDecode": "PYSKL",
    "PadTo": "Vanilla",
}


def data_name(config: Mapping[str, Any]) -> str:
    """Return the data set and split of ``data.test``, such as ``'NTURGB+D XSub'``.

    Files other than the published ones keep their names, as in ``'hdm05_11 xsub_val'``.
    """
    names = []
    for leaf in _test_leaves(config):
        stem, split = Path(leaf["ann_file"] or leaf["type"]).stem, leaf["split"] or ""
        data = _SETS.get(stem.partition("_")[0])
        kind = _SPLITS.get(split.partition("_")[0])
        published = data and kind and split.endswith("_val") and _published_annotation(stem)
        names.append(f"{data} {kind}" if published else f"{stem} {split}".strip())
    return " + ".join(names)


def annotation_name(config: Mapping[str, Any]) -> str:
    """Return the kind of skeletons, such as ``'Official 3D Skeleton'`` or ``'hdm05, 3D'``."""
    for leaf in _test_leaves(config):
        published = _published_annotation(Path(leaf["ann_file"] or "").stem)
        if published is not None:
            return published
    words = []
    for transform in transforms(config, "test"):
        layout = transform.get("dataset", transform.get("layout"))
        name = layout.get("name") if isinstance(layout, Mapping) else layout
        if transform.get("type") == "GenSkeFeat" and isinstance(name, str):
            words.append(name)
    types = {transform.get("type") for transform in transforms(config, "test")}
    words += [f"{dim}D" for dim in (2, 3) if f"PreNormalize{dim}D" in types]
    return ", ".join(words)


def practice_name(config: Mapping[str, Any]) -> str:
    """Return the practice, ``'PYSKL'`` or ``'Vanilla'``, or nothing if it is neither."""
    types = [str(transform.get("type")) for transform in transforms(config, "train")]
    found = {_PRACTICES[name] for name in types if name in _PRACTICES}
    return min(found, default="")  # PYSKL before Vanilla


def stream_name(config: Mapping[str, Any], folder: Path) -> str | None:
    """Return the stream that a run's pipeline makes or, if unknown, that its folder names."""
    if any(isinstance(one.get("feats"), (list, tuple)) for one in transforms(config, "test")):
        return stream(config.get("data", {}).get("test"))
    return folder.name if folder.name in STREAMS else None


def epochs_name(config: Mapping[str, Any]) -> str:
    """Return the epochs over the data: ``'80'`` for 16 epochs that repeat it five times."""
    epochs = config.get("total_epochs")
    if not isinstance(epochs, int):
        return ""
    for _, data_set in walk(config.get("data", {}).get("train"), ""):
        times = data_set.get("times")
        epochs *= times if isinstance(times, int) else 1
    return str(epochs)


def _test_leaves(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(data_leaves(config.get("data", {}).get("test")))


def _published_annotation(stem: str) -> str | None:
    match = re.fullmatch(r"ntu(?:60|120)_(\w+)", stem)
    return _ANNOTATIONS.get(match[1]) if match else None
