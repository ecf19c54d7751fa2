"""Figures for people and for programs, as files of Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pyskl.errors import InputError
from pyskl.files.atomic import unwritable, write_text


def check_report_file(
    path: str | Path, suffixes: Sequence[str] = (".json",), inputs: Iterable[str | Path] = ()
) -> Path:
    """Return the path of a file to write figures to.

    Args:
        path: The file; one that is there already is replaced.
        suffixes: One of them ends its name, so that a slip of the keyboard replaces no config and
            no scores; none for any name.
        inputs: What is read, which is never written over.

    Raises:
        InputError: if it is one of the inputs, has another suffix, or can't be written there.
    """
    path = Path(path)
    refuse_overwriting(path, inputs)
    reason = unwritable(path)
    if reason is not None:
        raise InputError(f"{path}: the figures can't be written there ({reason})")
    if suffixes and path.suffix.lower() not in suffixes:
        raise InputError(f"{path}: the name of this file should end in {' or '.join(suffixes)}")
    return path


def refuse_overwriting(path: str | Path, inputs: Iterable[str | Path]) -> None:
    """Check that a file to write is none of those that are read, by whatever name.

    Raises:
        InputError: if it is one of them.
    """
    path = Path(path)
    for given in map(Path, inputs):
        if path.resolve() == given.resolve() or (
            path.exists() and given.exists() and path.samefile(given)
        ):
            raise InputError(f"{path} is read by this command, so it is never written over")


def write_report(content: str | Mapping[str, Any], path: str | Path) -> None:
    """Write a text as it is, or plain values as JSON.

    Raises:
        InputError: if the file can't be written.
    """
    path = check_report_file(path, suffixes=())
    text = content if isinstance(content, str) else json.dumps(content, indent=2) + "\n"
    try:
        write_text(path, text)
    except OSError as error:
        raise InputError(f"{path}: the figures can't be written there ({error})") from error
