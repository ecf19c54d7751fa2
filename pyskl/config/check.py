"""Check the keys and types of a config, and fill in its defaults. Nothing is built.

The sections of :mod:`pyskl.config.schema` and the registered classes that a config names (by
``dict(type=...)``) are checked in the same way: against the signature of the class.
"""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from mmengine.config import Config

from pyskl.config.error_collector import ErrorCollector
from pyskl.config.schema import (
    KNOWN_KEYS,
    OTHER_WORDS,
    REQUIRED,
    SAME_MEANING,
    AtLeast,
    ConfigKeys,
    LoaderConfig,
    RunConfig,
    Section,
)
from pyskl.config.text import known_part
from pyskl.config.unread_names import unread_names
from pyskl.errors import ConfigError, did_you_mean, nearest
from pyskl.family_arguments import family_argument
from pyskl.registry import Registry

# An unused top-level name counts as a misspelt key if it is at least this similar to one, and as a
# helper variable otherwise, like "modality" (model) and "data_root" (data).
_SIMILARITY = 0.7

# A class with `**kwargs` lists the arguments that it accepts with this class method.
_EXTRA_OPTIONS = "extra_options"


def read_config(
    config: Config | Mapping[str, Any], uses: Iterable[str], errors: ErrorCollector | None = None
) -> RunConfig:
    """Check the keys and types of a config, and fill in the defaults.

    Args:
        config: The config, as :func:`pyskl.config.load_config` returns it.
        uses: Some of ``'train'``, ``'val'``, ``'test'``: what the config must be complete for.
        errors: Collects the errors, for the caller to raise. Invalid values are replaced by their
            defaults.

    Raises:
        ConfigError: for an invalid config, if ``errors`` is not given.
    """
    filename: Any = getattr(config, "filename", None)
    given = config.to_dict() if isinstance(config, Config) else dict(config)
    collected = errors if errors is not None else ErrorCollector(str(filename or "config"))
    # Unknown names are helper variables, unless they look like misspelt keys.
    is_python = filename is not None and str(filename).endswith(".py")
    unread = unread_names(filename) if is_python else set(given)
    for key in sorted(set(given) - set(known_part(given))):
        meant = OTHER_WORDS.get(key) or nearest(key, KNOWN_KEYS, likeness=_SIMILARITY)
        if meant and key in unread:
            collected.add(key, "there is no such key", hint=f"did you mean {meant!r}?")
    given = known_part(given)
    known = {key: value for key, value in given.items() if key in KNOWN_KEYS}
    check_arguments("", known, ConfigKeys, collected)
    other_names = dict(SAME_MEANING)
    for use in uses:
        for path in REQUIRED[use]:
            if _value_at(given, path) is _value_at(given, other_names.get(path, path)) is None:
                collected.add(path, "is missing")
    for path, other in SAME_MEANING:
        first, second = _value_at(given, path), _value_at(given, other)
        if first is not None is not second and _as_list(first) != _as_list(second):
            collected.add(other, f"differs from {path}", found=second, expected=repr(first))
    keys = _construct(ConfigKeys, _with_complete_loaders(known, collected), "", collected)
    if errors is None:
        collected.raise_if_any()
    values = {one.name: getattr(keys, one.name) for one in dataclasses.fields(ConfigKeys)}
    if keys.runner is not None:
        values["total_epochs"] = given["total_epochs"] = keys.runner.max_epochs
        del given["runner"]
    return RunConfig(**values, given=given, filename=str(filename) if filename else None)


def _value_at(given: Mapping[str, Any], path: str) -> Any:
    """Return the value of a dotted key; None if there is none."""
    found: Any = given
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _as_list(value: Any) -> list[Any]:
    return list(value) if _is_list(value) else [value]


def _with_complete_loaders(given: Mapping[str, Any], errors: ErrorCollector) -> Mapping[str, Any]:
    """Copy the loader settings in ``data`` to each ``data.<use>_dataloader`` that lacks them."""
    data = given.get("data")
    if not isinstance(data, Mapping):
        return given
    names = [one.name for one in dataclasses.fields(LoaderConfig)]
    common = {name: data[name] for name in names if name in data and not errors.at(f"data.{name}")}
    complete = dict(data)
    for use in ("train", "val", "test"):
        own = data.get(f"{use}_dataloader", {})
        if isinstance(own, Mapping):
            complete[f"{use}_dataloader"] = {**common, **own}
    return {**given, "data": complete}


def _construct(cls: Any, given: Mapping[str, Any], key: str, errors: ErrorCollector) -> Any:
    """Build a section of the schema, with defaults in place of invalid values."""
    hints = typing.get_type_hints(cls, include_extras=True)
    values = {}
    for name, value in given.items():
        inner = _join(key, name)
        if name not in hints or errors.at(inner):
            continue
        section = next((one for one in _options(hints[name]) if _is_subclass(one, Section)), None)
        if section is not None and isinstance(value, Mapping):
            required = [
                one.name
                for one in dataclasses.fields(section)
                if one.default is one.default_factory is dataclasses.MISSING
            ]
            if any(one not in value or errors.at(f"{inner}.{one}") for one in required):
                continue
            value = _construct(section, value, inner, errors)
        values[name] = value
    return cls(**values)


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


# --- values and type hints ------------------------------------------------------------------------


def check_arguments(
    key: str,
    given: Mapping[str, Any],
    cls: Any,
    errors: ErrorCollector,
    *,
    leave_out: Sequence[str] = (),
) -> None:
    """Check names and types of arguments against the signature of a class.

    Args:
        key: Where the arguments are in the config.
        given: The arguments; the ``type`` of a registered class is ignored.
        cls: A registered class, or a section of the schema.
        errors: Collects the errors.
        leave_out: Parameters that a config can't set.
    """
    section = _is_subclass(cls, Section)
    parameters = {
        name: one
        for name, one in inspect.signature(cls).parameters.items()
        if name not in leave_out and one.kind is not one.VAR_POSITIONAL
    }
    takes_all = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    parameters = {name: one for name, one in parameters.items() if one.kind is not one.VAR_KEYWORD}
    if hasattr(cls, _EXTRA_OPTIONS):
        takes_all = True  # in case the method fails
        with errors.collecting(key):
            parameters.update(getattr(cls, _EXTRA_OPTIONS)(given))
            takes_all = False
    try:
        hints = typing.get_type_hints(
            cls if section else getattr(cls, "__init__"),  # noqa: B009 - for mypy
            include_extras=True,
        )
    except (NameError, TypeError):  # a user's class whose hints can't be evaluated
        hints = {}
    title = getattr(cls, "__name__", str(cls))
    for name, value in given.items():
        if name in parameters:
            check_value(_join(key, name), value, hints.get(name, Any), errors)
            continue
        known = family_argument(cls, name, tuple(parameters))
        if known is not None:
            if not known.accepts(value):
                errors.add(_join(key, name), known.otherwise, found=value)
        elif not takes_all and not (name == "type" and not section):
            problem = "there is no such key" if section else f"{title} takes no {name!r}"
            hint = did_you_mean(name, parameters).removeprefix("; ") or None
            errors.add(_join(key, name), problem, hint=hint)
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in given:
            needed = "" if section else f"; {title} needs it"
            errors.add(_join(key, name), f"is missing{needed}")


def check_value(key: str, value: Any, hint: Any, errors: ErrorCollector) -> None:
    """Check a value and its items against a type hint."""
    options = _options(hint)
    if isinstance(value, Mapping):
        for option in options:
            registry = _registry_of(option)
            if registry is not None:
                return _check_built(key, value, registry, errors)
            if _is_subclass(option, Section):
                return check_arguments(key, value, option, errors)
    lists = [one for one in options if _is_subclass(get_origin(one), Sequence)]
    if _is_list(value) and len(lists) == 1 and get_origin(lists[0]) is not tuple:
        for index, item in enumerate(value):
            check_value(f"{key}[{index}]", item, get_args(lists[0])[0], errors)
        return None
    if not any(matches(value, option) for option in options):
        errors.add(
            key,
            "has the wrong type",
            found=f"{type(value).__name__} {value!r}",
            expected=describe(hint),
        )
    for option in options:
        for note in get_args(option)[1:] if get_origin(option) is Annotated else ():
            if isinstance(note, AtLeast) and matches(value, option) and value < note.least:
                errors.add(key, "is too small", found=value, expected=f"at least {note.least}")
    return None


def _check_built(
    key: str, cfg: Mapping[str, Any], registry: Registry, errors: ErrorCollector
) -> None:
    """Check the config of an object that a registry builds."""
    kind = cfg.get("type")
    if kind is None:
        errors.add(f"{key}.type", f"is missing; it names the {registry.name}")
        return
    try:
        cls = registry.get(kind) if isinstance(kind, str) else kind
    except ConfigError as error:
        errors.add(f"{key}.type", str(error))
        return
    if not callable(cls):
        errors.add(
            f"{key}.type",
            "is not a class",
            found=repr(kind),
            expected=f"the name of a {registry.name}",
        )
        return
    check_arguments(key, cfg, cls, errors)


def matches(value: Any, hint: Any) -> bool:
    """Return whether a config value fits a type hint.

    Lists and tuples fit each other, an int fits float and a str fits Path; a bool is not a number.
    Plain values don't fit protocols and classes of torch. Everything fits other hints (type
    variables, other classes).
    """
    if hint is Any or hint is None or hint is type(None):
        return hint is Any or value is None
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return matches(value, arguments[0])
    if origin in _UNIONS:
        return any(matches(value, option) for option in arguments)
    if origin is Literal:
        return any(value == option and type(value) is type(option) for option in arguments)
    if origin is tuple:
        if not _is_list(value):
            return False
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return all(matches(item, arguments[0]) for item in value)
        return len(value) == len(arguments) and all(map(matches, value, arguments))
    if _is_subclass(origin, Mapping):
        return isinstance(value, Mapping) and all(
            matches(key, arguments[0]) and matches(item, arguments[1])
            for key, item in value.items()
        )
    if _is_subclass(origin, Sequence):
        return _is_list(value) and all(matches(item, arguments[0]) for item in value)
    if _is_subclass(origin, Callable):
        return callable(value)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is float:
        return number
    if hint is int:
        return number and isinstance(value, int)
    if hint is bool:
        return isinstance(value, bool)
    if hint in (str, Path):
        return isinstance(value, (str, Path))
    if hint in (list, tuple, Sequence):
        return _is_list(value)
    if hint in (dict, Mapping) or _is_subclass(hint, Section):
        return isinstance(value, Mapping)
    if isinstance(hint, type) and (
        getattr(hint, "_is_protocol", False)
        or any(base.__module__.partition(".")[0] == "torch" for base in hint.__mro__)
    ):
        return not isinstance(value, (str, int, float, list, tuple, Mapping, type(None)))
    return True


_UNIONS = (Union, types.UnionType)


def _options(hint: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the hint itself."""
    return get_args(hint) if get_origin(hint) in _UNIONS else (hint,)


def _registry_of(hint: Any) -> Registry | None:
    notes = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return next((note for note in notes if isinstance(note, Registry)), None)


def _is_subclass(origin: Any, cls: Any) -> bool:
    return isinstance(origin, type) and issubclass(origin, cls)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def describe(hint: Any) -> str:
    """Return a type hint in words, such as ``int or list of float``."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is None or hint is type(None):
        return "None"
    if origin is Annotated:
        return describe(arguments[0])
    if origin in _UNIONS:
        return " or ".join(dict.fromkeys(map(describe, arguments)))
    if origin is Literal:
        return " or ".join(map(repr, arguments))
    if origin is tuple:
        return f"({', '.join(map(describe, arguments))})".replace("Ellipsis", "...")
    if hint is Mapping or _is_subclass(origin, Mapping) or _is_subclass(hint, Section):
        return "dict"
    if _is_subclass(origin, Sequence):
        return f"list of {describe(arguments[0])}"
    return getattr(hint, "__name__", str(hint))
