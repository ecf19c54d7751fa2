"""Read Biovision hierarchies (``.bvh``): a tree of joints, and their angles in each frame.

The rotation of a joint is the product of its rotations in the order of its channels. Position
channels replace the joint's OFFSET axis by axis, as in Blender's importer; for the usual root,
whose OFFSET is zero, this equals adding them. Units are those of the file.

Source: Meredith and Maddock, "Motion Capture File Formats Explained", University of Sheffield,
CS-01-11, 2001.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pyskl.recordings.input_file import InputFile
from pyskl.recordings.mocap.hierarchy import axis_rotation, finite_numbers, hierarchy_layout
from pyskl.recordings.numbers import MAX_JOINTS, brief, seen_joints, unexpected
from pyskl.recordings.reader import Reader, ReadOptions
from pyskl.recordings.recording import Recording, RecordingError

_CHANNELS = {f"{axis}{kind}": (axis, kind) for axis in "xyz" for kind in ("position", "rotation")}


@dataclass
class _Joint:
    """One joint of the tree.

    Attributes:
        name: Its name; for an end site, its parent's name and ``_end``.
        parent: The number of its parent, -1 for the root.
        offset: From the parent, (3,).
        channels: (axis, 'position' or 'rotation') in the order of the file.
        end: Whether it is an end site.
    """

    name: str
    parent: int
    offset: np.ndarray = field(default_factory=lambda: np.zeros(3))
    channels: list[tuple[str, str]] = field(default_factory=list)
    end: bool = False


def _read(file: InputFile, options: ReadOptions) -> list[Recording]:
    lines = [line.split() for line in file.text().split("\n")]
    heads = [n for n, line in enumerate(lines) if [word.upper() for word in line] == ["MOTION"]]
    if not heads:
        raise RecordingError("there is no line MOTION", hint="not a BVH file, or cut short")
    joints = _hierarchy(lines[: heads[0]])
    values, frame_time = _motion(lines, heads[0] + 1, sum(len(j.channels) for j in joints))
    kept = [number for number, joint in enumerate(joints) if options.end_sites or not joint.end]
    names = [joints[number].name for number in kept]
    if len(set(names)) < len(names):
        raise RecordingError(
            "several joints have the same name",
            found=brief(next(name for name in names if names.count(name) > 1)),
        )
    place = {number: position for position, number in enumerate(kept)}
    parents = [place.get(joints[number].parent, -1) for number in kept]
    keypoint, _ = seen_joints(_positions(joints, values)[None, :, kept], None)
    return [
        Recording(
            file.path.stem,
            keypoint,
            fps=1 / frame_time if frame_time else options.fps,
            own_layout=hierarchy_layout(file.path.stem, names, parents),
            joint_names=tuple(names),
        )
    ]


READER = Reader("bvh", (".bvh",), _read)


def _hierarchy(lines: list[list[str]]) -> list[_Joint]:
    """Parse the part before MOTION; return the joints, parents before children."""
    words = [(number, word) for number, line in enumerate(lines, 1) for word in line]
    position = 0
    joints: list[_Joint] = []
    open_joints: list[int] = []  # with open braces

    def error(expected: str, found: str) -> RecordingError:
        line = words[max(0, position - 1)][0] if words else 1
        return unexpected(f"line {line}", found, expected)

    def next_word(expected: str, *, exact: bool = False) -> str:
        nonlocal position
        if position >= len(words):
            raise error(expected, "the end of the hierarchy")
        position += 1
        word = words[position - 1][1]
        if exact and word.upper() != expected.upper():
            raise error(expected, word)
        return word

    def name_before_brace() -> str:
        """Return a name, which may have blanks: it ends with the line or at the brace."""
        parts: list[str] = []
        while position < len(words) and words[position][1] != "{":
            if parts and words[position][0] != words[position - 1][0]:
                break
            parts.append(next_word("a name"))
        next_word("{", exact=True)
        return " ".join(parts)

    next_word("HIERARCHY", exact=True)
    while open_joints or not joints:
        word = next_word("ROOT, JOINT, End, OFFSET, CHANNELS or }")
        kind = word.upper()
        if kind in ("ROOT", "JOINT", "END"):
            if (kind == "ROOT") == bool(joints):
                raise error("one ROOT around all joints", word)
            parent = open_joints[-1] if open_joints else -1
            if kind == "END":
                next_word("Site", exact=True)
            name = name_before_brace()
            if kind == "END":  # some programs write names of end sites, which are not used
                number = sum(joint.end and joint.parent == parent for joint in joints) + 1
                name = f"{joints[parent].name}_end{number if number > 1 else ''}"
            if not name:
                raise error("the name of a joint", "{")
            if len(joints) >= MAX_JOINTS:
                raise error(f"at most {MAX_JOINTS} joints", "more")
            joints.append(_Joint(name, parent, end=kind == "END"))
            open_joints.append(len(joints) - 1)
        elif not open_joints:
            raise error("ROOT", word)
        elif kind == "OFFSET":
            offset = [next_word("a number") for _ in range(3)]
            where = f"line {words[position - 1][0]}"
            joints[open_joints[-1]].offset = finite_numbers(offset, where, 3)
        elif kind == "CHANNELS":
            count = next_word("a number")
            if count not in ("0", "1", "2", "3", "4", "5", "6"):
                raise error("0 to 6 channels", count)
            channels = joints[open_joints[-1]].channels = []
            for _ in range(int(count)):
                channel = next_word("a channel")
                if channel.lower() not in _CHANNELS:
                    raise error("a channel such as Xposition or Zrotation", channel)
                channels.append(_CHANNELS[channel.lower()])
        elif word == "}":
            open_joints.pop()
        else:
            raise error("JOINT, End, OFFSET, CHANNELS or }", word)
    if position < len(words):
        raise error("MOTION after one ROOT around all joints", words[position][1])
    return joints


def _motion(lines: list[list[str]], start: int, channels: int) -> tuple[np.ndarray, float]:
    """Return the values of all channels, (T, channels), and seconds per frame (0: unknown)."""
    announced, frame_time = None, 0.0
    rows = []
    for number, words in enumerate(lines[start:], start=start + 1):
        where = f"line {number}"
        key = " ".join(words[:-1]).lower().replace(" :", ":")
        if key == "frames:":
            announced = int(finite_numbers(words[-1:], where)[0])
        elif key == "frame time:":
            frame_time = float(finite_numbers(words[-1:], where)[0])
            if not (frame_time == 0 or 1e-6 <= frame_time <= 1e6):
                raise RecordingError(
                    "not a frame time", key=where, found=frame_time, expected="seconds"
                )
        elif words:
            rows.append(finite_numbers(words, where, channels))
    if announced is None:
        raise RecordingError("there is no line 'Frames:' after MOTION")
    if not rows or len(rows) != announced:
        raise RecordingError(
            "wrong number of frames",
            found=len(rows),
            expected=f"{announced}, as announced",
            hint="the file may be cut short",
        )
    return np.stack(rows), frame_time


def _positions(joints: list[_Joint], values: np.ndarray) -> np.ndarray:
    """Return the positions of all joints, (T, V, 3), by forward kinematics.

    Args:
        joints: Parents before children.
        values: Of all channels, (T, channels).
    """
    frames = len(values)
    positions = np.zeros((frames, len(joints), 3))
    rotations: list[np.ndarray] = []  # of each joint (T, 3, 3)
    column = 0
    for number, joint in enumerate(joints):
        place = np.tile(joint.offset, (frames, 1))
        rotation = np.broadcast_to(np.eye(3), (frames, 3, 3))
        for axis, kind in joint.channels:
            if kind == "position":
                place[:, "xyz".index(axis)] = values[:, column]
            else:
                rotation = rotation @ axis_rotation(axis, values[:, column])
            column += 1
        if joint.parent >= 0:
            parent = rotations[joint.parent]
            place = positions[:, joint.parent] + (parent @ place[..., None])[..., 0]
            rotation = parent @ rotation
        positions[:, number] = place
        rotations.append(rotation)
    return positions
