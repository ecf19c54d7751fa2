"""What the files mean that a user wants recognised: annotation files, recordings, videos, pipes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from pyskl.datasets.annotation_cache import load_annotations
from pyskl.datasets.pack import is_pack
from pyskl.datasets.sample_checks import sample_id
from pyskl.errors import InputError
from pyskl.inference.joints import fitted
from pyskl.inference.samples import lines_of, recording_of_json
from pyskl.inference.video import VIDEO_SUFFIXES, PoseEstimator, read_video
from pyskl.recordings import Recording, RecordingError, read_recordings
from pyskl.recordings.discovery import RecordingPath, find_recordings
from pyskl.skeleton import SkeletonLayout

ANNOTATION_SUFFIXES = (".pkl", ".pickle")

STDIN = "-"
"""The name that stands for standard input."""


@dataclass(frozen=True)
class Item:
    """One sequence to recognise.

    Attributes:
        name: Its id.
        source: The file that it is in, or ``'-'``.
        sample: As annotation files hold it.
        fps: Frames per second, where known.
        truth: The label that an annotation file gives it.
    """

    name: str
    source: str
    sample: Mapping[str, Any]
    fps: float | None = None
    truth: int | list[int] | None = None


@dataclass(frozen=True)
class Unread:
    """What could not be read.

    Attributes:
        name: The id that it would have had.
        source: The file.
        error: Why.
    """

    name: str
    source: str
    error: InputError


@dataclass(frozen=True)
class ReadSettings:
    """How files are read.

    Attributes:
        wanted: The layout of the model, where known.
        format: A name of :data:`pyskl.recordings.FORMATS`, or ``'auto'``.
        layout: What the joints of recordings are, whatever their format says.
        split: Of annotation files; None takes all samples.
        trusted: Load annotation files with plain pickle, which runs what they say.
        options: Fields of :class:`pyskl.recordings.ReadOptions`.
        estimator: Returns what finds the skeletons in videos; it is called for the first video.
    """

    wanted: SkeletonLayout | None = None
    format: str = "auto"
    layout: SkeletonLayout | None = None
    split: str | None = None
    trusted: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    estimator: Callable[[], PoseEstimator] | None = None


def read_items(
    files: Iterable[str | Path], settings: ReadSettings, stdin: IO[str] | None = None
) -> Iterator[Item | Unread]:
    """Yield all sequences of files, one after the other; what can't be read is one of them.

    Args:
        files: Annotation files (``.pkl``, packs), recordings of any format, folders of recordings,
            videos; ``'-'`` for lines of standard input, each of which is a path, or a sample as
            :func:`pyskl.inference.samples.recording_of_json` takes it.
        settings: How to read them.
        stdin: Standard input.
    """
    reader = _Reader(settings)
    for file in files:
        if str(file) == STDIN and stdin is not None:
            yield from reader.of_lines(stdin)
        else:
            yield from reader.of_file(Path(file))


def read_one(path: str | Path, wanted: SkeletonLayout | None = None) -> Mapping[str, Any]:
    """Return the one sample that a recording holds.

    Args:
        path: The recording.
        wanted: The layout of the model, where known.

    Raises:
        InputError: if it can't be read, is of other joints, or holds several.
    """
    path = Path(path)
    if is_annotation_file(path):
        raise InputError(
            f"{path}: an annotation file holds many samples; give one of them, or the file to "
            "tools/infer.py"
        )
    found = []
    for item in _Reader(ReadSettings(wanted)).of_file(path):
        if isinstance(item, Unread):
            raise item.error
        found.append(item.sample)
    if len(found) != 1:
        raise RecordingError(f"{path} holds {len(found)} recordings, one was asked for")
    return found[0]


def is_annotation_file(path: Path) -> bool:
    """Return whether a path is an annotation file or a pack, by its name or content."""
    return path.suffix.lower() in ANNOTATION_SUFFIXES or is_pack(path)


class _Reader:
    """Reads files; it remembers what finds the skeletons in videos."""

    def __init__(self, settings: ReadSettings) -> None:
        self.settings = settings
        self._estimator: PoseEstimator | None = None

    def of_lines(self, stream: IO[str]) -> Iterator[Item | Unread]:
        """Yield what the lines of a stream mean."""
        try:
            for position, line in enumerate(lines_of(stream), 1):
                if line.startswith("{"):
                    yield self._of_json(line, f"line {position}")
                else:
                    yield from self.of_file(Path(line))
        except InputError as error:
            yield Unread("standard input", STDIN, error)

    def of_file(self, path: Path) -> Iterator[Item | Unread]:
        """Yield the sequences of a file or folder."""
        try:
            if is_annotation_file(path):
                yield from self._of_annotations(path)
            elif path.suffix.lower() in VIDEO_SUFFIXES:
                yield self._item(self._of_video(path), str(path))
            else:
                found = find_recordings([path], format=self.settings.format)
                for source in found.paths:
                    yield from self._of_source(source)
        except InputError as error:
            yield Unread(path.name, str(path), error)

    def _of_annotations(self, path: Path) -> Iterator[Item]:
        annotations = load_annotations(path, trusted=self.settings.trusted)
        fps = self.settings.options.get("fps")
        for position, sample in enumerate(annotations.select(self.settings.split)):
            name = sample_id(sample) or f"{path.stem}/{position}"
            yield Item(name, str(path), sample, fps, _label_of(sample))

    def _of_source(self, source: RecordingPath) -> Iterator[Item | Unread]:
        options = dict(self.settings.options)
        try:
            recordings = read_recordings(
                source.path, format=self.settings.format, layout=self.settings.layout, **options
            )
        except InputError as error:
            yield Unread(source.name, str(source.path), error)
            return
        for recording in recordings:
            named = replace(recording, name=source.name_of(recording))
            try:
                yield self._item(named, str(source.path))
            except InputError as error:
                yield Unread(named.name, str(source.path), error)

    def _of_json(self, line: str, where: str) -> Item | Unread:
        known = {key: self.settings.options.get(key) for key in ("channels", "image_size", "fps")}
        try:
            return self._item(recording_of_json(line, where, **known), STDIN)
        except InputError as error:
            return Unread(where, STDIN, error)

    def _of_video(self, path: Path) -> Recording:
        if not path.is_file():
            raise RecordingError(
                f"{path}: there is no such file (looked in {path.parent.resolve()})"
            )
        if self.settings.estimator is None:
            raise RecordingError(
                f"{path} is a video; give its skeletons, as keypoints that a pose estimator found"
            )
        if self._estimator is None:
            self._estimator = self.settings.estimator()
        return read_video(path, self._estimator, persons=self.settings.options.get("persons", 2))

    def _item(self, recording: Recording, source: str) -> Item:
        recording = fitted(recording, self.settings.wanted, self.settings.layout)
        return Item(recording.name, source, recording.sample(), recording.fps)


def _label_of(sample: Mapping[str, Any]) -> int | list[int] | None:
    label = sample.get("label")
    if label is None:
        return None
    try:
        return [int(one) for one in label] if hasattr(label, "__iter__") else int(label)
    except (TypeError, ValueError):  # whoever wrote it meant something else
        return None
