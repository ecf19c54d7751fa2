"""The names of the classes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyskl.datasets.annotation import label_names_of
from pyskl.datasets.annotation_cache import AUTO_FROM, load_annotations
from pyskl.datasets.ntu_names import action_names
from pyskl.datasets.pack import is_pack
from pyskl.datasets.toy.actions import ACTIONS
from pyskl.errors import InputError


def read_label_file(path: str | Path) -> tuple[str, ...]:
    """Read names from a text file with one in each line, in the order of the labels.

    Raises:
        InputError: if the file can't be read or holds none.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the names of the classes can't be read ({error})") from error
    names = tuple(line.strip() for line in lines if line.strip())
    if not names:
        raise InputError(f"{path}: it holds no names of classes; one in each line is expected")
    return names


def read_label_names(ann_file: str | Path, *, trusted: bool = False) -> tuple[str, ...] | None:
    """Return the names of the classes of an annotation file, in their order, if they are known.

    Raises:
        AnnotationError: as :func:`pyskl.datasets.annotation_cache.load_annotations`, or if a text
            file next to the annotations holds them and can't be read.
    """
    return label_names_of(load_annotations(ann_file, trusted=trusted))


def names_of_data(dataset: Mapping[str, Any], num_classes: int) -> tuple[str, ...] | None:
    """Return the names of the classes of a data set, if they are known.

    They come from the annotation file, if it exists and is small, else from the toy data set, or
    from NTU RGB+D if the file has the name of a published one.

    Args:
        dataset: The data set's config.
        num_classes: The required number of names.
    """
    path = Path(str(dataset.get("ann_file", "")))
    names: tuple[str, ...] | None = None
    if is_pack(path) or (path.is_file() and path.stat().st_size < AUTO_FROM):
        try:
            names = read_label_names(path)
        except InputError:  # reported when the samples are read
            names = None
    if names is None:
        names = _published(str(dataset.get("type")), path.stem)
    return names if names is not None and len(names) == num_classes else None


def _published(kind: str, stem: str) -> tuple[str, ...] | None:
    if kind.removeprefix("pyskl.") == "ToyDataset":
        return tuple(ACTIONS)
    match = re.match(r"ntu(60|120)_", stem)
    return None if match is None else action_names()[: int(match[1])]
