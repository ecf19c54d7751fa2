"""Write annotation files from recordings, one sample at a time."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from pyskl.datasets.annotation import LABELS_SUFFIX
from pyskl.datasets.sample_checks import sample_problem
from pyskl.errors import AnnotationError, WriteError, did_you_mean
from pyskl.files.atomic import AtomicFile, write_text
from pyskl.files.pickling import PROTOCOL, dump_pickle
from pyskl.recordings.recording import Recording, RecordingError
from pyskl.skeleton import LAYOUTS


class AnnotationWriter:
    """Writes recordings to an annotation file.

    Samples are written one by one. The file appears, whole, when the ``with`` block ends without
    an error; otherwise a file that was there before stays. Next to ``mine.pkl`` the class names are
    written to ``mine.pkl.labels.txt``, one per line, in addition to the pickle's key
    ``label_names``. The joint names, if known, are in the pickle's key ``joint_names``.

    Args:
        path: The annotation file (``.pkl``).
        label_names: The class names in their order; labels may then be given by name.

    Raises:
        AnnotationError: for repeated or empty names.

    Example:
        >>> with AnnotationWriter('mine.pkl', ['squat', 'wave']) as writer:  # doctest: +SKIP
        ...     for path in Path('recordings').glob('*/*.csv'):
        ...         writer.add(read_recording(path), label=path.parent.name, split='train')
    """

    def __init__(self, path: str | Path, label_names: Sequence[str] | None = None) -> None:
        self.path = Path(path)
        self.label_names = None if label_names is None else tuple(label_names)
        for name in self.label_names or ():
            if not name.strip() or "\n" in name or (self.label_names or ()).count(name) > 1:
                raise AnnotationError(
                    "invalid class names",
                    file=self.path,
                    key="label_names",
                    found=repr(name),
                    expected="different names of one line each",
                )
        self.splits: dict[str, list[str]] = {}
        self.ids: dict[str, int] = {}
        self._properties: dict[str, str] = {}  # of the first recording
        self._joint_names: tuple[str, ...] = ()
        self._output: AtomicFile | None = None

    def __enter__(self) -> AnnotationWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            if self._output is not None:
                self._output.close()
            self._output = None

    def add(
        self, recording: Recording, label: int | str, split: str | Sequence[str] = ()
    ) -> dict[str, Any]:
        """Add a recording.

        Args:
            recording: The recording; its name is the sample's id.
            label: The class, a number from 0 or one of ``label_names``.
            split: Its split or splits; :meth:`assign` can also set them at the end.

        Returns:
            The sample that was written.

        Raises:
            RecordingError: if it is malformed, its id is taken, or its joints, coordinates, scores
                or layout differ from those of the first recording. It is not added then.
            AnnotationError: if there is no such label.
            WriteError: if the file can't be written.
        """
        number = self._label(label, recording.name)
        sample = recording.sample(number)
        problem = sample_problem(sample)
        if problem is not None:
            raise RecordingError(problem.text, sample=recording.name, key=problem.key)
        self._check_consistent(recording)
        try:
            if self._output is None:
                self._output = AtomicFile(self.path)
                _begin(self._output.file)
            self._output.file.write(_opcodes(sample) + pickle.APPEND)
        except OSError as error:
            raise self._write_error(error) from error
        if not self.ids:
            self._properties = _properties(recording)
            self._joint_names = _joint_names(recording)
        self.ids[recording.name] = number
        for name in (split,) if isinstance(split, str) else split:
            self.splits.setdefault(name, []).append(recording.name)
        return sample

    def assign(self, splits: Mapping[str, Sequence[str]]) -> None:
        """Set the ids of each split, replacing those given to :meth:`add`.

        Raises:
            AnnotationError: if an id is not among the samples, or twice in a split.
        """
        for name, ids in splits.items():
            unknown = next((identity for identity in ids if identity not in self.ids), None)
            if unknown is not None:
                raise AnnotationError(
                    f"split {name!r} lists an unknown sample"
                    f"{did_you_mean(unknown, list(self.ids)[:1000])}",
                    file=self.path,
                    sample=unknown,
                )
            if len(set(ids)) < len(ids):
                raise AnnotationError(f"split {name!r} lists a sample twice", file=self.path)
        self.splits = {name: list(ids) for name, ids in splits.items()}

    def _finish(self) -> None:
        """Write the splits and names, and move the file into place."""
        if self._output is None or not self.ids:
            raise AnnotationError("no recording was added", file=self.path)
        rest: dict[str, Any] = {"split": self.splits}
        if self._joint_names:
            rest["joint_names"] = list(self._joint_names)
        if self.label_names is not None:
            rest["label_names"] = list(self.label_names)
        labels_file = self.path.with_name(self.path.name + LABELS_SUFFIX)
        try:
            _end(self._output.file, rest)
            self._output.commit()
            if self.label_names is not None:
                write_text(labels_file, "".join(f"{name}\n" for name in self.label_names))
            else:
                labels_file.unlink(missing_ok=True)  # left by an older annotation file
        except OSError as error:
            raise self._write_error(error) from error

    def _write_error(self, error: OSError) -> WriteError:
        return WriteError("the file can't be written", file=self.path, found=str(error))

    def _label(self, label: int | str, name: str) -> int:
        names = self.label_names
        if isinstance(label, str):
            if names is None or label not in names:
                hint = did_you_mean(label, names) if names else "; this file has no label_names"
                raise AnnotationError(
                    f"there is no label {label!r}{hint}", sample=name, key="label"
                )
            return names.index(label)
        if names is not None and not 0 <= label < len(names):
            raise AnnotationError(
                "there is no such label",
                sample=name,
                key="label",
                found=label,
                expected=f"0 to {len(names) - 1}",
            )
        return int(label)

    def _check_consistent(self, recording: Recording) -> None:
        if recording.name in self.ids:
            raise RecordingError("a recording with this name exists", sample=recording.name)
        properties = _properties(recording)
        for key, found in properties.items():
            expected = self._properties.get(key, found)
            if found != expected:
                raise RecordingError(
                    "it differs from the first recording",
                    sample=recording.name,
                    key=key,
                    found=found,
                    expected=expected,
                    hint="a layout (layout, --layout) puts named joints in one order"
                    if key.startswith("joint ")
                    else None,
                )


def _begin(file: IO[bytes]) -> None:
    """Begin the pickle of ``dict(annotations=[...], ...)``; samples and APPEND follow."""
    file.write(pickle.PROTO + bytes([PROTOCOL]) + pickle.EMPTY_DICT)
    file.write(_opcodes("annotations") + pickle.EMPTY_LIST)


def _end(file: IO[bytes], rest: Mapping[str, Any]) -> None:
    """Write the remaining keys and the end of the pickle."""
    file.write(pickle.SETITEM)
    for key, value in rest.items():
        file.write(_opcodes(key) + _opcodes(value) + pickle.SETITEM)
    file.write(pickle.STOP)


def _opcodes(value: Any) -> bytes:
    """Return the opcodes that pickle a value, without those for the protocol and the end.

    Protocol 3 numbers memoized objects explicitly, so pickles can be concatenated: each may use the
    same numbers again. Protocol 4 counts the objects instead.
    """
    return dump_pickle(value)[2:-1]


def _properties(recording: Recording) -> dict[str, str]:
    """Return the properties that must agree in all recordings that have them."""
    joints, dim = recording.keypoint.shape[2:]
    properties = {
        "shape": f"{joints} joints of {dim} coordinates",
        "score": "no scores" if recording.score is None or dim != 2 else "scores",
    }
    if recording.layout:
        properties["layout"] = recording.layout
    names = enumerate(recording.joint_names)
    return properties | {f"joint {joint}": name for joint, name in names}


def _joint_names(recording: Recording) -> tuple[str, ...]:
    """Return the names of a recording's joints: its own, or those of its layout."""
    layout = recording.own_layout or LAYOUTS.get(recording.layout or "")
    names = recording.joint_names or (() if layout is None else layout.joint_names)
    return names if len(names) == recording.keypoint.shape[2] else ()
