"""Find the class, subject, camera and split of recordings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from pyskl.errors import ConfigError
from pyskl.recordings.csv_table import CsvTable
from pyskl.recordings.discovery import RecordingPath
from pyskl.recordings.numbers import natural_key, unexpected
from pyskl.recordings.recording import RecordingError

_COLUMNS = ("name", "label", "subject", "camera", "split")


@dataclass(frozen=True)
class SampleInfo:
    """Class, subject, camera and split of a recording; None if unknown."""

    label: str | None = None
    subject: str | None = None
    camera: str | None = None
    split: str | None = None


class Labels:
    """Looks up class, subject, camera and split of recordings.

    Args:
        paths: All recordings, from which the classes are collected.
        table: A table with the columns name and label, and optionally subject, camera, split.
            Without it the class of a recording is the folder that it is in.
        label_from: A regular expression searched in the ids; its group ``label``, or else its first
            group, is the class.
        name_pattern: A regular expression with named groups ``label``, ``subject``, ``camera``.

    Attributes:
        names: The class names in natural order (``a2`` before ``a10``). None if all labels of a
            table are whole numbers, which are the classes then.

    Raises:
        RecordingError: for a malformed table.
        ConfigError: for a malformed regular expression.
    """

    def __init__(
        self,
        paths: Sequence[RecordingPath],
        *,
        table: Path | None = None,
        label_from: str | None = None,
        name_pattern: str | None = None,
    ) -> None:
        self._table = None if table is None else _read_table(table)
        self._label_from = _compiled(label_from, "label_from")
        self._pattern = _compiled(name_pattern, "name_pattern")
        self._groups = set() if self._pattern is None else set(self._pattern.groupindex)
        if self._pattern is not None and not (
            self._groups and self._groups <= {"label", "subject", "camera"}
        ):
            raise ConfigError(
                "wrong groups in a regular expression",
                key="name_pattern",
                found=name_pattern,
                expected="(?P<label>...), (?P<subject>...) or (?P<camera>...)",
            )
        if self._table is not None:
            labels = {info.label for info in self._table.values() if info.label}
        else:
            labels = {label for path in paths if (label := self.info(path, path.name).label)}
        self.names: tuple[str, ...] | None = tuple(sorted(labels, key=natural_key))
        if (
            self._table is not None
            and labels
            and all(label.isascii() and label.isdigit() for label in labels)
        ):
            self.names = None

    def info(self, path: RecordingPath, name: str) -> SampleInfo:
        """Return class, subject, camera and split of a recording.

        Args:
            path: The file that it is in.
            name: Its id.
        """
        info = SampleInfo()
        if self._table is not None:
            suffix = "" if path.path.is_dir() else path.path.suffix
            for candidate in (
                *(name, path.name, path.name + suffix),
                *(PurePosixPath(name).name, PurePosixPath(path.name).name, path.path.name),
            ):
                if candidate in self._table:
                    info = self._table[candidate]
                    break
        elif self._label_from is None and "label" not in self._groups:
            info = SampleInfo(label=path.folder)
        if self._label_from is not None and (found := self._label_from.search(path.name)):
            label = found.groupdict().get("label") or found[1 if found.re.groups else 0]
            info = replace(info, label=label)
        if self._pattern is not None and (found := self._pattern.search(name)):
            info = replace(info, **{key: text for key, text in found.groupdict().items() if text})
        return info

    def unused(self, names: set[str]) -> list[str]:
        """Return the names in the table that match none of the recordings' ids ``names``."""
        used: set[str] = set()
        for name in names:
            path = PurePosixPath(name)
            used |= {name, path.name, path.parent.as_posix(), path.parent.name}
        return [
            name
            for name in self._table or {}
            if not {name, PurePosixPath(name).name, _without_suffix(name)} & used
        ]


def _without_suffix(name: str) -> str:
    path = PurePosixPath(name)
    return path.with_suffix("").as_posix() if path.suffix else name


def _compiled(pattern: str | None, option: str) -> re.Pattern[str] | None:
    try:
        return None if pattern is None else re.compile(pattern)
    except re.error as error:
        raise ConfigError(
            f"not a regular expression ({error})", key=option, found=pattern
        ) from error


def _read_table(path: Path) -> dict[str, SampleInfo]:
    if not path.exists():
        raise RecordingError(
            "there is no such table", file=path, hint=f"looked in {path.parent.resolve()}"
        )
    table: dict[str, SampleInfo] = {}
    try:
        for line, cells in CsvTable(path).records():
            if not {"name", "label"} <= cells.keys() <= set(_COLUMNS):
                raise unexpected(
                    None,
                    ", ".join(cells),
                    "name, label and optionally subject, camera, split",
                    problem="wrong columns",
                )
            name = cells.pop("name").replace("\\", "/").removeprefix("./")
            if not name or not cells["label"]:
                raise RecordingError("empty name or label", key=f"line {line}")
            if name in table:
                raise RecordingError("repeated name", key=f"line {line}", found=name)
            table[name] = SampleInfo(**{key: text or None for key, text in cells.items()})
    except RecordingError as error:
        raise error.in_file(path) from error
    return table
