"""The small values of samples (label, id, image size ...) as one column a key.

A column is an array over the samples (S, ...) where all values are of one plain kind, and a list
of JSON values otherwise. Either gives back what was put in: type and value.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# How the entries of an array become Python values again.
_SCALARS: dict[str, type] = {"bool": bool, "int": int, "float": float, "text": str}


class NotPackableError(Exception):
    """Samples hold something that a pack has no place for; the message says what."""


@dataclass(frozen=True)
class Column:
    """The values of one key.

    Attributes:
        kind: ``'bool'``, ``'int'``, ``'float'``, ``'text'``: scalars; ``'tuple'``, ``'list'``:
            as many whole numbers in each sample; ``'array'``: arrays of one shape; ``'json'``.
        values: An array (S, ...), or for ``'json'`` a list of length S.
        present: (S,) bool, which samples have the key; None where all have it.
    """

    kind: str
    values: np.ndarray | list[Any]
    present: np.ndarray | None = None

    @property
    def is_scalar(self) -> bool:
        """Whether the values are plain scalars in an array."""
        return self.kind in _SCALARS

    def has(self, index: int) -> bool:
        """Return whether sample ``index`` has the key."""
        return self.present is None or bool(self.present[index])

    def get(self, index: int) -> Any:
        """Return the value of sample ``index``, which has one."""
        value = self.values[index]
        if self.is_scalar:
            return _SCALARS[self.kind](value)
        if self.kind in ("tuple", "list"):
            return (tuple if self.kind == "tuple" else list)(value.tolist())
        return value


def make_column(key: str, values: Sequence[Any]) -> Column:
    """Make the column of ``key``.

    Args:
        key: Used in messages.
        values: One value per sample; :data:`ABSENT` for samples that lack the key.

    Raises:
        NotPackableError: if some value is neither plain nor an array like the others.
    """
    present = np.array([value is not ABSENT for value in values])
    given = [value for value in values if value is not ABSENT]
    kind = _kind(given)
    if kind is None:
        encoded: np.ndarray | list[Any] = [
            None if value is ABSENT else _json_value(key, value) for value in values
        ]
        kind = "json"
    else:
        filler = np.zeros_like(given[0]) if kind == "array" else type(given[0])()
        if kind in ("tuple", "list"):
            filler = [0] * len(given[0])
        rows = [filler if value is ABSENT else value for value in values]
        encoded = np.stack(rows) if kind == "array" else np.array(rows)
        if isinstance(encoded, np.ndarray):
            encoded.flags.writeable = False
    return Column(kind, encoded, None if present.all() else present)


# What stands for the value of a sample that lacks the key.
ABSENT = object()


def _kind(values: Sequence[Any]) -> str | None:
    """Return the kind of an array column that fits all values, or None."""
    first = values[0]
    if isinstance(first, np.ndarray):
        alike = all(
            isinstance(value, np.ndarray)
            and value.shape == first.shape
            and value.dtype == first.dtype
            for value in values
        )
        return "array" if alike and first.dtype.kind in "biuf" else None
    if isinstance(first, (tuple, list)):
        alike = all(
            type(value) is type(first)
            and len(value) == len(first)
            and all(_is_int(entry) for entry in value)
            for value in values
        )
        return type(first).__name__ if alike and len(first) else None
    if all(isinstance(value, (bool, np.bool_)) for value in values):
        return "bool"
    if all(_is_int(value) for value in values):
        return "int"
    if all(isinstance(value, (float, np.floating)) for value in values):
        return "float"
    # NumPy's strings lose zeros at the end.
    if all(isinstance(value, str) and not value.endswith("\0") for value in values):
        return "text"
    return None


def _is_int(value: Any) -> bool:
    return (
        isinstance(value, (int, np.integer))
        and not isinstance(value, bool)
        and -(2**63) <= int(value) < 2**63
    )


def _json_value(key: str, value: Any) -> Any:
    """Return a value that JSON gives back as it is."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, list):
        value = [entry.item() if isinstance(entry, np.generic) else entry for entry in value]
    try:
        if json.loads(json.dumps(value, allow_nan=False)) == value:
            return value
    except (TypeError, ValueError, RecursionError):
        pass
    raise NotPackableError(f"{key!r} holds a {type(value).__name__} that a pack has no place for")
