"""Read ``.json`` and ``.yaml`` configs, which are data: nothing in them is run.

The loader of ``.py`` configs would run things for them, too: a ``_base_`` that is a Python file,
``custom_imports``, and ``{{ }}`` placeholders, which write environment variables into the config
and so into logs. A config that comes as data has none of these.
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

# Configs have a few kilobytes. YAML is slow to read, and its aliases can make much of little.
_MAX_BYTES = 1 << 20
_MAX_PARTS = 100_000
_MAX_DEPTH = 64
_MAX_BASES = 64

_PLACEHOLDER = re.compile(r"\{\{\s*['\"]?\s*(\$\w*|_base_\b[\w.]*|file\w+)")


class _YamlData(yaml.SafeLoader):
    """YAML's safe loader without merge keys, with which 1 kB spells out terabytes."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Refuse ``<<``."""
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None, None, "merge keys (<<) are not taken; use _base_", key.start_mark
                )


def read_data_config(path: Path) -> dict[str, Any]:
    """Return what a ``.json`` or ``.yaml`` config and its bases hold, merged.

    Raises:
        ConfigError: naming the file, if it can't be read or asks for something to be run.
    """
    return _read_with_bases(path, [], [])


def _read_with_bases(path: Path, open_files: list[Path], seen: list[Path]) -> dict[str, Any]:
    here = path.resolve()
    if here in open_files:
        raise ConfigError(f"{path}: it is, by way of its bases, its own base")
    if len(seen) == _MAX_BASES:
        raise ConfigError(f"{path}: the config has more than {_MAX_BASES} bases")
    seen.append(here)
    own = _content(path)
    bases = own.pop("_base_", [])
    names = [bases] if isinstance(bases, str) else bases
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{path}: _base_ should be a file name or a list of them")
    inherited: dict[str, Any] = {}
    for name in names:
        base = path.parent / name
        if base.suffix == ".py":
            raise ConfigError(
                f"{path}: its base {name} is a Python file, which would be run, but a "
                f"{path.suffix} config is data. If you trust it, make this config a .py file, too"
            )
        if base.suffix not in SUFFIXES:
            raise ConfigError(f"{path}: its base {name} is none of {', '.join(SUFFIXES)}")
        if not base.is_file():
            raise ConfigError(f"{path}: its base {name} does not exist")
        found = _read_with_bases(base, [*open_files, here], seen)
        twice = sorted(found.keys() & inherited.keys())
        if twice:
            raise ConfigError(f"{path}: several of its bases have the key {twice[0]!r}")
        inherited.update(found)
    return _merged(path, inherited, own)


def _content(path: Path) -> dict[str, Any]:
    """Return one file's content."""
    size = path.stat().st_size
    if size > _MAX_BYTES:
        raise ConfigError(f"{path}: a config of {size} bytes; at most {_MAX_BYTES} are read")
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix == ".json" else yaml.load(text, _YamlData)
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        what = str(error).replace("\n", " ")[:300]
        raise ConfigError(f"{path}: {type(error).__name__}: {what}") from error
    except Exception as error:  # YAML's constructors stumble in their own ways over odd keys
        raise ConfigError(f"{path}: it can't be read ({type(error).__name__})") from error
    placeholder = _PLACEHOLDER.search(text)
    if placeholder is not None:
        raise ConfigError(
            f"{path}: it has the placeholder {placeholder[0]}...; those are filled in .py configs "
            "only, as they can put environment variables into a config"
        )
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: a config holds keys and values, found {type(found).__name__}")
    _check(path, found)
    return found


def _check(path: Path, content: Mapping[str, Any]) -> None:
    """Check the size of what was read, written out without YAML's aliases, and what it asks for."""
    parts = 0
    waiting: list[tuple[str, Any, int]] = [("", content, 0)]
    while waiting:
        where, value, depth = waiting.pop()
        parts += 1
        if parts > _MAX_PARTS or depth > _MAX_DEPTH:
            raise ConfigError(
                f"{path}: it has more than {_MAX_PARTS} parts, or nests more than {_MAX_DEPTH} deep"
            )
        if isinstance(value, Mapping):
            for key, item in value.items():
                if not isinstance(key, (str, int)):
                    raise ConfigError(
                        f"{path}: {where or 'it'} has a {type(key).__name__} for a key, not text"
                    )
                inner = (f"{where}.{key}" if where else str(key))[:200]
                _refuse_what_runs(path, inner, str(key))
                waiting.append((inner, item, depth + 1))
        elif isinstance(value, (list, tuple, set)):
            waiting += [(f"{where}[{i}]", item, depth + 1) for i, item in enumerate(value)]


def _refuse_what_runs(path: Path, where: str, key: str) -> None:
    if where == "custom_imports":
        raise ConfigError(
            f"{path}: custom_imports would run the modules that it names, but a {path.suffix} "
            "config is data. If you trust it, make it a .py file"
        )
    if key == "trusted":
        raise ConfigError(
            f"{path}: {where} would let another file run programs, which only you may allow: say "
            "--trust-files on the command line"
        )


def _merged(path: Path, base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return a config's part with a base's below it, as the loader of ``.py`` configs does it.

    A dict is merged into the dict that it meets, unless it says ``_delete_: true``.
    """
    found = dict(base)
    for key, value in own.items():
        if not isinstance(value, dict):
            found[key] = value
            continue
        value = dict(value)
        below = {} if value.pop("_delete_", False) else found.get(key, {})
        if not isinstance(below, dict):
            raise ConfigError(
                f"{path}: {key} is a dict, but a {type(below).__name__} in the base; say "
                "_delete_: true in it to replace that"
            )
        found[key] = _merged(path, below, value)
    return found
