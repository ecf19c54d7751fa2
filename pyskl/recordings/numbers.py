"""Numbers of strangers: checked before they become coordinates, scores and frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pyskl.recordings.recording import RecordingError

# In any unit a coordinate beyond it is a fault of the file; its square is still a float32.
LARGEST = 1e12

# More joints than that is no skeleton (whole bodies with face and hands have 133 to 553).
MAX_JOINTS = 2048

# Frame numbers may have gaps, but a file of few frames must not fill the memory with them.
_GAP_FACTOR, _GAP_CONSTANT = 100, 10_000


def floats(values: Any, where: str) -> np.ndarray:
    """Return a list of numbers as float64 (len,); None stands for NaN, what was not seen.

    Args:
        values: The list.
        where: File and place, used in messages.

    Raises:
        RecordingError: if it is no list of numbers.
    """
    if not isinstance(values, (list, tuple)):
        raise RecordingError(f"{where}: expected a list of numbers, found {brief(values)}")
    for position, value in enumerate(values):
        if type(value) not in (int, float) and value is not None:
            raise RecordingError(
                f"{where}: expected numbers, found {brief(value)} at position {position}"
            )
    try:
        return np.array(values, dtype=np.float64)
    except OverflowError:
        raise RecordingError(f"{where}: a number is too large to be a coordinate") from None


def number(value: Any, where: str) -> float:
    """Return one number, which may not be missing; raises as :func:`floats`."""
    found = float(floats([value], where)[0])
    if not np.isfinite(found):
        raise RecordingError(f"{where}: expected a number, found {brief(value)}")
    return found


def whole_number(value: Any, where: str) -> int:
    """Return a whole number (2.0 counts as one); raises as :func:`floats`."""
    found = number(value, where)
    if not found.is_integer() or abs(found) > 2**53:
        raise RecordingError(f"{where}: expected a whole number, found {brief(value)}")
    return int(found)


def seen_joints(
    coordinates: np.ndarray, score: np.ndarray | None, where: str
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return coordinates and scores as annotation files have them.

    A joint with a NaN among its coordinates was not seen: it becomes zero, and so does its score.
    Scores are cut to 0 ... 1.

    Args:
        coordinates: (..., V, C), any float type.
        score: (..., V), or None.
        where: The file, used in messages.

    Raises:
        RecordingError: for coordinates that are infinite or beyond :data:`LARGEST`.
    """
    with np.errstate(invalid="ignore"):
        beyond = np.abs(coordinates) > LARGEST
    if beyond.any():
        place = tuple(int(index) for index in np.argwhere(beyond)[0])
        raise RecordingError(
            f"{where}: the coordinate {coordinates[place]:g} at {place} is beyond {LARGEST:g}; "
            "what was not seen is written as nan or left empty"
        )
    missing = np.isnan(coordinates).any(axis=-1)
    # Contiguous, whatever order the coordinates came in: as files of others are.
    keypoint = np.where(missing[..., None], 0, coordinates).astype(np.float32, order="C")
    if score is None:
        return keypoint, None
    score = np.nan_to_num(np.asarray(score, dtype=np.float64), nan=0.0).clip(0, 1)
    return keypoint, np.where(missing, 0, score).astype(np.float32, order="C")


def frame_positions(numbers: np.ndarray, where: str) -> tuple[np.ndarray, int]:
    """Return the position of each frame number in the recording, and its length T.

    The recording begins with the smallest number. Numbers that go in steps (0, 5, 10 ...) are
    frames one after the other; other gaps stay gaps, frames in which nobody was seen.

    Args:
        numbers: (D,) int64, with repetitions.
        where: The file, used in messages.

    Raises:
        RecordingError: if the numbers leave absurdly many frames out.
    """
    distinct = np.unique(numbers)
    start = int(distinct[0])
    step = max(1, int(np.gcd.reduce(distinct - start)))
    total = (int(distinct[-1]) - start) // step + 1
    if total > _GAP_FACTOR * len(distinct) + _GAP_CONSTANT:
        raise RecordingError(
            f"{where}: {len(distinct)} frames are numbered from {start} to {int(distinct[-1])}, "
            f"which would leave {total - len(distinct)} frames empty; number them one by one"
        )
    return (numbers - start) // step, total


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts ``frame_10`` after ``frame_9``."""
    parts: list[tuple[int, int, str]] = []
    digits, rest = "", ""
    for character in f"{text}\0":
        if "0" <= character <= "9":
            if rest:
                parts.append((1, 0, rest))
                rest = ""
            digits += character
        else:
            if digits:
                # Compared by length and then by digit, as numbers of any size are.
                significant = digits.lstrip("0")
                parts.append((0, len(significant), significant))
                digits = ""
            rest += character
    return (*parts, (1, 0, rest))


def trailing_number(name: str) -> tuple[str, int] | None:
    """Return the last number of a file's name and what stands around it, or None.

    Example:
        >>> trailing_number('walk_000012.jpg')
        ('walk_#.jpg', 12)
    """
    end = len(name)
    while end and not "0" <= name[end - 1] <= "9":
        end -= 1
    start = end
    while start and "0" <= name[start - 1] <= "9":
        start -= 1
    if start == end or end - start > 15:
        return None
    return f"{name[:start]}#{name[end:]}", int(name[start:end])


def brief(value: Any) -> str:
    """Spell a value of a file for a message, in short."""
    if isinstance(value, (dict, list)):
        return f"a {type(value).__name__} of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def listed(names: Sequence[object], limit: int = 8) -> str:
    """Join names for a message, the first ``limit`` of them."""
    shown = ", ".join(str(name) for name in names[:limit])
    return shown + (f" and {len(names) - limit} more" if len(names) > limit else "")
