"""Check numbers from files before they become coordinates, scores and frame numbers.

The argument ``where`` is the place in the file for error messages, such as ``'frame 3, fps'``.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from pyskl.recordings.recording import RecordingError

# Larger coordinates are wrong in any unit. The square of this fits into float32.
LARGEST = 1e12

# Whole bodies with face and hands have 133 to 553 joints.
MAX_JOINTS = 2048

# Frame numbers may have gaps, but a file of few frames must not fill the memory with empty ones.
_GAP_FACTOR, _GAP_CONSTANT = 100, 10_000


def unexpected(
    where: str | None, found: Any, expected: str, *, problem: str = "unexpected content"
) -> RecordingError:
    """Return an error about unexpected content.

    Args:
        where: The place of ``found``.
        found: The value.
        expected: What it should be, in words.
        problem: A more specific description.
    """
    return RecordingError(problem, key=where, found=brief(found), expected=expected)


@contextmanager
def expect_form(where: str, found: Any, expected: str) -> Iterator[None]:
    """Turn a missing key or a wrong type inside the block into a :class:`RecordingError`.

    Args:
        where: The place of ``found``.
        found: The part of a JSON file that the block reads.
        expected: What it should look like.
    """
    try:
        yield
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise unexpected(where, found, expected) from error


def floats(values: Any, where: str | None) -> np.ndarray:
    """Return a list of numbers as float64, (len,); None becomes NaN.

    Raises:
        RecordingError: if it is not a list of numbers.
    """
    if not isinstance(values, (list, tuple)):
        raise unexpected(where, values, "a list of numbers")
    for position, value in enumerate(values):
        if type(value) not in (int, float) and value is not None:
            raise RecordingError(f"value {position} is not a number", key=where, found=brief(value))
    try:
        return np.array(values, dtype=np.float64)
    except OverflowError:
        raise RecordingError("a number is too large to be a coordinate", key=where) from None


def number(value: Any, where: str | None) -> float:
    """Return a finite number; raises as :func:`floats`."""
    found = float(floats([value], where)[0])
    if not np.isfinite(found):
        raise RecordingError("this is not a finite number", key=where, found=brief(value))
    return found


def whole_number(value: Any, where: str | None) -> int:
    """Return a whole number (2.0 counts as one); raises as :func:`floats`."""
    found = number(value, where)
    if not found.is_integer() or abs(found) > 2**53:
        raise RecordingError("this is not a whole number", key=where, found=brief(value))
    return int(found)


def frame_rate(value: Any, where: str) -> float:
    """Return frames per second; raises as :func:`floats`."""
    found = number(value, where)
    if not 0 < found < 1e6:
        raise RecordingError("not a frame rate", key=where, found=found, expected="more than 0")
    return found


def image_size(height: Any, width: Any, where: str) -> tuple[int, int]:
    """Return (height, width) in pixels; raises as :func:`floats`."""
    size = whole_number(height, f"{where}height"), whole_number(width, f"{where}width")
    if min(size) < 1 or max(size) >= 10**6:
        raise RecordingError(
            "not an image size", key=f"{where}height, width", found=size, expected="pixels above 0"
        )
    return size


def seen_joints(
    coordinates: np.ndarray, score: np.ndarray | None, where: str | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return coordinates and scores as they are stored in annotation files.

    A joint with a NaN among its coordinates was not seen: its coordinates and score become zero.
    Scores are clipped to 0 ... 1.

    Args:
        coordinates: (..., V, C), any float type.
        score: (..., V), or None.
        where: Place for error messages.

    Returns:
        Both as float32.

    Raises:
        RecordingError: for coordinates that are infinite or beyond :data:`LARGEST`.
    """
    with np.errstate(invalid="ignore"):
        beyond = np.abs(coordinates) > LARGEST
    if beyond.any():
        place = tuple(int(index) for index in np.argwhere(beyond)[0])
        raise RecordingError(
            f"the coordinate at {place} is too large",
            key=where,
            found=f"{coordinates[place]:g}",
            expected=f"at most {LARGEST:g}",
            hint="write joints that were not seen as nan, or leave them empty",
        )
    missing = np.isnan(coordinates).any(axis=-1)
    # In C order, as in published files.
    keypoint = np.where(missing[..., None], 0, coordinates).astype(np.float32, order="C")
    if score is None:
        return keypoint, None
    score = np.nan_to_num(np.asarray(score, dtype=np.float64), nan=0.0).clip(0, 1)
    return keypoint, np.where(missing, 0, score).astype(np.float32, order="C")


def frame_positions(numbers: np.ndarray, where: str | None = None) -> tuple[np.ndarray, int]:
    """Return the index of each frame number in the recording, and its length T.

    The recording begins with the smallest number. Numbers with a common step (0, 5, 10 ...) are
    consecutive frames; other gaps become frames without persons.

    Args:
        numbers: (D,) int64, with repetitions.
        where: Place for error messages.

    Raises:
        RecordingError: if nearly all frames would be empty.
    """
    distinct = np.unique(numbers)
    start, last = int(distinct[0]), int(distinct[-1])
    step = max(1, int(np.gcd.reduce(distinct - start)))
    total = (last - start) // step + 1
    if total > _GAP_FACTOR * len(distinct) + _GAP_CONSTANT:
        raise RecordingError(
            f"{total - len(distinct)} frames would be empty",
            key=where,
            found=f"{len(distinct)} frames with numbers from {start} to {last}",
            hint="number the frames one by one",
        )
    return (numbers - start) // step, total


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts ``frame_10`` after ``frame_9``."""
    parts = [part for part in re.split("([0-9]+)", f"{text}\0") if part]
    # Numbers of any size compare by their length, then by their digits.
    digits = [part.lstrip("0") if "0" <= part[0] <= "9" else None for part in parts]
    return tuple(
        (1, 0, part) if number is None else (0, len(number), number)
        for part, number in zip(parts, digits)
    )


def trailing_number(name: str) -> tuple[str, int] | None:
    """Return a name with its last number replaced by ``#``, and that number; or None.

    Example:
        >>> trailing_number('walk_000012.jpg')
        ('walk_#.jpg', 12)
    """
    # Reversed, as a search from the left may take quadratic time.
    found = re.match("([^0-9]*)([0-9]{1,15})(?![0-9])", name[::-1])
    if found is None:
        return None
    start, end = len(name) - found.end(), len(name) - found.end(1)
    return f"{name[:start]}#{name[end:]}", int(name[start:end])


def brief(value: Any) -> str:
    """Return a short ``repr`` of a value from a file."""
    if isinstance(value, (dict, list)):
        return f"a {type(value).__name__} of {len(value)}"
    shortened = reprlib.Repr()
    shortened.maxstring = shortened.maxother = 60
    return shortened.repr(value)


def listed(names: Sequence[object], limit: int = 8) -> str:
    """Join the first ``limit`` names for a message."""
    shown = ", ".join(str(name) for name in names[:limit])
    return shown + (f" and {len(names) - limit} more" if len(names) > limit else "")
