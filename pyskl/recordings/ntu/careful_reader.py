"""Reading a ``.skeleton`` file line by line, to say exactly where it goes wrong."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import numpy as np

from pyskl.errors import InputError

NUM_JOINTS = 25
BODY_NUMBERS = 10

# Above it a coordinate is infinite in float32.
LIMIT = float(np.finfo(np.float32).max)

# Python takes no longer ones.
_INTEGER = re.compile(rb"[-+]?\d{1,4000}")
_DECIMAL = re.compile(rb"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_UNREAD = re.compile(rb"[-+.\deE]+|[-+]?(nan|inf|infinity)", re.IGNORECASE)


class SkeletonFileError(InputError):
    """A ``.skeleton`` file is malformed; the message names the file and the line."""


class Found(NamedTuple):
    """What a file has of one body id.

    Attributes:
        id: The id.
        start: The number of its first frame.
        coordinates: (T, V, C), float64, within float32's range.
    """

    id: int
    start: int
    coordinates: np.ndarray


def read_carefully(name: str, content: bytes) -> list[Found]:
    """Read whatever is allowed; see :mod:`pyskl.recordings.ntu.skeleton_file`.

    Args:
        name: What messages call the file.
        content: Of the file.

    Raises:
        SkeletonFileError: at the first thing that is wrong.
    """
    found: dict[int, tuple[int, list[float]]] = {}
    _Reader(name, content).read_into(found)
    return [
        Found(identity, start, np.array(values).reshape(-1, NUM_JOINTS, 3))
        for identity, (start, values) in found.items()
    ]


class _Reader:
    """Goes through the lines of a file."""

    def __init__(self, name: str, content: bytes) -> None:
        self.name = name
        self.at = 0  # the number of the line read last, from 1
        self.where = ""
        self.width = 0  # numbers of a joint line, once there was one
        try:
            content.decode("utf-8")
        except UnicodeDecodeError as error:
            self.at = content.count(b"\n", 0, error.start) + 1
            raise self._error("this is no text (it is not UTF-8)") from error
        self.lines = content.rstrip().split(b"\n")

    def read_into(self, found: dict[int, tuple[int, list[float]]]) -> None:
        """Put the coordinates of each body id, and the number of its first frame, into a dict."""
        if self.lines == [b""]:
            raise SkeletonFileError(f"{self.name}: the file is empty")
        num_frames, frame = self._count("frames"), 0
        for number in range(1, num_frames + 1):
            self.where = f" (frame {number} of {num_frames})"
            num_bodies = self._count("bodies")
            for body in range(1, num_bodies + 1):
                self.where = f" (frame {number} of {num_frames}, body {body} of {num_bodies})"
                _, values = found.setdefault(self._identity(), (frame, []))
                num_joints = self._count("joints")
                if num_joints != NUM_JOINTS:
                    raise self._error(f"expected {NUM_JOINTS} joints, found {num_joints}")
                for _ in range(NUM_JOINTS):
                    values += self._joint()
            frame += num_bodies > 0
        if self.at < len(self.lines):
            self.at, self.where = self.at + 1, ""
            raise self._error(
                f"expected the end of the file after its {num_frames} frames, found "
                f"{_shown(self.lines[self.at - 1])}"
            )

    def _numbers(self, what: str) -> list[bytes]:
        """Return what stands on the next line."""
        if self.at == len(self.lines):
            raise self._error(f"the file ends here, where {what} should follow")
        self.at += 1
        return self.lines[self.at - 1].split()

    def _count(self, what: str) -> int:
        numbers = self._numbers(f"the number of {what}")
        if len(numbers) != 1 or not _INTEGER.fullmatch(numbers[0]) or int(numbers[0]) < 0:
            raise self._error(f"expected the number of {what}, found {self._line()}")
        return int(numbers[0])

    def _identity(self) -> int:
        numbers = self._numbers("a body")
        if len(numbers) != BODY_NUMBERS:
            raise self._error(
                f"expected the {BODY_NUMBERS} numbers of a body, found {len(numbers)}: "
                f"{self._line()}"
            )
        if not _INTEGER.fullmatch(numbers[0]):
            raise self._error(f"expected the id of a body, found {_shown(numbers[0])}")
        self._check_unread(numbers[1:])
        return int(numbers[0])

    def _joint(self) -> list[float]:
        """Return x, y and z of the next line."""
        numbers = self._numbers("a joint")
        self.width = self.width or max(3, len(numbers))
        if len(numbers) != self.width:
            raise self._error(
                f"expected the {self.width} numbers of a joint, found {len(numbers)}: "
                f"{self._line()}"
            )
        self._check_unread(numbers[3:])
        return [self._coordinate(number) for number in numbers[:3]]

    def _coordinate(self, number: bytes) -> float:
        value = float(number) if _DECIMAL.fullmatch(number) else math.nan
        if not abs(value) <= LIMIT:
            raise self._error(f"expected a coordinate in metres, found {_shown(number)}")
        return value

    def _check_unread(self, numbers: list[bytes]) -> None:
        for number in numbers:
            if not _UNREAD.fullmatch(number):
                raise self._error(f"expected a number, found {_shown(number)}")

    def _line(self) -> str:
        return _shown(self.lines[self.at - 1])

    def _error(self, message: str) -> SkeletonFileError:
        return SkeletonFileError(f"{self.name}: line {self.at}{self.where}: {message}")


def _shown(text: bytes) -> str:
    """Spell a part of the file for a message."""
    text = text.strip()
    shown = repr(text[:40].decode("utf-8", "replace"))
    return f"{shown}..." if len(text) > 40 else shown
