"""Read the inputs of ``tools/infer.py``: annotation files, recordings, folders, videos, pipes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from pyskl.datasets.annotation_cache import load_annotations
from pyskl.datasets.pack import is_pack
from pyskl.datasets.sample_checks import sample_id
from pyskl.errors import AnnotationError, InputError
from pyskl.inference.json_input import read_lines, recording_of_json
from pyskl.inference.video import VIDEO_SUFFIXES, PoseEstimator, read_video
from pyskl.recordings import Recording, RecordingError, read_recordings
from pyskl.recordings.discovery import find_recordings
from pyskl.skeleton import SkeletonLayout, joint_names_problem, resolve_layout
from pyskl.skeleton.joint_names import as_in_layout

ANNOTATION_SUFFIXES = (".pkl", ".pickle")

STDIN = "-"
"""The name of standard input."""


@dataclass(frozen=True)
class InputSequence:
    """One sequence to recognise, or the reason why it can't be read.

    Attributes:
        name: Its id.
        source: The file that it is in, or ``'-'``.
        sample: The sample as annotation files hold it; empty if there is an ``error``.
        fps: Frames per second, if known.
        truth: The label in the annotation file.
        error: Why it can't be read.
    """

    name: str
    source: str
    sample: Mapping[str, Any] = field(default_factory=dict)
    fps: float | None = None
    truth: int | list[int] | None = None
    error: InputError | None = None


@dataclass(frozen=True)
class ReadSettings:
    """How inputs are read.

    Attributes:
        expected_layout: The layout of the model, if known.
        format: A name of :data:`pyskl.recordings.FORMATS`, or ``'auto'``.
        layout: The layout of recordings; overrides that of their format.
        split: Split of annotation files; None takes all samples.
        trusted: Load annotation files with plain pickle, which can run code.
        options: Fields of :class:`pyskl.recordings.ReadOptions`.
        make_estimator: Makes the pose estimator for videos; called for the first video.
    """

    expected_layout: SkeletonLayout | None = None
    format: str = "auto"
    layout: SkeletonLayout | None = None
    split: str | None = None
    trusted: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    make_estimator: Callable[[], PoseEstimator] | None = None


def read_sequences(
    files: Iterable[str | Path], settings: ReadSettings, stdin: IO[str] | None = None
) -> Iterator[InputSequence]:
    """Yield all sequences of files in order, including those that can't be read.

    Args:
        files: Annotation files (``.pkl``, packs), recordings of any format, folders of recordings,
            videos; ``'-'`` for the lines of standard input, each a path or a sample for
            :func:`pyskl.inference.json_input.recording_of_json`.
        settings: How to read them.
        stdin: Standard input.
    """
    reader = _Reader(settings)
    for file in files:
        if str(file) == STDIN and stdin is not None:
            yield from reader.read_stream(stdin)
        else:
            yield from reader.read_file(Path(file))


def read_recording_sample(
    path: str | Path, expected_layout: SkeletonLayout | None = None
) -> Mapping[str, Any]:
    """Return the only sample of a recording.

    Args:
        path: The recording.
        expected_layout: The layout of the model, if known.

    Raises:
        InputError: if it can't be read, has other joints, or holds several sequences.
    """
    path = Path(path)
    if _is_annotation_file(path):
        raise InputError(
            "an annotation file holds many samples",
            file=path,
            hint="give one of its samples, or give the file to tools/infer.py",
        )
    found = list(_Reader(ReadSettings(expected_layout)).read_file(path))
    for one in found:
        if one.error is not None:
            raise one.error
    if len(found) != 1:
        raise RecordingError("not a single recording", file=path, found=len(found), expected="1")
    return found[0].sample


def reorder_joints(
    recording: Recording, expected: SkeletonLayout | None, given: SkeletonLayout | None = None
) -> Recording:
    """Return a recording with its joints in the order of the model's layout.

    Joints with names are put in order. A skeleton that merely has the same number of joints is
    refused, such as OpenPose's 25 joints for a model of NTU RGB+D's 25.

    Args:
        recording: What was read.
        expected: The layout of the model; None accepts everything.
        given: The layout that the user gave; it is not compared with the model's.

    Raises:
        RecordingError: if the joints do not match.
    """
    if expected is None:
        return recording
    layout = given or recording.own_layout
    if layout is None and recording.layout is not None:
        layout = resolve_layout(recording.layout)
    named = "" if layout is None else f" ({layout.name})"
    joints = recording.keypoint.shape[2]
    if joints != expected.num_joints:
        raise RecordingError(
            "its joints are not those of the model",
            file=recording.name,
            found=f"{joints} joints{named}",
            expected=f"{expected.num_joints} ({expected.name})",
        )
    names = recording.joint_names
    if not names and recording.own_layout is not None:
        names = recording.own_layout.joint_names
    names = as_in_layout(names, expected)
    if expected.joint_names and set(names) == set(expected.joint_names):
        if names == expected.joint_names:
            return recording
        return replace(recording, joint_names=names).reordered(expected.joint_names)
    problem = joint_names_problem(names, expected)
    if given is None and layout is None and problem is not None:
        raise RecordingError(
            problem,
            file=recording.name,
            hint=f"if they are the same in the same order, use --layout {expected.name}",
        )
    if given is None and layout is not None and not _same_skeleton(layout, expected):
        raise RecordingError(
            "its layout is not that of the model",
            file=recording.name,
            found=layout.name,
            expected=expected.name,
            hint=f"if they are the same in the same order, use --layout {expected.name}",
        )
    return recording


def _same_skeleton(one: SkeletonLayout, other: SkeletonLayout) -> bool:
    edges = [{frozenset(edge) for edge in layout.edges} for layout in (one, other)]
    return one.num_joints == other.num_joints and (one.name == other.name or edges[0] == edges[1])


def _is_annotation_file(path: Path) -> bool:
    return path.suffix.lower() in ANNOTATION_SUFFIXES or is_pack(path)


class _Reader:
    """Reads files, all videos with one pose estimator."""

    def __init__(self, settings: ReadSettings) -> None:
        self.settings = settings
        self._estimator: PoseEstimator | None = None

    def read_stream(self, stream: IO[str]) -> Iterator[InputSequence]:
        options = {key: self.settings.options.get(key) for key in ("channels", "image_size", "fps")}
        try:
            for position, line in enumerate(read_lines(stream), 1):
                if not line.startswith("{"):
                    yield from self.read_file(Path(line))
                    continue
                name = f"line {position}"
                try:
                    yield self._sequence(recording_of_json(line, name, **options), STDIN)
                except InputError as error:
                    yield InputSequence(name, STDIN, error=error)
        except InputError as error:
            yield InputSequence("standard input", STDIN, error=error)

    def read_file(self, path: Path) -> Iterator[InputSequence]:
        try:
            if _is_annotation_file(path):
                yield from self._read_annotations(path)
            elif path.suffix.lower() in VIDEO_SUFFIXES:
                yield self._sequence(self._read_video(path), str(path))
            else:
                yield from self._read_recordings(path)
        except InputError as error:
            yield InputSequence(path.name, str(path), error=error)

    def _read_annotations(self, path: Path) -> Iterator[InputSequence]:
        annotations = load_annotations(path, trusted=self.settings.trusted)
        fps = self.settings.options.get("fps")
        size = self.settings.options.get("image_size")
        chosen = annotations.select(self.settings.split)
        expected = self.settings.expected_layout
        names = annotations.joint_names
        differ = None if expected is None else joint_names_problem(names, expected)
        if differ is not None and self.settings.layout is None:
            raise AnnotationError(
                differ,
                file=path,
                key="joint_names",
                hint="if they are the same in the same order, give the layout (--layout)",
            )
        for position, (index, sample) in enumerate(zip(chosen.indices.tolist(), chosen)):
            name = sample_id(sample) or f"{path.stem}/{position}"
            problem = annotations.problems.get(index)
            if problem is not None and problem.key != "label":
                error = AnnotationError(problem.text, sample=name, key=problem.key)
                yield InputSequence(name, str(path), error=error)
                continue
            if size is not None and sample.get("img_shape") is None:
                sample["img_shape"] = size
            label: Any = sample.get("label")
            try:
                truth = [int(one) for one in label] if hasattr(label, "__iter__") else int(label)
            except (TypeError, ValueError, OverflowError):  # None, or not a class
                truth = None
            yield InputSequence(name, str(path), sample, fps, truth)

    def _read_recordings(self, path: Path) -> Iterator[InputSequence]:
        settings = self.settings
        for file in find_recordings([path], format=settings.format).paths:
            try:
                recordings = read_recordings(
                    file.path, format=settings.format, layout=settings.layout, **settings.options
                )
            except InputError as error:
                yield InputSequence(file.name, str(file.path), error=error)
                continue
            for recording in recordings:
                name = file.name_of(recording)
                try:
                    yield self._sequence(replace(recording, name=name), str(file.path))
                except InputError as error:
                    yield InputSequence(name, str(file.path), error=error)

    def _read_video(self, path: Path) -> Recording:
        if not path.is_file():
            raise RecordingError("there is no such file", file=path)
        if self._estimator is None:
            if self.settings.make_estimator is None:
                raise RecordingError(
                    "a video needs a pose estimator", file=path, hint="give its keypoints instead"
                )
            self._estimator = self.settings.make_estimator()
        return read_video(path, self._estimator, persons=self.settings.options.get("persons", 2))

    def _sequence(self, recording: Recording, source: str) -> InputSequence:
        settings = self.settings
        recording = reorder_joints(recording, settings.expected_layout, settings.layout)
        return InputSequence(recording.name, source, recording.sample(), recording.fps)
