"""What a frame of a scene looks like: lines, discs, arrow heads and text, for any painter.

``player.js`` draws the same on a canvas. Colours are roles of ``page.css``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pyskl.drawing.skeleton.camera import Camera
from pyskl.drawing.skeleton.scene import Scene
from pyskl.skeleton import SkeletonLayout

Role = Literal["left", "right", "text", "faint", "line", "ground", "bad"]


@dataclass(frozen=True)
class Line:
    """A line from (x1, y1) to (x2, y2), pixels."""

    x1: float
    y1: float
    x2: float
    y2: float
    width: float
    role: Role
    alpha: float = 1.0


@dataclass(frozen=True)
class Disc:
    """A disc about (x, y); hollow ones are a ring around the ground's colour."""

    x: float
    y: float
    radius: float
    role: Role
    alpha: float = 1.0
    ring: float = 0.0


@dataclass(frozen=True)
class Triangle:
    """A filled triangle."""

    corners: tuple[tuple[float, float], ...]
    role: Role
    alpha: float = 1.0


@dataclass(frozen=True)
class Text:
    """Text whose baseline begins, ends or has its middle at (x, y)."""

    x: float
    y: float
    text: str
    size: float
    role: Role = "text"
    anchor: Literal["start", "middle", "end"] = "middle"


Shape = Line | Disc | Triangle | Text


def side_roles(layout: SkeletonLayout) -> list[Role]:
    """Return the colour of each joint, and of the limb from it toward the centre."""
    roles: list[Role] = ["text"] * layout.num_joints
    for joint in layout.left:
        roles[joint] = "left"
    for joint in layout.right:
        roles[joint] = "right"
    return roles


def frame_shapes(scene: Scene, frame: int, camera: Camera) -> list[Shape]:
    """Return what is drawn of one frame, in order.

    Args:
        scene: The scene.
        frame: Number of the frame.
        camera: Where it is seen from.
    """
    unit = min(camera.width, camera.height) / 160
    shapes: list[Shape] = _floor(scene, camera) if scene.is_3d else []
    people = [_Person(scene, person, frame, camera) for person in range(len(scene.persons))]
    for part in (_limbs, _joints, _arrows):
        for person in people:
            shapes += part(person, unit)
    if len(people) > 1:
        for person in people:
            shapes += _number(person, unit)
    return shapes


class _Person:
    """One person of one frame, in pixels."""

    def __init__(self, scene: Scene, person: int, frame: int, camera: Camera) -> None:
        self.scene = scene
        self.layout = scene.layout
        self.number = int(scene.persons[person])
        self.places = camera.project(scene.points[person, frame])  # (V, 3)
        self.seen = np.isfinite(self.places).all(axis=1)  # (V,)
        self.strength = np.ones(len(self.places))
        if scene.score is not None:
            self.strength *= 0.25 + 0.75 * np.clip(scene.score[person, frame], 0, 1)
        if scene.is_3d:  # what is far away is paler
            depth = np.nan_to_num(self.places[:, 2] / scene.extent[0]).clip(-1, 1)
            self.strength *= 0.775 + 0.225 * depth
        self.tips = None
        if scene.tips is not None:
            self.tips = camera.project(scene.tips[person, frame])
        weights = scene.importance
        if weights is not None:
            weights = weights[person, frame] if weights.ndim == 3 else weights
            weights = weights[frame] if weights.ndim == 2 else weights
        self.weights = weights

    @property
    def arrows_are_limbs(self) -> bool:
        return self.tips is not None and self.scene.clip.arrows_from == "parent"


def _floor(scene: Scene, camera: Camera) -> list[Shape]:
    """Return a grid on the ground, by which one sees how the scene is turned."""
    radius, half = scene.extent
    lines: list[Shape] = []
    for at in np.linspace(-radius, radius, 5):
        for ends in (
            np.array([[at, -half, -radius], [at, -half, radius]]),
            np.array([[-radius, -half, at], [radius, -half, at]]),
        ):
            (x1, y1, _), (x2, y2, _) = camera.project(ends).tolist()
            lines.append(Line(x1, y1, x2, y2, 1.0, "line"))
    return lines


def _limbs(person: _Person, unit: float) -> list[Shape]:
    if person.arrows_are_limbs:
        return []
    sides = side_roles(person.layout)
    edges = [(a, b) for a, b in person.layout.edges if person.seen[a] and person.seen[b]]
    edges.sort(key=lambda edge: person.places[edge[0], 2] + person.places[edge[1], 2])
    pale = (0.5 if person.tips is not None else 1) * (0.6 if person.weights is not None else 1)
    width = unit * (1.8 if person.number == 0 else 1.2)
    lines: list[Shape] = [
        Line(
            x1=float(person.places[a, 0]),
            y1=float(person.places[a, 1]),
            x2=float(person.places[b, 0]),
            y2=float(person.places[b, 1]),
            width=width,
            role=sides[a] if person.tips is None else "faint",
            alpha=float(pale * min(person.strength[a], person.strength[b])),
        )
        for a, b in edges
    ]
    if person.scene.clip.images is None:
        return lines
    # A rim, as images may be of any colour.
    rims = [
        replace(line, width=width + unit, role="ground", alpha=0.6)
        for line in lines
        if isinstance(line, Line)
    ]
    return [*rims, *lines]


def _joints(person: _Person, unit: float) -> list[Shape]:
    if person.tips is not None and person.weights is None:
        return []
    sides = side_roles(person.layout)
    ring = 0.0 if person.number == 0 else 0.8 * unit
    shapes: list[Shape] = []
    for joint in np.flatnonzero(person.seen).tolist():
        x, y = person.places[joint, :2].tolist()
        if person.weights is None:
            shapes.append(Disc(x, y, 1.6 * unit, sides[joint], float(person.strength[joint]), ring))
        else:
            weight = float(person.weights[joint])
            shapes.append(Disc(x, y, (1 + 4.5 * weight) * unit, "bad", 0.3 + 0.6 * weight, ring))
    return shapes


def _arrows(person: _Person, unit: float) -> list[Shape]:
    if person.tips is None:
        return []
    sides = side_roles(person.layout)
    origins = np.arange(len(person.places))
    if person.arrows_are_limbs:
        origins = person.layout.parents
    shapes: list[Shape] = []
    for joint, origin in enumerate(origins.tolist()):
        if not person.seen[origin] or not np.isfinite(person.tips[joint]).all():
            continue
        (x1, y1), (x2, y2) = person.places[origin, :2].tolist(), person.tips[joint, :2].tolist()
        length = math.hypot(x2 - x1, y2 - y1)
        if length < 0.5:
            continue
        head = min(4.5 * unit, 0.6 * length)
        dx, dy = (x2 - x1) / length * head, (y2 - y1) / length * head
        role, alpha = sides[joint], float(person.strength[joint])
        shapes += [
            Line(x1, y1, x2 - 0.7 * dx, y2 - 0.7 * dy, 1.2 * unit, role, alpha),
            Triangle(
                (
                    (x2, y2),
                    (x2 - dx - 0.4 * dy, y2 - dy + 0.4 * dx),
                    (x2 - dx + 0.4 * dy, y2 - dy - 0.4 * dx),
                ),
                role,
                alpha,
            ),
        ]
    return shapes


def _number(person: _Person, unit: float) -> list[Shape]:
    if not person.seen.any():
        return []
    x, y, _ = min(person.places[person.seen].tolist(), key=lambda place: place[1])
    size = max(11.0, 6 * unit)
    number = Text(x, y - 4 * unit, str(person.number + 1), size)
    if person.scene.clip.images is None:
        return [number]
    return [Disc(x, number.y - 0.36 * size, 0.7 * size, "ground", 0.7), number]
