"""Reading a plain ``.skeleton`` file with array operations, or not at all.

A file of the data set has some 37,000 numbers, of which 9,000 are wanted. Here the ends of all
numbers and lines are found at once; only the counts of bodies and the ids are then followed one by
one, and say where the wanted numbers must be.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyskl.recordings.ntu.careful_reader import BODY_NUMBERS, LIMIT, NUM_JOINTS, Found
from pyskl.recordings.ntu.decimals import read_decimals

_PLAIN = b"0123456789.+-eE \r\n"
_RETURN, _END, _SPACE = b"\r\n "
_COUNT = str(NUM_JOINTS).encode()

# Of a file's first bytes, which have a line of each kind.
_HEAD = 500

# Of a body: its own line, the number of joints, and the joints.
_BODY_LINES = 2 + NUM_JOINTS


class _Table(NamedTuple):
    """Where the numbers of a text are.

    Attributes:
        text: Its characters.
        starts: The first character of each number.
        stops: The character after it.
        first: Of each line, the index of its first number; and one more, the count of numbers.
    """

    text: NDArray[np.uint8]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    first: NDArray[np.int64]


def read_quickly(content: bytes) -> list[Found] | None:
    """Return what :func:`read_carefully` does of a file with nothing unusual; None of any other."""
    if not content or content.translate(None, _PLAIN) or not _returns_end_lines(content):
        return None
    content = content.translate(None, b"\r").rstrip() + b"\n"
    if content.find(b" \n", 0, _HEAD) >= 0:  # then other lines are likely to end so, too
        content = content.replace(b" \n", b"\n")
    try:
        table = _table(content)
        return None if table is None else _bodies(content, table)
    except (ValueError, IndexError):  # a number that is none, or a file that is too short
        return None


def _returns_end_lines(content: bytes) -> bool:
    """Return whether each carriage return stands before a line feed."""
    text = np.frombuffer(content, np.uint8)
    after = np.flatnonzero(text == _RETURN) + 1
    return not len(after) or bool(after[-1] < len(text) and (text[after] == _END).all())


def _table(content: bytes) -> _Table | None:
    """Find the numbers; None unless single spaces and line ends are between them."""
    text = np.frombuffer(content, np.uint8)
    stops = np.flatnonzero(text <= _SPACE)
    starts = np.zeros_like(stops)
    np.add(stops[:-1], 1, out=starts[1:])
    if (starts == stops).any():
        return None
    ends_line = text[stops] == _END
    return _Table(text, starts, stops, np.concatenate([[0], np.flatnonzero(ends_line) + 1]))


def _bodies(content: bytes, table: _Table) -> list[Found] | None:
    """Follow the counts through the lines and read the joints; None if the lines do not fit."""
    _, starts, stops, first = table
    begins, ends = starts[first[:-1]].tolist(), stops[first[:-1]].tolist()  # of first numbers

    def integer(line: int) -> int:
        return int(content[begins[line] : ends[line]])

    single = [0]  # lines with one number
    bodies: list[int] = []  # lines where a body begins
    rows: dict[int, list[int]] = {}  # of each id, positions in `bodies`
    begin: dict[int, int] = {}  # of each id, the number of its first frame
    line, frame = 1, 0
    for _ in range(_natural(integer(0))):
        single.append(line)
        num_bodies = _natural(integer(line))
        line += 1
        for _ in range(num_bodies):
            identity = integer(line)
            rows.setdefault(identity, []).append(len(bodies))
            begin.setdefault(identity, frame)
            bodies.append(line)
            line += _BODY_LINES
        frame += num_bodies > 0
    numbers = np.diff(first)
    if line != len(numbers) or (numbers[single] != 1).any():
        return None
    if not bodies:
        return []
    coordinates = _coordinates(table, np.array(bodies), numbers)
    if coordinates is None or not np.abs(coordinates).max() <= LIMIT:
        return None
    return [Found(identity, begin[identity], coordinates[rows[identity]]) for identity in rows]


def _coordinates(
    table: _Table, bodies: NDArray[np.int64], numbers: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """Read the joints of bodies; None if the lines are not those of bodies.

    Args:
        table: Of the text.
        bodies: The lines where one begins, (n,).
        numbers: How many numbers each line has.

    Returns:
        (n, V, C).
    """
    text, starts, stops, first = table
    joints = bodies[:, np.newaxis] + np.arange(2, _BODY_LINES)  # n, V
    width = numbers[joints[0, 0]]
    sound = width >= 3 and (numbers[joints] == width).all()
    sound = sound and (numbers[bodies] == BODY_NUMBERS).all() and (numbers[bodies + 1] == 1).all()
    counts = first[bodies + 1]
    sound = sound and (stops[counts] - starts[counts] == len(_COUNT)).all()
    if not sound or any((text[starts[counts] + i] != _COUNT[i]).any() for i in range(len(_COUNT))):
        return None
    wanted = (first[joints][..., np.newaxis] + np.arange(3)).ravel()  # n·V·C
    return read_decimals(text, starts[wanted], stops[wanted]).reshape(-1, NUM_JOINTS, 3)


def _natural(count: int) -> int:
    if count < 0:
        raise ValueError("a count is negative")
    return count
