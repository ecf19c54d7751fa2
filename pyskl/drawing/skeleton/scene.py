"""Where things stand: any clip in one frame of reference, before a camera that a reader can turn.

Whatever a clip's own axes are, in a scene x points to the right of the picture, y upward and z
toward the reader, and the middle of what moves in the clip is the origin. 2D clips have no z. So
players, pictures and videos need to know nothing of where the data comes from.

Everything is fixed over the whole clip, so that nothing jitters but the skeletons.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pyskl.drawing.skeleton.clip import Clip, Up
from pyskl.skeleton import SkeletonLayout

YAW, PITCH = np.deg2rad(20.0), np.deg2rad(8.0)
"""How the camera first looks at 3D clips: from a little to the side, and from above. Radians."""

_AXES: dict[Up, np.ndarray] = {
    "y": np.array([0.0, 1.0, 0.0]),
    "-y": np.array([0.0, -1.0, 0.0]),
    "z": np.array([0.0, 0.0, 1.0]),
    "-z": np.array([0.0, 0.0, -1.0]),
}

# Joints further out than this many times the extent of nearly all others are glitches: the frame
# is not widened for them.
_GLITCH = 2.5

# Confidence up to which a joint counts as not seen, as in PreNormalize2D.
_UNSEEN = 0.01

# Who is at least this share of the height that they reach in the clip stands straight.
_STRAIGHT = 0.9

# Persons apart by more than this share of their height are looked at from where neither hides the
# other.
_APART = 0.25


@dataclass(frozen=True)
class Scene:
    """A clip before the camera.

    Attributes:
        clip: Where it is from.
        layout: Its joints.
        points: (M, T, V, 2 or 3) float32: joints in units of the clip; NaN where not seen. Persons
            that are never seen are left out.
        tips: Likewise, where the arrows end; or None.
        persons: The persons' numbers in the clip, (M,).
        score: (M, T, V), or None.
        importance: (V,), (T, V) or (M, T, V) of the persons left, or None.
        center: The scene's origin in coordinates of the clip, (C,).
        axes: Rows: the directions right, up and toward the reader in coordinates of the clip; a
            rotation for 3D, a mirroring of y for 2D.
        extent: Half the width and half the height of the frame. In 3D the width is that of the
            upright cylinder that holds everything, so that it fits at any turn.
    """

    clip: Clip
    layout: SkeletonLayout
    points: np.ndarray
    tips: np.ndarray | None
    persons: np.ndarray
    score: np.ndarray | None
    importance: np.ndarray | None
    center: np.ndarray
    axes: np.ndarray
    extent: tuple[float, float]

    @property
    def is_3d(self) -> bool:
        """Whether there is a depth to turn about."""
        return self.points.shape[-1] == 3

    @property
    def num_frames(self) -> int:
        """T."""
        return int(self.points.shape[1])

    @property
    def starts(self) -> np.ndarray:
        """Where the arrows start, as ``points``."""
        if self.clip.arrows_from == "joint":
            return self.points
        return self.points[:, :, self.layout.parents]


def make_scene(clip: Clip, layout: SkeletonLayout, *, up: Up | None = None) -> Scene:
    """Put a clip before the camera.

    Args:
        clip: The clip.
        layout: Its joints.
        up: Used where the clip does not say what is up; by default guessed from it alone.

    Raises:
        InputError: if the layout has another number of joints.
    """
    clip.check_layout(layout)
    positions, score = _parts(clip, layout)  # (M, T, V, 2 or 3), (M, T, V) or None
    seen = _seen(positions, score, layout)
    persons = np.flatnonzero(seen.any(axis=(1, 2)))
    positions = np.where(seen[..., None], positions, np.nan)[persons]
    tips = None
    if clip.arrows is not None:
        dim = positions.shape[-1]
        vectors = np.asarray(clip.arrows, dtype=np.float64)[persons, ..., :dim]
        starts = positions[:, :, layout.parents] if clip.arrows_from == "parent" else positions
        # A bone to an absent joint, which is at zero, is no bone.
        there = np.isfinite(positions).all(axis=-1, keepdims=True)
        tips = np.where(there, starts + clip.arrow_gain * vectors, np.nan)
    if positions.shape[-1] == 3:
        upward = clip.up or up or guess_up([positions], layout)
        axes = _axes_3d(positions, layout, _AXES[upward])
    else:
        axes = np.diag([1.0, -1.0])
    center, extent = _frame(clip, positions, axes)
    return Scene(
        clip=clip,
        layout=layout,
        points=((positions - center) @ axes.T).astype(np.float32),
        tips=None if tips is None else ((tips - center) @ axes.T).astype(np.float32),
        persons=persons,
        score=None if score is None else score[persons].astype(np.float32),
        importance=_importance(clip, persons),
        center=center,
        axes=axes,
        extent=extent,
    )


def guess_up(keypoints: Iterable[np.ndarray], layout: SkeletonLayout) -> Up:
    """Guess which axis points upward, from the mean direction of the spines, hip to head.

    Only frames count in which the body is about as tall along its spine as it ever is in the clip,
    for people bend. The axis is z where the mean has more of z than of y (some mocap, and what
    ``PreNormalize3D`` gives), else y (other mocap, cameras). That x points upward does not occur,
    so it is not considered.

    Args:
        keypoints: Arrays (M, T, V, 3), one for each clip: the more the better, as people lie down
            at times, too. What was not seen is zero or NaN.
        layout: Its ``spine`` says which joints are meant.
    """
    total = np.zeros(3)
    for keypoint in keypoints:
        total += _mean_spine(np.asarray(keypoint, dtype=np.float64)[..., :3], layout)
    _, y, z = total
    if abs(z) > abs(y):
        return "z" if z > 0 else "-z"
    return "y" if y >= 0 else "-y"


def _mean_spine(points: np.ndarray, layout: SkeletonLayout) -> np.ndarray:
    """Return the mean of the unit vectors (3,) along the spine of those who stand straight."""
    seen = np.isfinite(points).all(axis=-1) & points.any(axis=-1)  # (M, T, V)
    points = np.where(seen[..., None], points, np.nan)
    bottom, top = layout.spine
    spines = points[:, :, top] - points[:, :, bottom]  # (M, T, 3)
    lengths = np.linalg.norm(spines, axis=-1)
    there = lengths > 0
    if not there.any():
        return np.zeros(3)
    units = spines[there] / lengths[there, None]  # (some, 3)
    along = np.einsum("nvc,nc->nv", points[there], units)
    heights = np.nanmax(along, axis=1) - np.nanmin(along, axis=1)
    return units[heights >= _STRAIGHT * np.percentile(heights, 95)].mean(axis=0)


def is_scored(keypoint: np.ndarray, layout: SkeletonLayout) -> bool:
    """Return whether the third coordinate of keypoints (M, T, V, C) is the score."""
    return layout.dim == 2 and keypoint.shape[-1] == 3


def _parts(clip: Clip, layout: SkeletonLayout) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the positions proper, and the scores."""
    keypoint = np.asarray(clip.keypoint, dtype=np.float64)
    score = None if clip.score is None else np.asarray(clip.score, dtype=np.float64)
    if is_scored(keypoint, layout):
        score = keypoint[..., 2] if score is None else score
        keypoint = keypoint[..., :2]
    return keypoint, score


def _seen(positions: np.ndarray, score: np.ndarray | None, layout: SkeletonLayout) -> np.ndarray:
    """Return which joints there are, (M, T, V)."""
    finite = np.isfinite(positions).all(axis=-1)
    seen = finite & positions.any(axis=-1)
    if score is not None:
        seen &= score > _UNSEEN
    if positions.shape[-1] == 3:
        # PreNormalize3D moves the body centre to the origin: there it is no absent joint, if the
        # others stand around it.
        center = layout.body_center
        others = np.where(seen[..., None], positions, np.nan)
        with np.errstate(invalid="ignore"):
            low, high = _least(others), _most(others)  # (M, T, 3)
        around = ((low <= 0) & (high >= 0)).all(axis=-1)
        seen[:, :, center] |= finite[:, :, center] & around
    return seen


def _least(points: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(points), np.inf, points).min(axis=2)


def _most(points: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(points), -np.inf, points).max(axis=2)


def _axes_3d(positions: np.ndarray, layout: SkeletonLayout, up: np.ndarray) -> np.ndarray:
    """Return the scene's axes: main person seen from the front, or two persons side by side.

    Args:
        positions: (M, T, V, 3), NaN where not seen.
        layout: Says what is left and right.
        up: Unit vector (3,).
    """
    # Without a body to go by as a depth camera, which looks along +z, sees it.
    toward = np.array([0.0, 0.0, -1.0]) if abs(up[2]) < 0.5 else np.array([0.0, 1.0, 0.0])
    facing = [_facing(person, layout, up) for person in positions]
    front = next((direction for direction in facing if direction is not None), None)
    if front is not None:
        toward = front
    beside = _line_between(positions, layout, up)
    if beside is not None:
        across = np.cross(beside, up)
        toward = across if across @ toward >= 0 else -across
    return np.stack([np.cross(up, toward), up, toward])


def _facing(person: np.ndarray, layout: SkeletonLayout, up: np.ndarray) -> np.ndarray | None:
    """Return the horizontal direction (3,) that somebody (T, V, 3) faces on average, or None."""
    left = list(layout.left) or [layout.shoulders[1]]
    right = list(layout.right) or [layout.shoulders[0]]
    across = person[:, left] - person[:, right]  # (T, pairs, 3)
    flat = across - (across @ up)[..., None] * up
    frames = np.nansum(flat, axis=1)  # (T, 3)
    lengths = np.linalg.norm(frames, axis=1)
    if not lengths.max(initial=0) > 0:
        return None
    units = frames[lengths > 0] / lengths[lengths > 0, None]
    mean = units.mean(axis=0)
    if np.linalg.norm(mean) < 0.3:  # they turned round and round
        mean = units[0]
    forward = np.cross(mean, up)
    return forward / np.linalg.norm(forward)


def _line_between(
    positions: np.ndarray, layout: SkeletonLayout, up: np.ndarray
) -> np.ndarray | None:
    """Return the horizontal direction (3,) from the main person to the next, or None."""
    middles = [
        np.array([column[np.isfinite(column)].mean() for column in person.reshape(-1, 3).T])
        for person in positions[:2]
    ]
    if len(middles) < 2:
        return None
    line = middles[1] - middles[0]
    line = line - (line @ up) * up
    distance = np.linalg.norm(line)
    heights = positions[0] @ up  # (T, V)
    height = np.nanmax(heights) - np.nanmin(heights)
    return line / distance if distance > _APART * height > 0 else None


def _frame(
    clip: Clip, positions: np.ndarray, axes: np.ndarray
) -> tuple[np.ndarray, tuple[float, float]]:
    """Return the centre (C,) in the clip's coordinates and half the width and height."""
    if clip.images is not None:
        height, width = clip.image_size or clip.images[0].shape[:2]
        return np.array([width / 2, height / 2]), (width / 2, height / 2)
    turned = positions.reshape(-1, len(axes)) @ axes.T
    turned = turned[np.isfinite(turned).all(axis=1)]
    if not len(turned):
        return np.zeros(len(axes)), (1.0, 1.0)
    low, high = robust_box(turned)
    middle = (low + high) / 2
    half = (high - low) / 2
    if len(axes) == 3:
        inside = ((turned >= low) & (turned <= high)).all(axis=1)
        offsets = (turned - middle)[inside][:, [0, 2]]
        radius = float(np.linalg.norm(offsets, axis=1).max(initial=0))
    else:
        radius = float(half[0])
    size = max(radius, float(half[1]))
    least = 0.05 * size if size > 0 else 1.0
    return middle @ axes, (max(radius, least), max(float(half[1]), least))


def robust_box(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the corners of the box around all points (N, C), without glitches far away."""
    low, high = points.min(axis=0), points.max(axis=0)
    inner_low, inner_high = np.percentile(points, [1, 99], axis=0)
    # Of the whole, not axis by axis: a flat pose that jumps once is no glitch.
    reach = max(float((inner_high - inner_low).max()), 1e-9) * (_GLITCH - 1) / 2
    return np.maximum(low, inner_low - reach), np.minimum(high, inner_high + reach)


def _importance(clip: Clip, persons: np.ndarray) -> np.ndarray | None:
    if clip.importance is None:
        return None
    weights = np.nan_to_num(np.asarray(clip.importance, dtype=np.float32)).clip(0, 1)
    return weights[persons] if weights.ndim == 3 else weights
