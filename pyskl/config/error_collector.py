"""Collect the errors in a config, so that they are reported together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyskl.errors import ConfigError, InputError


class ErrorCollector:
    """Collects the errors in a config, in the order in which they are found.

    Args:
        source: The config file, for the message.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.found: list[ConfigError] = []

    def add(self, key: str, problem: str, **fields: Any) -> None:
        """Add an error at a dotted key, once; ``fields`` are those of :class:`ConfigError`."""
        error = ConfigError(problem.replace("\n", "\n  "), key=key, **fields)
        if str(error) not in map(str, self.found):
            self.found.append(error)

    def at(self, key: str) -> bool:
        """Return whether exactly this key has an error."""
        return any(error.key == key for error in self.found)

    def under(self, key: str) -> bool:
        """Return whether a key or one below it has an error."""
        return any(
            error.key == key or str(error.key).startswith((f"{key}.", f"{key}["))
            for error in self.found
        )

    @contextmanager
    def collecting(self, key: str) -> Iterator[None]:
        """Add an exception that the block raises as an error at ``key``."""
        try:
            yield
        except (InputError, ValueError, TypeError) as error:
            self.add(key, str(error))
        except Exception as error:  # constructors of users' classes may raise anything
            self.add(key, f"{type(error).__name__}: {error}")

    def raise_if_any(self) -> None:
        """Raise a :class:`ConfigError` with all errors, if there are any."""
        if self.found:
            raise self.error()

    def error(self) -> ConfigError:
        """Return a :class:`ConfigError` with all errors."""
        count = len(self.found)
        return ConfigError(
            f"{count} error{'s' if count > 1 else ''} in the config",
            file=self.source,
            errors=self.found,
        )
