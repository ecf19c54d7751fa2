"""What is wrong with a config, gathered so that all of it is told at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pyskl.errors import ConfigError, InputError


@dataclass
class Faults:
    """A list of faults that grows while a config is checked.

    Attributes:
        source: The config file; heads the message.
        found: ``(key, what is wrong)`` in the order of discovery.
    """

    source: str
    found: list[tuple[str, str]] = field(default_factory=list)

    def add(self, key: str, what: str) -> None:
        """Note that the value at ``key`` (dotted path) has a fault, once."""
        if (key, what) not in self.found:
            self.found.append((key, what))

    def under(self, key: str) -> bool:
        """Return whether a fault was found at ``key`` or below it."""
        return any(
            where == key or where.startswith((f"{key}.", f"{key}[")) for where, _ in self.found
        )

    @contextmanager
    def collecting(self, key: str) -> Iterator[None]:
        """Turn what a constructor raises within the block into a fault at ``key``."""
        try:
            yield
        except (InputError, ValueError, TypeError) as error:
            self.add(key, str(error))
        except Exception as error:  # classes of users' own raise what they like
            self.add(key, f"{type(error).__name__}: {error}")

    def raise_if_any(self) -> None:
        """Raise a :class:`ConfigError` that lists all faults."""
        if not self.found:
            return
        count = len(self.found)
        lines = [f"{self.source}: {count} fault{'s' if count > 1 else ''} in the config"]
        lines += [f"{key}: {what}" for key, what in self.found]
        raise ConfigError("\n".join(lines).replace("\n", "\n  "))
