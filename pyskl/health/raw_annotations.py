"""Read an annotation file including samples that :func:`load_annotations` would refuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.datasets.annotation import label_names_next_to
from pyskl.datasets.annotation_pickle import read_annotation_pickle
from pyskl.datasets.pack import is_pack
from pyskl.datasets.sample_checks import sample_id
from pyskl.errors import AnnotationError
from pyskl.unpickling.load import load_plain_pickle


@dataclass
class RawAnnotations:
    """An annotation file as it is, including invalid samples.

    Attributes:
        path: The file.
        samples: The items of the list of samples: dicts, unless the file is invalid.
        split: Ids of each split; None for a bare list.
        extra: The other top-level keys of the file.
        names: Name of each sample in reports: its id, or ``#`` and its index.
    """

    path: Path
    samples: list[Any]
    split: dict[str, list[str]] | None
    extra: dict[str, Any] = field(default_factory=dict)
    names: list[str] = field(init=False)

    def __post_init__(self) -> None:
        """Name the samples."""
        self.names = [
            (isinstance(sample, Mapping) and sample_id(sample)) or f"#{index}"
            for index, sample in enumerate(self.samples)
        ]

    def names_of(self, key: str) -> list[str]:
        """Return ``label_names`` or ``joint_names`` of the file; empty if it has none."""
        names: Any = self.extra.get(key)
        return [str(name) for name in names] if _is_list(names) else []

    def content(self) -> Any:
        """Return the object to pickle."""
        if self.split is None:
            return self.samples
        return {"split": self.split, "annotations": self.samples, **self.extra}


def read_raw_annotations(path: str | Path, *, trusted: bool = False) -> RawAnnotations:
    """Read an annotation file, however invalid its samples are.

    Args:
        path: The pickle.
        trusted: See :func:`pyskl.unpickling.load.load_plain_pickle`.

    Raises:
        AnnotationError: if it is missing, unreadable, or not an annotation file.
        UntrustedFileError: if it holds more than plain data.
    """
    path = Path(path)
    if is_pack(path):
        raise AnnotationError(
            "a pack can't be checked", file=path, hint="check the annotation file it was made from"
        )
    if not path.is_file():
        read_annotation_pickle(path)  # raises the error that training raises
    try:
        content = load_plain_pickle(path, trusted=trusted)
    except OSError as error:
        raise AnnotationError(f"can't be read ({error})", file=path) from error
    split, extra, samples = None, {}, content
    if isinstance(content, Mapping):
        splits, samples = content.get("split"), content.get("annotations")
        if isinstance(splits, Mapping) and all(map(_is_list, splits.values())):
            split = {str(name): [str(one) for one in ids] for name, ids in splits.items()}
        else:
            samples = None
        extra = {k: value for k, value in content.items() if k not in ("split", "annotations")}
    if not _is_list(samples) or len(samples) == 0:
        read_annotation_pickle(path, trusted=trusted)  # raises the error that training raises
        raise AnnotationError("not an annotation file", file=path)
    file = RawAnnotations(path, list(samples), split, extra)
    if not file.names_of("label_names"):
        names = label_names_next_to(path)
        if names:
            file.extra["label_names"] = list(names)
    return file


def _is_list(value: Any) -> bool:
    return isinstance(value, (Sequence, Set, np.ndarray)) and not isinstance(value, (str, bytes))
