"""Figures for people and for programs: tables of text, and files of JSON and Markdown."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pyskl.engine.durable import unwritable
from pyskl.errors import InputError


def check_report_file(path: str | Path) -> Path:
    """Return the path of a file to write figures to.

    Raises:
        InputError: if nothing can be written there.
    """
    path = Path(path)
    reason = unwritable(path)
    if reason is not None:
        raise InputError(f"{path}: the figures can't be written there ({reason})")
    return path


def write_report(content: str | Mapping[str, Any], path: str | Path) -> None:
    """Write a text as it is, or plain values as JSON.

    Raises:
        InputError: if the file can't be written.
    """
    path = check_report_file(path)
    text = content if isinstance(content, str) else json.dumps(content, indent=2) + "\n"
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise InputError(f"{path}: the figures can't be written there ({error})") from error
    finally:
        partial.unlink(missing_ok=True)


def text_table(rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Return rows of words as lines whose columns line up.

    Args:
        rows: All of one length.
        left: How many columns stand to the left; the others, of numbers, to the right.

    Example:
        >>> print(text_table([['joint', '0.9697'], ['all', '1.0000']]))
        joint  0.9697
        all    1.0000
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            word.ljust(width) if column < left else word.rjust(width)
            for column, (word, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
