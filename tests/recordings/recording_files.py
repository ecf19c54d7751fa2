"""Recordings of made-up people, in the formats that the real tools write.

Shapes: M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.skeleton import LAYOUTS

FRAMES = 12


def people(
    joints: int, dim: int = 2, *, persons: int = 1, frames: int = FRAMES, seed: int = 0
) -> np.ndarray:
    """Return persons who move, well apart from each other: (M, T, V, C), in pixels.

    The values have few digits, so that they survive being written as text.
    """
    rng = np.random.default_rng(seed)
    body = rng.uniform(20, 200, size=(persons, 1, joints, dim))
    swing = rng.uniform(-1, 1, size=(persons, 1, joints, dim))
    time = np.sin(np.linspace(0, 6, frames))[:, None, None]
    place = np.zeros((persons, 1, 1, dim))
    place[..., 0] = 100 + 400 * np.arange(persons)[:, None, None]
    return np.round(body + 10 * swing * time + place, 2).astype(np.float32)


def scores(persons: int, frames: int, joints: int, seed: int = 0) -> np.ndarray:
    """Return scores from 0.3 to 1, (M, T, V)."""
    rng = np.random.default_rng(seed + 1)
    return np.round(rng.uniform(0.3, 1, size=(persons, frames, joints)), 2).astype(np.float32)


def flat(keypoint: np.ndarray, score: np.ndarray) -> list[float]:
    """Return [x, y, score, ...] of one person in one frame: keypoint (V, 2), score (V,)."""
    values = np.concatenate([keypoint, score[:, None]], axis=1)
    return [round(float(value), 2) for value in values.reshape(-1)]


def write(path: Path, content: Any) -> Path:
    """Write text, bytes, or what becomes JSON; makes the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
    return path


# --- tables ---------------------------------------------------------------------------------------


def long_table(keypoint: np.ndarray, names: list[str] | None = None, delimiter: str = ",") -> str:
    """Return a table with a row for each joint; (M, T, V, C)."""
    persons, frames, joints, dim = keypoint.shape
    rows = [["frame", "person", "joint", *"xyz"[:dim]]]
    for person in range(persons):
        for frame in range(frames):
            for joint in range(joints):
                name = str(joint) if names is None else names[joint]
                values = [repr(float(value)) for value in keypoint[person, frame, joint]]
                rows.append([str(frame), f"p{person}", name, *values])
    return "\n".join(delimiter.join(row) for row in rows) + "\n"


def wide_table(keypoint: np.ndarray, names: list[str], delimiter: str = ",") -> str:
    """Return a table with a row for each frame of one person; (1, T, V, C)."""
    _, frames, _, dim = keypoint.shape
    head = ["frame", *(f"{name}_{axis}" for name in names for axis in "xyz"[:dim])]
    rows = [
        [str(frame), *(repr(float(value)) for value in keypoint[0, frame].reshape(-1))]
        for frame in range(frames)
    ]
    return "\n".join(delimiter.join(row) for row in [head, *rows]) + "\n"


# --- JSON -----------------------------------------------------------------------------------------


def openpose_folder(folder: Path, keypoint: np.ndarray, score: np.ndarray, name: str = "v") -> Path:
    """Write a folder as ``openpose.bin --write_json`` does (version 1.3)."""
    folder.mkdir(parents=True, exist_ok=True)
    for frame in range(keypoint.shape[1]):
        persons = [
            {
                "person_id": [-1],
                "pose_keypoints_2d": flat(keypoint[person, frame], score[person, frame]),
                "face_keypoints_2d": [],
                "hand_left_keypoints_2d": [],
                "hand_right_keypoints_2d": [],
                "pose_keypoints_3d": [],
                "face_keypoints_3d": [],
                "hand_left_keypoints_3d": [],
                "hand_right_keypoints_3d": [],
            }
            for person in range(len(keypoint))
        ]
        write(folder / f"{name}_{frame:012d}_keypoints.json", {"version": 1.3, "people": persons})
    return folder


def alphapose(keypoint: np.ndarray, score: np.ndarray, *, tracked: bool) -> list[dict[str, Any]]:
    """Return what AlphaPose writes to ``alphapose-results.json``."""
    return [
        {
            "image_id": f"{frame}.jpg",
            "category_id": 1,
            "keypoints": flat(keypoint[person, frame], score[person, frame]),
            "score": 2.9 + person,
            "box": [10.0, 20.0, 100.0, 200.0],
            "idx": [float(person + 1)] if tracked else [0.0],
        }
        for frame in range(keypoint.shape[1])
        for person in range(len(keypoint))
    ]


def alphapose_cmu(keypoint: np.ndarray, score: np.ndarray) -> dict[str, Any]:
    """Return what AlphaPose writes with ``--format cmu``."""
    return {
        f"{frame}.jpg": {
            "version": "AlphaPose v0.3",
            "bodies": [
                {"joints": flat(keypoint[person, frame], score[person, frame])}
                for person in range(len(keypoint))
            ],
        }
        for frame in range(keypoint.shape[1])
    }


def coco(
    keypoint: np.ndarray, *, names: list[str], video: str = "", tracks: bool = False
) -> dict[str, Any]:
    """Return a COCO annotation file of people: all joints labelled, visible and hidden in turn."""
    persons, frames, joints, _ = keypoint.shape
    visible = 1 + np.arange(joints) % 2
    annotations = []
    for frame in range(frames):
        for person in range(persons):
            values = [
                number
                for (x, y), v in zip(keypoint[person, frame].tolist(), visible.tolist())
                for number in (round(x, 2), round(y, 2), v)
            ]
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": 1000 + frame,
                    "category_id": 1,
                    "iscrowd": 0,
                    "num_keypoints": joints,
                    "bbox": [0, 0, 10, 10],
                    "area": 100.0,
                    "keypoints": values,
                    **({"track_id": 7 - person} if tracks else {}),
                }
            )
    return {
        "info": {"description": "made up"},
        "images": [
            {
                "id": 1000 + frame,
                # Names in the order of time, listed the other way round.
                "file_name": f"{video}/{frame}.jpg" if video else f"{frame}.jpg",
                "height": 480,
                "width": 640,
            }
            for frame in reversed(range(frames))
        ],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person", "keypoints": names, "skeleton": [[1, 2]]}],
    }


def landmarks(points: np.ndarray, *, visibility: bool = True) -> list[dict[str, float]]:
    """Return landmarks of MediaPipe: points (V, 3)."""
    return [
        {
            **dict(zip("xyz", (round(float(value), 4) for value in point))),
            **({"visibility": 0.9} if visibility else {}),
        }
        for point in points
    ]


# --- mocap ----------------------------------------------------------------------------------------

BVH = """HIERARCHY
ROOT Hips
{
	OFFSET 0.0 0.0 0.0
	CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
	JOINT LeftUpLeg
	{
		OFFSET 3.0 -1.0 0.5
		CHANNELS 3 Zrotation Xrotation Yrotation
		JOINT LeftLeg
		{
			OFFSET 0.0 -18.0 0.0
			CHANNELS 3 Zrotation Xrotation Yrotation
			End Site
			{
				OFFSET 0.0 -17.0 1.0
			}
		}
	}
	JOINT RightUpLeg
	{
		OFFSET -3.0 -1.0 0.5
		CHANNELS 3 Zrotation Xrotation Yrotation
		JOINT RightLeg
		{
			OFFSET 0.0 -18.0 0.0
			CHANNELS 3 Zrotation Xrotation Yrotation
			End Site
			{
				OFFSET 0.0 -17.0 1.0
			}
		}
	}
	JOINT Spine
	{
		OFFSET 0.0 5.0 0.0
		CHANNELS 3 Zrotation Xrotation Yrotation
		End Site
		{
			OFFSET 0.0 20.0 0.0
		}
	}
}
MOTION
Frames: 3
Frame Time: 0.008333
0 35 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
1 35 2 90 0 0 0 90 0 0 0 0 0 0 0 0 0 0 0 0 0
2 36 4 10 20 30 40 50 60 -10 -20 -30 5 15 25 35 45 55 7 8 9
"""

ASF = """# made up, in the form of the CMU database
:version 1.10
:name VICON
:units
  mass 1.0
  length 0.45
  angle deg
:documentation
   made up
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name lhipjoint
     direction 0.6 -0.8 0
     length 2
     axis 0 0 0  XYZ
  end
  begin
     id 2
     name lfemur
     direction 0 -1 0
     length 7
     axis 0 0 20  XYZ
    dof rx ry rz
    limits (-160.0 20.0)
           (-70.0 70.0)
           (-60.0 70.0)
  end
  begin
     id 3
     name rhipjoint
     direction -0.6 -0.8 0
     length 2
     axis 0 0 0  XYZ
  end
  begin
     id 4
     name rfemur
     direction 0 -1 0
     length 7
     axis 0 0 -20  XYZ
    dof rx ry rz
    limits (-160.0 20.0)
           (-70.0 60.0)
           (-70.0 60.0)
  end
  begin
     id 5
     name lowerback
     direction 0 1 0
     length 3
     axis 10 20 30  XYZ
    dof rx rz
    limits (-20.0 45.0)
           (-30.0 30.0)
  end
:hierarchy
  begin
    root lhipjoint rhipjoint lowerback
    lhipjoint lfemur
    rhipjoint rfemur
  end
"""

AMC = """#!OML:ASF made up
:FULLY-SPECIFIED
:DEGREES
1
root 1 17 -20 0 0 0
lfemur 0 0 0
rfemur 0 0 0
lowerback 0 0
2
root 1.5 17 -19 10 20 30
lfemur 90 0 0
rfemur -20 5 20
lowerback 15 -5
"""

# --- one valid file of each kind ------------------------------------------------------------------


def _save(path: Path, save: Callable[..., None], *args: Any, **arrays: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save(path, *args, **arrays)
    return path


def _npz(folder: Path) -> Path:
    more = dict(keypoint_score=scores(1, 4, 3), img_shape=np.array([480, 640]), fps=30.0)
    return _save(folder / "a.npz", np.savez_compressed, keypoint=people(3, frames=4), **more)


def _coco(folder: Path) -> Path:
    content = coco(people(3, persons=2, frames=3), names=["a", "b", "c"], tracks=True)
    return write(folder / "coco.json", content)


def _alphapose(folder: Path) -> Path:
    content = alphapose(people(4, persons=2, frames=3), scores(2, 3, 4), tracked=True)
    return write(folder / "alphapose-results.json", content)


def _mediapipe(folder: Path) -> Path:
    frames = [
        {"pose_landmarks": [landmarks(points / 1000)], "pose_world_landmarks": []}
        for points in people(5, 3, frames=3)[0]
    ]
    return write(folder / "mediapipe.json", frames)


def _jsonl(folder: Path) -> Path:
    points = people(5, 3, frames=3)[0] / 1000
    return write(
        folder / "a.jsonl", "\n".join(json.dumps({"landmark": landmarks(p)}) for p in points)
    )


def _amc(folder: Path) -> Path:
    write(folder / "a.asf", ASF)
    return write(folder / "a.amc", AMC)


def _openpose(folder: Path) -> Path:
    openpose_folder(folder, people(18, persons=1, frames=2), scores(1, 2, 18))
    return folder / "v_000000000001_keypoints.json"


VALID_FILES: dict[str, Callable[[Path], Path]] = {
    "csv_long": lambda d: write(d / "long.csv", long_table(people(3, 3, persons=2, frames=4))),
    "csv_wide": lambda d: write(
        d / "wide.csv", wide_table(people(3, 2, frames=4), ["a", "b", "c"], ";")
    ),
    "npy": lambda d: _save(d / "a.npy", np.save, people(3, 3, frames=4)),
    "npz": _npz,
    "coco": _coco,
    "alphapose": _alphapose,
    "cmu": lambda d: write(
        d / "alphapose-results.json", alphapose_cmu(people(18, frames=2), scores(1, 2, 18))
    ),
    "mediapipe": _mediapipe,
    "jsonl": _jsonl,
    "kinetics": lambda d: write(
        d / "kinetics.json",
        {"data": [{"frame_index": 1, "skeleton": [{"pose": [0.5] * 36, "score": [1] * 18}]}] * 2},
    ),
    "nwucla": lambda d: write(
        d / "nwucla.json", {"skeletons": people(20, 3, frames=2)[0].tolist(), "label": 1}
    ),
    "mmpose": lambda d: write(
        d / "mmpose.json",
        [
            {"instances": [{"keypoints": points.tolist(), "keypoint_scores": [1] * 17}]}
            for points in people(17, frames=2)[0]
        ],
    ),
    "by_name": lambda d: write(
        d / "by_name.json",
        {
            str(frame): {name: [0.5, 0.5, 0.1, 1] for name in LAYOUTS["mediapipe"].joint_names}
            for frame in (1, 2)
        },
    ),
    "bvh": lambda d: write(d / "a.bvh", BVH),
    "amc": _amc,
    "asf": lambda d: _amc(d).with_suffix(".asf"),
    "openpose": _openpose,
}
"""For each kind a function that writes a valid file to a folder, and what belongs to it."""


def recording_path(kind: str, path: Path) -> Path:
    """Return what to read if ``path`` is a valid file: its folder, or the motion of a skeleton."""
    return {"openpose": path.parent, "asf": path.with_name("a.amc")}.get(kind, path)
