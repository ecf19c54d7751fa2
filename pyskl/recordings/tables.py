"""Tables of joints: ``.csv`` (comma or semicolon) and ``.tsv`` (tab), with a line of column names.

Long, a row for each joint::

    frame, joint, x, y [, z] [, score] [, person] [, recording]

Wide, a row for each frame (and person)::

    [frame,] [person,] [recording,] NAME_x, NAME_y [, NAME_z] [, NAME_score], ...

The columns stand in any order; their names are read without regard to case. ``score`` may also be
called confidence, likelihood or visibility. A joint whose coordinates are empty or nan was not
seen. ``recording`` puts several recordings into one table, ``person`` (a number or a name) says who
is who; without it there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pyskl.recordings.numbers import (
    MAX_JOINTS,
    frame_positions,
    listed,
    natural_key,
    seen_joints,
)
from pyskl.recordings.options import ReadOptions
from pyskl.recordings.persons import Detections, arrange
from pyskl.recordings.recording import Recording, RecordingError
from pyskl.recordings.table_file import SCORE, Table, read_table

_LONG = "frame, joint, x, y [, z] [, score] [, person] [, recording]"
_WIDE = "[frame,] [person,] [recording,] NAME_x, NAME_y [, NAME_z] [, NAME_score], ..."


def read(path: Path, options: ReadOptions) -> list[Recording]:
    """Read the recordings of a table, in the order of their names."""
    table = read_table(path)
    groups: dict[str, list[tuple[int, list[str]]]] = {}
    column = table.columns.get("recording")
    for line, cells in table.rows:
        groups.setdefault("" if column is None else cells[column].strip(), []).append((line, cells))
    if column is not None and "" in groups:
        raise RecordingError(
            f"{path}, line {groups[''][0][0]}, column 'recording': it is empty, expected a name"
        )
    long = {"joint", "x", "y"} <= table.columns.keys()
    joints = _long_joints(table, options) if long else _wide_joints(table, options)
    found = []
    for name in sorted(groups, key=natural_key):
        where = f"{path}, recording {name!r}" if name else str(path)
        rows = (_long_rows if long else _wide_rows)(table, groups[name], joints, where)
        keypoint, score = seen_joints(rows.keypoint, rows.score, where)
        frames, total = frame_positions(rows.frames, where)
        detections = Detections(frames, total, keypoint, score, rows.persons)
        keypoint, score = arrange(detections, options.persons, where)
        numbered = joints.names == tuple(map(str, range(len(joints.names))))
        found.append(
            Recording(
                f"{path.stem}/{name}" if name else path.stem,
                keypoint,
                score,
                options.image_size,
                options.fps,
                joint_names=() if numbered else joints.names,
            )
        )
    return found


@dataclass(frozen=True)
class _Joints:
    """The joints of a table.

    Attributes:
        names: In the order of V.
        dim: Coordinates C.
        score: Whether there are scores.
        columns: Of each joint: of x, y [, z] and the score (-1 without); empty for long tables.
    """

    names: tuple[str, ...]
    dim: int
    score: bool
    columns: tuple[tuple[int, ...], ...] = ()


@dataclass
class _Rows:
    """What a recording's rows say: frames (D,), persons (D,), positions and scores."""

    frames: np.ndarray
    persons: np.ndarray
    keypoint: np.ndarray
    score: np.ndarray | None


def _ordered(names: Sequence[str], table: Table, options: ReadOptions) -> tuple[str, ...]:
    """Return joint names in the order of the layout where there is one, else as they come."""
    if len(names) > MAX_JOINTS:
        raise RecordingError(
            f"{table.path}: {len(names)} different joints, at most {MAX_JOINTS} are read"
        )
    wanted = () if options.layout is None else options.layout.joint_names
    if not wanted or all(name.isdigit() for name in names):
        return tuple(names)
    unknown = [name for name in names if name not in wanted]
    if unknown and options.layout is not None:
        raise RecordingError(
            f"{table.path}: the layout {options.layout.name!r} has no joint {listed(unknown, 3)}; "
            f"it has {listed(wanted, 40)}"
        )
    return wanted


# --- a row for each joint -------------------------------------------------------------------------


def _long_joints(table: Table, options: ReadOptions) -> _Joints:
    known = {"frame", "joint", "x", "y", "z", "score", "person", "recording"}
    _refuse(table, [name for name in table.columns if name not in known], _LONG)
    if "frame" not in table.columns:
        raise RecordingError(f"{table.path}: there is no column 'frame'; expected {_LONG}")
    column = table.columns["joint"]
    names = list(dict.fromkeys(cells[column].strip() for _, cells in table.rows))
    if "" in names:
        line = next(line for line, cells in table.rows if not cells[column].strip())
        raise RecordingError(f"{table.path}, line {line}, column 'joint': it is empty")
    if all(name.isdecimal() and name.isascii() and len(name) < 9 for name in names):
        count = max(map(int, names)) + 1
        if count > MAX_JOINTS:
            raise RecordingError(
                f"{table.path}: joint {count - 1}, at most {MAX_JOINTS} joints are read, from 0"
            )
        names = [str(joint) for joint in range(count)]
    joints = _ordered(names, table, options)
    return _Joints(joints, 3 if "z" in table.columns else 2, "score" in table.columns)


def _long_rows(
    table: Table, rows: list[tuple[int, list[str]]], joints: _Joints, where: str
) -> _Rows:
    columns = table.columns
    of_joint = {name: position for position, name in enumerate(joints.names)}
    numbered = joints.names == tuple(map(str, range(len(joints.names))))
    persons = _Persons(columns.get("person"))
    detections: dict[tuple[int, int], int] = {}
    entries: list[tuple[int, int]] = []
    axes = [columns[axis] for axis in "xyz"[: joints.dim]]
    values: list[list[float]] = []
    for line, cells in rows:
        key = (table.whole(line, cells, columns["frame"]), persons.of(cells))
        name = cells[columns["joint"]].strip()
        joint = int(name) if numbered else of_joint[name]
        entries.append((detections.setdefault(key, len(detections)), joint))
        values.append([table.number(line, cells, axis) for axis in axes])
        if joints.score:
            values[-1].append(table.number(line, cells, columns["score"]))
    places = np.array(entries, dtype=np.int64)
    flat = places[:, 0] * len(joints.names) + places[:, 1]
    first = np.unique(flat, return_index=True)[1]
    if len(first) < len(flat):
        second = int(np.setdiff1d(np.arange(len(flat)), first)[0])
        raise RecordingError(
            f"{table.path}, line {rows[second][0]}: joint "
            f"{rows[second][1][columns['joint']].strip()!r} is there twice in frame "
            f"{rows[second][1][columns['frame']].strip()}; several persons need a column 'person', "
            "several recordings a column 'recording'"
        )
    width = joints.dim + joints.score
    filled = np.full((len(detections), len(joints.names), width), np.nan)
    filled[places[:, 0], places[:, 1]] = values
    keys = np.array(list(detections), dtype=np.int64)
    return _Rows(
        keys[:, 0],
        keys[:, 1],
        filled[..., : joints.dim],
        filled[..., -1] if joints.score else None,
    )


# --- a row for each frame -------------------------------------------------------------------------


def _wide_joints(table: Table, options: ReadOptions) -> _Joints:
    parts: dict[str, dict[str, int]] = {}
    odd = []
    for position, name in enumerate(table.names):
        if name.lower() in ("frame", "person", "recording"):
            continue
        joint, _, part = name.rpartition("_")
        part = part.lower()
        part = "score" if part in SCORE else part
        if not joint or part not in ("x", "y", "z", "score"):
            odd.append(name)
        elif part in parts.setdefault(joint, {}):
            raise RecordingError(f"{table.path}: joint {joint!r} has two columns for {part}")
        else:
            parts[joint][part] = position
    _refuse(table, odd, f"{_LONG}, or {_WIDE}")
    if not parts:
        raise RecordingError(f"{table.path}: there are no joints; expected {_LONG}, or {_WIDE}")
    first = next(iter(parts))
    for joint, found in parts.items():
        if set(found) != set(parts[first]) or not {"x", "y"} <= set(found):
            raise RecordingError(
                f"{table.path}: joint {joint!r} has the columns {', '.join(sorted(found))}, "
                + (
                    f"but joint {first!r} has {', '.join(sorted(parts[first]))}"
                    if set(found) != set(parts[first])
                    else "expected at least x and y"
                )
            )
    names = _ordered(list(parts), table, options)
    kinds = ["x", "y", *(kind for kind in ("z", "score") if kind in parts[first])]
    columns = tuple(
        tuple(parts[name][kind] if name in parts else -1 for kind in kinds) for name in names
    )
    return _Joints(names, 3 if "z" in kinds else 2, "score" in kinds, columns)


def _wide_rows(
    table: Table, rows: list[tuple[int, list[str]]], joints: _Joints, where: str
) -> _Rows:
    frame, person = table.columns.get("frame"), table.columns.get("person")
    if frame is None and person is not None:
        raise RecordingError(f"{where}: with a column 'person' there has to be one 'frame', too")
    persons = _Persons(person)
    columns = [column for joint in joints.columns for column in joint]
    keys: dict[tuple[int, int], int] = {}
    values = []
    for position, (line, cells) in enumerate(rows):
        number = position if frame is None else table.whole(line, cells, frame)
        key = (number, persons.of(cells))
        if key in keys:
            raise RecordingError(
                f"{table.path}, line {line}: frame {number} is there twice"
                + ("" if person is None else f" for person {cells[person].strip()!r}")
                + "; several persons need a column 'person', several recordings 'recording'"
            )
        keys[key] = line
        values.append(
            [np.nan if column < 0 else table.number(line, cells, column) for column in columns]
        )
    width = joints.dim + joints.score
    filled = np.array(values).reshape(len(values), len(joints.names), width)
    numbers = np.array(list(keys), dtype=np.int64)
    return _Rows(
        numbers[:, 0],
        numbers[:, 1],
        filled[..., : joints.dim],
        filled[..., -1] if joints.score else None,
    )


class _Persons:
    """Numbers the persons of a recording in the order of appearance."""

    def __init__(self, column: int | None) -> None:
        self.column = column
        self.numbers: dict[str, int] = {}

    def of(self, cells: Sequence[str]) -> int:
        if self.column is None:
            return 0
        return self.numbers.setdefault(cells[self.column].strip(), len(self.numbers))


def _refuse(table: Table, names: Sequence[str], expected: str) -> None:
    if names:
        raise RecordingError(
            f"{table.path}: unknown column {listed([repr(name) for name in names], 4)}; expected "
            f"{expected}"
        )
