"""The errors that a user can cause, and the way they are worded.

Every error has fields (file, sample, key, found, expected, hint) from which its message is made.
The command-line tools print the message and exit with the status that the class states: 2 for
faulty input, others for a run that failed (:class:`RunError`).
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar


class _NotGiven:
    def __repr__(self) -> str:
        return "NOT_GIVEN"

    def __reduce__(self) -> str:
        return "NOT_GIVEN"  # by name, so that it stays one object through pickling


NOT_GIVEN: Any = _NotGiven()
"""Stands for a field that an error does not have, as None may well be what was found."""


class _ErrorWithFields(Exception):
    """An error whose message is made from its fields.

    Args:
        problem: What is wrong, in a few words; the whole message where no field is given.
        file: The file (or folder, or address) that it is about.
        sample: The id of the sample, clip or recording in it.
        key: The key, option, column or field.
        found: What was found; shown by ``repr``, strings as they are.
        expected: What would be right, in words.
        hint: What to do about it.
        errors: Errors that this one reports together, one on each line.

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
    """Something that the user gave (a file, a config, an option) can't be used as it is."""

    exit_status = 2


class ConfigError(InputError):
    """A config has faults; ``errors`` holds all of them, each with its key."""


class AnnotationError(InputError):
    """An annotation file or one of its samples is malformed."""


class CheckpointError(InputError):
    """A checkpoint can't be read or does not fit the model."""


class UntrustedFileError(InputError):
    """A file asks for more than plain data while it is being loaded, and was refused."""


class DeviceError(InputError):
    """The machine lacks the devices that were asked for."""


class RunError(_ErrorWithFields, RuntimeError):
    """A run failed for a reason other than what the user gave.

    The exit statuses are those of ``sysexits.h`` with the nearest meaning.
    """

    exit_status = 70  # EX_SOFTWARE


class LostProcessError(RunError):
    """A data worker or another process of the run died or stopped responding."""

    exit_status = 69  # EX_UNAVAILABLE


class WriteError(RunError):
    """A file that the run has to keep can't be written: the disk is full or read-only."""

    exit_status = 74  # EX_IOERR


class StoppedError(RunError):
    """The run was asked to stop and saved its state; the same command continues it."""

    exit_status = 75  # EX_TEMPFAIL


def nearest(name: str, choices: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """Return the choice that looks most like ``name``, or None if none comes near.

    Args:
        name: What was found.
        choices: What would have been right.
        likeness: From 0 to 1 (equal): how near is near enough; see
            :class:`difflib.SequenceMatcher`.

    Example:
        >>> nearest('totl_epochs', ['total_epochs', 'data'])
        'total_epochs'
    """
    names = [str(choice) for choice in choices]
    close = difflib.get_close_matches(name, names, n=1, cutoff=likeness)
    return close[0] if close else None


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest choice, else the list of choices."""
    choices = sorted({str(choice) for choice in choices})
    close = nearest(name, choices)
    if close is not None:
        return f"; did you mean {close!r}?"
    return f"; there are {', '.join(choices)}" if choices else ""
