"""The errors that a user can cause, and the way they are worded.

Every message names the file, key or sample, says what was found and what would do.
The command-line tools print such an error as one message and exit with status 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Something that the user gave (a file, a config, an option) can't be used as it is."""


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
