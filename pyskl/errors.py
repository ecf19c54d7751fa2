"""Errors that the command-line tools report without a traceback.

The message is made from the error's fields (file, sample, key, found, expected, hint). The tools
print it and exit with the ``exit_status`` of the class: 2 for invalid input, others for a run that
failed (:class:`RunError`).
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar


class _NotGiven:
    def __repr__(self) -> str:
        return "NOT_GIVEN"

    def __reduce__(self) -> str:
        return "NOT_GIVEN"  # pickled by name, so that `is` works after unpickling


NOT_GIVEN: Any = _NotGiven()
"""The default of ``found``, which may be None itself."""


class _ErrorWithFields(Exception):
    """An error whose message is made from its fields.

    Args:
        problem: What is wrong; without fields, the whole message.
        file: The file, folder or URL.
        sample: The id of the sample, clip or recording in it.
        key: The key, option, column or field.
        found: What was found; strings are shown as they are, other values by ``repr``.
        expected: A description of what would be right.
        hint: What to do about it.
        errors: Errors to list below the message, one per line.

    The message reads ``FILE, sample ID, KEY: PROBLEM; found FOUND, expected EXPECTED; HINT``.
    """

    exit_status: ClassVar[int] = 1

    def __init__(
        self,
        problem: str,
        *,
        file: str | os.PathLike[str] | None = None,
        sample: str | int | None = None,
        key: str | None = None,
        found: Any = NOT_GIVEN,
        expected: str | None = None,
        hint: str | None = None,
        errors: Sequence[_ErrorWithFields] = (),
    ) -> None:
        self.problem = problem
        self.file = None if file is None else os.fspath(file)
        self.sample = sample
        self.key = key
        self.found = found
        self.expected = expected
        self.hint = hint
        self.errors = tuple(errors)
        super().__init__(self._message())

    def _message(self) -> str:
        where = [self.file, None if self.sample is None else f"sample {self.sample!r}", self.key]
        message = ", ".join(part for part in where if part is not None)
        message = f"{message}: {self.problem}" if message else self.problem
        facts = []
        if self.found is not NOT_GIVEN:
            facts.append(f"found {self.found if isinstance(self.found, str) else repr(self.found)}")
        if self.expected is not None:
            facts.append(f"expected {self.expected}")
        message = "; ".join(part for part in (message, ", ".join(facts), self.hint) if part)
        return "\n  ".join([message, *map(str, self.errors)])


class InputError(_ErrorWithFields, ValueError):
    """A file, config or option that the user gave is invalid."""

    exit_status = 2


class ConfigError(InputError):
    """A config has errors; ``errors`` holds all of them, each with its key."""


class AnnotationError(InputError):
    """An annotation file or one of its samples is malformed."""


class CheckpointError(InputError):
    """A checkpoint can't be read or does not fit the model."""


class UntrustedFileError(InputError):
    """A file contains more than plain data and was not loaded."""


class DeviceError(InputError):
    """The machine lacks the devices that were asked for."""


class RunError(_ErrorWithFields, RuntimeError):
    """A run failed for another reason than invalid input.

    The exit statuses follow ``sysexits.h``.
    """

    exit_status = 70  # EX_SOFTWARE


class LostProcessError(RunError):
    """A data worker or another process of the run died or stopped responding."""

    exit_status = 69  # EX_UNAVAILABLE


class WriteError(RunError):
    """A file of the run can't be written, for example because the disk is full."""

    exit_status = 74  # EX_IOERR


class StoppedError(RunError):
    """The run was asked to stop and saved its state; the same command continues it."""

    exit_status = 75  # EX_TEMPFAIL


def nearest(name: str, choices: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """Return the choice most similar to ``name``, or None if none is similar enough.

    Args:
        name: The name to look up; upper and lower case don't matter.
        choices: The valid names.
        likeness: The lowest similarity that is enough, from 0 to 1 (equal); see
            :func:`difflib.get_close_matches`.

    Example:
        >>> nearest('totl_epochs', ['total_epochs', 'data'])
        'total_epochs'
    """
    names = {str(choice).casefold(): str(choice) for choice in choices}
    close = difflib.get_close_matches(name.casefold(), list(names), n=1, cutoff=likeness)
    return names[close[0]] if close else None


def nearest_path(path: str | os.PathLike[str]) -> Path | None:
    """Return the existing path most similar to one that does not exist, or None.

    Each part that does not exist is replaced by the most similar name in its folder.
    """
    found = Path()
    for part in Path(path).parts:
        if not (found / part).exists():
            try:
                close = nearest(part, (entry.name for entry in found.iterdir()))
            except OSError:
                return None
            if close is None:
                return None
            part = close
        found /= part
    return found


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest choice, else the list of choices."""
    choices = sorted({str(choice) for choice in choices})
    close = nearest(name, choices)
    if close is not None:
        return f"; did you mean {close!r}?"
    return f"; there are {', '.join(choices)}" if choices else ""
