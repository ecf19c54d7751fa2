"""Acclaim motion (``.amc``) on its skeleton (``.asf``), as of the CMU and HDM05 databases.

A bone of the ASF has a direction and a length in the world's axes of the rest pose, axes of its
own (``axis``) and degrees of freedom (``dof``) about them. With C the rotation of its axes and M
that of its angles, a bone turns against its parent by C M C⁻¹, and ends where its parent ends plus
its direction, turned, times its length. Joints are the root and the ends of the bones, in the order
of the ASF. Rotations named later are done later (``axis 10 20 30 XYZ`` is Rz Ry Rx). Units are
those of the file; CMU's are 1 / 0.45 inches.

Source: the Acclaim formats as described by Jeff Lander, "Working with Motion Capture File Formats",
Game Developer, January 1998.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pyskl.recordings.json_file import read_text
from pyskl.recordings.mocap.asf import Bone, finite_numbers, read_asf, rotation_of
from pyskl.recordings.mocap.hierarchy import hierarchy_layout
from pyskl.recordings.numbers import brief, listed, seen_joints
from pyskl.recordings.options import ReadOptions
from pyskl.recordings.recording import Recording, RecordingError


def read(path: Path, options: ReadOptions) -> list[Recording]:
    """Read an ``.amc`` file with its ``.asf``; frames per second are not in it."""
    asf = options.asf or find_asf(path)
    if not asf.is_file():
        raise RecordingError(f"{asf}: there is no such skeleton (ASF)")
    bones, in_degrees = read_asf(asf)
    frames = _read_amc(path, bones)
    positions = _positions(bones, frames, in_degrees)  # T, V, 3
    keypoint, _ = seen_joints(positions[None], None, str(path))
    names = [bone.name for bone in bones]
    return [
        Recording(
            path.stem,
            keypoint,
            fps=options.fps,
            own_layout=hierarchy_layout(asf.stem, names, [bone.parent for bone in bones]),
            joint_names=tuple(names),
        )
    ]


def find_asf(path: Path) -> Path:
    """Return the skeleton of a motion: the ASF whose name its name begins with, or the only one.

    Raises:
        RecordingError: if there is none, or several and none fits.
    """
    found = sorted(file for file in path.parent.iterdir() if file.suffix.lower() == ".asf")
    fitting = [file for file in found if path.stem.lower().startswith(file.stem.lower())]
    if fitting:
        return max(fitting, key=lambda file: len(file.stem))
    if len(found) == 1:
        return found[0]
    raise RecordingError(
        f"{path}: "
        + (
            f"which of {listed([file.name for file in found], 4)} is its skeleton?"
            if found
            else "there is no skeleton (.asf) beside it"
        )
        + " Say which (asf, --asf)"
    )


def _read_amc(path: Path, bones: list[Bone]) -> dict[str, np.ndarray]:
    """Return the values of each bone that moves, (T, dof); where a frame lacks it, zeros."""
    by_name = {bone.name: bone for bone in bones}
    frames: list[dict[str, np.ndarray]] = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        words = line.split("#")[0].split()
        if not words or words[0].startswith(":"):
            continue
        where = f"{path}, line {number}"
        if len(words) == 1 and words[0].isdigit():
            frames.append({})
            continue
        bone = by_name.get(words[0])
        if bone is None:
            raise RecordingError(f"{where}: the skeleton has no bone {brief(words[0])}")
        if not frames:
            raise RecordingError(f"{where}: expected the number of a frame, found {brief(line)}")
        if words[0] in frames[-1]:
            raise RecordingError(f"{where}: bone {words[0]!r} is twice in the frame")
        frames[-1][words[0]] = finite_numbers(words[1:], len(bone.dof), where)
    if not frames:
        raise RecordingError(f"{path}: there are no frames")
    moving = {name for frame in frames for name in frame}
    for position, frame in enumerate(frames):
        if set(frame) != moving:
            raise RecordingError(
                f"{path}: frame number {position + 1} lacks "
                f"{listed(sorted(moving - set(frame)), 4)}; the file may be cut short"
            )
    return {name: np.stack([frame[name] for frame in frames]) for name in moving} or {
        "root": np.zeros((len(frames), 6))
    }


def _positions(bones: list[Bone], values: dict[str, np.ndarray], in_degrees: bool) -> np.ndarray:
    """Return where the root and the bones' ends are, (T, V, 3)."""
    count = len(next(iter(values.values())))
    ends = np.zeros((count, len(bones), 3))
    turned: list[np.ndarray] = []  # of each bone (T, 3, 3)
    for number, bone in enumerate(bones):
        moved = values.get(bone.name, np.zeros((count, len(bone.dof))))
        dof = {name: moved[:, column] for column, name in enumerate(bone.dof)}
        zero = np.zeros(count)
        turns = "".join(name[1] for name in bone.dof if name[0] == "r")
        angles = np.stack([dof[f"r{axis}"] for axis in turns] or [zero], axis=1)
        local = bone.axis @ rotation_of(angles, turns, in_degrees) @ bone.axis.T
        shift = np.stack([dof.get(f"t{axis}", zero) for axis in "xyz"], axis=1)
        length = bone.length + dof.get("l", zero)
        vector = bone.direction * length[:, None] + shift
        if bone.parent < 0:
            ends[:, number] = bone.position + shift
        else:
            local = turned[bone.parent] @ local
            ends[:, number] = ends[:, bone.parent] + (local @ vector[..., None])[..., 0]
        turned.append(local)
    return ends
