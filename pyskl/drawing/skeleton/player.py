"""Animated skeletons for pages: play, scrub and, in 3D, rotate. See ``player.js``."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np

from pyskl.drawing.page import asset
from pyskl.drawing.skeleton.camera import PITCH, YAW
from pyskl.drawing.skeleton.clip import Clip, Up
from pyskl.drawing.skeleton.scene import guess_up, make_scene
from pyskl.skeleton import SkeletonLayout, resolve_layout

LayoutLike = str | Mapping[str, Any] | SkeletonLayout

DATA = "skeletons"
"""Key of the players' data in ``page(..., data={DATA: ...})``."""

MISSING = -32768
"""The int16 that encodes a missing coordinate (NaN)."""

_MAX_INT16 = 32767


class PlayerParts(NamedTuple):
    """What a page needs for its players, see :func:`player_html`."""

    fragment: str
    scripts: tuple[str, ...]
    styles: tuple[str, ...]
    data: dict[str, Any]


def player_html(
    clips: Sequence[Clip],
    layout: LayoutLike,
    *,
    max_frames: int | None = None,
    autoplay: bool = True,
    up: Up | None = None,
    guess_together: bool = True,
) -> PlayerParts:
    """Return players of some clips, as parts of a page.

    Call this once for a page, with all its clips. ``fragment`` holds all players in a row. To place
    them one by one, write ``player_tag(index)`` where a clip should appear and leave ``fragment``
    out. A player is set up when it scrolls into view, so a page with hundreds opens at once.

    A clip takes (M * T * V * C) * 2.7 bytes of the page (M of the persons who appear), twice that
    with arrows: 64 frames of one person with 25 joints in 3D take 13 kB.

    Args:
        clips: The clips. Titles and notes are plain text.
        layout: The layout of all of them, or its name or config.
        max_frames: Longer clips are subsampled evenly to this many frames. Their speed and the
            frame numbers shown stay those of the whole clip.
        autoplay: Start playing when visible, unless the system asks for reduced motion.
        up: The upward axis of 3D clips that do not define it. By default guessed.
        guess_together: Guess it from all clips together, which is best for clips of one data set,
            instead of from each clip alone.

    Returns:
        ``(fragment, scripts, styles, data)``, the last three for
        :func:`pyskl.drawing.page.page`.

    Raises:
        InputError: if a clip does not match the layout.
        ConfigError: for an invalid layout.

    Example:
        >>> import numpy as np
        >>> clip = Clip(np.random.randn(1, 8, 25, 3), title='S001', notes=['drink water 0.93'])
        >>> fragment, scripts, styles, data = player_html([clip], 'nturgb+d')
        >>> from pyskl.drawing.page import Section, page
        >>> text = page('One clip', [Section('Clip', fragment)],
        ...             scripts=scripts, styles=styles, data=data)
    """
    resolved = resolve_layout(layout)
    for clip in clips:
        clip.check_layout(resolved)
    if up is None and guess_together and resolved.dim == 3:
        up = guess_up([clip.keypoint for clip in clips if clip.keypoint.shape[-1] == 3], resolved)
    layout_data = {
        "edges": [list(edge) for edge in resolved.edges],
        "parents": resolved.parents.tolist(),
        "left": list(resolved.left),
        "right": list(resolved.right),
        "names": list(resolved.joint_names),
    }
    content = [_clip_data(clip, resolved, max_frames, up) for clip in clips]
    tags = "\n".join(player_tag(index, clip.title) for index, clip in enumerate(clips))
    return PlayerParts(
        fragment=f'<div class="row">\n{tags}\n</div>',
        scripts=(asset("skeleton/player.js"),),
        styles=(asset("skeleton/player.css"),),
        data={DATA: {"layout": layout_data, "autoplay": autoplay, "clips": content}},
    )


def player_tag(index: int, title: str = "") -> str:
    """Return the element that becomes the player of a clip.

    Args:
        index: Index of the clip among those given to :func:`player_html`.
        title: Plain text, the player's name until it is set up.
    """
    name = escape(title or f"clip {index}", quote=True)
    return f'<div class="skeleton-player" data-clip="{int(index)}" aria-label="{name}"></div>'


def _clip_data(
    clip: Clip, layout: SkeletonLayout, max_frames: int | None, up: Up | None
) -> dict[str, Any]:
    """Return a clip in the format that the comment at the top of ``player.js`` describes."""
    total = clip.num_frames
    if max_frames is not None and total > max_frames:
        clip = clip.take(np.rint(np.linspace(0, total - 1, max(max_frames, 2))).astype(int))
    scene = make_scene(clip, layout, up=up)
    step = coordinate_step(scene.points if scene.tips is None else [scene.points, scene.tips])
    data: dict[str, Any] = {
        "title": clip.title,
        "notes": list(clip.notes),
        "size": list(scene.points.shape),
        "persons": scene.persons.tolist(),
        "points": encode_coordinates(scene.points, step),
        "step": step,
        "extent": list(scene.extent),
        "fps": round(float(clip.fps), 3),
        "total": total,
    }
    if scene.is_3d:
        data["view"] = [YAW, PITCH]
    if scene.tips is not None:
        data["tips"] = encode_coordinates(scene.tips, step)
        data["from"] = clip.arrows_from
    if scene.score is not None:
        data["score"] = encode_shares(scene.score)
    if scene.importance is not None:
        data["importance"] = encode_shares(scene.importance)
    if clip.images is not None:
        data["images"] = [_jpeg_url(image) for image in clip.images]
    return data


def coordinate_step(points: Any) -> float:
    """Return the quantisation step that fits coordinates into int16.

    The error is at most half a step, 1/65534 of the greatest coordinate.
    """
    greatest = float(np.nanmax(np.abs(points), initial=0.0))
    # Subnormal numbers can't be divided exactly; they are as good as zero.
    return greatest / _MAX_INT16 if greatest > 1e-300 else 1.0


def encode_coordinates(points: np.ndarray, step: float) -> str:
    """Return coordinates as base64 of little-endian int16, in multiples of ``step``."""
    whole = np.rint(np.asarray(points, dtype=np.float64) / step).clip(-_MAX_INT16, _MAX_INT16)
    return _base64(np.where(np.isnan(whole), MISSING, whole).astype("<i2").tobytes())


def encode_shares(values: np.ndarray) -> str:
    """Return numbers from 0 to 1 as base64 of bytes."""
    clipped = np.nan_to_num(np.asarray(values, dtype=np.float64)).clip(0, 1)
    return _base64(np.rint(clipped * 255).astype(np.uint8).tobytes())


def _jpeg_url(image: np.ndarray) -> str:
    """Return an RGB picture (H, W, 3), uint8, as a ``data:`` URL."""
    from PIL import Image  # pages without a video do not need it

    file = io.BytesIO()
    Image.fromarray(image).convert("RGB").save(file, "JPEG", quality=75)
    return f"data:image/jpeg;base64,{_base64(file.getvalue())}"


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
