"""What differs between two configs."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ABSENT = "(absent)"


@dataclass(frozen=True)
class Difference:
    """A key whose values differ.

    Attributes:
        key: By dots; entries of lists by their numbers, those of the second list where both have
            the entry.
        a: The first config's value, as Python writes it; :data:`ABSENT` where it has none.
        b: The second's.
    """

    key: str
    a: str
    b: str


def config_differences(a: Any, b: Any) -> list[Difference]:
    """Return what differs between two configs, and nothing else.

    Lists are aligned first, so that a transform which only one of two pipelines has does not make
    all that follow it differ.

    Args:
        a: The one, resolved to plain values.
        b: The other.

    Example:
        >>> config_differences({'lr': 0.1, 'pipeline': [1, 2]}, {'lr': 0.1, 'pipeline': [0, 1, 2]})
        [Difference(key='pipeline.0', a='(absent)', b='0')]
    """
    return list(_differences("", a, b))


def _differences(key: str, a: Any, b: Any) -> Iterator[Difference]:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for name in dict.fromkeys([*a, *b]):
            inner = f"{key}.{name}" if key else str(name)
            if name not in a:
                yield Difference(inner, ABSENT, repr(b[name]))
            elif name not in b:
                yield Difference(inner, repr(a[name]), ABSENT)
            else:
                yield from _differences(inner, a[name], b[name])
    elif _is_list(a) and _is_list(b):
        yield from _of_lists(key, a, b)
    elif a != b and not (a != a and b != b):  # nan is nan here
        yield Difference(key, repr(a), repr(b))


def _of_lists(key: str, a: Sequence[Any], b: Sequence[Any]) -> Iterator[Difference]:
    matcher = difflib.SequenceMatcher(
        None, list(map(_kind, a)), list(map(_kind, b)), autojunk=False
    )
    for tag, a_from, a_to, b_from, b_to in matcher.get_opcodes():
        if tag == "equal" or (tag == "replace" and a_to - a_from == b_to - b_from):
            for i, j in zip(range(a_from, a_to), range(b_from, b_to)):
                yield from _differences(f"{key}.{j}", a[i], b[j])
            continue
        for i in range(a_from, a_to):
            yield Difference(f"{key}.{i}", repr(a[i]), ABSENT)
        for j in range(b_from, b_to):
            yield Difference(f"{key}.{j}", ABSENT, repr(b[j]))


def _kind(entry: Any) -> str:
    """Return what entries of lists are aligned by: the class of a dict that names one, or all."""
    if isinstance(entry, Mapping) and isinstance(entry.get("type"), str):
        return f"type {entry['type']}"
    return repr(entry)


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))
