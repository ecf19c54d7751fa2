"""Annotation pickles: read them and check their outer structure.

The format is a pickle of ``dict(split={name: [id, ...]}, annotations=[sample, ...])``, or a bare
list of samples. The dict may also hold ``label_names`` and ``joint_names``, lists of text in the
order of the labels and of the joints. A sample is a dict:

=================== ===================== ==================================================
key                 type                  meaning
=================== ===================== ==================================================
``frame_dir``       str                   the id that ``split`` lists (or ``filename``)
``label``           int                   class, from 0 (a list of them for multi-label)
``total_frames``    int                   T
``keypoint``        float (M, T, V, C)    joint positions; C is 2 or 3
``keypoint_score``  float (M, T, V)       confidence of 2D joints
``img_shape``       (height, width)       of the video, pixels
=================== ===================== ==================================================

Samples that share an id all belong to the splits that list it.
:mod:`pyskl.datasets.sample_fields` has the other types that are taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.datasets.sample_checks import sample_id
from pyskl.datasets.sample_fields import with_plain_fields
from pyskl.errors import AnnotationError, UntrustedFileError, nearest_path
from pyskl.unpickling.load import load_plain_pickle

Sample = dict[str, Any]


@dataclass
class AnnotationContent:
    """The content of an annotation pickle; its samples have plain fields, but are unchecked.

    Attributes:
        path: The file, for messages.
        samples: All samples, in file order.
        split: Names of the splits and the sample ids of each, or None for a bare list.
        label_names: The names of the classes in their order, if the file has them.
        joint_names: The names of the joints in their order, if the file has them.
    """

    path: Path
    samples: list[Sample]
    split: dict[str, list[str]] | None = None
    label_names: tuple[str, ...] | None = None
    joint_names: tuple[str, ...] | None = None


def read_annotation_pickle(path: Path, *, trusted: bool = False) -> AnnotationContent:
    """Read an annotation pickle.

    Args:
        path: The file.
        trusted: See :func:`pyskl.unpickling.load.load_plain_pickle`.

    Raises:
        AnnotationError: if the file is missing, unreadable or has another structure.
        UntrustedFileError: if it contains more than plain data.
    """
    if path.is_dir():
        raise AnnotationError("is a folder, and no pack", file=path, expected="an annotation file")
    if not path.is_file():
        close = nearest_path(path)
        raise AnnotationError(
            "there is no such annotation file",
            file=path,
            hint=f"did you mean {str(close)!r}?" if close else f"looked in {path.parent.resolve()}",
        )
    try:
        content = load_plain_pickle(path, trusted=trusted)
    except UntrustedFileError:
        raise
    except ValueError as error:
        raise AnnotationError(str(error)) from error
    except OSError as error:
        raise AnnotationError(f"can't be read ({error})", file=path) from error
    return annotation_content(path, content)


def annotation_content(path: Path, content: Any) -> AnnotationContent:
    """Check the outer structure of an annotation file's content.

    Raises:
        AnnotationError: if it has another one.
    """
    result = AnnotationContent(path, [])
    if isinstance(content, Mapping):
        missing = [key for key in ("split", "annotations") if key not in content]
        if missing:
            raise AnnotationError(
                "is missing",
                file=path,
                key=missing[0],
                found=f"the keys {sorted(map(str, content))}",
                expected="dict(split=..., annotations=[...])",
            )
        if not isinstance(content["split"], Mapping):
            raise AnnotationError(
                "has the wrong type",
                file=path,
                key="split",
                found=type(content["split"]).__name__,
                expected="a dict of name → list of ids",
            )
        result.split = {}
        for name, ids in content["split"].items():
            if not isinstance(ids, (Sequence, Set, np.ndarray)) or isinstance(ids, (str, bytes)):
                raise AnnotationError(
                    "has the wrong type",
                    file=path,
                    key=f"split[{name!r}]",
                    found=type(ids).__name__,
                    expected="a list of sample ids",
                )
            result.split[str(name)] = [str(identity) for identity in ids]
        result.label_names = _names(content.get("label_names"))
        result.joint_names = _names(content.get("joint_names"))
        content = content["annotations"]
    if not isinstance(content, Sequence) or isinstance(content, (str, bytes)):
        raise AnnotationError(
            "has the wrong type",
            file=path,
            key="annotations",
            found=type(content).__name__,
            expected="a list of samples",
        )
    result.samples = list(content)
    if not result.samples:
        raise AnnotationError("holds no samples", file=path, key="annotations")
    for index, sample in enumerate(result.samples):
        if not isinstance(sample, Mapping):
            raise AnnotationError(
                "a sample has the wrong type",
                file=path,
                sample=index,
                found=type(sample).__name__,
                expected="a dict",
            )
        if result.split is not None and sample_id(sample) is None:
            raise AnnotationError(
                "a sample has no id, which the splits refer to",
                file=path,
                sample=index,
                key="frame_dir",
                found=f"the keys {sorted(map(str, sample))}",
                expected="'frame_dir' or 'filename'",
            )
        result.samples[index] = dict(with_plain_fields(sample))
    return result


def _names(names: Any) -> tuple[str, ...] | None:
    """Return a list of text as a tuple, or None for anything else: the key is not reserved."""
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        return None
    return tuple(names) or None


def split_positions(content: AnnotationContent) -> dict[str, np.ndarray | str] | None:
    """Return the positions of the samples of each split, or what is wrong with the split."""
    if content.split is None:
        return None
    ids = [sample_id(sample) for sample in content.samples]
    splits: dict[str, np.ndarray | str] = {}
    for name, listed in content.split.items():
        wanted = set(listed)
        positions = [position for position, identity in enumerate(ids) if identity in wanted]
        missing = sorted(wanted - set(ids))
        if missing and not positions:
            splits[name] = (
                f"none of the {len(wanted)} ids of the split, such as {missing[0]!r}, is an id of "
                f"the {len(ids)} samples, such as {ids[0]!r}"
            )
        elif not positions:
            splits[name] = "the split lists no samples"
        elif missing:
            splits[name] = f"lists {len(missing)} ids that have no sample, {missing[0]!r} the first"
        else:
            splits[name] = np.array(positions, dtype=np.int64)
    return splits
