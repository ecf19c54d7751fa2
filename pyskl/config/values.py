"""Does a value have the type that a signature asks for?"""

from __future__ import annotations

import collections.abc
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from torch import nn


def matches(value: Any, hint: Any) -> bool:
    """Return whether a config value fits a type hint.

    Lists and tuples stand for each other, an int for a float (but no bool for a number), a str
    for a path. A protocol or a ``torch.nn.Module`` stands for an object that was built, so plain
    values do not fit it. Other hints that say nothing about configs (type variables, classes of
    one's own) admit anything.
    """
    if hint is Any or hint is None.__class__ or hint is None:
        return hint is Any or value is None
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is typing.Annotated:
        return matches(value, arguments[0])
    if origin in (Union, types.UnionType):
        return any(matches(value, option) for option in arguments)
    if origin is Literal:
        return any(value == option and type(value) is type(option) for option in arguments)
    if origin is None:
        return _matches_plain(value, hint)
    if origin is tuple:
        return _matches_tuple(value, arguments)
    if origin is collections.abc.Callable:
        return callable(value)
    if not isinstance(origin, type):
        return True
    if issubclass(origin, collections.abc.Mapping):
        return isinstance(value, Mapping) and all(
            matches(key, arguments[0]) and matches(item, arguments[1])
            for key, item in value.items()
        )
    if issubclass(origin, collections.abc.Sequence):
        return _is_list(value) and all(matches(item, arguments[0]) for item in value)
    return True


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _matches_tuple(value: Any, arguments: tuple[Any, ...]) -> bool:
    if not _is_list(value):
        return False
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return all(matches(item, arguments[0]) for item in value)
    return len(value) == len(arguments) and all(map(matches, value, arguments))


def _matches_plain(value: Any, hint: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is float:
        return number
    if hint is int:
        return number and isinstance(value, int)
    if hint in (str, Path):
        return isinstance(value, (str, Path))
    if hint in (list, tuple, Sequence):
        return _is_list(value)
    if hint in (dict, Mapping):
        return isinstance(value, Mapping)
    if hint is bool:
        return isinstance(value, bool)
    if _is_of_objects(hint):
        return not isinstance(value, (str, int, float, list, tuple, Mapping, type(None)))
    return True


def _is_of_objects(hint: Any) -> bool:
    return isinstance(hint, type) and (
        getattr(hint, "_is_protocol", False) or issubclass(hint, nn.Module)
    )


def describe(hint: Any) -> str:
    """Return a hint in the words of a message, such as "int or list of float"."""
    if hint is None or hint is type(None):
        return "None"
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is typing.Annotated:
        return describe(arguments[0])
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(describe(option) for option in arguments))
    if origin is Literal:
        return " or ".join(repr(option) for option in arguments)
    if origin is tuple:
        return f"({', '.join(map(describe, arguments))})".replace("Ellipsis", "...")
    if isinstance(origin, type) and issubclass(origin, collections.abc.Mapping):
        return "dict"
    if isinstance(origin, type) and issubclass(origin, collections.abc.Sequence):
        return f"list of {describe(arguments[0])}"
    if hint is Mapping:
        return "dict"
    return getattr(hint, "__name__", str(hint))
