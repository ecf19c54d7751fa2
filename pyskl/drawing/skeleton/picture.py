"""Pictures and videos of scenes, drawn with matplotlib.

Figures have 72 dots per inch, so that a point is a pixel and all sizes below are pixels.
``player.js`` draws the same in the browser.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba, to_rgba_array
from matplotlib.figure import Figure
from matplotlib.text import Text

from pyskl.drawing.page import palette
from pyskl.drawing.skeleton.camera import Camera, picture_camera
from pyskl.drawing.skeleton.scene import Scene

_DPI = 72
_TITLE_SIZE, _NOTE_SIZE, _LINE_HEIGHT = 14.0, 12.0, 18
_MIN_WIDTH = 200  # of a strip, to leave room for its title
_COUNTER_WIDTH = 80  # for the frame number of a video
_LETTER_WIDTH = 0.6  # mean width of a letter, as a share of the font size


@dataclass(frozen=True)
class PictureStyle:
    """The appearance of pictures.

    Attributes:
        size: Height of a skeleton's picture in pixels.
        yaw: Rotation about the vertical axis in radians, None for the default.
        pitch: How far the camera looks down in radians, None for the default.
        dark: Whether the background is dark.
    """

    size: int = 240
    yaw: float | None = None
    pitch: float | None = None
    dark: bool = False


class PixelFigure:
    """A figure that is addressed in pixels from the upper left corner."""

    def __init__(self, width: float, height: float, *, dark: bool = False) -> None:
        self.width = width
        self.height = height
        self.colours = palette(dark=dark)
        self.figure = Figure(
            figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor=self.colours["ground"]
        )

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Add axes in pixels, y down."""
        box = (left, self.height - top - height, width, height)
        size = (self.width, self.height, self.width, self.height)
        axes = self.figure.add_axes(tuple(a / b for a, b in zip(box, size)))  # type: ignore[arg-type]
        axes.set(xlim=(0, width), ylim=(height, 0))
        axes.axis("off")
        return axes

    def text(
        self, x: float, y: float, text: str, *, role: str = "text", size: float = _NOTE_SIZE,
        align: str = "left",
    ) -> Text:  # fmt: skip
        """Add text with its baseline at (x, y)."""
        return self.figure.text(
            x / self.width,
            1 - y / self.height,
            text,
            fontsize=size,
            color=self.colours[role],
            ha=align,
            parse_math=False,
        )

    def title(self, left: float, top: float, lines: Sequence[str], width: float) -> None:
        """Add a title and notes, shortened to the width."""
        if not self.figure.get_label():
            self.figure.set_label(lines[0] if lines else "skeleton")
        for row, line in enumerate(lines):
            size = _NOTE_SIZE if row else _TITLE_SIZE
            letters = max(int((width - 16) / (_LETTER_WIDTH * size)), 4)
            shown = line if len(line) <= letters else f"{line[: letters - 3].rstrip()}..."
            self.text(left + 8, top + _LINE_HEIGHT * (row + 1), shown, size=size)


def evenly_spaced(total: int, number: int) -> list[int]:
    """Return up to ``number`` frame numbers, evenly spaced from the first to the last."""
    return np.rint(np.linspace(0, total - 1, min(number, total))).astype(int).tolist()


def strip_figure(
    scenes: Sequence[Scene], style: PictureStyle | None = None, *, frames: int = 6
) -> Figure:
    """Draw strips of frames, one below the other.

    Args:
        scenes: One for each strip.
        style: The appearance.
        frames: Frames of each strip, evenly spaced.

    Returns:
        The figure; save it with :func:`save_figure`.
    """
    style = style or PictureStyle()
    strips = []
    for scene in scenes:
        chosen = evenly_spaced(scene.num_frames, frames)
        width = round(style.size * _aspect(scene))
        lines = [line for line in (scene.clip.title, *scene.clip.notes) if line]
        head = len(lines) * _LINE_HEIGHT + (10 if lines else 2)
        strips.append((scene, chosen, width, lines, head))
    canvas = PixelFigure(
        max(_MIN_WIDTH, *(len(chosen) * width for _, chosen, width, _, _ in strips)),
        sum(head + style.size + _LINE_HEIGHT for *_, head in strips),
        dark=style.dark,
    )
    top = 0
    for scene, chosen, width, lines, head in strips:
        canvas.title(0, top, lines, max(len(chosen) * width, _MIN_WIDTH))
        camera = picture_camera(
            scene, width, style.size, yaw=style.yaw, pitch=style.pitch, frames=chosen
        )
        bottom = top + head + style.size + _LINE_HEIGHT
        for column, frame in enumerate(chosen):
            axes = canvas.axes(column * width, top + head, width, style.size)
            draw_frame(axes, scene, frame, camera, dark=style.dark)
            middle = (column + 0.5) * width
            canvas.text(middle, bottom - 5, f"frame {frame + 1}", role="faint", align="center")
        top = bottom
    return canvas.figure


def movie_frames(
    scenes: Sequence[Scene], style: PictureStyle | None = None
) -> Iterator[np.ndarray]:
    """Draw all frames of some scenes side by side, with titles; shorter scenes repeat.

    Args:
        scenes: The scenes.
        style: The appearance.

    Yields:
        RGB pictures (H, W, 3), uint8. H and W are even, as video codecs require.
    """
    style = style or PictureStyle(size=480)
    widths = [_even(style.size * _aspect(scene)) for scene in scenes]
    titles = [[line for line in (s.clip.title, *s.clip.notes) if line] for s in scenes]
    head = max(len(lines) for lines in [*titles, [""]]) * _LINE_HEIGHT + 10
    height = _even(style.size + head)
    canvas = PixelFigure(sum(widths), height, dark=style.dark)
    panels = []
    left = 0
    for scene, width, lines in zip(scenes, widths, titles):
        canvas.title(left, 0, lines, width - _COUNTER_WIDTH)
        counter = canvas.text(left + width - 8, _LINE_HEIGHT, "", role="faint", align="right")
        axes = canvas.axes(left, head, width, height - head)
        camera = picture_camera(scene, width, height - head, yaw=style.yaw, pitch=style.pitch)
        panels.append((scene, axes, camera, counter))
        left += width
    agg = FigureCanvasAgg(canvas.figure)
    for number in range(max(scene.num_frames for scene in scenes)):
        drawn: list[Artist] = []
        for scene, axes, camera, counter in panels:
            frame = number % scene.num_frames
            counter.set_text(f"{frame + 1} / {scene.num_frames}")
            drawn += draw_frame(axes, scene, frame, camera, dark=style.dark)
        agg.draw()
        yield np.array(agg.buffer_rgba())[..., :3]
        for artist in drawn:
            artist.remove()


def draw_frame(
    axes: Axes, scene: Scene, frame: int, camera: Camera, *, dark: bool = False
) -> list[Artist]:
    """Draw one frame of a scene.

    Args:
        axes: Axes in pixels of the camera's picture, y down.
        scene: The scene.
        frame: Frame number.
        camera: The view.
        dark: Whether the background is dark.

    Returns:
        What was added to the axes.
    """
    colours = palette(dark=dark)
    artists: list[Artist] = []
    if scene.clip.images is not None:
        image, extent = scene.clip.images[frame], (0, camera.width, camera.height, 0)
        artists.append(axes.imshow(image, extent=extent, aspect="auto", interpolation="bilinear"))
    if scene.is_3d:
        radius, half = scene.extent
        grid = [
            ends
            for at in np.linspace(-radius, radius, 5)
            for ends in ([[at, -half, -radius], [at, -half, radius]],
                         [[-radius, -half, at], [radius, -half, at]])
        ]  # fmt: skip
        lines = camera.project(np.array(grid))[..., :2]
        artists.append(_add_lines(axes, lines, colours["line"], 1.0, zorder=1))
    for index in range(len(scene.persons)):
        artists += _draw_person(axes, scene, index, frame, camera, colours)
    return artists


def _draw_person(
    axes: Axes, scene: Scene, index: int, frame: int, camera: Camera, colours: Mapping[str, str]
) -> list[Artist]:
    """Draw limbs, joints, arrows and number of a person, in this order across all persons."""
    unit = min(camera.width, camera.height) / 160
    layout, images, person = scene.layout, scene.clip.images, int(scene.persons[index])
    artists: list[Artist] = []
    points = camera.project(scene.points[index, frame])  # (V, 3)
    seen = np.isfinite(points).all(axis=1)
    if not seen.any():
        return []
    sides = to_rgba_array([colours["text"]] * layout.num_joints)  # of joints and their limbs
    sides[list(layout.left)] = to_rgba_array(colours["left"])
    sides[list(layout.right)] = to_rgba_array(colours["right"])
    opacity = np.ones(layout.num_joints)
    if scene.score is not None:
        opacity *= 0.25 + 0.75 * scene.score[index, frame].clip(0, 1)
    if scene.is_3d:  # distant joints are paler
        opacity *= 0.775 + 0.225 * np.nan_to_num(points[:, 2] / scene.extent[0]).clip(-1, 1)
    weights = scene.importance
    if weights is not None and weights.ndim > 1:
        weights = weights[index, frame] if weights.ndim == 3 else weights[frame]
    tips = None if scene.tips is None else camera.project(scene.tips[index, frame])
    arrows_are_limbs = tips is not None and scene.clip.arrows_from == "parent"

    if not arrows_are_limbs:
        edges = np.array([(a, b) for a, b in layout.edges if seen[a] and seen[b]], int)
        edges = edges.reshape(-1, 2)
        edges = edges[np.argsort(points[edges, 2].sum(axis=1), kind="stable")]  # far ones first
        lines, width = points[edges][..., :2], unit * (1.8 if person == 0 else 1.2)
        pale = (1 if tips is None else 0.5) * (1 if weights is None else 0.6)
        limbs = sides[edges[:, 0]]
        if tips is not None:
            limbs[:] = to_rgba_array(colours["faint"])
        limbs[:, 3] = pale * opacity[edges].min(axis=1)
        if images is not None:  # an outline, because images may have any colour
            outline = to_rgba_array(colours["ground"], 0.6)
            artists.append(_add_lines(axes, lines, outline, width + unit, zorder=2))
        artists.append(_add_lines(axes, lines, limbs, width, zorder=2))

    if tips is None or weights is not None:
        radii, joints = np.full(layout.num_joints, 1.6 * unit), sides.copy()
        joints[:, 3] = opacity
        if weights is not None:
            radii = (1 + 4.5 * weights) * unit
            joints[:] = to_rgba_array(colours["bad"])
            joints[:, 3] = 0.3 + 0.6 * weights
        filled = person == 0  # joints of others are hollow
        discs = axes.scatter(
            points[seen, 0],
            points[seen, 1],
            (2 * radii[seen]) ** 2,
            facecolors=joints[seen] if filled else colours["ground"],
            edgecolors="none" if filled else joints[seen],
            linewidths=0.8 * unit,
            zorder=3,
        )
        artists.append(discs)

    if tips is not None:
        starts = points[layout.parents] if arrows_are_limbs else points
        vectors = (tips - starts)[:, :2]
        drawn = np.hypot(*vectors.T) >= 0.5  # False for NaN
        colour = sides.copy()
        colour[:, 3] = opacity
        arrows = axes.quiver(
            *starts[drawn, :2].T,
            *vectors[drawn].T,
            color=colour[drawn],
            angles="xy",
            scale_units="xy",
            scale=1,
            units="dots",
            width=1.2 * unit,
            headwidth=3.6,
            headlength=4.2,
            headaxislength=3.8,
            minshaft=1.6,
            minlength=0,
            zorder=4,
        )
        artists.append(arrows)

    if len(scene.persons) > 1:
        x, y, _ = points[seen][points[seen, 1].argmin()].tolist()
        number = axes.text(
            x,
            y - 4 * unit,
            str(person + 1),
            fontsize=max(11.0, 6 * unit),
            color=colours["text"],
            ha="center",
            clip_on=True,
            zorder=5,
        )
        if images is not None:
            badge = to_rgba(colours["ground"], 0.7)
            number.set_bbox({"boxstyle": "circle,pad=0.15", "fc": badge, "lw": 0})
        artists.append(number)
    return artists


def _add_lines(
    axes: Axes, lines: np.ndarray, colours: Any, width: float, *, zorder: int
) -> LineCollection:
    """Add lines (N, 2, 2) to axes."""
    collection = LineCollection(
        list(lines), colors=colours, linewidths=width, capstyle="round", zorder=zorder
    )
    axes.add_collection(collection, autolim=False)
    return collection


def save_figure(figure: Figure, file: str | Path | io.BytesIO, kind: str) -> None:
    """Save a figure as a PNG or SVG file, the same bytes each time.

    Args:
        figure: From :func:`strip_figure`.
        file: Where to.
        kind: ``'png'`` or ``'svg'``.
    """
    if kind != "svg":
        figure.savefig(file, format=kind, dpi=_DPI)
        return
    text = svg_text(figure, str(figure.get_label()))
    if isinstance(file, io.BytesIO):
        file.write(text.encode())
    else:
        Path(file).write_text(text, encoding="utf-8")


def svg_text(figure: Figure, title: str) -> str:
    """Return a figure as an ``<svg>`` element with a title; text stays text."""
    buffer = io.BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "pyskl"}):
        figure.savefig(buffer, format="svg", dpi=_DPI, metadata={"Date": None, "Title": title})
    text = buffer.getvalue().decode()
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    head, end, rest = text.partition(">")
    return re.sub(r'="([\d.]+)pt"', r'="\1"', head) + ' role="img"' + end + rest


def _aspect(scene: Scene) -> float:
    """Return the width of a picture divided by its height."""
    width, height = scene.extent
    if scene.clip.images is not None:
        return width / height
    return min(max(1.1 * width / height, 0.75), 1.78)


def _even(number: float) -> int:
    return 2 * max(round(number / 2), 1)
