"""Write a config out as the Python that it could be read from."""

from __future__ import annotations

from collections.abc import Mapping
from keyword import iskeyword
from typing import Any

from mmengine.config import Config

from pyskl.config.load import known_part

_WIDTH = 100


def config_text(config: Config) -> str:
    """Return the keys of a config that something reads, resolved, one after the other.

    The text runs as a config of its own. (``Config.pretty_text`` says the same in other line
    breaks, but takes seconds to choose them.)
    """
    known = known_part(config).to_dict()
    return "".join(f"{key} = {_written(known[key], used=len(key) + 3)}\n" for key in sorted(known))


def _written(value: Any, depth: int = 0, used: int = 0) -> str:
    """Return a value on one line if it fits behind ``used`` characters, else one item a line."""
    short = _short(value)
    if len(short) + used + 4 * depth <= _WIDTH or not isinstance(value, (dict, list, tuple)):
        return short
    inner, outer = "\n" + "    " * (depth + 1), ",\n" + "    " * depth
    if isinstance(value, dict):
        names = {key: _name(value, key) for key in value}
        items = [
            names[key] + _written(item, depth + 1, len(names[key]) + 1)
            for key, item in value.items()
        ]
        opening, closing = _brackets(value)
    else:
        items = [_written(item, depth + 1, 1) for item in value]
        opening, closing = "[]" if isinstance(value, list) else "()"
    return f"{opening}{inner}{f',{inner}'.join(items)}{outer}{closing}"


def _short(value: Any) -> str:
    if isinstance(value, dict):
        opening, closing = _brackets(value)
        items = [_name(value, key) + _short(item) for key, item in value.items()]
        return f"{opening}{', '.join(items)}{closing}"
    if isinstance(value, list):
        return f"[{', '.join(map(_short, value))}]"
    if isinstance(value, tuple):
        comma = "," if len(value) == 1 else ""
        return f"({', '.join(map(_short, value))}{comma})"
    return repr(value)


def _brackets(value: Mapping[Any, Any]) -> tuple[str, str]:
    """``dict(...)`` where all keys can be written as keywords, else ``{...}``."""
    return ("dict(", ")") if all(map(_is_keyword, value)) else ("{", "}")


def _name(value: Mapping[Any, Any], key: Any) -> str:
    return f"{key}=" if all(map(_is_keyword, value)) else f"{key!r}: "


def _is_keyword(key: Any) -> bool:
    return isinstance(key, str) and key.isidentifier() and not iskeyword(key)
