"""From a scene to pixels: turn, scale, and no perspective. ``player.js`` does the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pyskl.drawing.skeleton.scene import PITCH, YAW, Scene, robust_box

MARGIN = 0.07
"""Of the picture, on each side."""


@dataclass(frozen=True)
class Camera:
    """How a scene is looked at.

    Attributes:
        width: Of the picture, pixels.
        height: Likewise.
        yaw: Turn about the upright axis, radians.
        pitch: How far the camera looks down, radians.
        scale: Pixels for one unit of the scene.
        middle: What of the turned scene (across, up) is in the middle of the picture.
    """

    width: float
    height: float
    yaw: float
    pitch: float
    scale: float
    middle: tuple[float, float] = (0.0, 0.0)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Return where points of the scene are in the picture.

        Args:
            points: (..., 2 or 3).

        Returns:
            (..., 3): pixels to the right and down from the upper left corner, and the depth: how
            far toward the reader, in units of the scene.
        """
        across, up, depth = _turned(points, self.yaw, self.pitch)
        return np.stack(
            [
                self.width / 2 + (across - self.middle[0]) * self.scale,
                self.height / 2 - (up - self.middle[1]) * self.scale,
                depth,
            ],
            axis=-1,
        )


def at_any_turn(scene: Scene, width: float, height: float, yaw: float, pitch: float) -> Camera:
    """Return the camera of players: its scale does not change with the yaw, and all fits in."""
    radius, half = scene.extent
    reach = half * math.cos(pitch) + radius * abs(math.sin(pitch)) if scene.is_3d else half
    room = 1.0 if scene.clip.images is not None else 1 - 2 * MARGIN
    scale = room * min(width / (2 * radius), height / (2 * reach))
    return Camera(width, height, yaw, pitch, scale)


def for_stills(
    scene: Scene,
    width: float,
    height: float,
    *,
    yaw: float | None = None,
    pitch: float | None = None,
    frames: Sequence[int] | None = None,
) -> Camera:
    """Return the camera of pictures and videos: as near as these frames allow.

    Args:
        scene: The scene.
        width: Pixels.
        height: Pixels.
        yaw: Radians; by default a little from the side. 2D scenes can't be turned.
        pitch: Radians; by default a little from above.
        frames: The frames that shall fit in; by default all.
    """
    yaw, pitch = first_view(scene, yaw, pitch)
    if scene.clip.images is not None:
        return at_any_turn(scene, width, height, yaw, pitch)
    parts = [scene.points, *([] if scene.tips is None else [scene.tips])]
    chosen = [part if frames is None else part[:, list(frames)] for part in parts]
    points = np.concatenate([part.reshape(-1, part.shape[-1]) for part in chosen])
    flat = np.stack(_turned(points, yaw, pitch)[:2], axis=-1)
    flat = flat[np.isfinite(flat).all(axis=1)]
    if not len(flat):
        return at_any_turn(scene, width, height, yaw, pitch)
    low, high = robust_box(flat)
    least = 0.05 * max(scene.extent)
    across, up = np.maximum(high - low, least)
    scale = (1 - 2 * MARGIN) * min(width / across, height / up)
    middle = (low + high) / 2
    return Camera(width, height, yaw, pitch, scale, (float(middle[0]), float(middle[1])))


def first_view(
    scene: Scene, yaw: float | None = None, pitch: float | None = None
) -> tuple[float, float]:
    """Return the turn to look at a scene with: what is not given is the default; none in 2D."""
    if not scene.is_3d:
        return 0.0, 0.0
    return float(YAW) if yaw is None else yaw, float(PITCH) if pitch is None else pitch


def _turned(
    points: np.ndarray, yaw: float, pitch: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how far points are across, up and toward the reader after the turn."""
    x, y = points[..., 0], points[..., 1]
    z = points[..., 2] if points.shape[-1] == 3 else np.zeros_like(x)
    across = x * math.cos(yaw) + z * math.sin(yaw)
    depth = z * math.cos(yaw) - x * math.sin(yaw)
    up = y * math.cos(pitch) - depth * math.sin(pitch)
    return across, up, depth * math.cos(pitch) + y * math.sin(pitch)
