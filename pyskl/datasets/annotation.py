"""Annotation files: read, check, and hand out their samples.

The format is a pickle of ``dict(split={name: [id, ...]}, annotations=[sample, ...])``, or a bare
list of samples. The dict may also hold ``label_names`` and ``joint_names``, lists of text in the
order of the labels and of the joints. A sample is a dict:

=================== ===================== ==================================================
key                 type                  meaning
=================== ===================== ==================================================
``frame_dir``       str                   the id that ``split`` lists (``filename`` also met)
``label``           int                   class, from 0 (a list of them where multi-label)
``total_frames``    int                   T
``keypoint``        float (M, T, V, C)    joint positions; C is 2 or 3
``keypoint_score``  float (M, T, V)       confidence of 2D joints
``img_shape``       (height, width)       of the video, pixels
=================== ===================== ==================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pyskl.datasets.packed.cache import Pack, cached_pack
from pyskl.datasets.packed.folder import PackedAnnotations, is_pack, open_pack
from pyskl.datasets.sample_checks import (
    classes_needed,
    of_split,
    raise_faults,
    sample_fault,
    sample_id,
)
from pyskl.errors import AnnotationError, UntrustedFileError
from pyskl.registry import TransformConfig
from pyskl.unpickling.load import load_plain_pickle

Sample = dict[str, Any]


@dataclass
class AnnotationFile:
    """The content of one annotation file.

    Attributes:
        path: Where it came from; used in messages.
        samples: All samples, in file order.
        split: Names of the splits and the sample ids of each, or None for a bare list.
        label_names: The names of the classes in their order, where the file has them.
        joint_names: The names of the joints in their order, where the file has them.
        applied: Transforms that the samples have gone through already: none.
    """

    path: Path
    samples: list[Sample]
    split: dict[str, list[str]] | None
    label_names: tuple[str, ...] | None = None
    joint_names: tuple[str, ...] | None = None
    applied: ClassVar[tuple[TransformConfig, ...]] = ()
    _healthy: set[tuple[str | None, int | None, bool]] = field(default_factory=set, repr=False)

    def split_names(self) -> list[str]:
        """Return the names of the splits, or an empty list where the file has none."""
        return list(self.split or {})

    def select(self, split: str | None) -> list[Sample]:
        """Return the samples of ``split`` in the order of the file, or all for None.

        Raises:
            AnnotationError: if the file has no such split, or the split lists unknown ids.
        """
        if split is None:
            return self.samples
        wanted = set(of_split(self.path, self.split, split))
        chosen = [sample for sample in self.samples if sample_id(sample) in wanted]
        if not chosen:
            raise AnnotationError(
                f"{self.path}: none of the {len(wanted)} ids that split {split!r} lists is among "
                f"the {len(self.samples)} samples"
            )
        if len(chosen) != len(wanted):
            missing = sorted(wanted - {sample_id(sample) for sample in chosen})
            if missing:
                raise AnnotationError(
                    f"{self.path}: split {split!r} lists {len(missing)} ids that have no sample, "
                    f"{missing[0]!r} the first"
                )
            raise AnnotationError(
                f"{self.path}: several samples share an id of split {split!r} "
                f"({len(chosen)} samples for {len(wanted)} ids)"
            )
        return chosen

    def check(
        self, split: str | None, *, num_classes: int | None = None, multi_class: bool = False
    ) -> None:
        """Check the samples of a split; a split that was found healthy is not checked again.

        Raises:
            AnnotationError: listing the faulty samples by id, with what is wrong.
        """
        key = (split, num_classes, multi_class)
        if key in self._healthy:
            return
        faults = [
            (index, sample_id(sample), fault)
            for index, sample in enumerate(self.select(split))
            if (fault := sample_fault(sample, num_classes=num_classes, multi_class=multi_class))
        ]
        if faults:
            labels = [sample.get("label") for sample in self.samples]
            raise_faults(self.path, split, faults, classes=classes_needed(labels, num_classes))
        self._healthy.add(key)


# Beside the annotation file, for readers of any kind: one name in each line.
LABELS_SUFFIX = ".labels.txt"


def read_label_names(ann_file: str | Path, *, trusted: bool = False) -> tuple[str, ...] | None:
    """Return the names of the classes of an annotation file, in their order, where they are known.

    They stand in the pickle (``label_names``), or in a text file beside it with one name in each
    line: ``ANN_FILE.labels.txt``, which serves packs of large files, too, or ``label_map.txt``.

    Args:
        ann_file: The pickle, or the folder of a pack.
        trusted: See :func:`load_annotations`.

    Raises:
        AnnotationError: as :func:`load_annotations`, or if the text file is unreadable.
    """
    return label_names_of(load_annotations(ann_file, trusted=trusted))


def label_names_of(annotations: AnnotationFile | PackedAnnotations) -> tuple[str, ...] | None:
    """Return the names of the classes of annotations that are open; see :func:`read_label_names`.

    Raises:
        AnnotationError: if a text file beside them is unreadable.
    """
    known = annotations.label_names if isinstance(annotations, AnnotationFile) else None
    return known or label_names_beside(annotations.path)


def label_names_beside(path: Path) -> tuple[str, ...] | None:
    """Return the names of the classes that stand in a text file beside the annotations, if any.

    Raises:
        AnnotationError: if there is one that can't be read.
    """
    for beside in (path.with_name(path.name + LABELS_SUFFIX), path.with_name("label_map.txt")):
        if beside.is_file():
            try:
                lines = beside.read_text(encoding="utf-8-sig").splitlines()
            except (OSError, ValueError) as error:
                raise AnnotationError(f"{beside}: it can't be read ({error})") from error
            return tuple(line.strip() for line in lines if line.strip()) or None
    return None


# Files already read by this process. Training, validation and test usually share one file; reading
# it once is most of what there is to gain at start-up. An entry is replaced when its file changes.
_READ: dict[tuple[Path, str], tuple[tuple[Any, ...], AnnotationFile | PackedAnnotations]] = {}


def load_annotations(
    path: str | Path,
    *,
    trusted: bool = False,
    pack: Pack = "auto",
    ahead: Sequence[TransformConfig] = (),
) -> AnnotationFile | PackedAnnotations:
    """Open an annotation file; one that this process has opened already is returned as it is.

    Args:
        path: The pickle, or the folder of a pack.
        trusted: See :func:`pyskl.unpickling.load.load_plain_pickle`.
        pack: Whether to read through a pack (see :mod:`pyskl.datasets.packed.cache`), which is
            made where there is none: True, False, or ``'auto'`` for files that are worth it;
            ``'existing'`` makes none.
        ahead: Transforms that the samples of a pack have gone through; see
            :func:`pyskl.datasets.packed.ahead.leading_transforms`.

    Returns:
        The samples; ``applied`` says which transforms of ``ahead`` they have gone through: all of
        them, or none.

    Raises:
        AnnotationError: if the file is missing, unreadable or of another structure, or can't be
            packed where ``pack`` is True.
        UntrustedFileError: if it asks for more than plain data.
    """
    path = Path(path)
    if is_pack(path):
        return open_pack(path)
    if not path.is_file():
        return read_annotation_pickle(path)  # says what is wrong
    stat = path.stat()
    state = (stat.st_mtime_ns, stat.st_size, trusted, pack)
    key = (path.resolve(), repr(ahead))
    if key in _READ and _READ[key][0] == state:
        return _READ[key][1]

    def read() -> AnnotationFile:
        return read_annotation_pickle(path, trusted=trusted)

    annotations = cached_pack(path, ahead, pack, read) or read()
    _READ[key] = (state, annotations)
    return annotations


def read_annotation_pickle(path: Path, *, trusted: bool = False) -> AnnotationFile:
    """Read an annotation pickle into memory; raises as :func:`load_annotations`."""
    if path.is_dir():
        raise AnnotationError(f"{path}: this is a folder, and no pack; expected an annotation file")
    if not path.is_file():
        raise AnnotationError(
            f"{path}: there is no such annotation file (looked in {path.parent.resolve()})"
        )
    try:
        content = load_plain_pickle(path, trusted=trusted)
    except UntrustedFileError:
        raise
    except ValueError as error:
        raise AnnotationError(str(error)) from error
    except OSError as error:
        raise AnnotationError(f"{path}: the file can't be read ({error})") from error
    return _structured(path, content)


def _structured(path: Path, content: Any) -> AnnotationFile:
    """Check the outer structure of an annotation file's content."""
    split: dict[str, list[str]] | None = None
    label_names: tuple[str, ...] | None = None
    joint_names: tuple[str, ...] | None = None
    if isinstance(content, Mapping):
        missing = [key for key in ("split", "annotations") if key not in content]
        if missing:
            raise AnnotationError(
                f"{path}: expected dict(split=..., annotations=[...]), found the keys "
                f"{sorted(map(str, content))}; missing {', '.join(missing)}"
            )
        if not isinstance(content["split"], Mapping):
            raise AnnotationError(
                f"{path}: 'split' should be a dict of name → list of ids, found "
                f"{type(content['split']).__name__}"
            )
        split = {str(name): _ids(path, name, ids) for name, ids in content["split"].items()}
        label_names = _names(content.get("label_names"))
        joint_names = _names(content.get("joint_names"))
        content = content["annotations"]
    if not isinstance(content, Sequence) or isinstance(content, (str, bytes)):
        raise AnnotationError(
            f"{path}: the annotations should be a list of samples, found {type(content).__name__}"
        )
    samples = list(content)
    if not samples:
        raise AnnotationError(f"{path}: the file holds no samples")
    for index, sample in enumerate(samples):
        if not isinstance(sample, Mapping):
            raise AnnotationError(
                f"{path}: sample number {index} should be a dict, found {type(sample).__name__}"
            )
        if split is not None and sample_id(sample) is None:
            raise AnnotationError(
                f"{path}: sample number {index} has neither 'frame_dir' nor 'filename', the id "
                f"that the splits refer to; it has {sorted(map(str, sample))}"
            )
    return AnnotationFile(path, samples, split, label_names, joint_names)


def _names(names: Any) -> tuple[str, ...] | None:
    """Return names of classes or joints if that is what they are; others may use the key freely."""
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        return None
    return tuple(names) or None


def _ids(path: Path, name: Any, ids: Any) -> list[str]:
    """Return the ids of a split as :func:`sample_id` spells them."""
    if not isinstance(ids, (Sequence, Set, np.ndarray)) or isinstance(ids, (str, bytes)):
        raise AnnotationError(
            f"{path}: split {name!r} should be a list of sample ids, found {type(ids).__name__}"
        )
    return [str(identity) for identity in ids]
