"""Shapes as SVG or as pixels."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from html import escape

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pyskl.drawing.skeleton.drawing import Disc, Line, Shape, Text, Triangle
from pyskl.drawing.skeleton.palette import palette, rgb

FONT = "system-ui, 'Segoe UI', Roboto, sans-serif"


def svg_shapes(shapes: Iterable[Shape], *, dark: bool = False) -> str:
    """Return shapes as SVG elements."""
    colours = palette(dark=dark)
    return "".join(_svg(shape, colours) for shape in shapes)


def _svg(shape: Shape, colours: dict[str, str]) -> str:
    colour = colours[shape.role]
    if isinstance(shape, Text):
        return (
            f'<text x="{shape.x:.1f}" y="{shape.y:.1f}" font-size="{shape.size:.1f}" '
            f'text-anchor="{shape.anchor}" fill="{colour}">{escape(shape.text)}</text>'
        )
    faint = "" if shape.alpha >= 0.995 else f' opacity="{shape.alpha:.2f}"'
    if isinstance(shape, Line):
        return (
            f'<line x1="{shape.x1:.1f}" y1="{shape.y1:.1f}" x2="{shape.x2:.1f}" '
            f'y2="{shape.y2:.1f}" stroke="{colour}" stroke-width="{shape.width:.2f}" '
            f'stroke-linecap="round"{faint}/>'
        )
    if isinstance(shape, Disc):
        fill = colour
        if shape.ring:
            fill = f'{colours["ground"]}" stroke="{colour}" stroke-width="{shape.ring:.2f}'
        return (
            f'<circle cx="{shape.x:.1f}" cy="{shape.y:.1f}" r="{shape.radius:.2f}" '
            f'fill="{fill}"{faint}/>'
        )
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.corners)
    return f'<polygon points="{corners}" fill="{colour}"{faint}/>'


def paint(
    shapes: Iterable[Shape],
    width: int,
    height: int,
    *,
    dark: bool = False,
    image: np.ndarray | None = None,
) -> Image.Image:
    """Return shapes as an RGB picture with smooth edges.

    Args:
        shapes: The shapes, in pixels.
        width: Pixels.
        height: Pixels.
        dark: Whether on a dark ground.
        image: What lies under them, stretched to the whole: RGB (H, W, 3) uint8.
    """
    colours = {role: rgb(colour) for role, colour in palette(dark=dark).items()}
    # Pillow draws hard edges: drawn larger and made small again they are smooth.
    times = 2 if min(width, height) >= 400 else 3
    size = (width * times, height * times)
    if image is None:
        canvas = Image.new("RGB", size, colours["ground"])
    else:
        canvas = Image.fromarray(image).convert("RGB").resize(size, Image.Resampling.BILINEAR)
    pen = ImageDraw.Draw(canvas, "RGBA")
    for shape in shapes:
        _paint(pen, shape, colours, times)
    return canvas.reduce(times)


def _paint(
    pen: ImageDraw.ImageDraw, shape: Shape, colours: dict[str, tuple[int, int, int]], times: int
) -> None:
    if isinstance(shape, Text):
        place = (shape.x * times, shape.y * times)
        anchor = {"start": "ls", "middle": "ms", "end": "rs"}[shape.anchor]
        font = _font(round(shape.size * times))
        pen.text(place, shape.text, fill=colours[shape.role], anchor=anchor, font=font)
        return
    colour = (*colours[shape.role], round(255 * min(max(shape.alpha, 0), 1)))
    if isinstance(shape, Line):
        ends = [shape.x1 * times, shape.y1 * times, shape.x2 * times, shape.y2 * times]
        pen.line(ends, fill=colour, width=max(round(shape.width * times), 1))
    elif isinstance(shape, Triangle):
        pen.polygon([(x * times, y * times) for x, y in shape.corners], fill=colour)
    else:
        outer = (shape.radius + shape.ring / 2) * times
        x, y = shape.x * times, shape.y * times
        pen.ellipse([x - outer, y - outer, x + outer, y + outer], fill=colour)
        if shape.ring:
            inner = max((shape.radius - shape.ring / 2) * times, 0)
            ground = (*colours["ground"], 255)
            pen.ellipse([x - inner, y - inner, x + inner, y + inner], fill=ground)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def text_width(text: str, size: float) -> float:
    """Return the width of text in pixels, about."""
    return float(_font(round(size)).getlength(text))


def shortened(text: str, size: float, width: float) -> str:
    """Return text that is cut, with an ellipsis, where it is wider than ``width`` pixels."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(f"{text}...", size) > width:
        text = text[:-1]
    return f"{text.rstrip()}..."
