"""JSON of strangers, read within bounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pyskl.recordings.recording import RecordingError

# In memory JSON takes some ten times its size.
MAX_BYTES = 512 << 20


def read_text(path: Path, limit: int = MAX_BYTES) -> str:
    """Read a text file in UTF-8, with or without a byte order mark.

    Raises:
        RecordingError: if it is larger than ``limit`` bytes, no regular file, or no such text.
    """
    if not path.is_file():  # a pipe or device would never end
        raise RecordingError(f"{path} is not a regular file")
    size = path.stat().st_size
    if size > limit:
        raise RecordingError(
            f"{path} has {size >> 20} MB, at most {limit >> 20} MB are read; split the recording"
        )
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecordingError(
            f"{path}: byte {error.start} is no UTF-8 text; save the file as UTF-8"
        ) from error


def parse_json(text: str, where: str) -> Any:
    """Parse JSON; NaN counts as a number.

    Args:
        text: The JSON.
        where: File (and line) for messages.

    Raises:
        RecordingError: if it is none.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise RecordingError(f"{where}: the JSON is nested too deeply to be a recording") from None
    except json.JSONDecodeError as error:
        raise RecordingError(
            f"{where}, line {error.lineno}, column {error.colno}: this is no JSON ({error.msg}); "
            "the file may be cut short"
        ) from error
    except ValueError as error:  # a number of thousands of digits
        raise RecordingError(f"{where}: this is no JSON of numbers ({error})") from error


def read_json(path: Path) -> Any:
    """Read a JSON file; raises as :func:`read_text` and :func:`parse_json`."""
    return parse_json(read_text(path), str(path))
