"""Whether the joints of a recording are those that a model takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pyskl.recordings import Recording, RecordingError
from pyskl.skeleton import SkeletonLayout, resolve_layout


def fitted(
    recording: Recording, wanted: SkeletonLayout | None, given: SkeletonLayout | None = None
) -> Recording:
    """Return a recording with its joints in the order of the model's layout.

    Joints whose names the file states are put in order; 25 joints of OpenPose are not taken for the
    25 of NTU RGB+D.

    Args:
        recording: What was read.
        wanted: The layout of the model; None where it does not say, and anything is taken.
        given: What the user says that the joints are, which nothing is held against.

    Raises:
        RecordingError: if the joints are others.
    """
    if wanted is None:
        return recording
    joints = recording.keypoint.shape[2]
    found = given or recording.own_layout
    if found is None and recording.layout is not None:
        found = resolve_layout(recording.layout)
    if joints != wanted.num_joints:
        named = "" if found is None else f" ({found.name})"
        raise RecordingError(
            f"{recording.name}: it has {joints} joints{named}, the model takes "
            f"{wanted.num_joints} ({wanted.name})"
        )
    names = recording.joint_names
    if not names and recording.own_layout is not None:
        names = recording.own_layout.joint_names
    if wanted.joint_names and set(names) == set(wanted.joint_names):
        return _ordered(recording, names, wanted.joint_names)
    if given is None and found is not None and not same_skeleton(found, wanted):
        raise RecordingError(
            f"{recording.name}: its joints are those of the layout {found.name!r}, the model takes "
            f"{wanted.name!r}, which has as many; if they are the same joints in the same order, "
            f"say --layout {wanted.name}"
        )
    return recording


def same_skeleton(one: SkeletonLayout, other: SkeletonLayout) -> bool:
    """Return whether two layouts are of the same joints, by their name or else their edges."""
    edges = [{frozenset(edge) for edge in layout.edges} for layout in (one, other)]
    return one.num_joints == other.num_joints and (one.name == other.name or edges[0] == edges[1])


def _ordered(recording: Recording, names: tuple[str, ...], wanted: tuple[str, ...]) -> Recording:
    if names == wanted:
        return recording
    place = {name: position for position, name in enumerate(names)}
    order = [place[name] for name in wanted]
    return replace(
        recording,
        keypoint=np.ascontiguousarray(recording.keypoint[:, :, order]),
        score=None if recording.score is None else recording.score[:, :, order],
        joint_names=wanted,
        own_layout=None,
    )
