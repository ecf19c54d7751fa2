"""Annotation files: read, check, and hand out their samples.

The format is a pickle of ``dict(split={name: [id, ...]}, annotations=[sample, ...])``, or a bare
list of samples. A sample is a dict:

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
from typing import Any

import numpy as np

from pyskl.datasets.plain_pickle import load_plain_pickle
from pyskl.errors import AnnotationError, UntrustedFileError, did_you_mean

Sample = dict[str, Any]

# How many faulty samples a message spells out before it only counts them.
_FAULTS_SHOWN = 10


@dataclass
class AnnotationFile:
    """The content of one annotation file.

    Attributes:
        path: Where it came from; used in messages.
        samples: All samples, in file order.
        split: Names of the splits and the sample ids of each, or None for a bare list.
    """

    path: Path
    samples: list[Sample]
    split: dict[str, list[str]] | None
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
        if self.split is None:
            raise AnnotationError(
                f"{self.path}: the file is a bare list of samples and has no splits; "
                f"use split=None instead of {split!r}"
            )
        if split not in self.split:
            raise AnnotationError(
                f"{self.path}: there is no split {split!r}{did_you_mean(split, self.split)}"
            )
        wanted = set(self.split[split])
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
        faults: list[str] = []
        count = 0
        for index, sample in enumerate(self.select(split)):
            fault = sample_fault(sample, num_classes=num_classes, multi_class=multi_class)
            if fault is not None:
                count += 1
                if len(faults) < _FAULTS_SHOWN:
                    faults.append(f"sample {sample_id(sample)!r} (number {index}): {fault}")
        if faults:
            more = f"\n  ... and {count - len(faults)} more" if count > len(faults) else ""
            where = f"{self.path}" if split is None else f"{self.path}, split {split!r}"
            raise AnnotationError(
                f"{where}: {count} malformed sample{'s' if count > 1 else ''}\n  "
                + "\n  ".join(faults)
                + more
            )
        self._healthy.add(key)


# Files already read by this process. Training, validation and test usually share one file; reading
# it once is most of what there is to gain at start-up. An entry is replaced when its file changes.
_READ: dict[Path, tuple[tuple[int, int, bool], AnnotationFile]] = {}


def load_annotations(path: str | Path, *, trusted: bool = False) -> AnnotationFile:
    """Read an annotation file; one that this process has read already is returned as it is.

    Args:
        path: The pickle.
        trusted: See :func:`pyskl.datasets.plain_pickle.load_plain_pickle`.

    Raises:
        AnnotationError: if the file is missing, unreadable or of another structure.
        UntrustedFileError: if it asks for more than plain data.
    """
    path = Path(path)
    if not path.is_file():
        raise AnnotationError(
            f"{path}: there is no such annotation file (looked in {path.parent.resolve()})"
        )
    stat = path.stat()
    key = (stat.st_mtime_ns, stat.st_size, trusted)
    resolved = path.resolve()
    if resolved in _READ and _READ[resolved][0] == key:
        return _READ[resolved][1]
    try:
        content = load_plain_pickle(path, trusted=trusted)
    except UntrustedFileError:
        raise
    except ValueError as error:
        raise AnnotationError(str(error)) from error
    except OSError as error:
        raise AnnotationError(f"{path}: the file can't be read ({error})") from error
    annotations = _structured(path, content)
    _READ[resolved] = (key, annotations)
    return annotations


def _structured(path: Path, content: Any) -> AnnotationFile:
    """Check the outer structure of an annotation file's content."""
    split: dict[str, list[str]] | None = None
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
    return AnnotationFile(path=path, samples=samples, split=split)


def _ids(path: Path, name: Any, ids: Any) -> list[str]:
    """Return the ids of a split as :func:`sample_id` spells them."""
    if not isinstance(ids, (Sequence, Set, np.ndarray)) or isinstance(ids, (str, bytes)):
        raise AnnotationError(
            f"{path}: split {name!r} should be a list of sample ids, found {type(ids).__name__}"
        )
    return [str(identity) for identity in ids]


def sample_id(sample: Mapping[str, Any]) -> str | None:
    """Return the id of a sample: ``frame_dir``, else ``filename``, else None."""
    identity = sample.get("frame_dir", sample.get("filename"))
    return None if identity is None else str(identity)


def sample_fault(
    sample: Mapping[str, Any], *, num_classes: int | None = None, multi_class: bool = False
) -> str | None:
    """Return what is wrong with a sample, or None.

    Args:
        sample: The sample, see the table at the head of this module.
        num_classes: Labels must be below it, where given.
        multi_class: Whether ``label`` is a list of classes instead of one.
    """
    for key in ("keypoint", "total_frames", "label"):
        if key not in sample:
            return f"the key {key!r} is missing; it has {sorted(map(str, sample))}"
    return (
        _keypoint_fault(sample["keypoint"], sample["total_frames"])
        or _score_fault(sample.get("keypoint_score"), sample["keypoint"])
        or _img_shape_fault(sample.get("img_shape"))
        or _label_fault(sample["label"], num_classes, multi_class)
    )


def _keypoint_fault(keypoint: Any, total_frames: Any) -> str | None:
    if not isinstance(keypoint, np.ndarray):
        return f"keypoint should be a NumPy array, found {type(keypoint).__name__}"
    if keypoint.dtype.kind != "f":
        return f"keypoint should be of a float type, found {keypoint.dtype}"
    if keypoint.ndim != 4:
        return f"keypoint should be (M, T, V, C), found shape {keypoint.shape}"
    if 0 in keypoint.shape:
        return f"keypoint is empty: (M, T, V, C) = {keypoint.shape}"
    if keypoint.shape[3] not in (2, 3):
        return f"keypoint should have 2 or 3 coordinates, found (M, T, V, C) = {keypoint.shape}"
    if not isinstance(total_frames, (int, np.integer)) or isinstance(total_frames, bool):
        return f"total_frames should be an int, found {type(total_frames).__name__}"
    if total_frames != keypoint.shape[1]:
        return f"total_frames is {total_frames} but keypoint has {keypoint.shape[1]} frames"
    return _finite_fault("keypoint", keypoint)


def _score_fault(score: Any, keypoint: np.ndarray) -> str | None:
    if score is None:
        return None
    if not isinstance(score, np.ndarray):
        return f"keypoint_score should be a NumPy array, found {type(score).__name__}"
    if score.dtype.kind != "f":
        return f"keypoint_score should be of a float type, found {score.dtype}"
    if score.shape != keypoint.shape[:3]:
        return (
            f"keypoint_score should be (M, T, V) = {keypoint.shape[:3]} as keypoint is, "
            f"found {score.shape}"
        )
    return _finite_fault("keypoint_score", score)


def _img_shape_fault(img_shape: Any) -> str | None:
    if img_shape is None:
        return None
    try:
        height, width = img_shape
        sound = height > 0 and width > 0
    except (TypeError, ValueError):
        sound = False
    return None if sound else f"img_shape should be (height, width) in pixels, found {img_shape!r}"


def _finite_fault(name: str, array: np.ndarray) -> str | None:
    finite = np.isfinite(array)
    if finite.all():
        return None
    frames = np.unique(np.nonzero(~finite)[1])
    return (
        f"{name} has {int((~finite).sum())} values that are NaN or infinite, "
        f"in {len(frames)} frames, {int(frames[0])} the first"
    )


def _label_fault(label: Any, num_classes: int | None, multi_class: bool) -> str | None:
    labels = label if multi_class and isinstance(label, (list, tuple, np.ndarray)) else [label]
    for value in labels:
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
            return f"label should be an int, found {type(value).__name__}: {value!r}"
        if value < 0 or (num_classes is not None and value >= num_classes):
            top = "" if num_classes is None else f" to {num_classes - 1}"
            return f"label {value} is outside 0{top}"
    return None
