"""Read files of unknown origin, with limits of size and depth."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

from pyskl.recordings.recording import RecordingError

# In memory JSON takes about ten times its size.
MAX_BYTES = 512 << 20


class InputFile:
    """A file or folder to read; JSON is parsed once.

    Args:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def text(self) -> str:
        """Return the content as text, see :func:`read_text`."""
        return read_text(self.path)

    @cached_property
    def json(self) -> Any:
        """The content as JSON, see :func:`parse_json`."""
        return parse_json(self.text())


def read_text(path: Path) -> str:
    """Read a text file in UTF-8, with or without a byte order mark.

    Raises:
        RecordingError: if it is not a regular file, larger than :data:`MAX_BYTES`, or not UTF-8.
    """
    if not path.is_file():  # reading a pipe or a device would never end
        raise RecordingError("this is not a regular file", file=path)
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise RecordingError(
            "the file is too large",
            file=path,
            found=f"{size >> 20} MB",
            expected=f"at most {MAX_BYTES >> 20} MB",
            hint="split the recording",
        )
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecordingError(
            f"byte {error.start} is not UTF-8", file=path, hint="save the file as UTF-8"
        ) from error


def parse_json(text: str, where: str | None = None) -> Any:
    """Parse JSON; NaN is accepted as a number.

    Args:
        text: The JSON.
        where: Its place for error messages, such as ``'line 3'``.

    Raises:
        RecordingError: if it is malformed.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise RecordingError("the JSON is nested too deeply", key=where) from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise RecordingError(
            "malformed JSON",
            key=f"{where}, {place}" if where else place,
            found=error.msg,
            hint="the file may be cut short",
        ) from error
    except ValueError as error:  # an integer of thousands of digits
        raise RecordingError("malformed JSON", key=where, found=str(error)) from error
