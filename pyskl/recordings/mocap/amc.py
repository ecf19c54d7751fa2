"""Read Acclaim motion (``.amc``) with its skeleton (``.asf``), as in CMU's and HDM05's databases.

In the ASF, a bone has a direction and a length in world axes (rest pose), its own axes (``axis``),
and degrees of freedom about them (``dof``). With the rotation C of its axes and M of its angles, a
bone is rotated against its parent by C M C⁻¹. Its end is the parent's end plus its rotated
direction times its length. Joints are the root and the ends of the bones, in the order of the ASF.
Rotations named later are applied later (``axis 10 20 30 XYZ`` is Rz Ry Rx). Units are those of the
file; CMU's are 1 / 0.45 inches.

Source: the Acclaim formats as described by Jeff Lander, "Working with Motion Capture File Formats",
Game Developer, January 1998.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pyskl.recordings.input_file import InputFile, read_text
from pyskl.recordings.mocap.hierarchy import axis_rotation, finite_numbers, hierarchy_layout
from pyskl.recordings.numbers import MAX_JOINTS, brief, listed, seen_joints, unexpected
from pyskl.recordings.reader import Reader, ReadOptions
from pyskl.recordings.recording import Recording, RecordingError

_DOF = ("tx", "ty", "tz", "rx", "ry", "rz", "l")


@dataclass
class Bone:
    """One bone, or the root.

    Attributes:
        name: Its name.
        direction: Unit vector in the rest pose, (3,); zero for the root.
        length: In the file's units.
        axis: The bone's own axes as a rotation, (3, 3).
        dof: Degrees of freedom in the order of the AMC's values, of ``tx ty tz rx ry rz l``.
        parent: Its parent in the list of bones, -1 for the root.
        position: Of the root, (3,).
    """

    name: str
    direction: np.ndarray = field(default_factory=lambda: np.zeros(3))
    length: float = 0.0
    axis: np.ndarray = field(default_factory=lambda: np.eye(3))
    dof: list[str] = field(default_factory=list)
    parent: int = -1
    position: np.ndarray = field(default_factory=lambda: np.zeros(3))


def _read(file: InputFile, options: ReadOptions) -> list[Recording]:
    asf = options.asf or _find_asf(file.path)
    if not asf.is_file():
        raise RecordingError("there is no such skeleton (ASF)", file=asf)
    try:
        bones, in_degrees = _read_asf(asf)
    except RecordingError as error:
        raise error.in_file(asf) from error
    positions = _positions(bones, _read_amc(file, bones), in_degrees)  # T, V, 3
    keypoint, _ = seen_joints(positions[None], None)
    names = [bone.name for bone in bones]
    return [
        Recording(
            file.path.stem,
            keypoint,
            fps=options.fps,
            own_layout=hierarchy_layout(asf.stem, names, [bone.parent for bone in bones]),
            joint_names=tuple(names),
        )
    ]


READER = Reader("amc", (".amc",), _read)


def _find_asf(path: Path) -> Path:
    """Return the ASF whose name is a prefix of the motion's, or the only one in the folder."""
    found = sorted(file for file in path.parent.iterdir() if file.suffix.lower() == ".asf")
    fitting = [file for file in found if path.stem.lower().startswith(file.stem.lower())]
    if fitting:
        return max(fitting, key=lambda file: len(file.stem))
    if len(found) == 1:
        return found[0]
    raise RecordingError(
        "the skeleton of this motion is unclear",
        found=listed([file.name for file in found], 4) or "no .asf in its folder",
        hint="name it (asf, --asf)",
    )


# --- the skeleton ---------------------------------------------------------------------------------


def _read_asf(path: Path) -> tuple[list[Bone], bool]:
    """Return the bones, parents before children, and whether angles are in degrees."""
    sections: dict[str, list[tuple[str, list[str]]]] = {}  # lines: place and words
    section = ""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        words = line.split("#")[0].split()
        if words and words[0].startswith(":"):
            section = words[0].lower()
            words = words[1:]
        if words:
            sections.setdefault(section, []).append((f"line {number}", words))
    for needed in (":bonedata", ":hierarchy"):
        if needed not in sections:
            raise RecordingError(f"there is no section {needed}", hint="not an ASF file")
    in_degrees = True
    for _, words in sections.get(":units", []):
        if words[0].lower() == "angle" and len(words) > 1:
            in_degrees = not words[1].lower().startswith("rad")
    bones = [_root(sections.get(":root", []), in_degrees)]
    bones += _bones(sections[":bonedata"], in_degrees)
    return _in_tree_order(bones, sections[":hierarchy"]), in_degrees


def _root(lines: list[tuple[str, list[str]]], in_degrees: bool) -> Bone:
    root = Bone("root", dof=["tx", "ty", "tz", "rx", "ry", "rz"])
    angles, axes = np.zeros(3), "xyz"
    for where, (key, *words) in lines:
        if key.lower() == "order":
            root.dof = _dof(words, where)
        elif key.lower() == "axis":
            axes = _axis_order(words, where)
        elif key.lower() == "position":
            root.position = finite_numbers(words, where, 3)
        elif key.lower() == "orientation":
            angles = finite_numbers(words, where, 3)
    root.axis = _rotation(angles, axes, in_degrees)
    return root


def _bones(lines: list[tuple[str, list[str]]], in_degrees: bool) -> list[Bone]:
    bones: list[Bone] = []
    bone: Bone | None = None
    for where, (word, *words) in lines:
        key = word.lower()
        if key == "begin":
            bone = Bone("")
        elif bone is None:
            raise unexpected(where, word, "begin")
        elif key == "end":
            if bone.name in ("", "root", *(other.name for other in bones)):
                raise RecordingError(
                    "missing or repeated name of a bone", key=where, found=brief(bone.name)
                )
            if len(bones) == MAX_JOINTS - 1:
                raise RecordingError("too many bones", key=where, expected=f"below {MAX_JOINTS}")
            bones.append(bone)
            bone = None
        elif key == "name":
            bone.name = " ".join(words)
        elif key == "direction":
            direction = finite_numbers(words, where, 3)
            bone.direction = direction / max(float(np.linalg.norm(direction)), 1e-12)
        elif key == "length":
            bone.length = float(finite_numbers(words, where, 1)[0])
        elif key == "axis":
            axes = _axis_order(words[3:], where)
            bone.axis = _rotation(finite_numbers(words[:3], where, 3), axes, in_degrees)
        elif key == "dof":
            bone.dof = _dof(words, where)
        # id, limits and bodymass have no influence on positions
    return bones


def _dof(words: list[str], where: str) -> list[str]:
    found = [word.lower() for word in words]
    if len(set(found)) < len(found) or not set(found) <= set(_DOF):
        raise unexpected(
            where,
            " ".join(words),
            f"different ones of {', '.join(_DOF)}",
            problem="wrong degrees of freedom",
        )
    return found


def _axis_order(words: list[str], where: str) -> str:
    axes = "".join(words).lower()
    if sorted(axes) != ["x", "y", "z"]:
        raise unexpected(where, axes, "such as XYZ", problem="wrong order of axes")
    return axes


def _rotation(angles: np.ndarray, axes: str, in_degrees: bool) -> np.ndarray:
    """Return the rotations by angles (..., n) about ``axes``, the first one first."""
    degrees = angles if in_degrees else np.rad2deg(angles)
    matrix = np.broadcast_to(np.eye(3), (*angles.shape[:-1], 3, 3))
    for position, axis in enumerate(axes):
        matrix = axis_rotation(axis, degrees[..., position]) @ matrix
    return matrix


def _in_tree_order(bones: list[Bone], lines: list[tuple[str, list[str]]]) -> list[Bone]:
    """Set the parents; return parents before children, otherwise in the file's order."""
    place = {bone.name: number for number, bone in enumerate(bones)}
    for where, words in lines:
        if words[0].lower() in ("begin", "end"):
            continue
        for word in words:
            if word not in place:
                raise RecordingError("there is no such bone", key=where, found=brief(word))
        for child in words[1:]:
            if bones[place[child]].parent >= 0 or child == "root":
                raise RecordingError("the bone has a parent already", key=where, found=brief(child))
            bones[place[child]].parent = place[words[0]]
    orphans = [bone.name for bone in bones[1:] if bone.parent < 0]
    if orphans:
        raise RecordingError("bones without a parent", key=":hierarchy", found=listed(orphans, 4))
    order = [0]
    while len(order) < len(bones):
        ready = (n for n, bone in enumerate(bones) if n not in order and bone.parent in order)
        number = next(ready, None)
        if number is None:
            raise RecordingError("the hierarchy is not a tree", key=":hierarchy")
        order.append(number)
    ordered = [bones[number] for number in order]
    for bone in ordered[1:]:
        bone.parent = order.index(bone.parent)
    return ordered


# --- the motion -----------------------------------------------------------------------------------


def _read_amc(file: InputFile, bones: list[Bone]) -> dict[str, np.ndarray]:
    """Return the values of each bone that moves, (T, dof)."""
    by_name = {bone.name: bone for bone in bones}
    frames: list[dict[str, np.ndarray]] = []
    for number, line in enumerate(file.text().split("\n"), start=1):
        words = line.split("#")[0].split()
        if not words or words[0].startswith(":"):
            continue
        where = f"line {number}"
        if len(words) == 1 and words[0].isdigit():
            frames.append({})
        elif words[0] not in by_name:
            raise RecordingError("the skeleton has no such bone", key=where, found=brief(words[0]))
        elif not frames:
            raise unexpected(where, line, "the number of a frame")
        elif words[0] in frames[-1]:
            raise RecordingError("the bone occurs twice in this frame", key=where, found=words[0])
        else:
            count = len(by_name[words[0]].dof)
            frames[-1][words[0]] = finite_numbers(words[1:], where, count)
    if not frames:
        raise RecordingError("there are no frames")
    moving = {name for frame in frames for name in frame}
    for position, frame in enumerate(frames, start=1):
        if set(frame) != moving:
            raise RecordingError(
                "bones are missing in a frame",
                key=f"frame {position}",
                found=listed(sorted(moving - set(frame)), 4),
                hint="the file may be cut short",
            )
    return {name: np.stack([frame[name] for frame in frames]) for name in moving} or {
        "root": np.zeros((len(frames), 6))
    }


def _positions(bones: list[Bone], values: dict[str, np.ndarray], in_degrees: bool) -> np.ndarray:
    """Return the positions of the root and the bones' ends, (T, V, 3)."""
    count = len(next(iter(values.values())))
    ends = np.zeros((count, len(bones), 3))
    rotations: list[np.ndarray] = []  # of each bone (T, 3, 3)
    zero = np.zeros(count)
    for number, bone in enumerate(bones):
        moved = values.get(bone.name, np.zeros((count, len(bone.dof))))
        dof = {name: moved[:, column] for column, name in enumerate(bone.dof)}
        axes = "".join(name[1] for name in bone.dof if name[0] == "r")
        angles = np.stack([dof[f"r{axis}"] for axis in axes] or [zero], axis=1)
        rotation = bone.axis @ _rotation(angles, axes, in_degrees) @ bone.axis.T
        shift = np.stack([dof.get(f"t{axis}", zero) for axis in "xyz"], axis=1)
        if bone.parent < 0:
            ends[:, number] = bone.position + shift
        else:
            rotation = rotations[bone.parent] @ rotation
            vector = bone.direction * (bone.length + dof.get("l", zero))[:, None] + shift
            ends[:, number] = ends[:, bone.parent] + (rotation @ vector[..., None])[..., 0]
        rotations.append(rotation)
    return ends
