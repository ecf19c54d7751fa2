"""Read tables of joints: ``.csv`` (comma or semicolon) and ``.tsv`` (tab), with column names.

Long, one row per joint::

    frame, joint, x, y [, z] [, score] [, person] [, recording]

Wide, one row per frame (and person)::

    [frame,] [person,] [recording,] NAME_x, NAME_y [, NAME_z] [, NAME_score], ...

The order of the columns and the case of their names do not matter. ``NAME_x`` may also be written
``NAME.x``, ``NAME x`` or ``x_NAME``, and numbered joints as ``x0`` or ``0x``, from 0 or 1. There
are other names for score (confidence, likelihood, prob, v ...), frame (frame_no ...), person
(track_id ...) and joint (keypoint, landmark ...). Other columns, such as timestamp, are not read.
Tables of DeepLabCut have three lines of names. A joint whose coordinates are empty or nan was not
seen.
``recording`` is needed for several recordings in a table, ``person`` (a number or a name) for
several persons.

Shapes: D detections (a person in a frame), V joints, C coordinates.
"""

from __future__ import annotations

import re
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
from pyskl.skeleton.joint_names import as_in_layout

_LONG = "frame, joint, x, y [, z] [, score] [, person] [, recording]"
_WIDE = "[frame,] [person,] [recording,] NAME_x, NAME_y [, NAME_z] [, NAME_score], ..."

_SCORES = (*SCORE_NAMES, "prob", "probability", "conf", "v", "c")
# Other names of columns, without separators.
_COLUMNS = {
    **dict.fromkeys(("framenumber", "frameno", "frameid", "frameindex", "frameidx"), "frame"),
    **dict.fromkeys(("personid", "trackid", "bodyid", "personindex"), "person"),
    **dict.fromkeys(("keypoint", "landmark", "bodypart", "jointname", "jointid"), "joint"),
    **dict.fromkeys(("keypointid", "keypointname", "landmarkid", "landmarkname"), "joint"),
    **dict.fromkeys(_SCORES, "score"),
}
_KIND = rf"(?P<kind>x|y|z|{'|'.join(_SCORES)})"
_JOINT_COLUMNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?P<joint>.+?)[_.\s-]{_KIND}",
        rf"(?P<joint>\d+){_KIND}",
        rf"{_KIND}[_.\s-]?(?P<joint>\d+)",
        rf"{_KIND}[_.\s-](?P<joint>.+)",
    )
)


def _joint_column(name: str) -> tuple[str, str] | None:
    """Return the joint and the kind (x, y, z, score) of a column, or None for other columns."""
    for pattern in _JOINT_COLUMNS:
        found = pattern.fullmatch(name)
        if found is not None:
            kind = found["kind"].lower()
            return found["joint"], "score" if kind in _SCORES else kind
    return None


@dataclass
class _JointTable:
    """The content of a long or wide table.

    Attributes:
        left_out: Names of columns that are not read.
        joint_names: In the order of V.
        recordings: Name of the recording of each detection, (D,).
        frames: Frame number of each, (D,).
        identities: Number of the person, (D,), in the order of appearance.
        keypoint: (D, V, C); NaN for joints that were not seen.
        score: (D, V), or None.
    """

    left_out: tuple[str, ...]
    joint_names: tuple[str, ...]
    recordings: np.ndarray
    frames: np.ndarray
    identities: np.ndarray
    keypoint: np.ndarray
    score: np.ndarray | None


def _read(file: InputFile, options: ReadOptions) -> list[Recording]:
    table = CsvTable(file.path)
    for name, column in list(table.columns.items()):
        other = _COLUMNS.get(re.sub(r"[_.\s-]", "", name), name)
        table.columns.setdefault(other, column)
    is_long = {"joint", "x", "y"} <= table.columns.keys()
    content = (_read_long if is_long else _read_wide)(table, options)
    count = len(content.joint_names)
    numbered = content.joint_names in (
        tuple(map(str, range(count))),
        tuple(map(str, range(1, count + 1))),
    )
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
                left_out=content.left_out,
            )
        )
    return found


READER = Reader("csv", (".csv", ".tsv"), _read)


def _read_long(table: CsvTable, options: ReadOptions) -> _JointTable:
    known = {"frame", "joint", "x", "y", "z", "score", "person", "recording"}
    used = [table.columns[name] for name in known & table.columns.keys()]
    left_out = tuple(name for place, name in enumerate(table.names) if place not in used)
    if "frame" not in table.columns:
        raise RecordingError("wrong columns", found=listed(list(table.columns)), expected=_LONG)
    cells = table.strings("joint", required=True)
    names = list(dict.fromkeys(cells))
    if all(name.isdecimal() and name.isascii() and len(name) < 9 for name in names):
        first = _first_number(set(map(int, names)), options)
        count = max(map(int, names)) + 1 - first
        position = {name: int(name) - first for name in names}
        joint_names = _joint_order(list(map(str, range(min(count, MAX_JOINTS + 1)))), options)
    else:
        joint_names = _joint_order(names, options)
        place = {name: joint for joint, name in enumerate(joint_names)}
        position = dict(zip(names, map(place.__getitem__, _spelt(names, options))))
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
        left_out,
        joint_names,
        recordings[rows],
        frames[rows],
        np.array(identities)[rows],
        values,
        kinds,
    )


def _read_wide(table: CsvTable, options: ReadOptions) -> _JointTable:
    joints: dict[str, dict[str, int]] = {}  # columns by joint and by kind: x, y, z, score
    used = [table.columns.get(name) for name in ("frame", "person", "recording")]
    left_out = []
    for column, name in enumerate(table.names):
        if column in used:
            continue
        found = _joint_column(name)
        if found is None:
            left_out.append(name)
            continue
        joint, kind = found
        if joints.setdefault(joint, {}).setdefault(kind, column) != column:
            raise RecordingError(f"joint {joint!r} has two columns for {kind}", key=name)
    if not joints:
        raise RecordingError(
            "there are no joints",
            found=f"the columns {listed(table.names)}",
            expected=f"{_LONG}, or {_WIDE}",
        )
    kinds = [kind for kind in ("x", "y", "z", "score") if kind in next(iter(joints.values()))]
    for joint, columns in joints.items():
        if set(columns) != set(kinds) or not {"x", "y"} <= set(kinds):
            raise unexpected(
                joint,
                listed(sorted(columns)),
                f"at least x and y, and for all joints the same ({listed(kinds)})",
                problem="wrong columns of a joint",
            )
    if all(name.isdecimal() and name.isascii() and len(name) < 9 for name in joints):
        joints = dict(sorted(joints.items(), key=lambda item: int(item[0])))
    joint_names = _joint_order(list(joints), options)
    joints = dict(zip(_spelt(list(joints), options), joints.values()))

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
    return _joint_table(
        tuple(left_out), joint_names, recordings, frames, np.array(identities), values, kinds
    )


def _joint_table(
    left_out: tuple[str, ...],
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
    return _JointTable(left_out, joint_names, recordings, frames, identities, keypoint, score)


def _first_number(numbers: set[int], options: ReadOptions) -> int:
    """Return whether numbered joints start at 0 or 1."""
    if 0 in numbers or numbers != set(range(1, len(numbers) + 1)):
        return 0
    return int(options.layout is None or options.layout.num_joints == len(numbers))


def _spelt(names: Sequence[str], options: ReadOptions) -> tuple[str, ...]:
    """Return joint names as the layout spells them, if one is given."""
    return tuple(names) if options.layout is None else as_in_layout(names, options.layout)


def _joint_order(names: Sequence[str], options: ReadOptions) -> tuple[str, ...]:
    """Return joint names in the order of the layout if one is given, else as they occur."""
    if len(names) > MAX_JOINTS:
        raise RecordingError("there are too many joints", expected=f"at most {MAX_JOINTS}")
    wanted = () if options.layout is None else options.layout.joint_names
    if options.layout is None or not wanted or all(name.isdigit() for name in names):
        return tuple(names)
    unknown = [name for name in _spelt(names, options) if name not in wanted]
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
