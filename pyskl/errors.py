"""The errors that a user can cause, and the way they are worded.

Every message names the file, key or sample, says what was found and what would do.
The command-line tools print such an error as one message and exit with the status that its class
states: 2 for what the user gave, others for what befell a run (:class:`RunError`).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class InputError(ValueError):
    """Something that the user gave (a file, a config, an option) can't be used as it is."""

    exit_status: ClassVar[int] = 2


class ConfigError(InputError):
    """A config has faults; the message lists all of them."""


class AnnotationError(InputError):
    """An annotation file or one of its samples is malformed."""


class CheckpointError(InputError):
    """A checkpoint can't be read or does not fit the model."""


class UntrustedFileError(InputError):
    """A file asks for more than plain data while it is being loaded, and was refused."""


class DeviceError(InputError):
    """The machine lacks the devices that were asked for."""


class RunError(RuntimeError):
    """Something befell a run that is not the fault of what the user gave.

    The exit statuses are those of ``sysexits.h`` with the nearest meaning.
    """

    exit_status: ClassVar[int] = 70


class LostProcessError(RunError):
    """A data worker or another process of the run died or gives no sign of life."""

    exit_status = 69  # EX_UNAVAILABLE


class WriteError(RunError):
    """What the run has to keep can't be written: a full disk, a folder that is read-only."""

    exit_status = 74  # EX_IOERR


class StoppedError(RunError):
    """The run was asked to stop and did, with its state saved: the same command goes on."""

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
