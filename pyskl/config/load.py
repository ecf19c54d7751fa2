"""Read a config file and apply the overrides of the command line."""

from __future__ import annotations

import ast
import codecs
import copy
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mmengine.config.config
import yaml
from mmengine.config import Config

from pyskl.config.data_files import SUFFIXES as DATA_SUFFIXES
from pyskl.config.data_files import read_data_config
from pyskl.config.error_collector import ErrorCollector
from pyskl.config.schema import KNOWN_KEYS, OTHER_WORDS
from pyskl.config.unread_names import config_files
from pyskl.errors import ConfigError, did_you_mean, nearest_path


def load_config(
    source: str | Path | Mapping[str, Any] | Config,
    options: Sequence[str] = (),
    errors: ErrorCollector | None = None,
) -> Config:
    """Read a config file, or copy a config object.

    Python configs are run as code: load only those that you trust.
    ``.json`` and ``.yaml`` configs are data; see :mod:`pyskl.config.data_files`.

    Args:
        source: A ``.py``, ``.json``, ``.yaml`` or ``.yml`` file, or the object.
        options: ``key.of.config=value`` overrides; see :func:`parse_option`.
        errors: Collects the errors of the overrides, for the caller to raise.

    Returns:
        The config before its keys are checked and defaults filled in
        (:func:`pyskl.config.read_config`).

    Raises:
        ConfigError: if the file is missing or fails, or an override does not fit.
    """
    if isinstance(source, Config):
        config = copy.deepcopy(source)
    elif isinstance(source, Mapping):
        config = Config(copy.deepcopy(dict(source)))
    else:
        config = _read(Path(source).expanduser())
    collected = ErrorCollector("--cfg-options") if errors is None else errors
    for option in options:
        try:
            _override(config, *parse_option(option))
        except ConfigError as error:
            collected.found.append(error)
    if errors is None and collected.found:
        raise collected.found[0] if len(collected.found) == 1 else collected.error()
    return config


def _read(path: Path) -> Config:
    if path.is_dir():
        raise ConfigError("this is a folder", file=path, expected="a config file")
    if path.suffix.lower() in _OTHER_FILES:
        raise ConfigError(
            f"this is {_OTHER_FILES[path.suffix.lower()]}, not a config",
            file=path,
            expected="a .py, .json, .yaml or .yml file",
            hint="are the arguments swapped? CONFIG comes first",
        )
    if not path.is_file():
        close = nearest_path(path)
        hint = None if close is None else f"did you mean {str(close)!r}?"
        raise ConfigError("there is no such config file", file=path, hint=hint)
    if path.suffix in DATA_SUFFIXES:
        content = read_data_config(path)
        try:
            return Config(content, filename=path)
        except Exception as error:  # some keys are reserved by mmengine
            raise ConfigError(f"{type(error).__name__}: {str(error)[:300]}", file=path) from error
    try:
        with _without_byte_order_marks(path):
            # Only lazy_import=False accepts both `_base_` and `import os`.
            return Config.fromfile(path, lazy_import=False)
    except Exception as error:  # a config is code and may raise anything
        raise _located(path, error) from error


# What people give by mistake instead of a config.
_OTHER_FILES = {
    **dict.fromkeys((".pth", ".pt", ".ckpt", ".safetensors"), "a checkpoint"),
    **dict.fromkeys((".pkl", ".pickle"), "an annotation or score file"),
}


@contextmanager
def _without_byte_order_marks(path: Path) -> Iterator[None]:
    """Let mmengine read a Python config and bases that begin with a byte-order mark.

    mmengine opens each file as UTF-8, which keeps the mark, and Python refuses it.
    """
    if not any(file.read_bytes().startswith(codecs.BOM_UTF8) for file in config_files(path)):
        yield
        return
    module: Any = mmengine.config.config

    def open_without_mark(file: Any, mode: str = "r", **options: Any) -> Any:
        if "r" in mode and options.get("encoding") == "utf-8":
            options["encoding"] = "utf-8-sig"
        return open(file, mode, **options)

    module.open = open_without_mark
    try:
        yield
    finally:
        del module.open


def _located(path: Path, error: Exception) -> ConfigError:
    """Return an error that names the file and line where a config, or one of its bases, failed."""
    where, line, problem = path, None, f"{type(error).__name__}: {error}"
    frames = [one for one in traceback.extract_tb(error.__traceback__) if one.name == "<module>"]
    if frames:
        where, line = Path(frames[-1].filename), frames[-1].lineno
    for file in config_files(path):  # mmengine parses a copy under another name
        try:
            ast.parse(file.read_bytes())
        except SyntaxError as syntax:
            where, line, problem = file, syntax.lineno, f"SyntaxError: {syntax.msg}"
            break
    base = "" if where.resolve() == path.resolve() else f"in its base {where}: "
    at_line = "" if line is None else f"line {line}: "
    return ConfigError(f"{base}{at_line}{problem}", file=path)


def parse_option(option: str) -> tuple[str, Any]:
    """Split ``key=value`` and read the value as a Python literal, or else as a string.

    Strings in lists, tuples and dicts need no quotes, as shells remove them. ``true``, ``false``,
    ``null`` and ``none`` may be in upper or lower case.

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
        raise ConfigError("--cfg-options takes key=value", found=repr(option))
    try:
        return key, ast.literal_eval(text)
    except (ValueError, SyntaxError):
        pass
    words = {"true": True, "false": False, "null": None, "none": None}
    if text.lower() in words:
        return key, words[text.lower()]
    # YAML only for brackets: elsewhere it reads dates, times and "no" as values.
    for opening, closing in ("[]", "{}", "()"):
        if text.startswith(opening) and text.endswith(closing):
            try:
                value = yaml.safe_load(f"[{text[1:-1]}]" if opening == "(" else text)
            except yaml.YAMLError:
                break
            return key, tuple(value) if opening == "(" else value
    return key, text


def _override(config: Config, key: str, value: Any) -> None:
    top = key.partition(".")[0]
    if top not in KNOWN_KEYS:
        meant = OTHER_WORDS.get(top)
        hint = f"did you mean {meant!r}?" if meant else did_you_mean(top, KNOWN_KEYS)[2:]
        if top in config:
            hint = (
                "it is a helper variable, which has already been used: override the key that it "
                "sets (tools/print_config.py prints all keys)"
            )
        raise ConfigError(f"--cfg-options: there is no config key {top!r}", key=key, hint=hint)
    config[top] = _with_value(config.get(top), key, key.split("."), 1, value)


def _with_value(old: Any, key: str, parts: Sequence[str], depth: int, value: Any) -> Any:
    """Return ``old``, the value at ``parts[:depth]``, with ``value`` inserted at ``parts``.

    Missing sections are added. A dict is merged into an existing one, unless it has
    ``_delete_=True``, as in config files.
    """
    if depth == len(parts):
        if not isinstance(value, Mapping):
            return value
        given = dict(value)
        if given.pop("_delete_", False) or not isinstance(old, Mapping):
            return given
        for name, item in given.items():
            old = _with_value(old, key, [*parts, str(name)], depth, item)
        return old
    part, here = parts[depth], ".".join(parts[:depth])
    if isinstance(old, (list, tuple)):
        if not (part.isdigit() and int(part) < len(old)):
            raise ConfigError(
                f"--cfg-options: {here} is a list",
                key=key,
                found=repr(part),
                expected=f"an index from 0 to {len(old) - 1}",
            )
        items = list(old)
        items[int(part)] = _with_value(items[int(part)], key, parts, depth + 1, value)
        return type(old)(items)
    if old is not None and not isinstance(old, Mapping):
        raise ConfigError(
            f"--cfg-options: {here} is {old!r} and has no keys", key=key, found=repr(part)
        )
    found = dict(old or {})
    found[part] = _with_value(found.get(part), key, parts, depth + 1, value)
    return found
