"""Biovision hierarchies (``.bvh``): a tree of joints and, frame by frame, their angles.

The rotation of a joint is the product of its rotations in the order of its channels. Position
channels take the place of the joint's OFFSET, axis by axis, as in Blender's importer; for the usual
root, whose OFFSET is zero, this is the same as adding it. Units are those of the file.

Source: Meredith and Maddock, "Motion Capture File Formats Explained", University of Sheffield,
CS-01-11, 2001.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pyskl.recordings.json_file import read_text
from pyskl.recordings.mocap.hierarchy import hierarchy_layout
from pyskl.recordings.mocap.rotation import axis_rotation
from pyskl.recordings.numbers import LARGEST, MAX_JOINTS, brief, seen_joints
from pyskl.recordings.options import ReadOptions
from pyskl.recordings.recording import Recording, RecordingError

_CHANNELS = {f"{axis}{kind}": (axis, kind) for axis in "xyz" for kind in ("position", "rotation")}


@dataclass
class _Joint:
    """One joint of the tree.

    Attributes:
        name: Its name; of the end of a bone, that of its joint and ``_end``.
        parent: The number of its parent, -1 for the root.
        offset: From the parent, (3,).
        channels: What moves: (axis, 'position' or 'rotation') in the order of the file.
        end: Whether it is the end of the last bone.
    """

    name: str
    parent: int
    offset: np.ndarray
    channels: list[tuple[str, str]] = field(default_factory=list)
    end: bool = False


def read(path: Path, options: ReadOptions) -> list[Recording]:
    """Read a ``.bvh`` file; the ends of bones are joints where the options say so."""
    lines = [line.split() for line in read_text(path).split("\n")]
    head = next(
        (n for n, line in enumerate(lines) if [word.upper() for word in line] == ["MOTION"]), None
    )
    if head is None:
        raise RecordingError(f"{path}: there is no line MOTION; this is no BVH file, or cut short")
    joints = _hierarchy(lines[:head], path)
    values, frame_time = _motion(lines, head + 1, joints, path)
    kept = [number for number, joint in enumerate(joints) if options.end_sites or not joint.end]
    names = [joints[number].name for number in kept]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise RecordingError(f"{path}: several joints are called {brief(twice[0])}")
    place = {number: position for position, number in enumerate(kept)}
    parents = [place.get(joints[number].parent, -1) for number in kept]
    positions = _positions(joints, values)[:, kept]  # T, V, 3
    keypoint, _ = seen_joints(positions[None], None, str(path))
    return [
        Recording(
            path.stem,
            keypoint,
            fps=1 / frame_time if frame_time else options.fps,
            own_layout=hierarchy_layout(path.stem, names, parents),
            joint_names=tuple(names),
        )
    ]


def _hierarchy(lines: list[list[str]], path: Path) -> list[_Joint]:
    """Return the joints, parents before children."""
    words = [(number, word) for number, line in enumerate(lines, start=1) for word in line]
    reader = _Words(words, path)
    reader.expect("HIERARCHY")
    joints: list[_Joint] = []
    open_joints: list[int] = []  # the joints whose braces are open
    while True:
        word = reader.next("ROOT, JOINT, End, OFFSET, CHANNELS or }")
        kind = word.upper()
        if kind in ("ROOT", "JOINT", "END"):
            if (kind == "ROOT") == bool(open_joints) or (kind == "ROOT" and joints):
                raise reader.fault(f"{word} at the wrong place; a file has one ROOT around all")
            parent = open_joints[-1] if open_joints else -1
            if kind == "END":
                reader.expect("Site")
                name = f"{joints[parent].name}_end"
                number = sum(joint.end and joint.parent == parent for joint in joints)
                name += str(number + 1) if number else ""
            else:
                name = reader.name()
            if kind == "END" and not reader.follows("{"):
                reader.name()  # which some programs write, and nobody reads
            reader.expect("{")
            if len(joints) >= MAX_JOINTS:
                raise reader.fault(f"more than {MAX_JOINTS} joints")
            joints.append(_Joint(name, parent, np.zeros(3), end=kind == "END"))
            open_joints.append(len(joints) - 1)
        elif not open_joints:
            raise reader.fault(f"expected ROOT, found {brief(word)}")
        elif kind == "OFFSET":
            joints[open_joints[-1]].offset = np.array([reader.number() for _ in range(3)])
        elif kind == "CHANNELS":
            joints[open_joints[-1]].channels = reader.channels()
        elif word == "}":
            open_joints.pop()
            if not open_joints:
                break
        else:
            raise reader.fault(f"expected JOINT, End, OFFSET, CHANNELS or }}, found {brief(word)}")
    if not reader.at_end():
        raise reader.fault("a second skeleton; a file has one ROOT around all")
    return joints


class _Words:
    """Hands out the words of the hierarchy, and words what is wrong with them.

    Args:
        words: (line, word) each.
        path: The file, for messages.
    """

    def __init__(self, words: list[tuple[int, str]], path: Path) -> None:
        self.words, self.path, self.position = words, path, 0

    def at_end(self) -> bool:
        return self.position >= len(self.words)

    def fault(self, what: str) -> RecordingError:
        line = self.words[max(0, self.position - 1)][0] if self.words else 1
        return RecordingError(f"{self.path}, line {line}: {what}")

    def next(self, expected: str) -> str:
        if self.at_end():
            raise self.fault(f"the hierarchy ends early, expected {expected}")
        self.position += 1
        return self.words[self.position - 1][1]

    def follows(self, word: str) -> bool:
        return not self.at_end() and self.words[self.position][1] == word

    def expect(self, wanted: str) -> None:
        word = self.next(wanted)
        if word.upper() != wanted.upper():
            raise self.fault(f"expected {wanted}, found {brief(word)}")

    def name(self) -> str:
        """Return a joint's name, which may have blanks: up to the end of the line or a brace."""
        parts = [self.next("a joint's name")]
        line = self.words[self.position - 1][0]
        while not self.at_end() and self.words[self.position] != (line, "{"):
            if self.words[self.position][0] != line:
                break
            parts.append(self.next("{"))
        return " ".join(parts)

    def number(self) -> float:
        word = self.next("a number")
        try:
            value = float(word)
        except ValueError:
            raise self.fault(f"expected a number, found {brief(word)}") from None
        if not np.isfinite(value):
            raise self.fault(f"expected a number, found {brief(word)}")
        return value

    def channels(self) -> list[tuple[str, str]]:
        count = self.number()
        if not count.is_integer() or not 0 <= count <= 6:
            raise self.fault(f"expected 0 to 6 channels, found {count:g}")
        found = []
        for _ in range(int(count)):
            word = self.next("a channel")
            if word.lower() not in _CHANNELS:
                raise self.fault(
                    f"expected a channel such as Xposition or Zrotation, found {brief(word)}"
                )
            found.append(_CHANNELS[word.lower()])
        return found


def _motion(
    lines: list[list[str]], start: int, joints: list[_Joint], path: Path
) -> tuple[np.ndarray, float]:
    """Return the values of all channels, (T, channels), and the seconds of a frame (0: unknown)."""
    announced, frame_time = None, 0.0
    channels = sum(len(joint.channels) for joint in joints)
    rows = []
    for number, words in enumerate(lines[start:], start=start + 1):
        if not words:
            continue
        where = f"{path}, line {number}"
        key = " ".join(words[:-1]).lower().replace(" :", ":")
        if key == "frames:":
            announced = int(_finite(words[-1:], where)[0])
        elif key == "frame time:":
            frame_time = float(_finite(words[-1:], where)[0])
            if not (frame_time == 0 or 1e-6 <= frame_time <= 1e6):
                raise RecordingError(f"{where}: a frame of {frame_time:g} s, expected seconds")
        elif len(words) != channels:
            raise RecordingError(
                f"{where}: {len(words)} values, expected {channels}, one for each channel"
            )
        else:
            rows.append(_finite(words, where))
    if announced is None:
        raise RecordingError(f"{path}: there is no line 'Frames:' after MOTION")
    if not rows or len(rows) != announced:
        raise RecordingError(
            f"{path}: {announced} frames are announced, {len(rows)} follow; the file may be cut "
            "short"
        )
    return np.stack(rows), frame_time


def _finite(words: list[str], where: str) -> np.ndarray:
    try:
        values = np.array([float(word) for word in words])
    except ValueError:
        values = np.array([np.nan])
    if not np.isfinite(values).all() or np.abs(values).max() > LARGEST:
        raise RecordingError(f"{where}: expected numbers, found {brief(' '.join(words))}")
    return values


def _positions(joints: list[_Joint], values: np.ndarray) -> np.ndarray:
    """Return where all joints are, (T, V, 3), by forward kinematics.

    Args:
        joints: Parents before children.
        values: Of all channels, (T, channels).
    """
    frames = len(values)
    positions = np.zeros((frames, len(joints), 3))
    turned: list[np.ndarray] = []  # of each joint (T, 3, 3)
    column = 0
    for number, joint in enumerate(joints):
        place = np.tile(joint.offset, (frames, 1))
        turn = np.broadcast_to(np.eye(3), (frames, 3, 3))
        for axis, kind in joint.channels:
            if kind == "position":
                place[:, "xyz".index(axis)] = values[:, column]
            else:
                turn = turn @ axis_rotation(axis, values[:, column])
            column += 1
        if joint.parent >= 0:
            place = positions[:, joint.parent] + (turned[joint.parent] @ place[..., None])[..., 0]
            turn = turned[joint.parent] @ turn
        positions[:, number] = place
        turned.append(turn)
    return positions
