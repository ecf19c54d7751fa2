"""The way from a raw file to the stored keypoints once more: slowly, from the specification.

Nothing here is of the package: plain Python, one step after the other, numbers rounded by struct.
"""

from __future__ import annotations

import math
import struct
from typing import Any

Joints = list[tuple[float, ...]]  # x, y, z of each joint


def rounded(value: float, form: str) -> float:
    """Round to float32 (``'f'``) or float16 (``'e'``)."""
    return float(struct.unpack(form, struct.pack(form, value))[0])


def bodies_of(text: str) -> list[dict[str, Any]]:
    """Return the bodies of a file that is known to be sound."""
    lines = iter(text.split("\n"))
    bodies: dict[str, dict[str, Any]] = {}
    counter = 0
    for _ in range(int(next(lines))):
        num_bodies = int(next(lines))
        if num_bodies == 0:
            continue
        for _ in range(num_bodies):
            identity = next(lines).split()[0]
            assert int(next(lines)) == 25
            joints = [
                tuple(rounded(float(part), "f") for part in next(lines).split()[:3])
                for _ in range(25)
            ]
            bodies.setdefault(identity, {"first": counter, "frames": []})["frames"].append(joints)
        counter += 1
    return list(bodies.values())


def motion_of(frames: list[Joints]) -> float:
    """Return the sum of the variances of x, y and z."""
    total = 0.0
    for axis in range(3):
        values = [joint[axis] for joints in frames for joint in joints]
        mean = math.fsum(values) / len(values)
        total += math.fsum((value - mean) ** 2 for value in values) / len(values)
    return total


def is_plausible(joints: Joints) -> bool:
    """Return whether a body is not too wide."""
    xs, ys = [joint[0] for joint in joints], [joint[1] for joint in joints]
    return max(xs) - min(xs) <= 0.8 * (max(ys) - min(ys))


def tracks_of(bodies: list[dict[str, Any]]) -> list[list[Joints]] | None:
    """Return the frames of one or two tracks, or None where nobody is left."""
    if len(bodies) != 1:
        bodies = [body for body in bodies if len(body["frames"]) > 11]
    if not bodies:
        return None
    if len(bodies) == 1:
        return [bodies[0]["frames"]]
    kept = []
    for body in bodies:
        plausible = [joints for joints in body["frames"] if is_plausible(joints)]
        share = 1 - len(plausible) / len(body["frames"])
        if share >= 0.69754:
            continue
        body["motion"] = motion_of(body["frames"])
        if share > 0:
            body["motion"] = min(body["motion"], motion_of(plausible))
        kept.append(body)
    if not kept:
        return None
    if len(kept) == 1:
        return [kept[0]["frames"]]
    kept.sort(key=lambda body: body["motion"], reverse=True)
    return in_two(kept)


def in_two(bodies: list[dict[str, Any]]) -> list[list[Joints]] | None:
    """Fill two tracks, cut both ends and put the one that is there first."""
    nobody = [(0.0, 0.0, 0.0)] * 25
    length = max(body["first"] + len(body["frames"]) for body in bodies)
    tracks = [[nobody] * length, [nobody] * length]
    taken: list[set[int]] = [set(), set()]
    for body in bodies:
        own = set(range(body["first"], body["first"] + len(body["frames"])))
        for track in (0, 1):
            if own & taken[track]:
                continue
            for offset, joints in enumerate(body["frames"]):
                tracks[track][body["first"] + offset] = joints
            both = own | taken[track]
            taken[track] = set(range(min(both), max(both) + 1))
            break

    def amount(joints: Joints) -> float:
        return sum(abs(value) for joint in joints for value in joint)

    def is_empty(frame: int) -> bool:
        return amount(tracks[0][frame]) + amount(tracks[1][frame]) < 1e-3

    frames = list(range(length))
    while frames and is_empty(frames[0]):
        frames.pop(0)
    while frames and is_empty(frames[-1]):
        frames.pop()
    if not frames:
        return None
    tracks = [[track[frame] for frame in frames] for track in tracks]
    if amount(tracks[0][0][1:2]) < 1e-3 <= amount(tracks[1][0][1:2]):
        tracks.reverse()
    return tracks


def stored_keypoint(text: str) -> list[list[list[list[float]]]] | None:
    """Return what the annotation file has of a raw file: M, T, V, C."""
    bodies = bodies_of(text)
    tracks = tracks_of(bodies) if bodies else None
    if tracks is None:
        return None
    return [
        [[[rounded(value, "e") for value in joint] for joint in joints] for joints in track]
        for track in tracks
    ]
