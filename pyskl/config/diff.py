"""Compare two configs."""

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
        key: The dotted key, with the index of list items (in the second list if both have them).
        a: The ``repr`` of the first config's value; :data:`ABSENT` if it has none.
        b: The value of the second config.
    """

    key: str
    a: str
    b: str


def config_differences(a: Any, b: Any) -> list[Difference]:
    """Return the differences between two configs.

    Lists are aligned first, so one transform that is added to a pipeline is one difference.

    Args:
        a: The first config as plain values.
        b: The second.

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
    elif isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        yield from _list_differences(key, a, b)
    elif a != b and not (a != a and b != b):  # nan equals nan here
        yield Difference(key, repr(a), repr(b))


def _list_differences(key: str, a: Sequence[Any], b: Sequence[Any]) -> Iterator[Difference]:
    def alignment_key(item: Any) -> str:
        if isinstance(item, Mapping) and isinstance(item.get("type"), str):
            return f"type {item['type']}"
        return repr(item)

    matcher = difflib.SequenceMatcher(
        None, list(map(alignment_key, a)), list(map(alignment_key, b)), autojunk=False
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
