"""Annotation files from recordings, checked and written as they come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from pyskl.datasets.annotation import LABELS_SUFFIX
from pyskl.datasets.sample_checks import sample_fault
from pyskl.errors import AnnotationError, did_you_mean
from pyskl.files.atomic import AtomicFile, write_text
from pyskl.recordings.numbers import listed
from pyskl.recordings.pickle_stream import PickleStream
from pyskl.recordings.recording import Recording, RecordingError
from pyskl.skeleton import LAYOUTS


class AnnotationWriter:
    """Collects recordings into an annotation file.

    The samples go to the disk one by one; the file is at its place, whole, when the ``with`` block
    ends without an error, and otherwise what was there stays. Beside ``mine.pkl`` the names of the
    classes are written to ``mine.pkl.labels.txt``, one in each line, besides the pickle's key
    ``label_names``: packs of large files do not hold them. The names of the joints, where they are
    known, stand in the pickle's key ``joint_names``.

    Args:
        path: The annotation file (``.pkl``).
        label_names: The names of the classes in their order; labels may then be given by name.

    Raises:
        AnnotationError: for names that are there twice or empty.

    Example:
        >>> with AnnotationWriter('mine.pkl', ['squat', 'wave']) as writer:  # doctest: +SKIP
        ...     for path in Path('recordings').glob('*/*.csv'):
        ...         writer.add(read_recording(path), label=path.parent.name, split='train')
    """

    def __init__(self, path: str | Path, label_names: Sequence[str] | None = None) -> None:
        self.path = Path(path)
        self.label_names = None if label_names is None else tuple(label_names)
        if self.label_names is not None:
            twice = [name for name, count in Counter(self.label_names).items() if count > 1]
            odd = [name for name in self.label_names if not name.strip() or "\n" in name]
            if twice or odd:
                raise AnnotationError(
                    f"{self.path}: label names should differ and be one line each, found "
                    f"{listed([repr(name) for name in twice or odd])}"
                )
        self.splits: dict[str, list[str]] = {}
        self.ids: dict[str, int] = {}
        self._first: Recording | None = None
        self._stream: PickleStream | None = None
        self._file: AtomicFile | None = None

    def __enter__(self) -> AnnotationWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def add(
        self, recording: Recording, label: int | str, split: str | Sequence[str] = ()
    ) -> dict[str, Any]:
        """Add a recording.

        Args:
            recording: The recording; its name is the sample's id.
            label: The class, a number from 0 or one of ``label_names``.
            split: The splits that it is in; they can also be set in the end, with :meth:`assign`.

        Returns:
            The sample that was written.

        Raises:
            RecordingError: if it does not go with what was added before: its id is there already,
                or it has other joints, coordinates or scores. Nothing is added then.
            AnnotationError: if the label is unknown, or the recording malformed.
        """
        number = self._label(label, recording.name)
        sample = recording.sample(number)
        fault = sample_fault(sample) or self._misfit(recording, sample)
        if fault is not None:
            raise RecordingError(f"{recording.name}: {fault}")
        try:
            if self._file is None or self._stream is None:
                self._file = AtomicFile(self.path)
                self._stream = PickleStream(self._file.file)
            self._stream.add(sample)
        except OSError as error:
            raise AnnotationError(f"{self.path} can't be written ({error})") from error
        self._first = self._first or _outline(recording)
        self.ids[recording.name] = number
        for name in (split,) if isinstance(split, str) else split:
            self.splits.setdefault(name, []).append(recording.name)
        return sample

    def assign(self, splits: Mapping[str, Sequence[str]]) -> None:
        """Say which samples each split has, by their ids; replaces what :meth:`add` was told.

        Raises:
            AnnotationError: if an id is not among the samples, or twice in a split.
        """
        for name, ids in splits.items():
            unknown = [identity for identity in ids if identity not in self.ids]
            if unknown:
                raise AnnotationError(
                    f"{self.path}: split {name!r} lists {unknown[0]!r}, which was not added"
                    f"{did_you_mean(unknown[0], list(self.ids)[:1000])}"
                )
            if len(set(ids)) < len(ids):
                raise AnnotationError(f"{self.path}: split {name!r} lists an id twice")
        self.splits = {name: list(ids) for name, ids in splits.items()}

    def close(self) -> None:
        """Write the splits, and put the file at its place.

        Raises:
            AnnotationError: if nothing was added, or the file can't be written.
        """
        if self._stream is None or self._file is None:
            raise AnnotationError(f"{self.path}: no recording was added, there is nothing to write")
        rest: dict[str, Any] = {"split": self.splits}
        joint_names = () if self._first is None else _joint_names(self._first)
        if joint_names:
            rest["joint_names"] = list(joint_names)
        if self.label_names is not None:
            rest["label_names"] = list(self.label_names)
        beside = self.path.with_name(self.path.name + LABELS_SUFFIX)
        try:
            self._stream.finish(rest)
            self._file.commit()
            if self.label_names is not None:
                write_text(beside, "".join(f"{name}\n" for name in self.label_names))
            else:
                beside.unlink(missing_ok=True)  # of what stood here before
        except OSError as error:
            raise AnnotationError(f"{self.path} can't be written ({error})") from error
        finally:
            self.discard()

    def discard(self) -> None:
        """Leave nothing behind."""
        if self._file is not None:
            self._file.close()
        self._file = self._stream = None

    def _label(self, label: int | str, name: str) -> int:
        if isinstance(label, str):
            if self.label_names is None:
                raise AnnotationError(
                    f"{name}: the label {label!r} is a name; give label_names to the writer, or a "
                    "number"
                )
            if label not in self.label_names:
                raise AnnotationError(
                    f"{name}: there is no label {label!r}{did_you_mean(label, self.label_names)}"
                )
            return self.label_names.index(label)
        if self.label_names is not None and not 0 <= label < len(self.label_names):
            raise AnnotationError(
                f"{name}: label {label} is outside 0 to {len(self.label_names) - 1}"
            )
        return int(label)

    def _misfit(self, recording: Recording, sample: Mapping[str, Any]) -> str | None:
        """Return why a recording does not go with those before it, or None."""
        if recording.name in self.ids:
            return "there is a recording of this name already; names have to differ"
        first = self._first
        if first is None:
            return None
        (_, _, joints, dim), (_, _, wanted, wanted_dim) = (
            recording.keypoint.shape,
            first.keypoint.shape,
        )
        if (joints, dim) != (wanted, wanted_dim):
            return (
                f"{joints} joints of {dim} coordinates, but {first.name} has {wanted} of "
                f"{wanted_dim}; one annotation file is of one kind of skeleton"
            )
        if ("keypoint_score" in sample) != (first.score is not None and wanted_dim == 2):
            has, had = ("scores", "none") if "keypoint_score" in sample else ("no scores", "some")
            return f"it has {has}, but {first.name} has {had}"
        if recording.layout and first.layout and recording.layout != first.layout:
            return f"its layout is {recording.layout}, not {first.layout} as that of {first.name}"
        for joint, (name, wanted_name) in enumerate(zip(recording.joint_names, first.joint_names)):
            if name != wanted_name:
                return (
                    f"joint {joint} is {name!r}, not {wanted_name!r} as in {first.name}; a layout "
                    "with these names puts them in one order (layout, --layout)"
                )
        return None


def _joint_names(recording: Recording) -> tuple[str, ...]:
    """Return the names of a recording's joints: its own, or those of its layout."""
    layout = recording.own_layout or LAYOUTS.get(recording.layout or "")
    names = recording.joint_names or (() if layout is None else layout.joint_names)
    return names if len(names) == recording.keypoint.shape[2] else ()


def _outline(recording: Recording) -> Recording:
    """Return a recording without its frames, to compare others with."""
    shape = recording.keypoint.shape
    return Recording(
        recording.name,
        np.broadcast_to(np.float32(0), shape),
        None if recording.score is None else np.broadcast_to(np.float32(0), shape[:3]),
        layout=recording.layout,
        own_layout=recording.own_layout,
        joint_names=recording.joint_names,
    )
