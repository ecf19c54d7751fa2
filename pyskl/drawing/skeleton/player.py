"""Animated skeletons for pages: each plays, scrubs and, in 3D, turns; see ``player.js``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np

from pyskl.drawing.page import asset
from pyskl.drawing.skeleton.clip import Clip, Up
from pyskl.drawing.skeleton.codec import encoded, quantised, shares
from pyskl.drawing.skeleton.scene import PITCH, YAW, guess_up, make_scene
from pyskl.skeleton import SkeletonLayout, resolve_layout

LayoutLike = str | Mapping[str, Any] | SkeletonLayout

DATA = "skeletons"
"""The name of the players' data in a page: ``page(..., data={DATA: ...})``."""


class PlayerParts(NamedTuple):
    """What a page needs for its players; see :func:`player_html`."""

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

    A page has one set of players: call this once, with all clips. The players may stand anywhere in
    the page: ``fragment`` holds all of them in a row; to place them one by one, write
    ``player_tag(index)`` where the clip of that index shall be, and leave ``fragment`` out. A
    player is set up when it comes into view, so a page of hundreds opens at once.

    A clip takes (M * T * V * C) * 2.7 bytes of the page (M of the persons that are seen), and half
    as much again with arrows: 64 frames of one person of 25 joints in 3D are 13 kB.

    Args:
        clips: The clips. Titles and notes are plain text.
        layout: The layout of all of them, or its name or config.
        max_frames: Longer clips are thinned out to as many frames, evenly; their speed stays, and
            the frame numbers shown are those of the whole clip.
        autoplay: Start playing when visible, unless the reader's system asks for reduced motion.
        up: The axis that points upward in 3D clips that do not say; by default guessed.
        guess_together: Whether it is guessed from all clips together, as is best where they are of
            one data set, or from each alone.

    Returns:
        ``(fragment, scripts, styles, data)``, the latter three for
        :func:`pyskl.drawing.page.page`.

    Raises:
        InputError: if a clip and the layout do not fit.
        ConfigError: for a faulty layout.

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
        guessed_from = [clip.keypoint for clip in clips if clip.keypoint.shape[-1] == 3]
        up = guess_up(guessed_from, resolved)
    content = [clip_data(clip, resolved, max_frames=max_frames, up=up) for clip in clips]
    tags = "\n".join(player_tag(index, clip.title) for index, clip in enumerate(clips))
    return PlayerParts(
        fragment=f'<div class="row">\n{tags}\n</div>',
        scripts=(asset("skeleton/player.js"),),
        styles=(asset("skeleton/player.css"),),
        data={DATA: {"layout": _layout_data(resolved), "autoplay": autoplay, "clips": content}},
    )


def player_tag(index: int, title: str = "") -> str:
    """Return the element that becomes the player of a clip.

    Args:
        index: Number of the clip among those given to :func:`player_html`.
        title: Plain text, what the player is called until it is set up.
    """
    name = escape(title or f"clip {index}", quote=True)
    return f'<div class="skeleton-player" data-clip="{int(index)}" aria-label="{name}"></div>'


def clip_data(
    clip: Clip, layout: SkeletonLayout, *, max_frames: int | None = None, up: Up | None = None
) -> dict[str, Any]:
    """Return a clip as ``player.js`` reads it; see the comment at its head."""
    total = clip.num_frames
    if max_frames is not None and total > max_frames:
        clip = clip.take(np.rint(np.linspace(0, total - 1, max(max_frames, 2))).astype(int))
    scene = make_scene(clip, layout, up=up)
    greatest = scene.points if scene.tips is None else np.stack([scene.points, scene.tips])
    _, step = quantised(greatest)
    data: dict[str, Any] = {
        "title": clip.title,
        "notes": list(clip.notes),
        "size": list(scene.points.shape),
        "persons": scene.persons.tolist(),
        "points": encoded(scene.points, step),
        "step": step,
        "extent": list(scene.extent),
        "fps": round(float(clip.fps), 3),
        "total": total,
    }
    if scene.is_3d:
        data["view"] = [float(YAW), float(PITCH)]
    if scene.tips is not None:
        data["tips"] = encoded(scene.tips, step)
        data["from"] = clip.arrows_from
    if scene.score is not None:
        data["score"] = shares(scene.score)
    if scene.importance is not None:
        data["importance"] = shares(scene.importance)
    if clip.images is not None:
        from pyskl.drawing.skeleton.picture import jpeg_url  # needs Pillow, which players do not

        data["images"] = [jpeg_url(image) for image in clip.images]
    return data


def _layout_data(layout: SkeletonLayout) -> dict[str, Any]:
    return {
        "edges": [list(edge) for edge in layout.edges],
        "parents": layout.parents.tolist(),
        "left": list(layout.left),
        "right": list(layout.right),
        "names": list(layout.joint_names),
    }
