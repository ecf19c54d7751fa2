"""Read tables of joints: ``.csv`` (comma or semicolon) and ``.tsv`` (tab), with column names.

Long, one row per joint::

    frame, joint, x, y [, z] [, score] [, person] [, recording]

Wide, one row per frame (and person)::

    [frame,] [person,] [recording,] NAME_x, NAME_y [, NAME_z] [, NAME_score], ...

The order of the columns and the case of their names do not matter. ``score`` may also be called
confidence, likelihood or visibility. A joint whose coordinates are empty or nan was not seen.
``recording`` is needed for several recordings in a table, ``person`` (a number or a name) for
several persons.

Shapes: D detections (a person in a frame), V joints, C coordinates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from pyskl.recordings.csv_table import SCORE_NAMES, CsvTable
from pyskl.recordings.input_file import InputFile
from pyskl.recordings.numbers import MAX_JOINTS, frame_positions, listed, natural_key, unexpected
from pyskl.recordings.persons import recording_of_detections
from pyskl.recordings.reader import Reader, ReadOptions
from pyskl.recordings.recording import Recording, RecordingError

_LONG = "frame, joint, x, y [, z] [, score] [, person] [, recording]"
_WIDE = "[frame,] [person,] [recording,] NAME_x, NAME_y [, NAME_z] [, NAME_score], ..."


@dataclass
class _JointTable:
    """The content of a long or wide table.

    Attributes:
        joint_names: In the order of V.
        recordings: Name of the recording of each detection, (D,).
        frames: Frame number of each, (D,).
        identities: Number of the person, (D,), in the order of appearance.
        keypoint: (D, V, C); NaN for joints that were not seen.
        score: (D, V), or None.
    """

    joint_names: tuple[str, ...]
    recordings: np.ndarray
    frames: np.ndarray
    identities: np.ndarray
    keypoint: np.ndarray
    score: np.ndarray | None


def _read(file: InputFile, options: ReadOptions) -> list[Recording]:
    table = CsvTable(file.path)
    is_long = {"joint", "x", "y"} <= table.columns.keys()
    content = (_read_long if is_long else _read_wide)(table, options)
    numbered = content.joint_names == tuple(map(str, range(len(content.joint_names))))
    found = []
    for name in sorted(set(content.recordings.tolist()), key=natural_key):
        rows, where = content.recordings == name, f"recording {name!r}" if name else None
        frames, total = frame_positions(content.frames[rows], where)
        found.append(
            recording_of_detections(
                f"{file.path.stem}/{name}" if name else file.path.stem,
                frames,
                total,
                content.keypoint[rows],
                None if content.score is None else content.score[rows],
                content.identities[rows],
                options,
                where,
                joint_names=() if numbered else content.joint_names,
            )
        )
    return found


READER = Reader("csv", (".csv", ".tsv"), _read)


def _read_long(table: CsvTable, options: ReadOptions) -> _JointTable:
    known = {"frame", "joint", "x", "y", "z", "score", "person", "recording"}
    unknown = [name for name in table.columns if name not in known]
    if unknown or "frame" not in table.columns:
        raise RecordingError("wrong columns", found=listed(list(table.columns)), expected=_LONG)
    cells = table.strings("joint", required=True)
    names = list(dict.fromkeys(cells))
    if all(name.isdecimal() and name.isascii() and len(name) < 9 for name in names):
        count = max(map(int, names)) + 1
        position = {name: int(name) for name in names}
        joint_names = _joint_order(list(map(str, range(min(count, MAX_JOINTS + 1)))), options)
    else:
        joint_names = _joint_order(names, options)
        position = {name: joint for joint, name in enumerate(joint_names)}
    joints = np.array([position[cell] for cell in cells])

    recordings, identities = _recordings_and_persons(table)
    frames = table.whole_numbers("frame")
    keys = list(zip(identities, frames.tolist()))
    first_rows: dict[Hashable, int] = {}  # of each detection, by its key
    for row, key in enumerate(keys):
        first_rows.setdefault(key, row)
    number = {key: detection for detection, key in enumerate(first_rows)}
    detections = np.array([number[key] for key in keys])
    _refuse_repetitions(table, list(zip(detections.tolist(), joints.tolist())), "joint")

    kinds = [kind for kind in ("x", "y", "z", "score") if kind in table.columns]
    values = np.full((len(first_rows), len(joint_names), len(kinds)), np.nan)
    values[detections, joints] = table.numbers([table.columns[kind] for kind in kinds])
    rows = list(first_rows.values())
    return _joint_table(
        joint_names, recordings[rows], frames[rows], np.array(identities)[rows], values, kinds
    )


def _read_wide(table: CsvTable, options: ReadOptions) -> _JointTable:
    joints: dict[str, dict[str, int]] = {}  # columns by joint and by kind: x, y, z, score
    for column, name in enumerate(table.names):
        if name.lower() in ("frame", "person", "recording"):
            continue
        joint, _, kind = name.rpartition("_")
        kind = "score" if kind.lower() in SCORE_NAMES else kind.lower()
        if not joint or kind not in ("x", "y", "z", "score"):
            raise RecordingError("unknown column", key=name, expected=f"{_LONG}, or {_WIDE}")
        if joints.setdefault(joint, {}).setdefault(kind, column) != column:
            raise RecordingError(f"joint {joint!r} has two columns for {kind}", key=name)
    if not joints:
        raise RecordingError("there are no joints", expected=f"{_LONG}, or {_WIDE}")
    kinds = [kind for kind in ("x", "y", "z", "score") if kind in next(iter(joints.values()))]
    for joint, columns in joints.items():
        if set(columns) != set(kinds) or not {"x", "y"} <= set(kinds):
            raise unexpected(
                joint,
                listed(sorted(columns)),
                f"at least x and y, and for all joints the same ({listed(kinds)})",
                problem="wrong columns of a joint",
            )
    joint_names = _joint_order(list(joints), options)

    recordings, identities = _recordings_and_persons(table)
    if "frame" in table.columns:
        frames = table.whole_numbers("frame")
    elif "person" in table.columns:
        raise RecordingError("a table with a column 'person' needs a column 'frame'")
    else:
        count = Counter[str]()
        numbers = []
        for name in recordings.tolist():
            numbers.append(count[name])
            count[name] += 1
        frames = np.array(numbers)
    _refuse_repetitions(table, list(zip(identities, frames.tolist())), "frame")

    values = np.full((len(frames), len(joint_names), len(kinds)), np.nan)
    for position, name in enumerate(joint_names):
        if name in joints:
            values[:, position] = table.numbers([joints[name][kind] for kind in kinds])
    return _joint_table(joint_names, recordings, frames, np.array(identities), values, kinds)


def _joint_table(
    joint_names: tuple[str, ...],
    recordings: np.ndarray,
    frames: np.ndarray,
    identities: np.ndarray,
    values: np.ndarray,
    kinds: Sequence[str],
) -> _JointTable:
    has_score = "score" in kinds
    score = values[..., -1] if has_score else None
    keypoint = values[..., :-1] if has_score else values
    return _JointTable(joint_names, recordings, frames, identities, keypoint, score)


def _joint_order(names: Sequence[str], options: ReadOptions) -> tuple[str, ...]:
    """Return joint names in the order of the layout if one is given, else as they occur."""
    if len(names) > MAX_JOINTS:
        raise RecordingError("there are too many joints", expected=f"at most {MAX_JOINTS}")
    wanted = () if options.layout is None else options.layout.joint_names
    if options.layout is None or not wanted or all(name.isdigit() for name in names):
        return tuple(names)
    unknown = [name for name in names if name not in wanted]
    if unknown:
        raise RecordingError(
            f"the layout {options.layout.name!r} has no joint {listed(unknown, 3)}",
            expected=f"joints of {listed(wanted, 40)}",
        )
    return wanted


def _recordings_and_persons(table: CsvTable) -> tuple[np.ndarray, list[int]]:
    """Return the recording of each row, and the number of its person, in order of appearance."""
    recordings = table.strings("recording", required=True)
    numbers: dict[tuple[str, str], int] = {}
    identities = [
        numbers.setdefault(key, len(numbers)) for key in zip(recordings, table.strings("person"))
    ]
    return np.array(recordings), identities


def _refuse_repetitions(table: CsvTable, keys: Sequence[Hashable], column: str) -> None:
    """Raise an error that names ``column`` if two rows have the same key."""
    seen: set[Hashable] = set()
    for line, key in zip(table.lines, keys):
        if key in seen:
            raise RecordingError(
                f"this {column} occurs twice",
                key=f"line {line}",
                hint="several persons need a column 'person', several recordings 'recording'",
            )
        seen.add(key)
