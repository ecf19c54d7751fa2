"""Read an annotation file to look at its faults, which :func:`load_annotations` would refuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.datasets.annotation import label_names_beside, read_annotation_pickle
from pyskl.datasets.pack import is_pack
from pyskl.datasets.sample_checks import sample_id
from pyskl.errors import AnnotationError, InputError
from pyskl.unpickling.load import load_plain_pickle

_OUTER_KEYS = ("split", "annotations")
_LABEL_NAMES = "label_names"
_JOINT_NAMES = "joint_names"


@dataclass
class CheckedFile:
    """An annotation file as it is, faults and all.

    Attributes:
        path: Where it came from.
        samples: What stands in the list of samples: dicts, unless the file is faulty.
        split: Ids of each split; None for a bare list.
        extra: What else the file holds at the top, by key.
        names: What a report calls each sample: its id, or ``#`` and its position.
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

    @property
    def label_names(self) -> list[str]:
        """The names of the classes, by label; empty where the file has none."""
        return self._names(_LABEL_NAMES)

    @property
    def joint_names(self) -> list[str]:
        """The names of the joints, in their order; empty where the file has none."""
        return self._names(_JOINT_NAMES)

    def _names(self, key: str) -> list[str]:
        names: Any = self.extra.get(key)
        return [str(name) for name in names] if _is_list(names) else []

    def content(self) -> Any:
        """Return what a pickle of the file holds."""
        if self.split is None:
            return self.samples
        return {"split": self.split, "annotations": self.samples, **self.extra}


def read_for_check(path: str | Path, *, trusted: bool = False) -> CheckedFile:
    """Read an annotation file, however faulty its samples are.

    Args:
        path: The pickle.
        trusted: See :func:`pyskl.unpickling.load.load_plain_pickle`.

    Raises:
        AnnotationError: if it is missing, unreadable, or not a list of samples with splits.
        UntrustedFileError: if it asks for more than plain data.
    """
    path = Path(path)
    if is_pack(path):
        raise AnnotationError(
            f"{path} is a pack, made of an annotation file that was found healthy or not; check "
            "that file instead"
        )
    if not path.is_file():
        read_annotation_pickle(path)  # says what is wrong
    try:
        content = load_plain_pickle(path, trusted=trusted)
    except InputError:
        raise
    except OSError as error:
        raise AnnotationError(f"{path}: the file can't be read ({error})") from error
    parts = _outer_parts(content)
    if parts is None:
        read_annotation_pickle(path, trusted=trusted)  # says what is wrong
        raise AnnotationError(f"{path}: this is not an annotation file")
    file = CheckedFile(path, *parts)
    names = None if file.label_names else label_names_beside(path)
    if names:
        file.extra[_LABEL_NAMES] = list(names)
    return file


def _outer_parts(content: Any) -> tuple[list[Any], dict[str, list[str]] | None, dict] | None:
    """Return samples, splits and what else there is; None for what is no annotation file."""
    split, extra = None, {}
    if isinstance(content, Mapping):
        splits = content.get("split")
        if not isinstance(splits, Mapping) or not all(map(_is_list, splits.values())):
            return None
        split = {str(name): [str(one) for one in ids] for name, ids in splits.items()}
        extra = {key: value for key, value in content.items() if key not in _OUTER_KEYS}
        content = content.get("annotations")
    if not _is_list(content) or len(content) == 0:
        return None
    return list(content), split, extra


def _is_list(value: Any) -> bool:
    return isinstance(value, (Sequence, Set, np.ndarray)) and not isinstance(value, (str, bytes))
