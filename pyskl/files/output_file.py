"""Check and write the output files of commands."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pyskl.errors import InputError
from pyskl.files.atomic import unwritable, write_bytes


def check_output_file(
    path: str | Path, suffixes: Sequence[str] = (".json",), inputs: Iterable[str | Path] = ()
) -> Path:
    """Check the path of an output file, which may exist; return it.

    Args:
        path: The file.
        suffixes: Its name must end in one of them, so that a typo does not replace a config or
            scores. Empty for any name.
        inputs: Input files, which must not be overwritten.

    Raises:
        InputError: if it is one of the inputs, has another suffix, or can't be written.
    """
    path = Path(path)
    refuse_overwriting(path, inputs)
    reason = unwritable(path)
    if reason is not None:
        raise InputError(f"it can't be written ({reason})", file=path)
    if suffixes and path.suffix.lower() not in suffixes:
        raise InputError(f"the file name should end in {' or '.join(suffixes)}", file=path)
    return path


def refuse_overwriting(path: str | Path, inputs: Iterable[str | Path]) -> None:
    """Check that an output file is not one of the inputs, also through links.

    Raises:
        InputError: if it is one of them.
    """
    path = Path(path)
    for given in map(Path, inputs):
        if path.resolve() == given.resolve() or (
            path.exists() and given.exists() and path.samefile(given)
        ):
            raise InputError("this command reads the file, so it can't overwrite it", file=path)


def write_report(content: bytes | str | Mapping[str, Any], path: str | Path) -> None:
    """Write bytes or text unchanged, or plain values as JSON.

    Raises:
        InputError: if the file can't be written.
    """
    if not isinstance(content, (bytes, str)):
        content = json.dumps(content, indent=2) + "\n"
    try:
        write_bytes(Path(path), content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise InputError(f"it can't be written ({error})", file=path) from error
