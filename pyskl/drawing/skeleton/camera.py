"""Projection of a scene to pixels: rotate, scale, no perspective. ``player.js`` does the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pyskl.drawing.skeleton.scene import Scene, robust_box

YAW, PITCH = math.radians(20), math.radians(8)
"""Default view of 3D clips: slightly from the side and from above. Radians."""

MARGIN = 0.07
"""Share of the picture that stays empty on each side."""


@dataclass(frozen=True)
class Camera:
    """A view of a scene.

    Attributes:
        width: Of the picture, in pixels.
        height: Of the picture, in pixels.
        yaw: Rotation about the vertical axis, in radians.
        pitch: How far the camera looks down, in radians.
        scale: Pixels for one unit of the scene.
        middle: Rotated scene coordinates (right, up) in the middle of the picture.
    """

    width: float
    height: float
    yaw: float
    pitch: float
    scale: float
    middle: tuple[float, float] = (0.0, 0.0)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project points of the scene.

        Args:
            points: (..., 2 or 3).

        Returns:
            (..., 3): pixels right and down from the upper left corner, and the depth toward the
            viewer in units of the scene.
        """
        across, up, depth = _rotated(points, self.yaw, self.pitch)
        return np.stack(
            [
                self.width / 2 + (across - self.middle[0]) * self.scale,
                self.height / 2 - (up - self.middle[1]) * self.scale,
                depth,
            ],
            axis=-1,
        )


def player_camera(scene: Scene, width: float, height: float, yaw: float, pitch: float) -> Camera:
    """Return the camera of the player: everything fits at any yaw, at a constant scale."""
    radius, half = scene.extent
    reach = half * math.cos(pitch) + radius * abs(math.sin(pitch)) if scene.is_3d else half
    room = 1.0 if scene.clip.images is not None else 1 - 2 * MARGIN
    scale = room * min(width / (2 * radius), height / (2 * reach))
    return Camera(width, height, yaw, pitch, scale)


def picture_camera(
    scene: Scene,
    width: float,
    height: float,
    *,
    yaw: float | None = None,
    pitch: float | None = None,
    frames: Sequence[int] | None = None,
) -> Camera:
    """Return the camera of pictures and videos: as close as the frames allow.

    Args:
        scene: The scene.
        width: Pixels.
        height: Pixels.
        yaw: Radians, by default :data:`YAW`. Has no effect in 2D.
        pitch: Radians, by default :data:`PITCH`. Has no effect in 2D.
        frames: The frames to fit into the picture, by default all.
    """
    yaw = 0.0 if not scene.is_3d else YAW if yaw is None else yaw
    pitch = 0.0 if not scene.is_3d else PITCH if pitch is None else pitch
    parts = [scene.points] if scene.tips is None else [scene.points, scene.tips]
    chosen = slice(None) if frames is None else list(frames)
    points = np.concatenate([part[:, chosen].reshape(-1, part.shape[-1]) for part in parts])
    flat = np.stack(_rotated(points, yaw, pitch)[:2], axis=-1)
    flat = flat[np.isfinite(flat).all(axis=1)]
    if scene.clip.images is not None or not len(flat):
        return player_camera(scene, width, height, yaw, pitch)
    low, high = robust_box(flat)
    across, up = np.maximum(high - low, 0.05 * max(scene.extent))
    scale = (1 - 2 * MARGIN) * min(width / across, height / up)
    middle = (low + high) / 2
    return Camera(width, height, yaw, pitch, scale, (float(middle[0]), float(middle[1])))


def _rotated(
    points: np.ndarray, yaw: float, pitch: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the rotated coordinates: right, up and toward the viewer."""
    x, y = points[..., 0], points[..., 1]
    z = points[..., 2] if points.shape[-1] == 3 else np.zeros_like(x)
    across = x * math.cos(yaw) + z * math.sin(yaw)
    depth = z * math.cos(yaw) - x * math.sin(yaw)
    up = y * math.cos(pitch) - depth * math.sin(pitch)
    return across, up, depth * math.cos(pitch) + y * math.sin(pitch)
