"""What is known about recordings besides their joints: class, subject, camera, split."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from pyskl.errors import ConfigError
from pyskl.recordings.numbers import natural_key
from pyskl.recordings.recording import RecordingError
from pyskl.recordings.sources import Source
from pyskl.recordings.table_file import rows_of

_COLUMNS = ("name", "label", "subject", "camera", "split")


@dataclass(frozen=True)
class Facts:
    """What is known about one recording; None is unknown."""

    label: str | None = None
    subject: str | None = None
    camera: str | None = None
    split: str | None = None


class Labels:
    """Says what is known about recordings.

    Args:
        sources: All recordings, from which the classes are gathered.
        table: A table with the columns name and label, and subject, camera, split where known.
            Without it the class of a recording is the folder that it lies in.
        label_from: A regular expression that is searched in the ids; its group ``label``, or else
            its first, is the class.
        name_pattern: One with named groups ``label``, ``subject``, ``camera``.

    Attributes:
        names: The names of the classes, sorted as people do (``a2`` before ``a10``). Where all
            labels of a table are whole numbers these are the classes themselves, and there are no
            names: None.

    Raises:
        RecordingError: for a malformed table.
        ConfigError: for a malformed regular expression.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        table: Path | None = None,
        label_from: str | None = None,
        name_pattern: str | None = None,
    ) -> None:
        self._table = None if table is None else _read_table(table)
        self._table_path = table
        self._label_from = _compiled(label_from, "label_from")
        self._pattern = _compiled(name_pattern, "name_pattern")
        groups = {} if self._pattern is None else self._pattern.groupindex
        unknown = set(groups) - {"label", "subject", "camera"}
        if name_pattern is not None and (unknown or not groups):
            raise ConfigError(
                f"name_pattern {name_pattern!r} has "
                f"{f'the groups {sorted(unknown)}' if unknown else 'no named groups'}; it takes "
                "(?P<label>...), (?P<subject>...) and (?P<camera>...)"
            )
        if self._table is not None:
            labels = {facts.label for facts in self._table.values() if facts.label}
        else:
            found = (self.of(source, source.name).label for source in sources)
            labels = {label for label in found if label}
        numbers = bool(labels) and all(label.isascii() and label.isdigit() for label in labels)
        self.names: tuple[str, ...] | None = tuple(sorted(labels, key=natural_key))
        if numbers and self._table is not None:
            self.names = None

    def of(self, source: Source, name: str) -> Facts:
        """Return what is known about a recording.

        Args:
            source: The file that it is in.
            name: Its id.
        """
        facts = Facts()
        if self._table is not None:
            facts = self._listed(source, name)
        elif self._label_from is None and "label" not in self._groups():
            facts = Facts(label=source.folder)
        if self._label_from is not None:
            found = self._label_from.search(source.name)
            if found is not None:
                named = found.groupdict().get("label")
                facts = replace(facts, label=named or (found[1] if found.re.groups else found[0]))
        if self._pattern is not None:
            found = self._pattern.search(name)
            if found is not None:
                known = {key: value for key, value in found.groupdict().items() if value}
                facts = replace(facts, **known)
        return facts

    def why_not(self, source: Source) -> str:
        """Word why a recording has no class."""
        if self._table is not None:
            return f"{self._table_path} has no row for it"
        return f"the pattern finds no label in its name {source.name!r}"

    def unused(self, names: set[str]) -> list[str]:
        """Return the names of the table that none of the recordings had; ``names`` are theirs."""
        used: set[str] = set()
        for name in names:
            path = PurePosixPath(name)
            used |= {name, path.name, path.parent.as_posix(), path.parent.name}
        return [
            name
            for name in self._table or {}
            if not {name, PurePosixPath(name).name, _without_suffix(name)} & used
        ]

    def _groups(self) -> set[str]:
        return set() if self._pattern is None else set(self._pattern.groupindex)

    def _listed(self, source: Source, name: str) -> Facts:
        table = self._table or {}
        suffix = "" if source.path.is_dir() else source.path.suffix
        for spelling in (
            *(name, source.name, source.name + suffix),
            *(PurePosixPath(name).name, PurePosixPath(source.name).name, source.path.name),
        ):
            if spelling in table:
                return table[spelling]
        return Facts()


def _without_suffix(name: str) -> str:
    path = PurePosixPath(name)
    return path.with_suffix("").as_posix() if path.suffix else name


def _compiled(pattern: str | None, option: str) -> re.Pattern[str] | None:
    if pattern is None:
        return None
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"{option} {pattern!r} is no regular expression ({error})") from error


def _read_table(path: Path) -> dict[str, Facts]:
    if not path.exists():
        raise RecordingError(f"{path}: there is no such table (looked in {path.parent.resolve()})")
    table: dict[str, Facts] = {}
    for line, cells in rows_of(path):
        unknown = [name for name in cells if name not in _COLUMNS]
        if unknown or not {"name", "label"} <= cells.keys():
            raise RecordingError(
                f"{path}: the columns of a table of labels are name, label and if known subject, "
                f"camera, split; found {', '.join(cells)}"
            )
        name = cells.pop("name").replace("\\", "/").removeprefix("./")
        if not name or not cells["label"]:
            raise RecordingError(f"{path}, line {line}: name and label can't be empty")
        if name in table:
            raise RecordingError(f"{path}, line {line}: {name!r} is there twice")
        table[name] = Facts(**{key: value or None for key, value in cells.items()})
    return table
