"""Synthetic skeleton actions in the NTU RGB+D layout: a data set that needs no download.

A jointed body (limb lengths from a stature and proportions that differ by subject) performs one
of twelve actions; joint angles over time become joint positions by forward kinematics; three
cameras at about -45, 0 and +45 degrees look on; a sensor adds jitter and short glitches. Six
actions come in pairs that differ in dynamics far more than in their mean pose (sitting down and
standing up, waving and circling hands, clapping and punching, ...), so a model has to
look at the motion.

Shapes: M persons, T frames, V = 25 joints, C = 3 coordinates. Angles are radians, lengths metres.

Two frames of reference occur. The body's own: x left, y up, z forward. The camera's, as Kinect v2
has it: x to the sensor's left (the right-hand side of a person who faces it), y up, z depth. Both
are right-handed.

Segment lengths as parts of the stature follow R. Drillis and R. Contini, "Body Segment
Parameters" (1964), moved to where a Kinect puts its joints.
"""

from __future__ import annotations

import os
import pickle
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FRAMES_PER_SECOND = 20.0
MIN_FRAMES, MAX_FRAMES = 30, 66
NUM_CAMERAS = 3
TEST_CAMERA = 1  # as in NTU RGB+D cross-view
TEST_SUBJECT_EVERY = 4  # subjects 4, 8, 12, ... are the unseen ones of cross-subject

_PELVIS, _SPINE, _NECK, _HEAD, _CHEST = 0, 1, 2, 3, 20
_NUM_JOINTS = 25


class _Side(NamedTuple):
    """The joints of one arm and one leg; ``sign`` is +1 on the left (where x grows)."""

    sign: int
    shoulder: int
    elbow: int
    wrist: int
    hand: int
    tip: int
    thumb: int
    hip: int
    knee: int
    ankle: int
    foot: int


_LEFT = _Side(+1, 4, 5, 6, 7, 21, 22, 12, 13, 14, 15)
_RIGHT = _Side(-1, 8, 9, 10, 11, 23, 24, 16, 17, 18, 19)
_SIDES = (_LEFT, _RIGHT)


def _kinematic_tree() -> tuple[NDArray[np.intp], list[NDArray[np.intp]]]:
    """Parents (V,), rooted at the pelvis, and the joints by depth, the root left out.

    The edges are those of the layout ``nturgb+d``; only the root differs (the layout's centre is
    the spine between the shoulders, a body hangs together at the pelvis).
    """
    parent = np.zeros(_NUM_JOINTS, dtype=np.intp)
    parent[_CHEST], parent[_NECK], parent[_HEAD] = _SPINE, _CHEST, _NECK
    for side in _SIDES:
        chain = (_CHEST, side.shoulder, side.elbow, side.wrist, side.hand)
        parent[list(chain[1:])] = chain[:-1]
        parent[[side.tip, side.thumb]] = side.hand
        chain = (_PELVIS, side.hip, side.knee, side.ankle, side.foot)
        parent[list(chain[1:])] = chain[:-1]
    depth = np.zeros(_NUM_JOINTS, dtype=np.intp)
    for joint in range(1, _NUM_JOINTS):
        ancestor = joint
        while ancestor != _PELVIS:
            ancestor = parent[ancestor]
            depth[joint] += 1
    return parent, [np.flatnonzero(depth == level) for level in range(1, depth.max() + 1)]


_PARENT, _LEVELS = _kinematic_tree()


def _by_joint(midline: float, **limbs: float) -> Array:
    """An array (V,) that holds ``midline``, and a limb's value at its joint on both sides."""
    values = np.full(_NUM_JOINTS, midline)
    for name, value in limbs.items():
        for side in _SIDES:
            values[getattr(side, name)] = value
    return values


# Positive flexion is what the joint does of its own: spine, neck and knee turn about +x (the
# trunk forward, the shank backward), the others about -x (the limb forward, the toes up).
_FLEXION_SIGN = _by_joint(1, shoulder=-1, elbow=-1, wrist=-1, hip=-1, ankle=-1)
# Abduction leads away from the body, positive twist turns the limb inward.
_ABDUCTION_SIGN = _by_joint(1)
_TWIST_SIGN = _by_joint(1)
for _joint in _RIGHT[1:]:
    _ABDUCTION_SIGN[_joint] = -1
for _joint in _LEFT[1:]:
    _TWIST_SIGN[_joint] = -1

# Standard deviation of the sensor's jitter: small in the trunk, large in hands and feet.
_JITTER = _by_joint(
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


@dataclass(frozen=True)
class _Style:
    """What a subject brings to every action."""

    offsets: Array  # (V,3): from the parent joint, standing upright with the arms hanging
    amplitude: float  # factor on swings
    tempo: float  # factor on frequencies and speeds
    left_handed: bool
    stoop: float
    arm_spread: float
    elbow_bend: float
    stance: float
    sway: float


def _style(seed: int, subject: int) -> _Style:
    rng = np.random.default_rng([seed, subject])
    stature = rng.uniform(1.52, 1.92)

    def part(share: float) -> float:
        return stature * share * rng.normal(1.0, 0.04)

    offsets = np.zeros((_NUM_JOINTS, 3))
    offsets[_SPINE] = 0, part(0.165), 0.0
    offsets[_CHEST] = 0, part(0.130), -0.01
    offsets[_NECK] = 0, part(0.045), 0.0
    offsets[_HEAD] = 0, part(0.085), 0.02
    shoulder, hip = part(0.105), part(0.046)
    upper_arm, forearm, palm, finger = part(0.165), part(0.148), part(0.045), part(0.045)
    thigh, shank, foot = part(0.240), part(0.235), part(0.075)
    for side in _SIDES:
        offsets[side.shoulder] = side.sign * shoulder, -0.03, 0.0
        offsets[side.elbow] = 0, -upper_arm, 0
        offsets[side.wrist] = 0, -forearm, 0
        offsets[side.hand] = 0, -palm, 0
        offsets[side.tip] = 0, -finger, 0
        offsets[side.thumb] = -side.sign * 0.02, -0.4 * finger, 0.03
        offsets[side.hip] = side.sign * hip, -0.02, 0
        offsets[side.knee] = 0, -thigh, 0
        offsets[side.ankle] = 0, -shank, 0
        offsets[side.foot] = 0, -0.06, foot
    return _Style(
        offsets=offsets,
        amplitude=rng.uniform(0.75, 1.25),
        tempo=float(np.exp(rng.normal(0.0, 0.12))),
        left_handed=bool(rng.random() < 0.2),
        stoop=np.deg2rad(rng.normal(4, 5)),
        arm_spread=np.deg2rad(rng.uniform(4, 16)),
        elbow_bend=np.deg2rad(rng.uniform(5, 28)),
        stance=np.deg2rad(rng.uniform(1, 7)),
        sway=np.deg2rad(rng.uniform(0.8, 2.2)),
    )


def _ramp(x: Array, start: float, stop: float) -> Array:
    """Rise from 0 to 1 between ``start`` and ``stop`` along the curve of least jerk.

    Source: T. Flash and N. Hogan, "The coordination of arm movements" (1985).
    """
    s = np.clip((x - start) / (stop - start), 0.0, 1.0)
    return s**3 * (10 - 15 * s + 6 * s**2)


def _drift(rng: np.random.Generator, t: Array, *shape: int) -> Array:
    """Slow wandering (T, *shape) about 0 with a standard deviation of about 1."""
    frequency = rng.uniform(0.1, 0.7, (3, *shape))
    phase = rng.uniform(0, 2 * np.pi, (3, *shape))
    time = t.reshape(-1, *[1] * (len(shape) + 1))
    return np.sin(2 * np.pi * frequency * time + phase).sum(axis=1) * np.sqrt(2 / 3)


class _Performer:
    """One person's joint angles and place over the T frames of a clip.

    It starts out standing at ease; an action's script then bends the angles to its purpose.

    Attributes:
        t: seconds since the first frame, (T,).
        u: the same as a part of the whole clip, 0 to 1, (T,).
        angles: flexion, abduction and twist of each joint, (T,V,3).
        place: where the person stands on the floor, and in y how far it is lifted, (T,3).
        heading: the direction it faces, (T,).
        planted: whether the feet stay where they are and the pelvis moves over them.
        arm, other_arm: the side that acts in one-sided actions, and the other one.
    """

    def __init__(self, style: _Style, rng: np.random.Generator, frames: int) -> None:
        self.style, self.rng = style, rng
        self.t = np.arange(frames) / FRAMES_PER_SECOND
        self.u = np.linspace(0.0, 1.0, frames)
        self.angles = _drift(rng, self.t, _NUM_JOINTS, 3) * style.sway
        self.place = _drift(rng, self.t, 3) * [0.012, 0.0, 0.012]
        self.heading = np.deg2rad(rng.normal(0, 6)) + _drift(rng, self.t) * np.deg2rad(2)
        self.planted = False
        swap = rng.random() < 0.12
        self.arm, self.other_arm = _SIDES if style.left_handed != swap else _SIDES[::-1]
        self._stand_at_ease()

    def between(self, low: float, high: float) -> float:
        """A number drawn evenly from the range."""
        return float(self.rng.uniform(low, high))

    def degrees(self, low: float, high: float) -> float:
        """An angle drawn evenly from a range in degrees."""
        return float(np.deg2rad(self.rng.uniform(low, high)))

    def oscillation(self, low: float, high: float, shift: float = 0.0) -> Array:
        """The phase (T,) of a movement that repeats ``low`` to ``high`` times a second."""
        frequency = self.between(low, high) * self.style.tempo
        wander = 0.25 * _drift(self.rng, self.t)
        return 2 * np.pi * frequency * self.t + self.between(0, 2 * np.pi) + wander + shift

    def move(
        self,
        joint: int,
        weight: Array | float = 1.0,
        *,
        flexion: Array | float | None = None,
        abduction: Array | float | None = None,
        twist: Array | float | None = None,
    ) -> None:
        """Lead a joint's angles over to new values: not at all at weight 0, wholly at 1."""
        for axis, target in enumerate((flexion, abduction, twist)):
            if target is not None:
                self.angles[:, joint, axis] += weight * (target - self.angles[:, joint, axis])

    def lean(self, amount: Array | float) -> None:
        """Bend the trunk forward by an angle, half of it in the hips and half in the spine."""
        self.angles[:, _PELVIS, 0] += 0.5 * amount
        self.angles[:, _SPINE, 0] += 0.5 * amount
        for side in _SIDES:  # the legs stay where they are
            self.angles[:, side.hip, 0] += 0.5 * amount

    def sway(self, sideways: Array | float = 0.0, forward: Array | float = 0.0) -> None:
        """Tilt the legs over the planted feet; the pelvis goes to the left and forward."""
        self.planted = True
        for side in _SIDES:
            self.angles[:, side.hip, 0] -= forward
            self.angles[:, side.ankle, 0] += forward
            self.angles[:, side.hip, 1] -= side.sign * sideways

    def crouch(self, amount: Array | float) -> None:
        """Bend the knees by twice the angle, the pelvis staying over the feet."""
        self.planted = True
        for side in _SIDES:
            for joint, factor in ((side.hip, 1.0), (side.knee, 2.0), (side.ankle, 1.0)):
                self.angles[:, joint, 0] += factor * amount

    def _stand_at_ease(self) -> None:
        style, rng = self.style, self.rng
        self.angles[:, [_SPINE, _CHEST, _NECK], 0] += style.stoop * np.array([0.6, 0.6, -0.6])
        self.angles[:, _CHEST, 2] += np.deg2rad(rng.normal(0, 4))
        self.angles[:, _NECK, 2] += np.deg2rad(rng.normal(0, 12)) * _drift(rng, self.t)
        self.lean(np.deg2rad(rng.normal(1, 3)))
        for side in _SIDES:
            self.angles[:, side.shoulder, 0] += np.deg2rad(rng.normal(0, 5))
            self.angles[:, side.shoulder, 1] += style.arm_spread + np.deg2rad(rng.normal(0, 2))
            self.angles[:, side.elbow, 0] += style.elbow_bend + np.deg2rad(rng.normal(0, 4))
            self.angles[:, side.hip, 1] += style.stance
            if rng.random() < 0.12:  # the hand on the hip
                self.move(side.shoulder, flexion=-0.3, abduction=0.75, twist=0.9)
                self.move(side.elbow, flexion=self.degrees(75, 100))

    def forward_reach(self, flexion: float, elbow: float) -> float:
        """How far before the shoulder the hand is at these angles."""
        length = np.abs(self.style.offsets[:, 1])
        lower = length[_LEFT.wrist] + length[_LEFT.hand]
        return float(length[_LEFT.elbow] * np.sin(flexion) + lower * np.sin(flexion + elbow))

    def joints(self) -> Array:
        """Forward kinematics: the joints' positions (T,V,3), y = 0 on the floor."""
        local = _rotations(
            self.angles[..., 0] * _FLEXION_SIGN,
            self.angles[..., 1] * _ABDUCTION_SIGN,
            self.angles[..., 2] * _TWIST_SIGN,
        )  # T,V,3,3
        turned = local.copy()
        points = np.zeros((len(self.t), _NUM_JOINTS, 3))
        for joints in _LEVELS:
            above = turned[:, _PARENT[joints]]
            turned[:, joints] = above @ local[:, joints]
            points[:, joints] = points[:, _PARENT[joints]] + (
                above @ self.style.offsets[joints, :, None]
            ).squeeze(-1)
        sole = points[:, [_LEFT.ankle, _RIGHT.ankle, _LEFT.foot, _RIGHT.foot], 1]
        points[..., 1] -= (sole - [0.06, 0.06, 0.0, 0.0]).min(axis=1, keepdims=True)
        if self.planted:
            ankles = points[:, [_LEFT.ankle, _RIGHT.ankle]].mean(axis=1, keepdims=True)
            points[..., [0, 2]] -= ankles[..., [0, 2]]
        facing = _turn_about_y(self.heading)  # T,3,3
        return points @ facing.swapaxes(-1, -2) + self.place[:, None]


def _rotations(x: Array, z: Array, y: Array) -> Array:
    """Rotation matrices (...,3,3) that turn about y, then about z, then about x."""
    (sx, sy, sz), (cx, cy, cz) = (np.sin((x, y, z)), np.cos((x, y, z)))
    rotation = np.empty((*x.shape, 3, 3))
    rotation[..., 0, 0], rotation[..., 0, 1], rotation[..., 0, 2] = cz * cy, -sz, cz * sy
    rotation[..., 1, 0] = cx * sz * cy + sx * sy
    rotation[..., 1, 1], rotation[..., 1, 2] = cx * cz, cx * sz * sy - sx * cy
    rotation[..., 2, 0] = sx * sz * cy - cx * sy
    rotation[..., 2, 1], rotation[..., 2, 2] = sx * cz, sx * sz * sy + cx * cy
    return rotation


def _turn_about_y(angle: Array) -> Array:
    zero = np.zeros_like(angle)
    return _rotations(zero, zero, angle)


# Scripts of one person. Ranges overlap on purpose: what tells two actions apart is how the
# body moves, not one number.


def _raise_hands(p: _Performer, swing: float, sideways: Array, forward: Array) -> None:
    """Hold one hand or both up beside the head and let them move about that, the trunk with them.

    ``sideways`` counts to the performer's left; both arrays (T,) are parts of ``swing``.
    """
    start = p.between(-0.7, 0.25)
    up = _ramp(p.t, start, start + p.between(0.35, 0.6))
    if p.rng.random() < 0.35:
        up = up * (1 - _ramp(p.u, p.between(0.75, 0.9), 1.05))
    for arm in _SIDES if p.rng.random() < 0.75 else (p.arm,):
        out = arm.sign * swing * sideways
        p.move(
            arm.shoulder,
            up,
            flexion=p.degrees(-10, 50),
            abduction=p.degrees(55, 110) - 0.45 * out,
            twist=-p.degrees(55, 110) + 0.9 * swing * forward,
        )
        p.move(arm.elbow, up, flexion=p.degrees(55, 110) - 0.9 * out)
        p.move(arm.wrist, up, flexion=-0.3 * out)
    p.angles[:, _SPINE, 1] -= 0.25 * swing * sideways * up
    p.angles[:, _SPINE, 0] += 0.25 * swing * forward * up


def _wave(p: _Performer) -> None:
    """Slowly from side to side."""
    phase = p.oscillation(0.75, 1.25)
    swing = p.degrees(30, 48) * p.style.amplitude
    _raise_hands(p, swing, np.sin(phase), p.between(-0.35, 0.35) * np.sin(phase))
    p.sway(sideways=p.degrees(6, 12) * np.sin(phase))
    p.crouch(p.degrees(3, 15))


def _shake_fist(p: _Performer) -> None:
    """Fast to and fro, the body with it."""
    phase = p.oscillation(1.9, 2.8)
    swing = p.degrees(30, 48) * p.style.amplitude
    _raise_hands(p, swing, p.between(0.6, 1.0) * np.sin(phase), 0.5 * np.sin(phase))
    p.sway(forward=p.degrees(2, 6) * np.sin(phase))
    p.crouch(p.degrees(4, 12) * (1 + np.sin(phase + 0.5)))


def _circle_hands(p: _Performer, direction: int) -> None:
    """Let the raised hands run round a level circle, as with a lasso, and the hips with them."""
    phase = direction * p.oscillation(0.7, 1.5)
    swing = p.degrees(30, 48) * p.style.amplitude
    _raise_hands(p, swing, np.cos(phase), p.between(0.7, 1.1) * np.sin(phase))
    hips = p.degrees(7, 13)
    p.sway(sideways=hips * np.cos(phase), forward=hips * np.sin(phase))
    p.crouch(p.degrees(3, 15))


def _circle_hands_clockwise(p: _Performer) -> None:
    _circle_hands(p, +1)  # seen from above: from the left over the front to the right


def _circle_hands_counterclockwise(p: _Performer) -> None:
    _circle_hands(p, -1)


def _seat(p: _Performer, seated: Array) -> None:
    """Everything between standing (0) and sitting on a chair (1)."""
    p.planted = True
    bend = p.degrees(78, 98)
    for side in _SIDES:
        p.move(side.hip, seated, flexion=bend + 0.03, abduction=p.degrees(2, 14))
        p.move(side.knee, seated, flexion=bend)
        p.move(side.ankle, seated, flexion=0.0)
    p.lean(p.degrees(25, 48) * np.sin(np.pi * seated) + p.degrees(-6, 10) * seated)
    if p.rng.random() < 0.6:  # the hands come to lie on the thighs
        for side in _SIDES:
            p.move(side.shoulder, seated, flexion=p.degrees(8, 28), twist=p.degrees(0, 20))
            p.move(side.elbow, seated, flexion=p.degrees(35, 65))


def _rise_of_seat(p: _Performer) -> Array:
    length = min(0.95, p.between(0.9, 1.5) / p.style.tempo / p.t[-1])
    start = p.between(0.0, 1.0 - length) * 0.8
    return _ramp(p.u, start, start + length)


def _sit_down(p: _Performer) -> None:
    _seat(p, _rise_of_seat(p))


def _stand_up(p: _Performer) -> None:
    _seat(p, _rise_of_seat(p)[::-1])


def _step_in_place(p: _Performer, phase: Array, thigh: float, heel: float, arms: float) -> None:
    elbow = p.degrees(15, 75)
    for side in _SIDES:
        cycle = phase + (np.pi if side is _LEFT else 0.0)
        lift = (0.5 + 0.5 * np.sin(cycle)) ** 2
        trail = (0.5 + 0.5 * np.sin(cycle - 0.6)) ** 2
        p.move(side.hip, flexion=thigh * lift)
        p.move(side.knee, flexion=0.9 * thigh * lift + heel * trail)
        p.move(side.ankle, flexion=-0.3 * lift)
        p.move(side.shoulder, flexion=-arms * np.sin(cycle))
        p.move(side.elbow, flexion=elbow + 0.3 * arms * np.sin(cycle))
    p.angles[:, _CHEST, 2] += 0.1 * arms * np.sin(phase)


def _walk_in_place(p: _Performer) -> None:
    phase = p.oscillation(0.65, 1.0)
    amplitude = p.style.amplitude
    p.place[:, 0] += p.between(0.03, 0.08) * np.sin(phase)  # the weight over the standing leg
    _step_in_place(
        p, phase, p.degrees(26, 54) * amplitude, p.degrees(14, 42), p.degrees(14, 38) * amplitude
    )


def _jog_in_place(p: _Performer) -> None:
    phase = p.oscillation(1.2, 1.7)
    amplitude = p.style.amplitude
    _step_in_place(
        p, phase, p.degrees(24, 52) * amplitude, p.degrees(16, 46), p.degrees(14, 38) * amplitude
    )
    p.place[:, 1] += p.between(0.015, 0.04) * (1 - np.cos(2 * phase + 0.8))


def _hands_before_chest(p: _Performer) -> None:
    """Lift both forearms before the chest, the hands a little apart."""
    start = p.between(-0.8, 0.15)
    up = _ramp(p.t, start, start + p.between(0.3, 0.5))
    elbow, flexion = p.degrees(55, 110), p.degrees(10, 60)
    twist, spread = p.degrees(-20, 20), p.degrees(0, 35)
    for side in _SIDES:
        p.move(side.shoulder, up, flexion=flexion, abduction=spread, twist=twist)
        p.move(side.elbow, up, flexion=elbow)


def _clap(p: _Performer) -> None:
    _hands_before_chest(p)
    phase = p.oscillation(1.1, 1.9)
    together = p.degrees(22, 38) * p.style.amplitude * np.sin(phase)
    for side in _SIDES:
        p.angles[:, side.shoulder, 1] -= 0.4 * together
        p.angles[:, side.shoulder, 2] += together
    p.crouch(p.degrees(6, 14) * (1 + np.sin(phase)))


def _punch(p: _Performer) -> None:
    _hands_before_chest(p)
    phase = p.oscillation(1.1, 1.9)
    thrust = p.degrees(20, 36) * p.style.amplitude * np.sin(phase)
    for side in _SIDES:  # the fists take turns
        p.angles[:, side.shoulder, 0] += side.sign * thrust
        p.angles[:, side.elbow, 0] -= 1.2 * side.sign * thrust
    p.angles[:, _CHEST, 2] -= 0.2 * thrust
    p.sway(sideways=p.degrees(4, 10) * np.sin(phase))
    p.crouch(p.degrees(4, 18))


# Scripts of two persons, who stand face to face.

_REACH_FLEXION, _REACH_ELBOW = np.deg2rad(42), np.deg2rad(42)


def _face_each_other(a: _Performer, b: _Performer, distance: float) -> None:
    """Put two performers opposite each other, the scene's centre between them."""
    axis = np.deg2rad(a.rng.normal(90, 18)) * (1 if a.rng.random() < 0.5 else -1)
    for performer, angle, sign in ((a, axis, -0.5), (b, axis + np.pi, +0.5)):
        performer.place += sign * distance * np.array([np.sin(axis), 0.0, np.cos(axis)])
        performer.heading = performer.heading + angle


def _hold_out(p: _Performer, out: Array, both: bool) -> None:
    flexion, elbow = p.degrees(-8, 10), p.degrees(-10, 12)
    for arm in _SIDES if both else (p.arm,):
        p.move(
            arm.shoulder,
            out,
            flexion=_REACH_FLEXION + flexion,
            abduction=p.degrees(0, 10),
            twist=p.degrees(5, 25),
        )
        p.move(arm.elbow, out, flexion=_REACH_ELBOW + elbow)
    p.lean(p.degrees(2, 14) * out)
    step = p.between(0.05, 0.25) * out  # toward the other
    p.place[:, 0] += step * np.sin(p.heading)
    p.place[:, 2] += step * np.cos(p.heading)


def _arms_length(a: _Performer, b: _Performer) -> float:
    reach = sum(p.forward_reach(_REACH_FLEXION, _REACH_ELBOW) for p in (a, b))
    return reach + a.between(0.25, 0.45)


def _hand_over(a: _Performer, b: _Performer) -> None:
    _face_each_other(a, b, _arms_length(a, b))
    both = bool(a.rng.random() < 0.5)
    start = a.between(-0.05, 0.15)
    taken = start + a.between(0.45, 0.65)
    giving = _ramp(a.u, start, start + 0.3) * (1 - _ramp(a.u, taken, taken + 0.3))
    taking = _ramp(b.u, start + 0.1, taken - 0.02)
    taking = taking * (1 - _ramp(b.u, taken + 0.03, taken + a.between(0.3, 0.45)))
    for p, out in ((a, giving), (b, taking)):
        _hold_out(p, out, both)
        p.crouch(p.degrees(8, 17) * out)


def _shake_hands(a: _Performer, b: _Performer) -> None:
    _face_each_other(a, b, _arms_length(a, b))
    both = bool(a.rng.random() < 0.5)
    start = a.between(-0.05, 0.15)
    part = start + a.between(0.4, 0.65)
    phase = a.oscillation(1.4, 2.4)
    swing = a.degrees(14, 28) * np.sin(phase)
    for p in (a, b):
        late = p.between(0.0, 0.08)
        out = _ramp(p.u, start + late, start + late + 0.25) * (1 - _ramp(p.u, part, part + 0.3))
        _hold_out(p, out, both)
        for arm in _SIDES if both else (p.arm,):
            p.angles[:, arm.elbow, 0] += out**2 * swing
            p.angles[:, arm.shoulder, 0] += 0.6 * out**2 * swing
        p.lean(-0.25 * out**2 * swing)
        p.crouch(out**2 * p.degrees(9, 16) * (1 - np.sin(phase)))


_SOLO: dict[str, Callable[[_Performer], None]] = {
    "wave": _wave,
    "shake_fist": _shake_fist,
    "circle_hands_clockwise": _circle_hands_clockwise,
    "circle_hands_counterclockwise": _circle_hands_counterclockwise,
    "sit_down": _sit_down,
    "stand_up": _stand_up,
    "walk_in_place": _walk_in_place,
    "jog_in_place": _jog_in_place,
    "clap": _clap,
    "punch": _punch,
}
_DUET: dict[str, Callable[[_Performer, _Performer], None]] = {
    "hand_over": _hand_over,
    "shake_hands": _shake_hands,
}

ACTIONS: tuple[str, ...] = (*_SOLO, *_DUET)
"""The actions' names; an action's place here is its label."""


def _film(scene: Array, camera: int, rng: np.random.Generator) -> Array:
    """Move a scene (M,T,V,3) that stands about the origin into a camera's frame."""
    yaw = np.deg2rad((-45, 0, 45)[camera - 1] + rng.normal(0, 6))
    tilt, roll = np.deg2rad(rng.normal(8, 4)), np.deg2rad(rng.normal(0, 2))
    distance = rng.uniform(2.4, 3.4) + 0.3 * (len(scene) - 1)
    height = rng.uniform(0.9, 1.4)
    level = scene @ _turn_about_y(np.array(yaw)).T
    level = level + np.array([rng.normal(0, 0.25), -height, distance])
    # A camera that looks down by `tilt` sees what lies before it rise.
    return level @ _rotations(np.array(-tilt), np.array(roll), np.array(0.0)).T


def _sense(points: Array, rng: np.random.Generator) -> Array:
    """What a depth sensor's tracking adds to one person's positions (T,V,3): an array like them."""
    frames = len(points)
    white = rng.normal(size=(frames + 2, _NUM_JOINTS, 3))
    slow = (white[:-2] + white[1:-1] + white[2:]) / np.sqrt(3)
    jitter = 0.6 * rng.normal(size=points.shape) + 0.8 * slow
    # What the body hides from the camera is guessed.
    behind = points[..., 2] - points[:, _SPINE, None, 2]
    error = jitter * (_JITTER * (1 + 4 * np.clip(behind, 0.0, 0.4)))[..., None]
    for _ in range(rng.poisson(0.9)):  # for a moment a hand or foot is taken for something else
        side = _SIDES[rng.integers(2)]
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


def generate_toy_sample(
    subject: int, camera: int, action: int, repetition: int, *, seed: int = 0, noise: float = 1.0
) -> NDArray[np.float32]:
    """Make the keypoints of one clip; they depend on nothing but the arguments.

    Args:
        subject: who acts, from 1 on; sets limb lengths and style.
        camera: who looks, 1 to 3 (at about -45, 0 and +45 degrees).
        action: what is done: a place in :data:`ACTIONS`, from 0 on (the label).
        repetition: which of the subject's performances of it, from 1 on.
        seed: a number, not negative, that all randomness starts from.
        noise: factor on the sensor's errors; 0 gives the bodies as they moved.

    Returns:
        Joint positions (M,T,V,C) = (1 or 2, 30 to 66, 25, 3), float32, in metres in the camera's
        frame.

    Raises:
        ValueError: an argument is out of its range.
    """
    _check(seed, noise)
    if subject < 1 or repetition < 1:
        raise ValueError(f"subject {subject} and repetition {repetition} must both be 1 or more")
    if not 1 <= camera <= NUM_CAMERAS:
        raise ValueError(f"camera is {camera}; it must be between 1 and {NUM_CAMERAS}")
    if not 0 <= action < len(ACTIONS):
        raise ValueError(f"action is {action}; it must be between 0 and {len(ACTIONS) - 1}")
    return _sample(_style(seed, subject), subject, camera, action, repetition, seed, noise)


def _sample(
    style: _Style,
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
    performers = [_Performer(style, rng, frames)]
    if name in _SOLO:
        _SOLO[name](performers[0])
        performers[0].heading += np.pi  # toward the camera in the middle
    else:
        # The partner is nobody in particular: a body drawn for this clip.
        partner = _style(seed, int(rng.integers(1_000_000, 2_000_000)))
        performers.append(_Performer(partner, rng, frames))
        _DUET[name](*performers)
        if rng.random() < 0.5:  # either may be tracked first
            performers.reverse()
    keypoint = _film(np.stack([performer.joints() for performer in performers]), camera, rng)
    error = np.stack([_sense(points, rng) for points in keypoint])
    return (keypoint + noise * error).astype(np.float32)


def generate_toy_annotations(
    num_subjects: int = 32, repetitions: int = 2, seed: int = 0, *, noise: float = 1.0
) -> dict[str, Any]:
    """Make the whole set: every subject does every action ``repetitions`` times for each camera.

    The defaults give 2,304 clips: 1,728 and 576 in the cross-subject split.

    Args:
        num_subjects: number of subjects, 4 to 999; every fourth is kept for validation.
        repetitions: performances by action and camera, 1 to 999.
        seed: a number, not negative; the same one gives the same set, and a clip is the same in
            a smaller or larger set.
        noise: factor on the sensor's errors; 0 switches them off.

    Returns:
        An annotation dict: ``annotations`` is a list of samples with ``frame_dir`` (such as
        ``'S001C002P003R001A004'``), ``label``, ``total_frames`` and ``keypoint`` (M,T,V,C),
        float16 as in the public files; ``split`` maps ``xsub_train``, ``xsub_val`` (unseen
        subjects), ``xview_train`` (cameras 2 and 3) and ``xview_val`` (camera 1) to lists of
        ``frame_dir``.

    Raises:
        ValueError: an argument is out of its range.

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
        style = _style(seed, subject)
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
    """Write the set as an annotation pickle, unless the file is there already.

    The file appears whole or not at all: it is written under another name in the same folder,
    flushed to the disk and renamed. Several processes may do so at once; each writes the same
    bytes, and the last rename stays.

    Args:
        path: the file; missing folders are made. A file that exists is left as it is, whatever
            ``kwargs`` say.
        **kwargs: passed on to :func:`generate_toy_annotations`.

    Returns:
        The path of the file.
    """
    path = Path(path)
    if path.exists():
        return path
    content = pickle.dumps(generate_toy_annotations(**kwargs), protocol=4)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex}.tmp")
    try:
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path
