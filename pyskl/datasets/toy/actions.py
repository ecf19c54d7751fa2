"""The synthetic actions: each changes the joint angles and the place of a performer.

Shapes: M persons, T frames, V = 25 joints, C = 3 coordinates. Angles are radians, lengths metres.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pyskl.datasets.toy.body import CHEST, LEFT, SIDES, SPINE, Array, Performer, ramp

# Actions of one person. The ranges of different actions overlap on purpose: they differ in the
# movement, not in a single number.


def _raise_hands(p: Performer, swing: float, sideways: Array, forward: Array) -> None:
    """Hold one or both hands up next to the head and move them and the trunk.

    ``sideways`` (to the performer's left) and ``forward`` are fractions of ``swing``, (T,).
    """
    start = p.between(-0.7, 0.25)
    up = ramp(p.t, start, start + p.between(0.35, 0.6))
    if p.rng.random() < 0.35:
        up = up * (1 - ramp(p.u, p.between(0.75, 0.9), 1.05))
    for arm in SIDES if p.rng.random() < 0.75 else (p.arm,):
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
    p.angles[:, SPINE, 1] -= 0.25 * swing * sideways * up
    p.angles[:, SPINE, 0] += 0.25 * swing * forward * up


def _wave(p: Performer) -> None:
    """Wave slowly from side to side."""
    phase = p.oscillation(0.75, 1.25)
    swing = p.degrees(30, 48) * p.style.amplitude
    _raise_hands(p, swing, np.sin(phase), p.between(-0.35, 0.35) * np.sin(phase))
    p.sway(sideways=p.degrees(6, 12) * np.sin(phase))
    p.crouch(p.degrees(3, 15))


def _shake_fist(p: Performer) -> None:
    """Shake the fist fast; the body moves with it."""
    phase = p.oscillation(1.9, 2.8)
    swing = p.degrees(30, 48) * p.style.amplitude
    _raise_hands(p, swing, p.between(0.6, 1.0) * np.sin(phase), 0.5 * np.sin(phase))
    p.sway(forward=p.degrees(2, 6) * np.sin(phase))
    p.crouch(p.degrees(4, 12) * (1 + np.sin(phase + 0.5)))


def _circle_hands(p: Performer, direction: int) -> None:
    """Move the raised hands and the hips in a level circle, as with a lasso."""
    phase = direction * p.oscillation(0.7, 1.5)
    swing = p.degrees(30, 48) * p.style.amplitude
    _raise_hands(p, swing, np.cos(phase), p.between(0.7, 1.1) * np.sin(phase))
    hips = p.degrees(7, 13)
    p.sway(sideways=hips * np.cos(phase), forward=hips * np.sin(phase))
    p.crouch(p.degrees(3, 15))


def _circle_hands_clockwise(p: Performer) -> None:
    _circle_hands(p, +1)  # seen from above: left, front, right


def _circle_hands_counterclockwise(p: Performer) -> None:
    _circle_hands(p, -1)


def _seat(p: Performer, seated: Array) -> None:
    """Blend between standing (0) and sitting on a chair (1)."""
    p.planted = True
    bend = p.degrees(78, 98)
    for side in SIDES:
        p.move(side.hip, seated, flexion=bend + 0.03, abduction=p.degrees(2, 14))
        p.move(side.knee, seated, flexion=bend)
        p.move(side.ankle, seated, flexion=0.0)
    p.lean(p.degrees(25, 48) * np.sin(np.pi * seated) + p.degrees(-6, 10) * seated)
    if p.rng.random() < 0.6:  # the hands rest on the thighs
        for side in SIDES:
            p.move(side.shoulder, seated, flexion=p.degrees(8, 28), twist=p.degrees(0, 20))
            p.move(side.elbow, seated, flexion=p.degrees(35, 65))


def _seating_curve(p: Performer) -> Array:
    length = min(0.95, p.between(0.9, 1.5) / p.style.tempo / p.t[-1])
    start = p.between(0.0, 1.0 - length) * 0.8
    return ramp(p.u, start, start + length)


def _sit_down(p: Performer) -> None:
    _seat(p, _seating_curve(p))


def _stand_up(p: Performer) -> None:
    _seat(p, _seating_curve(p)[::-1])


def _step_in_place(p: Performer, phase: Array, thigh: float, heel: float, arms: float) -> None:
    elbow = p.degrees(15, 75)
    for side in SIDES:
        cycle = phase + (np.pi if side is LEFT else 0.0)
        lift = (0.5 + 0.5 * np.sin(cycle)) ** 2
        trail = (0.5 + 0.5 * np.sin(cycle - 0.6)) ** 2
        p.move(side.hip, flexion=thigh * lift)
        p.move(side.knee, flexion=0.9 * thigh * lift + heel * trail)
        p.move(side.ankle, flexion=-0.3 * lift)
        p.move(side.shoulder, flexion=-arms * np.sin(cycle))
        p.move(side.elbow, flexion=elbow + 0.3 * arms * np.sin(cycle))
    p.angles[:, CHEST, 2] += 0.1 * arms * np.sin(phase)


def _walk_in_place(p: Performer) -> None:
    phase = p.oscillation(0.65, 1.0)
    amplitude = p.style.amplitude
    p.place[:, 0] += p.between(0.03, 0.08) * np.sin(phase)  # the weight moves to the standing leg
    _step_in_place(
        p, phase, p.degrees(26, 54) * amplitude, p.degrees(14, 42), p.degrees(14, 38) * amplitude
    )


def _jog_in_place(p: Performer) -> None:
    phase = p.oscillation(1.2, 1.7)
    amplitude = p.style.amplitude
    _step_in_place(
        p, phase, p.degrees(24, 52) * amplitude, p.degrees(16, 46), p.degrees(14, 38) * amplitude
    )
    p.place[:, 1] += p.between(0.015, 0.04) * (1 - np.cos(2 * phase + 0.8))


def _raise_forearms(p: Performer) -> None:
    """Lift both forearms in front of the chest, with the hands a little apart."""
    start = p.between(-0.8, 0.15)
    up = ramp(p.t, start, start + p.between(0.3, 0.5))
    elbow, flexion = p.degrees(55, 110), p.degrees(10, 60)
    twist, spread = p.degrees(-20, 20), p.degrees(0, 35)
    for side in SIDES:
        p.move(side.shoulder, up, flexion=flexion, abduction=spread, twist=twist)
        p.move(side.elbow, up, flexion=elbow)


def _clap(p: Performer) -> None:
    _raise_forearms(p)
    phase = p.oscillation(1.1, 1.9)
    together = p.degrees(22, 38) * p.style.amplitude * np.sin(phase)
    for side in SIDES:
        p.angles[:, side.shoulder, 1] -= 0.4 * together
        p.angles[:, side.shoulder, 2] += together
    p.crouch(p.degrees(6, 14) * (1 + np.sin(phase)))


def _punch(p: Performer) -> None:
    _raise_forearms(p)
    phase = p.oscillation(1.1, 1.9)
    thrust = p.degrees(20, 36) * p.style.amplitude * np.sin(phase)
    for side in SIDES:  # the fists take turns
        p.angles[:, side.shoulder, 0] += side.sign * thrust
        p.angles[:, side.elbow, 0] -= 1.2 * side.sign * thrust
    p.angles[:, CHEST, 2] -= 0.2 * thrust
    p.sway(sideways=p.degrees(4, 10) * np.sin(phase))
    p.crouch(p.degrees(4, 18))


# Actions of two persons who face each other.

_REACH_FLEXION, _REACH_ELBOW = np.deg2rad(42), np.deg2rad(42)


def _face_each_other(a: Performer, b: Performer, distance: float) -> None:
    """Place two performers face to face around the origin."""
    axis = np.deg2rad(a.rng.normal(90, 18)) * (1 if a.rng.random() < 0.5 else -1)
    for performer, angle, sign in ((a, axis, -0.5), (b, axis + np.pi, +0.5)):
        performer.place += sign * distance * np.array([np.sin(axis), 0.0, np.cos(axis)])
        performer.heading = performer.heading + angle


def _hold_out(p: Performer, out: Array, both: bool) -> None:
    flexion, elbow = p.degrees(-8, 10), p.degrees(-10, 12)
    for arm in SIDES if both else (p.arm,):
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


def _arms_length(a: Performer, b: Performer) -> float:
    reach = sum(p.forward_reach(_REACH_FLEXION, _REACH_ELBOW) for p in (a, b))
    return reach + a.between(0.25, 0.45)


def _hand_over(a: Performer, b: Performer) -> None:
    _face_each_other(a, b, _arms_length(a, b))
    both = bool(a.rng.random() < 0.5)
    start = a.between(-0.05, 0.15)
    taken = start + a.between(0.45, 0.65)
    giving = ramp(a.u, start, start + 0.3) * (1 - ramp(a.u, taken, taken + 0.3))
    taking = ramp(b.u, start + 0.1, taken - 0.02)
    taking = taking * (1 - ramp(b.u, taken + 0.03, taken + a.between(0.3, 0.45)))
    for p, out in ((a, giving), (b, taking)):
        _hold_out(p, out, both)
        p.crouch(p.degrees(8, 17) * out)


def _shake_hands(a: Performer, b: Performer) -> None:
    _face_each_other(a, b, _arms_length(a, b))
    both = bool(a.rng.random() < 0.5)
    start = a.between(-0.05, 0.15)
    part = start + a.between(0.4, 0.65)
    phase = a.oscillation(1.4, 2.4)
    swing = a.degrees(14, 28) * np.sin(phase)
    for p in (a, b):
        late = p.between(0.0, 0.08)
        out = ramp(p.u, start + late, start + late + 0.25) * (1 - ramp(p.u, part, part + 0.3))
        _hold_out(p, out, both)
        for arm in SIDES if both else (p.arm,):
            p.angles[:, arm.elbow, 0] += out**2 * swing
            p.angles[:, arm.shoulder, 0] += 0.6 * out**2 * swing
        p.lean(-0.25 * out**2 * swing)
        p.crouch(out**2 * p.degrees(9, 16) * (1 - np.sin(phase)))


SOLO: dict[str, Callable[[Performer], None]] = {
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
DUET: dict[str, Callable[[Performer, Performer], None]] = {
    "hand_over": _hand_over,
    "shake_hands": _shake_hands,
}

ACTIONS: tuple[str, ...] = (*SOLO, *DUET)
"""The names of the actions, in the order of the labels."""
