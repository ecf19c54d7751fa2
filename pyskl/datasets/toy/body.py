"""The body of the synthetic actions: joint angles over time, and the joint positions.

Shapes: M persons, T frames, V = 25 joints, C = 3 coordinates. Angles are radians, lengths metres.

The body's own frame of reference is x left, y up, z forward. Segment lengths are fractions of the
stature (R. Drillis and R. Contini, "Body Segment Parameters", 1964), adapted to the joints of a
Kinect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FRAMES_PER_SECOND = 20.0

PELVIS, SPINE, NECK, HEAD, CHEST = 0, 1, 2, 3, 20
NUM_JOINTS = 25


class Side(NamedTuple):
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


LEFT = Side(+1, 4, 5, 6, 7, 21, 22, 12, 13, 14, 15)
RIGHT = Side(-1, 8, 9, 10, 11, 23, 24, 16, 17, 18, 19)
SIDES = (LEFT, RIGHT)


def _kinematic_tree() -> tuple[NDArray[np.intp], list[NDArray[np.intp]]]:
    """Return the parents (V,), rooted at the pelvis, and the joints by depth without the root.

    The edges are those of the layout ``nturgb+d``, whose root is the spine between the shoulders.
    """
    parent = np.zeros(NUM_JOINTS, dtype=np.intp)
    parent[CHEST], parent[NECK], parent[HEAD] = SPINE, CHEST, NECK
    for side in SIDES:
        chain = (CHEST, side.shoulder, side.elbow, side.wrist, side.hand)
        parent[list(chain[1:])] = chain[:-1]
        parent[[side.tip, side.thumb]] = side.hand
        chain = (PELVIS, side.hip, side.knee, side.ankle, side.foot)
        parent[list(chain[1:])] = chain[:-1]
    depth = np.zeros(NUM_JOINTS, dtype=np.intp)
    for joint in range(1, NUM_JOINTS):
        ancestor = joint
        while ancestor != PELVIS:
            ancestor = parent[ancestor]
            depth[joint] += 1
    return parent, [np.flatnonzero(depth == level) for level in range(1, depth.max() + 1)]


_PARENT, _LEVELS = _kinematic_tree()


def by_joint(midline: float, **limbs: float) -> Array:
    """Return (V,): ``midline``, but for each limb its value at the joints of both sides."""
    values = np.full(NUM_JOINTS, midline)
    for name, value in limbs.items():
        for side in SIDES:
            values[getattr(side, name)] = value
    return values


# Positive flexion bends a joint the natural way: spine, neck and knee turn about +x (the trunk
# forward, the shank backward), the others about -x (the limb forward, the toes up).
_FLEXION_SIGN = by_joint(1, shoulder=-1, elbow=-1, wrist=-1, hip=-1, ankle=-1)
# Abduction leads away from the body, positive twist turns the limb inward.
_ABDUCTION_SIGN = by_joint(1)
_TWIST_SIGN = by_joint(1)
for _joint in RIGHT[1:]:
    _ABDUCTION_SIGN[_joint] = -1
for _joint in LEFT[1:]:
    _TWIST_SIGN[_joint] = -1


@dataclass(frozen=True)
class Style:
    """The properties of a subject, which are the same in every action."""

    offsets: Array  # (V, 3), from the parent joint, upright with hanging arms
    amplitude: float  # factor on swings
    tempo: float  # factor on frequencies and speeds
    left_handed: bool
    stoop: float
    arm_spread: float
    elbow_bend: float
    stance: float
    sway: float


def style_of(seed: int, subject: int) -> Style:
    rng = np.random.default_rng([seed, subject])
    stature = rng.uniform(1.52, 1.92)

    def part(share: float) -> float:
        return stature * share * rng.normal(1.0, 0.04)

    offsets = np.zeros((NUM_JOINTS, 3))
    offsets[SPINE] = 0, part(0.165), 0.0
    offsets[CHEST] = 0, part(0.130), -0.01
    offsets[NECK] = 0, part(0.045), 0.0
    offsets[HEAD] = 0, part(0.085), 0.02
    shoulder, hip = part(0.105), part(0.046)
    upper_arm, forearm, palm, finger = part(0.165), part(0.148), part(0.045), part(0.045)
    thigh, shank, foot = part(0.240), part(0.235), part(0.075)
    for side in SIDES:
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
    return Style(
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


def ramp(x: Array, start: float, stop: float) -> Array:
    """Rise smoothly from 0 at ``start`` to 1 at ``stop``, with minimum jerk.

    Source: T. Flash and N. Hogan, "The coordination of arm movements" (1985).
    """
    s = np.clip((x - start) / (stop - start), 0.0, 1.0)
    return s**3 * (10 - 15 * s + 6 * s**2)


def drift(rng: np.random.Generator, t: Array, *shape: int) -> Array:
    """Return slow random movement (T, *shape), mean 0, standard deviation about 1."""
    frequency = rng.uniform(0.1, 0.7, (3, *shape))
    phase = rng.uniform(0, 2 * np.pi, (3, *shape))
    time = t.reshape(-1, *[1] * (len(shape) + 1))
    return np.sin(2 * np.pi * frequency * time + phase).sum(axis=1) * np.sqrt(2 / 3)


class Performer:
    """The joint angles and the place of one person in the T frames of a clip.

    The person stands relaxed until an action changes the angles.

    Attributes:
        t: Seconds since the first frame, (T,).
        u: Fraction of the clip, 0 to 1, (T,).
        angles: Flexion, abduction and twist of each joint, (T, V, 3).
        place: Position on the floor; y is the height above it, (T, 3).
        heading: Direction that the person faces, (T,).
        planted: Whether the feet stay in place and the pelvis moves.
        arm, other_arm: The side that acts in one-sided actions, and the other side.
    """

    def __init__(self, style: Style, rng: np.random.Generator, frames: int) -> None:
        self.style, self.rng = style, rng
        self.t = np.arange(frames) / FRAMES_PER_SECOND
        self.u = np.linspace(0.0, 1.0, frames)
        self.angles = drift(rng, self.t, NUM_JOINTS, 3) * style.sway
        self.place = drift(rng, self.t, 3) * [0.012, 0.0, 0.012]
        self.heading = np.deg2rad(rng.normal(0, 6)) + drift(rng, self.t) * np.deg2rad(2)
        self.planted = False
        swap = rng.random() < 0.12
        self.arm, self.other_arm = SIDES if style.left_handed != swap else SIDES[::-1]
        self._stand_relaxed()

    def between(self, low: float, high: float) -> float:
        """Draw a number uniformly from a range."""
        return float(self.rng.uniform(low, high))

    def degrees(self, low: float, high: float) -> float:
        """Draw an angle (radians) uniformly from a range in degrees."""
        return float(np.deg2rad(self.rng.uniform(low, high)))

    def oscillation(self, low: float, high: float) -> Array:
        """Draw the phase (T,) of a movement that repeats ``low`` to ``high`` times a second."""
        frequency = self.between(low, high) * self.style.tempo
        wander = 0.25 * drift(self.rng, self.t)
        return 2 * np.pi * frequency * self.t + self.between(0, 2 * np.pi) + wander

    def move(
        self,
        joint: int,
        weight: Array | float = 1.0,
        *,
        flexion: Array | float | None = None,
        abduction: Array | float | None = None,
        twist: Array | float | None = None,
    ) -> None:
        """Blend a joint's angles with new values; weight 1 replaces them."""
        for axis, target in enumerate((flexion, abduction, twist)):
            if target is not None:
                self.angles[:, joint, axis] += weight * (target - self.angles[:, joint, axis])

    def lean(self, amount: Array | float) -> None:
        """Bend the trunk forward by an angle, half of it in the hips and half in the spine."""
        self.angles[:, PELVIS, 0] += 0.5 * amount
        self.angles[:, SPINE, 0] += 0.5 * amount
        for side in SIDES:  # the legs do not move
            self.angles[:, side.hip, 0] += 0.5 * amount

    def sway(self, sideways: Array | float = 0.0, forward: Array | float = 0.0) -> None:
        """Tilt the legs over the planted feet, so that the pelvis moves left and forward."""
        self.planted = True
        for side in SIDES:
            self.angles[:, side.hip, 0] -= forward
            self.angles[:, side.ankle, 0] += forward
            self.angles[:, side.hip, 1] -= side.sign * sideways

    def crouch(self, amount: Array | float) -> None:
        """Bend the knees by twice the angle and keep the pelvis over the feet."""
        self.planted = True
        for side in SIDES:
            for joint, factor in ((side.hip, 1.0), (side.knee, 2.0), (side.ankle, 1.0)):
                self.angles[:, joint, 0] += factor * amount

    def _stand_relaxed(self) -> None:
        style, rng = self.style, self.rng
        self.angles[:, [SPINE, CHEST, NECK], 0] += style.stoop * np.array([0.6, 0.6, -0.6])
        self.angles[:, CHEST, 2] += np.deg2rad(rng.normal(0, 4))
        self.angles[:, NECK, 2] += np.deg2rad(rng.normal(0, 12)) * drift(rng, self.t)
        self.lean(np.deg2rad(rng.normal(1, 3)))
        for side in SIDES:
            self.angles[:, side.shoulder, 0] += np.deg2rad(rng.normal(0, 5))
            self.angles[:, side.shoulder, 1] += style.arm_spread + np.deg2rad(rng.normal(0, 2))
            self.angles[:, side.elbow, 0] += style.elbow_bend + np.deg2rad(rng.normal(0, 4))
            self.angles[:, side.hip, 1] += style.stance
            if rng.random() < 0.12:  # the hand on the hip
                self.move(side.shoulder, flexion=-0.3, abduction=0.75, twist=0.9)
                self.move(side.elbow, flexion=self.degrees(75, 100))

    def forward_reach(self, flexion: float, elbow: float) -> float:
        """Return how far the hand is in front of the shoulder at these angles."""
        length = np.abs(self.style.offsets[:, 1])
        lower = length[LEFT.wrist] + length[LEFT.hand]
        return float(length[LEFT.elbow] * np.sin(flexion) + lower * np.sin(flexion + elbow))

    def joints(self) -> Array:
        """Return the joint positions by forward kinematics, (T, V, 3), y = 0 on the floor."""
        local = rotations(
            self.angles[..., 0] * _FLEXION_SIGN,
            self.angles[..., 1] * _ABDUCTION_SIGN,
            self.angles[..., 2] * _TWIST_SIGN,
        )  # T,V,3,3
        turned = local.copy()
        points = np.zeros((len(self.t), NUM_JOINTS, 3))
        for joints in _LEVELS:
            above = turned[:, _PARENT[joints]]
            turned[:, joints] = above @ local[:, joints]
            points[:, joints] = points[:, _PARENT[joints]] + (
                above @ self.style.offsets[joints, :, None]
            ).squeeze(-1)
        sole = points[:, [LEFT.ankle, RIGHT.ankle, LEFT.foot, RIGHT.foot], 1]
        points[..., 1] -= (sole - [0.06, 0.06, 0.0, 0.0]).min(axis=1, keepdims=True)
        if self.planted:
            ankles = points[:, [LEFT.ankle, RIGHT.ankle]].mean(axis=1, keepdims=True)
            points[..., [0, 2]] -= ankles[..., [0, 2]]
        facing = turn_about_y(self.heading)  # T,3,3
        return points @ facing.swapaxes(-1, -2) + self.place[:, None]


def rotations(x: Array, z: Array, y: Array) -> Array:
    """Return rotation matrices (..., 3, 3) that turn about y, then about z, then about x."""
    (sx, sy, sz), (cx, cy, cz) = (np.sin((x, y, z)), np.cos((x, y, z)))
    rotation = np.empty((*x.shape, 3, 3))
    rotation[..., 0, 0], rotation[..., 0, 1], rotation[..., 0, 2] = cz * cy, -sz, cz * sy
    rotation[..., 1, 0] = cx * sz * cy + sx * sy
    rotation[..., 1, 1], rotation[..., 1, 2] = cx * cz, cx * sz * sy - sx * cy
    rotation[..., 2, 0] = sx * sz * cy - cx * sy
    rotation[..., 2, 1], rotation[..., 2, 2] = sx * cz, sx * sz * sy + cx * cy
    return rotation


def turn_about_y(angle: Array) -> Array:
    zero = np.zeros_like(angle)
    return rotations(zero, zero, angle)
