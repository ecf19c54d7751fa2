"""Read a config file and apply what the command line overrides."""

from __future__ import annotations

import ast
import copy
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from mmengine.config import Config

from pyskl.config.data_files import SUFFIXES as DATA_SUFFIXES
from pyskl.config.data_files import read_data_config
from pyskl.config.schema import KNOWN_KEYS, OTHER_WORDS
from pyskl.config.source import config_files
from pyskl.errors import ConfigError, did_you_mean


def load_config(
    source: str | Path | Mapping[str, Any] | Config, options: Sequence[str] = ()
) -> Config:
    """Read a config file, or copy a config that is an object already.

    Python configs are programs and are run as such: take them only from people whose programs
    you would run. ``.json`` and ``.yaml`` configs are data: see :mod:`pyskl.config.data_files`.

    Args:
        source: A ``.py``, ``.json``, ``.yaml`` or ``.yml`` file, or the object.
        options: ``key.of.config=value`` overrides; see :func:`parse_option`.

    Raises:
        ConfigError: if the file is missing or can't be run, or an override has no place.
    """
    if isinstance(source, Config):
        config = copy.deepcopy(source)
    elif isinstance(source, Mapping):
        config = Config(copy.deepcopy(dict(source)))
    else:
        config = _read(Path(source))
    for option in options:
        _override(config, *parse_option(option), source=str(config.filename or "config"))
    return config


def _read(path: Path) -> Config:
    if path.is_dir():
        raise ConfigError(f"{path}: this is a folder; expected a config file")
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such config file")
    if path.suffix in DATA_SUFFIXES:
        content = read_data_config(path)
        try:
            return Config(content, filename=path)
        except Exception as error:  # keys that mean something to the class
            raise ConfigError(f"{path}: {type(error).__name__}: {str(error)[:300]}") from error
    try:
        # lazy_import=False is the mode that takes configs with `_base_` and with `import os` alike.
        return Config.fromfile(path, lazy_import=False)
    except Exception as error:  # the config is a program of the user's: anything can come out of it
        raise ConfigError(_failure(path, error)) from error


def _failure(path: Path, error: Exception) -> str:
    """Say in which file and line a config, or one of its bases, went wrong."""
    for file in config_files(path):  # syntax first: the loader reads a copy under another name
        try:
            ast.parse(file.read_bytes())
        except SyntaxError as fault:
            return f"{_and_base(path, file)}, line {fault.lineno}: SyntaxError: {fault.msg}"
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if frame.name == "<module>"
    ]
    if not frames:
        return f"{path}: {type(error).__name__}: {error}"
    where = _and_base(path, Path(frames[-1].filename))
    return f"{where}, line {frames[-1].lineno}: {type(error).__name__}: {error}"


def _and_base(path: Path, file: Path) -> str:
    return str(path) if file.resolve() == path.resolve() else f"{path}: {file}"


def parse_option(option: str) -> tuple[str, Any]:
    """Split ``key=value`` and read the value as Python would, else as text.

    Shells eat quotes, so lists, tuples and dicts may do without them inside. ``true``, ``false``,
    ``null`` and ``none`` are read in any spelling.

    Example:
        >>> parse_option('optimizer.lr=0.01')
        ('optimizer.lr', 0.01)
        >>> parse_option('model.backbone.inflate_stages=[5,8]')
        ('model.backbone.inflate_stages', [5, 8])
        >>> parse_option('work_dir=runs/a')
        ('work_dir', 'runs/a')
        >>> parse_option('evaluation.metrics=[top_k_accuracy]')
        ('evaluation.metrics', ['top_k_accuracy'])

    Raises:
        ConfigError: if there is no ``=``, or nothing before it.
    """
    key, equals, text = option.partition("=")
    if not equals or not key:
        raise ConfigError(f"--cfg-options takes key=value, found {option!r}")
    try:
        return key, ast.literal_eval(text)
    except (ValueError, SyntaxError):
        pass
    if text.lower() in _WORDS:
        return key, _WORDS[text.lower()]
    # Only of brackets may YAML have its say: elsewhere it takes dates, times and "no" for values.
    for opening, closing in ("[]", "{}", "()"):
        if text.startswith(opening) and text.endswith(closing):
            try:
                value = yaml.safe_load(f"[{text[1:-1]}]" if opening == "(" else text)
            except yaml.YAMLError:
                break
            return key, tuple(value) if opening == "(" else value
    return key, text


_WORDS = {"true": True, "false": False, "null": None, "none": None}


def _override(config: Config, key: str, value: Any, *, source: str) -> None:
    top = key.partition(".")[0]
    if top not in KNOWN_KEYS:
        hint = OTHER_WORDS.get(top)
        advice = f"; did you mean {hint!r}?" if hint else did_you_mean(top, KNOWN_KEYS)
        if top in config:
            advice = (
                "; it is a helper variable of the file, already read where the file uses it: "
                "override the key that it ended up in (tools/print_config.py shows them)"
            )
        raise ConfigError(f"--cfg-options {key}: there is no config key {top!r}{advice}")
    parts = key.split(".")
    try:
        config[top] = _with_value(config.get(top), parts, 1, value)
    except ConfigError as error:
        raise ConfigError(f"{source}, --cfg-options {key}: {error}") from None


def _with_value(old: Any, parts: Sequence[str], depth: int, value: Any) -> Any:
    """Return ``old``, which is at ``parts[:depth]``, with ``value`` put in at ``parts``.

    What is missing on the way is made; a dict is merged into the dict that it meets, unless it
    says ``_delete_=True``, as in config files.
    """
    if depth == len(parts):
        if not isinstance(value, Mapping):
            return value
        given = dict(value)
        if given.pop("_delete_", False) or not isinstance(old, Mapping):
            return given
        for name, item in given.items():
            old = _with_value(old, [*parts, str(name)], depth, item)
        return old
    part, here = parts[depth], ".".join(parts[:depth])
    if isinstance(old, (list, tuple)):
        if not (part.isdigit() and int(part) < len(old)):
            raise ConfigError(
                f"{here} is a list of {len(old)}, so 0 to {len(old) - 1} may follow it, "
                f"found {part!r}"
            )
        items = list(old)
        items[int(part)] = _with_value(items[int(part)], parts, depth + 1, value)
        return type(old)(items)
    if old is not None and not isinstance(old, Mapping):
        raise ConfigError(f"{here} is {old!r}, so nothing can follow it, found {part!r}")
    found = dict(old or {})
    found[part] = _with_value(found.get(part), parts, depth + 1, value)
    return found


def known_part(config: Config) -> Config:
    """Return a config without helper variables: the keys that something reads, resolved."""
    return Config(
        {key: value for key, value in config.to_dict().items() if key in KNOWN_KEYS},
        filename=config.filename,
    )
