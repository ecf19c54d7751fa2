"""Acclaim skeletons (``.asf``): bones, their own axes, and what moves.

Rotations named later are done later: ``axis 10 20 30 XYZ`` is Rz Ry Rx. See
:mod:`pyskl.recordings.mocap.amc` for what a bone does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pyskl.recordings.json_file import read_text
from pyskl.recordings.mocap.rotation import axis_rotation
from pyskl.recordings.numbers import LARGEST, MAX_JOINTS, brief, listed
from pyskl.recordings.recording import RecordingError

_DOF = ("tx", "ty", "tz", "rx", "ry", "rz", "l")


@dataclass
class Bone:
    """One bone, or the root.

    Attributes:
        name: Its name.
        direction: Unit vector in the rest pose, (3,); of the root zero.
        length: In the file's units.
        axis: The bone's own axes as a rotation, (3, 3).
        dof: What moves, in the order of the AMC's values: of ``tx ty tz rx ry rz l``.
        turns: The order of the rotations, such as ``'xyz'``: x is done first.
        parent: Its parent in the list of bones, -1 for the root.
    """

    name: str
    direction: np.ndarray = field(default_factory=lambda: np.zeros(3))
    length: float = 0.0
    axis: np.ndarray = field(default_factory=lambda: np.eye(3))
    dof: list[str] = field(default_factory=list)
    turns: str = "xyz"
    parent: int = -1
    position: np.ndarray = field(default_factory=lambda: np.zeros(3))


def read_asf(path: Path) -> tuple[list[Bone], bool]:
    """Return the bones, parents before children, and whether angles are in degrees."""
    sections: dict[str, list[tuple[int, list[str]]]] = {}
    section = ""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        words = line.split("#")[0].split()
        if words and words[0].startswith(":"):
            section = words[0].lower()
            words = words[1:]
        if words:
            sections.setdefault(section, []).append((number, words))
    for needed in (":bonedata", ":hierarchy"):
        if needed not in sections:
            raise RecordingError(f"{path}: there is no section {needed}; this is no ASF skeleton")
    in_degrees = True
    for _, words in sections.get(":units", []):
        if words[0].lower() == "angle" and len(words) > 1:
            in_degrees = not words[1].lower().startswith("rad")
    bones = [_root(sections.get(":root", []), path, in_degrees)]
    bones += _bones(sections[":bonedata"], path, in_degrees)
    return _in_order(bones, sections[":hierarchy"], path), in_degrees


def finite_numbers(words: list[str], count: int, where: str) -> np.ndarray:
    try:
        values = np.array([float(word) for word in words])
    except ValueError:
        values = np.array([np.nan])
    if len(values) != count or not np.isfinite(values).all() or np.abs(values).max() > LARGEST:
        raise RecordingError(f"{where}: expected {count} numbers, found {brief(' '.join(words))}")
    return values


def _turns(word: str, where: str) -> str:
    turns = word.lower()
    if sorted(turns) != ["x", "y", "z"]:
        raise RecordingError(f"{where}: expected an order of axes such as XYZ, found {brief(word)}")
    return turns


def rotation_of(angles: np.ndarray, turns: str, in_degrees: bool) -> np.ndarray:
    """Return the rotations by angles (..., 3); the first is about the first of ``turns``."""
    degrees = angles if in_degrees else np.rad2deg(angles)
    matrix = np.broadcast_to(np.eye(3), (*angles.shape[:-1], 3, 3))
    for position, axis in enumerate(turns):
        matrix = axis_rotation(axis, degrees[..., position]) @ matrix
    return matrix


def _root(lines: list[tuple[int, list[str]]], path: Path, in_degrees: bool) -> Bone:
    root = Bone("root", dof=["tx", "ty", "tz", "rx", "ry", "rz"])
    angles, turns = np.zeros(3), "xyz"
    for number, words in lines:
        where, key = f"{path}, line {number}", words[0].lower()
        if key == "order":
            root.dof = _dof(words[1:], where)
            root.turns = "".join(dof[1] for dof in root.dof if dof[0] == "r") or "xyz"
        elif key == "axis":
            turns = _turns("".join(words[1:]), where)
        elif key == "position":
            root.position = finite_numbers(words[1:], 3, where)
        elif key == "orientation":
            angles = finite_numbers(words[1:], 3, where)
    root.axis = rotation_of(angles, turns, in_degrees)
    return root


def _dof(words: list[str], where: str) -> list[str]:
    found = [word.lower() for word in words]
    if len(set(found)) < len(found) or not set(found) <= set(_DOF):
        raise RecordingError(
            f"{where}: expected degrees of freedom of {', '.join(_DOF)}, found "
            f"{brief(' '.join(words))}"
        )
    return found


def _bones(lines: list[tuple[int, list[str]]], path: Path, in_degrees: bool) -> list[Bone]:
    bones: list[Bone] = []
    bone: Bone | None = None
    for number, words in lines:
        where, key = f"{path}, line {number}", words[0].lower()
        if key == "begin":
            bone = Bone("")
        elif bone is None:
            raise RecordingError(f"{where}: expected begin, found {brief(words[0])}")
        elif key == "end":
            if not bone.name or bone.name in ("root", *(other.name for other in bones)):
                raise RecordingError(f"{where}: the bone has no name of its own: {bone.name!r}")
            bones.append(bone)
            bone = None
            if len(bones) >= MAX_JOINTS:
                raise RecordingError(f"{where}: more than {MAX_JOINTS} bones")
        elif key == "name":
            bone.name = " ".join(words[1:])
        elif key == "direction":
            direction = finite_numbers(words[1:], 3, where)
            bone.direction = direction / max(float(np.linalg.norm(direction)), 1e-12)
        elif key == "length":
            bone.length = float(finite_numbers(words[1:], 1, where)[0])
        elif key == "axis":
            bone.turns = _turns("".join(words[4:]), where)
            bone.axis = rotation_of(finite_numbers(words[1:4], 3, where), bone.turns, in_degrees)
        elif key == "dof":
            bone.dof = _dof(words[1:], where)
        # id, limits and bodymass say nothing of where joints are
    return bones


def _in_order(bones: list[Bone], lines: list[tuple[int, list[str]]], path: Path) -> list[Bone]:
    """Set the parents; return the bones in the file's order, or where that won't do a tree's."""
    place = {bone.name: number for number, bone in enumerate(bones)}
    for number, words in lines:
        if words[0].lower() in ("begin", "end"):
            continue
        where = f"{path}, line {number}"
        unknown = [word for word in words if word not in place]
        if unknown:
            raise RecordingError(f"{where}: there is no bone {brief(unknown[0])}")
        for child in words[1:]:
            if bones[place[child]].parent >= 0 or child == "root":
                raise RecordingError(f"{where}: bone {brief(child)} has a parent already")
            bones[place[child]].parent = place[words[0]]
    loose = [bone.name for bone in bones[1:] if bone.parent < 0]
    if loose:
        raise RecordingError(f"{path}: the hierarchy leaves out {listed(loose, 4)}")
    # Parents before children, for forward kinematics.
    ordered, done = [0], {0}
    while len(ordered) < len(bones):
        ready = [
            number
            for number, bone in enumerate(bones)
            if number not in done and bone.parent in done
        ]
        if not ready:
            raise RecordingError(f"{path}: the hierarchy is no tree")
        # The first only: the file's order stays where it is one of a tree.
        ordered.append(ready[0])
        done.add(ready[0])
    new = {old: position for position, old in enumerate(ordered)}
    result = [bones[old] for old in ordered]
    for bone in result[1:]:
        bone.parent = new[bone.parent]
    return result
