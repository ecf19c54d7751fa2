"""Write a config out as Python, and read such a file back without running it."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from keyword import iskeyword
from typing import Any

from mmengine.config import Config

from pyskl.config.schema import KEYS_WITHOUT_EFFECT, KNOWN_KEYS, RunConfig
from pyskl.errors import ConfigError

_WIDTH = 100


def known_part(config: RunConfig | Config | Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys that a config sets as plain values, without helper variables.

    Keys of the family that have no effect here are kept, unless they are empty.
    """
    if isinstance(config, RunConfig):
        return dict(config.given)
    content = config.to_dict() if isinstance(config, Config) else config
    return {
        key: value
        for key, value in content.items()
        if key in KNOWN_KEYS or (key in KEYS_WITHOUT_EFFECT and value)
    }


def config_text(config: RunConfig | Config | Mapping[str, Any]) -> str:
    """Return the keys of a config, resolved, as the text of a config file.

    ``Config.pretty_text`` does the same, but takes seconds.
    """
    known = known_part(config)
    return "".join(f"{key} = {_written(known[key], used=len(key) + 3)}\n" for key in sorted(known))


def _written(value: Any, depth: int = 0, used: int = 0) -> str:
    """Return a value on one line if it fits after ``used`` characters, else one item per line."""
    opening, closing, items = _parts(value)
    short = _on_one_line(value)
    if len(short) + used + 4 * depth <= _WIDTH or not opening:
        return short
    inner, outer = "\n" + "    " * (depth + 1), ",\n" + "    " * depth
    lines = [name + _written(item, depth + 1, len(name) + 1) for name, item in items]
    return f"{opening}{inner}{f',{inner}'.join(lines)}{outer}{closing}"


def _on_one_line(value: Any) -> str:
    opening, closing, items = _parts(value)
    if not opening:
        return repr(value)
    comma = "," if opening == "(" and len(items) == 1 else ""
    return opening + ", ".join(name + _on_one_line(item) for name, item in items) + comma + closing


def _parts(value: Any) -> tuple[str, str, list[tuple[str, Any]]]:
    """Return the brackets of a container and the (prefix, value) of each item."""
    if isinstance(value, dict):
        if all(isinstance(key, str) and key.isidentifier() and not iskeyword(key) for key in value):
            return "dict(", ")", [(f"{key}=", item) for key, item in value.items()]
        return "{", "}", [(f"{key!r}: ", item) for key, item in value.items()]
    if isinstance(value, list):
        return "[", "]", [("", item) for item in value]
    if isinstance(value, tuple):
        return "(", ")", [("", item) for item in value]
    return "", "", []


_NAMES = {"inf": math.inf, "nan": math.nan}

# Keys that let another file run code, which only the command line may allow.
_IGNORED = ("trusted",)


def read_config_text(text: str, source: str) -> dict[str, Any]:
    """Read a config that a run wrote to its work dir, without running it.

    Args:
        text: Statements ``key = value`` with literals and ``dict(key=value)``, as
            :func:`config_text` and OpenMMLab's tools write them.
        source: The file, for messages.

    Returns:
        The keys, without ``trusted``: the caller decides which files to trust.

    Raises:
        ConfigError: if the text contains anything else; only :func:`pyskl.config.load_config`,
            which runs the config, can read it.
    """
    try:
        found = {}
        for statement in ast.parse(text).body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    found[name] = _value(value)
                case _:
                    raise ValueError(f"line {statement.lineno} is not 'key = value'")
    except (SyntaxError, TypeError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"not a config written by a run ({error})", file=source) from error
    return found


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand) if isinstance(
            number := _value(operand), (int, float)
        ):
            return -number
        case ast.List(elts=items):
            return [_value(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_value(item) for item in items)
        case ast.Name(id=name) if name in _NAMES:
            return _NAMES[name]
        case ast.Dict(keys=keys, values=values) if None not in keys:
            pairs = [(_value(k), _value(v)) for k, v in zip(keys, values) if k is not None]
            return {key: value for key, value in pairs if key not in _IGNORED}
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords) if all(
            one.arg is not None for one in keywords
        ):
            return {str(one.arg): _value(one.value) for one in keywords if one.arg not in _IGNORED}
    raise ValueError(f"line {node.lineno} is not a plain value")
