"""Clips in a common frame of reference, independent of the axes of the data.

In a scene x points to the right of the picture, y up and z toward the viewer. The origin is the
middle of all joints of the clip. 2D clips have no z. Origin and axes are fixed over the clip, so
only the skeletons move. Shapes: M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pyskl.drawing.skeleton.clip import Clip, Up
from pyskl.skeleton import SkeletonLayout

_AXES: dict[Up, np.ndarray] = {
    "y": np.array([0.0, 1.0, 0.0]),
    "-y": np.array([0.0, -1.0, 0.0]),
    "z": np.array([0.0, 0.0, 1.0]),
    "-z": np.array([0.0, 0.0, -1.0]),
}

# Joints farther out than this many times the extent of 98 % of the joints are detection errors:
# the view is not widened for them.
_OUTLIER = 2.5

# Score up to which a joint counts as missing, as in PreNormalize2D.
_MISSING_SCORE = 0.01

# A person at least this share of their greatest height in the clip is standing straight.
_STRAIGHT = 0.9

# Two persons farther apart than this share of their height are shown side by side.
_APART = 0.25


@dataclass(frozen=True)
class Scene:
    """A clip in scene coordinates.

    Attributes:
        clip: The clip.
        layout: The skeleton.
        points: Joints (M, T, V, 2 or 3), float32, in units of the clip; NaN if missing. Persons
            who never appear are left out.
        tips: Tips of the arrows, as ``points``, or None.
        persons: The persons' indices in the clip, (M,).
        score: (M, T, V), or None.
        importance: (V,), (T, V) or (M, T, V) of the persons in ``points``, or None.
        center: The scene's origin in coordinates of the clip, (C,).
        axes: (C, C); its rows are the directions right, up and toward the viewer in coordinates
            of the clip: a rotation in 3D, a mirroring of y in 2D.
        extent: Half the width and half the height of the view. In 3D the width is that of the
            upright cylinder that holds everything, so it fits at any yaw.
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
        """Whether the points have a depth."""
        return self.points.shape[-1] == 3

    @property
    def num_frames(self) -> int:
        """T."""
        return int(self.points.shape[1])


def make_scene(clip: Clip, layout: SkeletonLayout, *, up: Up | None = None) -> Scene:
    """Transform a clip to scene coordinates.

    Args:
        clip: The clip.
        layout: The skeleton.
        up: The upward axis, if the clip does not define it. By default guessed from the clip.

    Raises:
        InputError: if the layout has another number of joints.
    """
    clip.check_layout(layout)
    positions = np.asarray(clip.keypoint, dtype=np.float64)  # (M, T, V, C)
    score = None if clip.score is None else np.asarray(clip.score, dtype=np.float64)
    if layout.dim == 2 and positions.shape[-1] == 3:  # the third channel is the score
        score = positions[..., 2] if score is None else score
        positions = positions[..., :2]
    seen = _seen(positions, score, layout)
    persons = np.flatnonzero(seen.any(axis=(1, 2)))
    positions = np.where(seen[..., None], positions, np.nan)[persons]

    tips = None
    if clip.arrows is not None:
        vectors = np.asarray(clip.arrows, dtype=np.float64)[persons, ..., : positions.shape[-1]]
        starts = positions[:, :, layout.parents] if clip.arrows_from == "parent" else positions
        # A missing joint is stored at zero, so the vector to it is not a bone.
        exists = np.isfinite(positions).all(axis=-1, keepdims=True)
        tips = np.where(exists, starts + clip.arrow_gain * vectors, np.nan)

    if positions.shape[-1] == 3:
        axes = _axes_3d(positions, layout, _AXES[clip.up or up or guess_up([positions], layout)])
    else:
        axes = np.diag([1.0, -1.0])
    center, extent = _view(clip, positions, axes)

    importance = None
    if clip.importance is not None:
        importance = np.nan_to_num(np.asarray(clip.importance, dtype=np.float32)).clip(0, 1)
        importance = importance[persons] if importance.ndim == 3 else importance
    return Scene(
        clip=clip,
        layout=layout,
        points=((positions - center) @ axes.T).astype(np.float32),
        tips=None if tips is None else ((tips - center) @ axes.T).astype(np.float32),
        persons=persons,
        score=None if score is None else score[persons].astype(np.float32),
        importance=importance,
        center=center,
        axes=axes,
        extent=extent,
    )


def guess_up(keypoints: Iterable[np.ndarray], layout: SkeletonLayout) -> Up:
    """Guess which axis points up from the mean direction of the spines, hip to head.

    Only frames count in which the body is nearly as tall along its spine as ever in the clip,
    because people bend. x never points up in practice, so only y and z are considered: z as in some
    motion capture and after ``PreNormalize3D``, y as in other motion capture and cameras.

    Args:
        keypoints: Arrays (M, T, V, 3), one for each clip; missing joints are zero or NaN. The more
            clips the better, because people also lie down.
        layout: Its ``spine`` defines the joints.
    """
    total = np.zeros(3)
    for keypoint in keypoints:
        points = np.asarray(keypoint, dtype=np.float64)[..., :3]
        seen = np.logical_and(np.isfinite(points).all(axis=-1), points.any(axis=-1))  # (M, T, V)
        points = np.where(seen[..., None], points, np.nan)
        bottom, top = layout.spine
        spines = points[:, :, top] - points[:, :, bottom]  # (M, T, 3)
        lengths: np.ndarray = np.linalg.norm(spines, axis=-1)
        valid: np.ndarray = np.greater(lengths, 0)
        if not valid.any():
            continue
        units = spines[valid] / lengths[valid, None]  # (n, 3)
        along = np.einsum("nvc,nc->nv", points[valid], units)
        heights = np.nanmax(along, axis=1) - np.nanmin(along, axis=1)
        total += units[heights >= _STRAIGHT * np.percentile(heights, 95)].mean(axis=0)
    _, y, z = total
    if abs(z) > abs(y):
        return "z" if z > 0 else "-z"
    return "y" if y >= 0 else "-y"


def robust_box(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the corners (C,) of the box around points (N, C), without far outliers."""
    inner_low, inner_high = np.percentile(points, [1, 99], axis=0)
    # One limit for all axes: a flat pose that jumps once along one axis is no outlier.
    reach = max(float((inner_high - inner_low).max()), 1e-9) * (_OUTLIER - 1) / 2
    low = np.maximum(points.min(axis=0), inner_low - reach)
    return low, np.minimum(points.max(axis=0), inner_high + reach)


def _seen(positions: np.ndarray, score: np.ndarray | None, layout: SkeletonLayout) -> np.ndarray:
    """Return which joints exist, (M, T, V) bool."""
    finite = np.isfinite(positions).all(axis=-1)
    seen: np.ndarray = finite & positions.any(axis=-1)
    if score is not None:
        seen &= score > _MISSING_SCORE
    if positions.shape[-1] == 3:
        # PreNormalize3D moves the body centre to the origin. There it is not missing if the other
        # joints surround it.
        others = seen[..., None]
        low = np.where(others, positions, np.inf).min(axis=2)  # (M, T, 3)
        high = np.where(others, positions, -np.inf).max(axis=2)
        surrounded = ((low <= 0) & (high >= 0)).all(axis=-1)
        seen[:, :, layout.body_center] |= finite[:, :, layout.body_center] & surrounded
    return seen


def _axes_3d(positions: np.ndarray, layout: SkeletonLayout, up: np.ndarray) -> np.ndarray:
    """Return the axes that show the main person from the front, or two persons side by side.

    Args:
        positions: (M, T, V, 3), NaN if missing.
        layout: Defines left and right.
        up: Unit vector (3,).
    """
    # The fallback is the view of a depth camera, which looks along +z.
    toward = np.array([0.0, 0.0, -1.0]) if abs(up[2]) < 0.5 else np.array([0.0, 1.0, 0.0])
    for person in positions:
        front = _facing(person, layout, up)
        if front is not None:
            toward = front
            break
    if len(positions) >= 2:
        main, other = (
            np.array([axis[np.isfinite(axis)].mean() for axis in person.reshape(-1, 3).T])
            for person in positions[:2]
        )
        between = (other - main) - ((other - main) @ up) * up
        distance = np.linalg.norm(between)
        height = np.nanmax(positions[0] @ up) - np.nanmin(positions[0] @ up)
        if distance > _APART * height > 0:
            across = np.cross(between / distance, up)
            toward = across if across @ toward >= 0 else -across
    return np.stack([np.cross(up, toward), up, toward])


def _facing(person: np.ndarray, layout: SkeletonLayout, up: np.ndarray) -> np.ndarray | None:
    """Return the mean horizontal direction (3,) that a person (T, V, 3) faces, or None."""
    left = list(layout.left) or [layout.shoulders[1]]
    right = list(layout.right) or [layout.shoulders[0]]
    across = person[:, left] - person[:, right]  # (T, pairs, 3)
    frames = np.nansum(across - (across @ up)[..., None] * up, axis=1)  # (T, 3)
    lengths = np.linalg.norm(frames, axis=1)
    if not lengths.max(initial=0) > 0:
        return None
    units = frames[lengths > 0] / lengths[lengths > 0, None]
    mean = units.mean(axis=0)
    if np.linalg.norm(mean) < 0.3:  # the person turned around
        mean = units[0]
    forward = np.cross(mean, up)
    return np.asarray(forward / np.linalg.norm(forward))


def _view(
    clip: Clip, positions: np.ndarray, axes: np.ndarray
) -> tuple[np.ndarray, tuple[float, float]]:
    """Return the centre (C,) in the clip's coordinates, and half the width and height."""
    if clip.images is not None:
        height, width = clip.image_size or clip.images[0].shape[:2]
        return np.array([width / 2, height / 2]), (width / 2, height / 2)
    points = positions.reshape(-1, len(axes)) @ axes.T
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        return np.zeros(len(axes)), (1.0, 1.0)
    low, high = robust_box(points)
    middle, half = (low + high) / 2, (high - low) / 2
    radius = float(half[0])
    if len(axes) == 3:
        inside = ((points >= low) & (points <= high)).all(axis=1)
        offsets = (points - middle)[inside][:, [0, 2]]
        radius = float(np.linalg.norm(offsets, axis=1).max(initial=0))
    size = max(radius, float(half[1]))
    least = 0.05 * size if size > 0 else 1.0
    return middle @ axes, (max(radius, least), max(float(half[1]), least))
