"""Skeleton layouts as ``.json`` files, which can't run code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pyskl.errors import ConfigError
from pyskl.skeleton.layout import SkeletonLayout

SUFFIX = ".json"

# A layout of 136 joints with its rest pose takes 8 kB.
_MAX_BYTES = 1 << 20
_WIDTH = 100


def read_layout_file(path: Path) -> dict[str, Any]:
    """Return the JSON object in a layout file; its keys are not checked.

    Raises:
        ConfigError: naming the file, if it can't be read.
    """
    path = path.expanduser()
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise ConfigError(f"{path}: a layout of {size} bytes; at most {_MAX_BYTES} are read")
        found = json.loads(
            path.read_text(encoding="utf-8-sig"),
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
        )
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path}: there is no such skeleton layout file (seen from {Path.cwd()})"
        ) from error
    except OSError as error:
        raise ConfigError(f"{path}: it can't be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, ConfigError):
            raise
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ConfigError(f"{path}: not valid JSON: {what}") from error
    if not isinstance(found, dict):
        raise ConfigError(
            f"{path}: a skeleton layout is an object with the keys num_joints, edges and center, "
            f"found {_JSON_NAMES.get(type(found), type(found).__name__)}"
        )
    return found


_JSON_NAMES: dict[type, str] = {list: "an array", str: "text", type(None): "null"}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} appears twice")
    return found


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not a JSON number")


def layout_to_json(layout: SkeletonLayout) -> str:
    """Return a layout as the text of a ``.json`` file with all fields.

    Example:
        >>> arm = SkeletonLayout('arm', 2, edges=[(1, 0)], center=0)
        >>> print(layout_to_json(arm).splitlines()[3])
          "edges": [[1, 0]],
    """
    fields = [
        f"  {json.dumps(field)}: {_text(getattr(layout, field))}"
        for field in SkeletonLayout.__dataclass_fields__
    ]
    return "{\n" + ",\n".join(fields) + "\n}\n"


def _text(value: Any) -> str:
    """Return a field's value as JSON, with long lists wrapped."""
    whole = _dumps(value)
    if not isinstance(value, tuple) or len(whole) < _WIDTH - 20:
        return whole
    lines, line = [], "   "
    for number, item in enumerate(value):
        part = " " + _dumps(item) + ("," if number < len(value) - 1 else "")
        if len(line) + len(part) > _WIDTH:
            lines.append(line)
            line = "   "
        line += part
    return "[\n" + "\n".join([*lines, line]) + "\n  ]"


def _dumps(value: Any) -> str:
    """Return compact JSON; floats that are whole numbers are written as integers."""
    if isinstance(value, tuple):
        return "[" + ", ".join(_dumps(item) for item in value) + "]"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, ensure_ascii=False)
