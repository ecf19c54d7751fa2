"""Read ``.json`` and ``.yaml`` configs without running code.

mmengine would run Python bases and ``custom_imports``, and fill in ``{{ }}`` placeholders, which
can copy environment variables into the config and the logs. Data configs can't contain these.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pyskl.errors import ConfigError

SUFFIXES = (".json", ".yaml", ".yml")

# Configs take a few kilobytes. YAML is slow to read, and its aliases can expand enormously.
_MAX_BYTES = 1 << 20
_MAX_VALUES = 100_000
_MAX_DEPTH = 64
_MAX_BASES = 64

_PLACEHOLDER = re.compile(r"\{\{\s*['\"]?\s*(\$\w*|_base_\b[\w.]*|file\w+)")


class _SafeLoader(yaml.SafeLoader):
    """YAML's safe loader without merge keys, which could expand 1 kB to terabytes."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Refuse ``<<``."""
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None, None, "merge keys (<<) are not supported; use _base_", key.start_mark
                )


def read_data_config(path: Path) -> dict[str, Any]:
    """Return the content of a ``.json`` or ``.yaml`` config, merged with its bases.

    Raises:
        ConfigError: if a file can't be read or contains something that would run code.
    """
    return _read_with_bases(path, [], [])


def _read_with_bases(path: Path, open_files: list[Path], seen: list[Path]) -> dict[str, Any]:
    here = path.resolve()
    if here in open_files:
        raise ConfigError("the bases of this file include itself", file=path, key="_base_")
    if len(seen) == _MAX_BASES:
        raise ConfigError(f"the config has more than {_MAX_BASES} bases", file=path, key="_base_")
    seen.append(here)
    own = _content(path)
    bases = own.pop("_base_", [])
    names = [bases] if isinstance(bases, str) else bases
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(
            "wrong type", file=path, key="_base_", found=bases, expected="a file name or a list"
        )
    inherited: dict[str, Any] = {}
    for name in names:
        base = path.parent / name
        problem = hint = None
        if base.suffix == ".py":
            problem = f"a {path.suffix} config is data, but a Python base would be run"
            hint = "if you trust it, make this config a .py file, too"
        elif base.suffix not in SUFFIXES:
            problem = f"a base must be one of {', '.join(SUFFIXES)}"
        elif not base.is_file():
            problem = "there is no such base"
        if problem is not None:
            raise ConfigError(problem, file=path, key="_base_", found=name, hint=hint)
        content = _read_with_bases(base, [*open_files, here], seen)
        for key in sorted(content.keys() & inherited.keys()):
            raise ConfigError("several bases have this key", file=path, key=key)
        inherited.update(content)
    return _merged(path, inherited, own)


def _content(path: Path) -> dict[str, Any]:
    size = path.stat().st_size
    if size > _MAX_BYTES:
        raise ConfigError(
            "the file is too large", file=path, found=f"{size} bytes", expected=f"{_MAX_BYTES}"
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
        found = json.loads(text) if path.suffix == ".json" else yaml.load(text, _SafeLoader)
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        what = str(error).replace("\n", " ")[:300]
        raise ConfigError(f"{type(error).__name__}: {what}", file=path) from error
    except Exception as error:  # YAML's constructors raise various errors
        raise ConfigError(f"the file can't be read ({type(error).__name__})", file=path) from error
    placeholder = _PLACEHOLDER.search(text)
    if placeholder is not None:
        raise ConfigError(
            "only .py configs can have placeholders, which can read environment variables",
            file=path,
            found=f"{placeholder[0]}...",
        )
    if not isinstance(found, dict):
        raise ConfigError("not a config", file=path, found=type(found).__name__, expected="keys")
    _check(path, found)
    return found


def _check(path: Path, content: Mapping[str, Any]) -> None:
    """Check the size with YAML's aliases expanded, and refuse keys that would run code."""
    count = 0
    waiting: list[tuple[str, Any, int]] = [("", content, 0)]
    while waiting:
        where, value, depth = waiting.pop()
        count += 1
        if count > _MAX_VALUES or depth > _MAX_DEPTH:
            raise ConfigError(
                f"more than {_MAX_VALUES} values or {_MAX_DEPTH} levels of nesting", file=path
            )
        if isinstance(value, Mapping):
            for key, item in value.items():
                if not isinstance(key, (str, int)):
                    raise ConfigError(
                        "a key is not a string",
                        file=path,
                        key=where or None,
                        found=type(key).__name__,
                    )
                inner = (f"{where}.{key}" if where else str(key))[:200]
                if inner == "custom_imports":
                    raise ConfigError(
                        f"a {path.suffix} config is data, but custom_imports would run modules",
                        file=path,
                        key=inner,
                        hint="if you trust it, make it a .py file",
                    )
                if key == "trusted":
                    raise ConfigError(
                        "this would let another file run code, which only you may allow",
                        file=path,
                        key=inner,
                        hint="use --trust-files on the command line",
                    )
                waiting.append((inner, item, depth + 1))
        elif isinstance(value, (list, tuple, set)):
            waiting += [(f"{where}[{i}]", item, depth + 1) for i, item in enumerate(value)]


def _merged(path: Path, base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Merge a section into that of its base, as mmengine does for ``.py`` configs.

    A dict with ``_delete_: true`` replaces that of the base.
    """
    found = dict(base)
    for key, value in own.items():
        if not isinstance(value, dict):
            found[key] = value
            continue
        value = dict(value)
        inherited = {} if value.pop("_delete_", False) else found.get(key, {})
        if not isinstance(inherited, dict):
            raise ConfigError(
                f"a dict here, but a {type(inherited).__name__} in the base",
                file=path,
                key=str(key),
                hint="add _delete_: true to the dict to replace it",
            )
        found[key] = _merged(path, inherited, value)
    return found
