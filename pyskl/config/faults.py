"""Collect the faults of a config, to report them all at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyskl.errors import ConfigError, InputError


class Faults:
    """The faults of one config, in the order of discovery.

    Args:
        source: The config file, for the message.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.found: list[ConfigError] = []

    def add(self, key: str, problem: str, **fields: Any) -> None:
        """Add a fault at a dotted key, once; ``fields`` are those of :class:`ConfigError`."""
        fault = ConfigError(problem.replace("\n", "\n  "), key=key, **fields)
        if str(fault) not in map(str, self.found):
            self.found.append(fault)

    def at(self, key: str) -> bool:
        """Return whether exactly this key has a fault."""
        return any(fault.key == key for fault in self.found)

    def under(self, key: str) -> bool:
        """Return whether a key or one below it has a fault."""
        return any(
            fault.key == key or str(fault.key).startswith((f"{key}.", f"{key}["))
            for fault in self.found
        )

    @contextmanager
    def collecting(self, key: str) -> Iterator[None]:
        """Turn what the block raises into a fault at ``key``."""
        try:
            yield
        except (InputError, ValueError, TypeError) as error:
            self.add(key, str(error))
        except Exception as error:  # constructors of users' classes may raise anything
            self.add(key, f"{type(error).__name__}: {error}")

    def raise_if_any(self) -> None:
        """Raise a :class:`ConfigError` whose ``errors`` are all faults."""
        if self.found:
            count = len(self.found)
            raise ConfigError(
                f"{count} fault{'s' if count > 1 else ''} in the config",
                file=self.source,
                errors=self.found,
            )
