"""Read ``.skeleton`` files, the text format of NTU RGB+D.

==================== ===========================================================================
lines                content
==================== ===========================================================================
first                number of frames
of a frame           number of bodies, then those bodies
of a body            ten numbers, the first is its id; the number of joints, 25; a line per joint
                     that begins with x, y and z in metres
==================== ===========================================================================

Joint lines have twelve numbers in the data set; three or more are accepted if all joint lines of
the file have as many. Numbers other than ids, counts and coordinates are not used; they may be NaN
or infinite. Blank lines may follow the last frame.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pyskl.recordings.input_file import InputFile
from pyskl.recordings.ntu.tracks import tracks_of
from pyskl.recordings.numbers import brief
from pyskl.recordings.reader import Reader, ReadOptions
from pyskl.recordings.recording import Recording, RecordingError

NUM_JOINTS = 25
BODY_NUMBERS = 10

# The largest files of the data set have some megabytes.
MAX_BYTES = 1 << 26

# Of Kinect v2's depth camera.
FRAMES_PER_SECOND = 30.0

# A larger coordinate is infinite in float32.
_LARGEST = float(np.finfo(np.float32).max)

# In a file of only these characters, the unused values need no check.
_NUMBER_CHARACTERS = b"0123456789.+-eE \r\n"

_INTEGER = re.compile(r"[-+]?\d{1,4000}", re.ASCII)  # int() refuses longer ones
_COORDINATE = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_NUMBER = re.compile(r"[-+.\deE]+|[-+]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Body:
    """The frames of one body.

    Attributes:
        id: The id.
        start: The number of its first frame, from 0; frames without bodies do not count.
        keypoint: (T, V, C), float32, metres. If a body leaves and returns, the frames in between
            are left out, so the later ones move forward.
    """

    id: int
    start: int
    keypoint: np.ndarray

    @property
    def stop(self) -> int:
        """The frame after its last."""
        return self.start + len(self.keypoint)


def read_skeleton_file(source: str | Path | bytes) -> list[Body]:
    """Read a ``.skeleton`` file.

    Args:
        source: The file's path, or its content.

    Returns:
        The bodies in the order of their appearance; none if no frame has one.

    Raises:
        RecordingError: if the content is malformed, with the line; or the file is too large.
        OSError: if the file can't be read.

    Example:
        >>> read_skeleton_file(b'2\\n0\\n0\\n')
        []
    """
    if isinstance(source, bytes):
        content, path = source, None
    else:
        path = Path(source)
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    try:
        return _Parser(content).bodies()
    except RecordingError as error:
        if path is None:
            raise
        raise error.in_file(path) from error


def recording_from_skeleton(path: str | Path) -> Recording:
    """Read a ``.skeleton`` file as one or two tracks, as annotation files have them.

    Args:
        path: The file, of any name.

    Returns:
        ``keypoint`` (M, T, V, C) in metres, float32, M 1 or 2, V 25, C 3; the name is the file's
        stem. Annotation files store the same, rounded to float16.

    Raises:
        RecordingError: if the file can't be read, is malformed or has no body that can be a
            person.

    Example:
        >>> recording_from_skeleton('S001C001P001R001A001.skeleton').keypoint.shape
        (1, 103, 25, 3)
    """
    path = Path(path)
    try:
        keypoint = tracks_of(read_skeleton_file(path))
    except RecordingError as error:
        raise error.in_file(path) from error
    except OSError as error:
        raise RecordingError(
            "the file can't be read", file=path, found=error.strerror or str(error)
        ) from error
    return Recording(path.stem, keypoint, fps=FRAMES_PER_SECOND, layout="nturgb+d")


def _read(file: InputFile, options: ReadOptions) -> list[Recording]:
    return [recording_from_skeleton(file.path)]


READER = Reader("skeleton", (".skeleton",), _read)


class _BodyLines(NamedTuple):
    """The lines with the joints of a body in a frame.

    Attributes:
        id: The id of the body.
        frame: The number of the frame, where frames without bodies do not count.
        start: The index of the first joint line.
        place: Frame and body for error messages.
    """

    id: int
    frame: int
    start: int
    place: str


class _Parser:
    """Parses the lines of a file, with the current place for error messages.

    Args:
        content: Of the file.
    """

    def __init__(self, content: bytes) -> None:
        self._line = 0  # number of the line read last, from 1
        self._place = ""
        self._found: list[_BodyLines] = []
        if len(content) > MAX_BYTES:
            raise RecordingError("the file is too large", expected=f"up to {MAX_BYTES >> 20} MiB")
        content = content.rstrip()
        if not content:
            raise RecordingError("the file is empty")
        try:
            self._lines = content.decode("utf-8").split("\n")
        except UnicodeDecodeError as error:
            self._line = content.count(b"\n", 0, error.start) + 1
            raise self._error("not a text file", "bytes that are not UTF-8", "UTF-8") from error
        # Regular: only single spaces and line ends between numbers, which needs fewer checks.
        text = np.frombuffer(content, np.uint8)
        blank, returns = text <= ord(" "), np.flatnonzero(text[:-1] == ord("\r"))
        adjacent = np.count_nonzero(blank[1:] & blank[:-1])
        self._regular = (
            not content.translate(None, _NUMBER_CHARACTERS)
            and not blank[0]
            and adjacent == len(returns)
            and bool((text[returns + 1] == ord("\n")).all())
        )
        if not self._regular:
            self._lines = [" ".join(line.split()) for line in self._lines]

    def bodies(self) -> list[Body]:
        """Return the bodies; see :func:`read_skeleton_file`."""
        try:
            self._find_bodies()
        except RecordingError:
            self._check_joints()  # report an earlier problem instead, if any
            raise
        coordinates = self._coordinates()
        rows: dict[int, list[int]] = {}
        for row, body in enumerate(self._found):
            rows.setdefault(body.id, []).append(row)
        return [
            Body(id, self._found[of_id[0]].frame, coordinates[of_id].astype(np.float32))
            for id, of_id in rows.items()
        ]

    def _find_bodies(self) -> None:
        num_frames, frame = self._count("frames"), 0
        for number in range(1, num_frames + 1):
            self._place = f" (frame {number} of {num_frames})"
            num_bodies = self._count("bodies")
            for body in range(1, num_bodies + 1):
                self._place = f" (frame {number} of {num_frames}, body {body} of {num_bodies})"
                numbers = self._next("the numbers of a body").split()
                if len(numbers) != BODY_NUMBERS:
                    raise self._unexpected(f"the {BODY_NUMBERS} numbers of a body")
                if not _INTEGER.fullmatch(numbers[0]):
                    raise self._unexpected("the id of a body")
                if not self._regular and not all(map(_NUMBER.fullmatch, numbers)):
                    raise self._unexpected("numbers")
                if self._count("joints") != NUM_JOINTS:
                    raise self._unexpected(f"{NUM_JOINTS} joints")
                self._found.append(_BodyLines(int(numbers[0]), frame, self._line, self._place))
                self._line += NUM_JOINTS
            frame += num_bodies > 0
        if self._line < len(self._lines):
            self._line, self._place = self._line + 1, ""
            raise self._unexpected(f"the end of the file after its {num_frames} frames")

    def _coordinates(self) -> np.ndarray:
        """Return the coordinates of all bodies and frames, (n, V, C), float64."""
        starts = [body.start for body in self._found]
        lines = [line for start in starts for line in self._lines[start : start + NUM_JOINTS]]
        if not lines:
            return np.zeros((0, NUM_JOINTS, 3))
        spaces = {line.count(" ") for line in lines}
        try:
            values = np.loadtxt(lines, usecols=(0, 1, 2), delimiter=" ", comments=None, ndmin=2)
        except ValueError:
            values = np.array([np.inf])
        whole = len(lines) == NUM_JOINTS * len(starts) and len(spaces) == 1
        if not (self._regular and whole and np.abs(values).max() <= _LARGEST):
            self._check_joints()
        return values.reshape(-1, NUM_JOINTS, 3)

    def _check_joints(self) -> None:
        """Raise an error for the first wrong line with a joint, if there is one."""
        width = 0
        for body in self._found:
            self._line, self._place = body.start, body.place
            for _ in range(NUM_JOINTS):
                numbers = self._next("a joint").split()
                width = width or max(3, len(numbers))
                if len(numbers) != width:
                    raise self._unexpected(f"the {width} numbers of a joint")
                for number in numbers[:3]:
                    if not _COORDINATE.fullmatch(number) or abs(float(number)) > _LARGEST:
                        raise self._unexpected("coordinates in metres")
                if not all(map(_NUMBER.fullmatch, numbers[3:])):
                    raise self._unexpected("numbers")

    def _next(self, expected: str) -> str:
        if self._line >= len(self._lines):
            self._line = len(self._lines)
            raise self._error("the file ends early", "its end", expected)
        self._line += 1
        return self._lines[self._line - 1].strip()

    def _count(self, what: str) -> int:
        number = self._next(f"the number of {what}")
        if not _INTEGER.fullmatch(number) or int(number) < 0:
            raise self._unexpected(f"the number of {what}")
        return int(number)

    def _unexpected(self, expected: str) -> RecordingError:
        found = brief(self._lines[self._line - 1].strip())
        return self._error("unexpected content", found, expected)

    def _error(self, problem: str, found: str, expected: str) -> RecordingError:
        place = f"line {self._line}{self._place}"
        return RecordingError(problem, key=place, found=found, expected=expected)
