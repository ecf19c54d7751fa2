"""Read a config file and apply what the command line overrides."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from mmengine.config import Config

from pyskl.config.schema import KNOWN_KEYS, OTHER_WORDS
from pyskl.errors import ConfigError, did_you_mean


def load_config(path: str | Path, options: Sequence[str] = ()) -> Config:
    """Read a config file.

    Python configs are programs and are run as such: take them only from people whose programs
    you would run. ``.json`` and ``.yaml`` configs are data.

    Args:
        path: A ``.py``, ``.json``, ``.yaml`` or ``.yml`` file.
        options: ``key.of.config=value`` overrides; see :func:`parse_option`.

    Raises:
        ConfigError: if the file is missing or can't be run, or an override has no place.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such config file")
    try:
        # lazy_import=False is the mode that takes configs with `_base_` and with `import os` alike.
        config = Config.fromfile(path, lazy_import=False)
    except Exception as error:  # the config is a program of the user's: anything can come out of it
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise ConfigError(f"{path}{line}: {type(error).__name__}: {error}") from error
    for option in options:
        _override(config, *parse_option(option), source=str(path))
    return config


def parse_option(option: str) -> tuple[str, Any]:
    """Split ``key=value`` and read the value as Python or YAML would, else as text.

    Example:
        >>> parse_option('optimizer.lr=0.01')
        ('optimizer.lr', 0.01)
        >>> parse_option('model.backbone.inflate_stages=[5,8]')
        ('model.backbone.inflate_stages', [5, 8])
        >>> parse_option('work_dir=runs/a')
        ('work_dir', 'runs/a')
    """
    key, equals, text = option.partition("=")
    if not equals or not key:
        raise ConfigError(f"--cfg-options takes key=value, found {option!r}")
    try:
        return key, ast.literal_eval(text)
    except (ValueError, SyntaxError):
        pass
    try:
        return key, yaml.safe_load(text)
    except yaml.YAMLError:
        return key, text


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
    try:
        config.merge_from_dict({key: value}, allow_list_keys=True)
    except (KeyError, TypeError, IndexError) as error:
        raise ConfigError(f"{source}, --cfg-options {key}: {error}") from error


def known_part(config: Config) -> Config:
    """Return a config without helper variables: the keys that something reads, resolved."""
    return Config(
        {key: value for key, value in config.to_dict().items() if key in KNOWN_KEYS},
        filename=config.filename,
    )
