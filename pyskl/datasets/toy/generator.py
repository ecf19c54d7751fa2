"""Synthetic skeleton actions in the NTU RGB+D layout: a data set that needs no download.

A body, whose stature and proportions differ by subject, performs one of twelve actions. Joint
angles over time become joint positions by forward kinematics, seen by three cameras at about -45, 0
and +45 degrees; a simulated sensor adds jitter and short tracking errors. Six actions form pairs
that differ more in motion than in mean pose (sitting down and standing up, circling the hands one
way and the other, walking and jogging in place), so a model has to use the motion.

Shapes: M persons, T frames, V = 25 joints, C = 3 coordinates. Angles are radians, lengths metres.

There are two frames of reference, both right-handed. The body's: x left, y up, z forward. The
camera's, as in the Kinect v2: x to the sensor's left (the right-hand side of a person facing it), y
up, z depth.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyskl.datasets.toy.actions import ACTIONS, DUET, SOLO
from pyskl.datasets.toy.body import (
    NUM_JOINTS,
    SIDES,
    SPINE,
    Array,
    Performer,
    Style,
    by_joint,
    rotations,
    style_of,
    turn_about_y,
)
from pyskl.files.atomic import write_bytes
from pyskl.files.pickling import dump_pickle

MIN_FRAMES, MAX_FRAMES = 30, 66
NUM_CAMERAS = 3
TEST_CAMERA = 1  # as in NTU RGB+D cross-view
TEST_SUBJECT_EVERY = 4  # cross-subject validation has subjects 4, 8, 12, ...

# Standard deviation of the jitter: small for the trunk, large for hands and feet.
_JITTER = by_joint(
    0.004,
    shoulder=0.005,
    elbow=0.009,
    wrist=0.012,
    hand=0.016,
    tip=0.022,
    thumb=0.022,
    hip=0.004,
    knee=0.009,
    ankle=0.013,
    foot=0.018,
)


def _film(scene: Array, camera: int, rng: np.random.Generator) -> Array:
    """Transform a scene (M, T, V, 3) around the origin into the frame of a camera."""
    yaw = np.deg2rad((-45, 0, 45)[camera - 1] + rng.normal(0, 6))
    tilt, roll = np.deg2rad(rng.normal(8, 4)), np.deg2rad(rng.normal(0, 2))
    distance = rng.uniform(2.4, 3.4) + 0.3 * (len(scene) - 1)
    height = rng.uniform(0.9, 1.4)
    level = scene @ turn_about_y(np.array(yaw)).T
    level = level + np.array([rng.normal(0, 0.25), -height, distance])
    # To a camera that looks down by `tilt`, the floor rises with distance.
    return level @ rotations(np.array(-tilt), np.array(roll), np.array(0.0)).T


def _sense(points: Array, rng: np.random.Generator) -> Array:
    """Return the tracking errors of a depth sensor for one person, (T, V, 3)."""
    frames = len(points)
    white = rng.normal(size=(frames + 2, NUM_JOINTS, 3))
    slow = (white[:-2] + white[1:-1] + white[2:]) / np.sqrt(3)
    jitter = 0.6 * rng.normal(size=points.shape) + 0.8 * slow
    # Joints behind the body are tracked less exactly.
    behind = points[..., 2] - points[:, SPINE, None, 2]
    error = jitter * (_JITTER * (1 + 4 * np.clip(behind, 0.0, 0.4)))[..., None]
    for _ in range(rng.poisson(0.9)):  # short tracking errors of a hand or foot
        side = SIDES[rng.integers(2)]
        limb = (
            [side.wrist, side.hand, side.tip, side.thumb],
            [side.elbow, side.wrist, side.hand, side.tip, side.thumb],
            [side.ankle, side.foot],
        )[rng.integers(3)]
        first, length = rng.integers(frames), rng.integers(2, 8)
        error[first : first + length, limb] += rng.normal(0, 0.09, 3)
    return error


def _check(seed: int, noise: float) -> None:
    if seed < 0:
        raise ValueError(f"seed is {seed}; it must not be negative")
    if not 0 <= noise < np.inf:
        raise ValueError(f"noise is {noise}; give a finite factor of 0 (none) or more")


def _sample(
    style: Style,
    subject: int,
    camera: int,
    action: int,
    repetition: int,
    seed: int,
    noise: float,
) -> NDArray[np.float32]:
    rng = np.random.default_rng([seed, subject, camera, action, repetition])
    frames = int(rng.integers(MIN_FRAMES, MAX_FRAMES + 1))
    name = ACTIONS[action]
    performers = [Performer(style, rng, frames)]
    if name in SOLO:
        SOLO[name](performers[0])
        performers[0].heading += np.pi  # toward the camera in the middle
    else:
        # The partner is not a subject: its body is drawn anew for each clip.
        partner = style_of(seed, int(rng.integers(1_000_000, 2_000_000)))
        performers.append(Performer(partner, rng, frames))
        DUET[name](*performers)
        if rng.random() < 0.5:  # either person may be the first
            performers.reverse()
    keypoint = _film(np.stack([performer.joints() for performer in performers]), camera, rng)
    error = np.stack([_sense(points, rng) for points in keypoint])
    return (keypoint + noise * error).astype(np.float32)


def generate_toy_annotations(
    num_subjects: int = 32, repetitions: int = 2, seed: int = 0, *, noise: float = 1.0
) -> dict[str, Any]:
    """Generate the data set: each subject does each action ``repetitions`` times per camera.

    The defaults give 2,304 clips: 1,728 and 576 in the cross-subject split.

    Args:
        num_subjects: 4 to 999; every fourth is for validation.
        repetitions: Repetitions of each action per subject and camera, 1 to 999.
        seed: At least 0. A clip depends on it, but not on the size of the set.
        noise: Factor on the tracking errors; 0 disables them.

    Returns:
        An annotation dict: ``annotations`` is a list of samples with ``frame_dir`` (such as
        ``'S001C002P003R001A004'``), ``label``, ``total_frames`` and ``keypoint`` (M, T, V, C),
        float16 as in the public files; ``split`` maps ``xsub_train``, ``xsub_val`` (unseen
        subjects), ``xview_train`` (cameras 2 and 3) and ``xview_val`` (camera 1) to lists of
        ``frame_dir``.

    Raises:
        ValueError: if an argument is out of range.

    Example:
        >>> toy = generate_toy_annotations(num_subjects=4, repetitions=1)
        >>> toy['annotations'][0]['frame_dir'], toy['annotations'][0]['keypoint'].shape[2:]
        ('S001C001P001R001A001', (25, 3))
    """
    _check(seed, noise)
    if not TEST_SUBJECT_EVERY <= num_subjects <= 999:
        raise ValueError(
            f"num_subjects is {num_subjects}; it must be between {TEST_SUBJECT_EVERY} and 999"
        )
    if not 1 <= repetitions <= 999:
        raise ValueError(f"repetitions is {repetitions}; it must be between 1 and 999")
    split: dict[str, list[str]] = {
        "xsub_train": [],
        "xsub_val": [],
        "xview_train": [],
        "xview_val": [],
    }
    annotations: list[dict[str, Any]] = []
    for subject in range(1, num_subjects + 1):
        style = style_of(seed, subject)
        unseen = subject % TEST_SUBJECT_EVERY == 0
        for camera in range(1, NUM_CAMERAS + 1):
            for repetition in range(1, repetitions + 1):
                for label in range(len(ACTIONS)):
                    keypoint = _sample(style, subject, camera, label, repetition, seed, noise)
                    name = f"S001C{camera:03}P{subject:03}R{repetition:03}A{label + 1:03}"
                    annotations.append(
                        {
                            "frame_dir": name,
                            "label": label,
                            "total_frames": keypoint.shape[1],
                            "keypoint": keypoint.astype(np.float16),
                        }
                    )
                    split["xsub_val" if unseen else "xsub_train"].append(name)
                    split["xview_val" if camera == TEST_CAMERA else "xview_train"].append(name)
    return {"split": split, "annotations": annotations}


def write_toy_annotations(path: str | os.PathLike[str], **kwargs: Any) -> Path:
    """Generate the data set and write it as an annotation pickle, unless the file exists.

    The file is written atomically; several processes may write the same bytes at once.

    Args:
        path: The file; missing folders are created. An existing file is kept, whatever ``kwargs``
            are.
        **kwargs: Arguments of :func:`generate_toy_annotations`.

    Returns:
        The path of the file.
    """
    path = Path(path)
    if path.exists():
        return path
    write_bytes(path, dump_pickle(generate_toy_annotations(**kwargs)))
    return path
