"""Charts of pages as pictures of their own: SVG files that need no page, and pixels.

The charts of :mod:`pyskl.drawing.charts` take colours and fonts from ``page.css``. Here these are
written into the elements; what draws the pixels knows only the elements that charts are made of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from PIL import Image, ImageColor, ImageDraw, ImageFont

from pyskl.drawing.page import FONT, asset, palette

_NAMESPACE = "http://www.w3.org/2000/svg"

# Wider or higher pictures are painted with one pixel for each of theirs, others with two.
_LARGE = 1000

# Drawn so many times larger and made small again, for smooth edges.
_SMOOTH = 2

_MARGIN, _HEAD = 12, 24  # around the chart, and above it for its title, pixels


def standalone(chart: str, *, dark: bool = False) -> Element:
    """Return a chart with its title, and all that it takes from a page, written into it.

    Args:
        chart: SVG as :mod:`pyskl.drawing.charts` makes it.
        dark: Whether on a dark ground.
    """
    colours = palette(dark=dark)
    inner = ElementTree.fromstring(chart)
    for element in inner.iter():
        element.tag = element.tag.removeprefix(f"{{{_NAMESPACE}}}")
        declared = dict(_rules_for(element))
        declared.update(_declarations(element.attrib.pop("style", "")))
        element.attrib.pop("class", None)
        for name, value in declared.items():
            found = re.fullmatch(r"var\(--([\w-]+)\)", value)
            element.set(name, colours[found[1]] if found else value)
    width = int(inner.attrib["width"]) + 2 * _MARGIN
    height = int(inner.attrib["height"]) + 2 * _MARGIN + _HEAD
    left, top = -_MARGIN, -_MARGIN - _HEAD
    outer = Element(
        "svg",
        {
            "xmlns": _NAMESPACE,
            "width": str(width),
            "height": str(height),
            "viewBox": f"{left} {top} {width} {height}",
            "font-family": FONT,
            "role": "img",
        },
    )
    ground = {"x": str(left), "y": str(top), "width": str(width), "height": str(height)}
    head = Element("text", {"x": "0", "y": "-14", "font-size": "14", "fill": colours["text"]})
    head.text = inner.findtext("title")
    outer.extend([*inner.findall("title"), Element("rect", {**ground, "fill": colours["ground"]})])
    outer.append(head)
    outer.extend(child for child in inner if child.tag != "title")
    return outer


def svg_file(picture: Element) -> str:
    """Return the text of a file."""
    return ElementTree.tostring(picture, encoding="unicode") + "\n"


# --- the page's style -----------------------------------------------------------------------------


@cache
def _rules() -> tuple[tuple[str, str, dict[str, str]], ...]:
    """Return (tag, class, declarations) of the rules of ``page.css`` for what is in charts."""
    found = re.findall(r"^svg\.chart (\w*)(?:\.(\w+))? \{(.*?)\}", asset("page.css"), re.MULTILINE)
    return tuple((tag, kind, _declarations(body)) for tag, kind, body in found)


def _rules_for(element: Element) -> Iterator[tuple[str, str]]:
    kinds = element.get("class", "").split()
    for tag, kind, declared in _rules():
        if tag in ("", element.tag) and (not kind or kind in kinds):
            yield from declared.items()


def _declarations(text: str) -> dict[str, str]:
    parts = (part.partition(":") for part in text.split(";") if part.strip())
    return {name.strip(): value.strip() for name, _, value in parts}


# --- pixels ---------------------------------------------------------------------------------------


def painted(picture: Element) -> Image.Image:
    """Return a picture of :func:`standalone` as pixels: of a small one twice as many each way."""
    width, height = int(picture.attrib["width"]), int(picture.attrib["height"])
    times = _SMOOTH * (1 if max(width, height) > _LARGE else 2)
    canvas = Image.new("RGB", (width * times, height * times))
    pen = ImageDraw.Draw(canvas, "RGBA")
    for element in picture.iter():
        paint = _PAINTERS.get(element.tag)
        if paint is not None:
            paint(pen, element, times)
    return canvas.reduce(_SMOOTH)


def _number(element: Element, name: str, default: float = 0) -> float:
    return float(re.sub(r"px$", "", element.get(name, str(default))))


def _place(element: Element, x: str, y: str, times: int) -> tuple[float, float]:
    return _scaled(_number(element, x), _number(element, y), times)


def _scaled(x: float, y: float, times: int) -> tuple[float, float]:
    return (x + _MARGIN) * times, (y + _MARGIN + _HEAD) * times


def _colour(element: Element, name: str) -> tuple[int, int, int, int] | None:
    value = element.get(name, "none")
    if not value.startswith("#"):
        return None
    return (*ImageColor.getrgb(value)[:3], round(255 * _number(element, f"{name}-opacity", 1)))


def _rect(pen: ImageDraw.ImageDraw, element: Element, times: int) -> None:
    x, y = _place(element, "x", "y", times)
    wide, high = _number(element, "width") * times, _number(element, "height") * times
    if wide >= 1 and high >= 1:
        # Pillow's corners belong to the rectangle.
        pen.rectangle([x, y, x + wide - 1, y + high - 1], fill=_colour(element, "fill"))


def _line(pen: ImageDraw.ImageDraw, element: Element, times: int) -> None:
    _stroke(
        pen,
        element,
        [_place(element, "x1", "y1", times), _place(element, "x2", "y2", times)],
        times,
    )


def _polyline(pen: ImageDraw.ImageDraw, element: Element, times: int) -> None:
    pairs = [pair.split(",") for pair in element.get("points", "").split()]
    points = [_scaled(float(x), float(y), times) for x, y in pairs]
    _stroke(pen, element, points, times)


def _stroke(
    pen: ImageDraw.ImageDraw, element: Element, points: list[tuple[float, float]], times: int
) -> None:
    colour = _colour(element, "stroke")
    if colour is None or len(points) < 2:
        return
    width = max(round(_number(element, "stroke-width", 1) * times), 1)
    dashes = [float(length) * times for length in element.get("stroke-dasharray", "").split()]
    for part in _dashed(points, dashes) if dashes else [points]:
        pen.line(part, fill=colour, width=width, joint="curve")


def _dashed(
    points: list[tuple[float, float]], dashes: list[float]
) -> Iterator[list[tuple[float, float]]]:
    """Yield the parts of a line that dashes leave of it."""
    drawn, left = 0, dashes[0]
    for start, end in pairwise(points):
        length, done = ((end[0] - start[0]) ** 2 + (end[1] - start[1]) ** 2) ** 0.5, 0.0
        while done < length:
            step = min(left, length - done)
            a, b = done / length, (done + step) / length
            if drawn % 2 == 0:
                yield [
                    (start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1]))
                    for share in (a, b)
                ]
            done, left = done + step, left - step
            if left <= 1e-6:
                drawn += 1
                left = dashes[drawn % len(dashes)]


def _circle(pen: ImageDraw.ImageDraw, element: Element, times: int) -> None:
    x, y = _place(element, "cx", "cy", times)
    radius = _number(element, "r") * times
    pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=_colour(element, "fill"))


def _text(pen: ImageDraw.ImageDraw, element: Element, times: int) -> None:
    anchor = {"middle": "ms", "end": "rs"}.get(element.get("text-anchor", ""), "ls")
    font = _font(round(_number(element, "font-size", 11) * times))
    place = _place(element, "x", "y", times)
    pen.text(place, element.text or "", fill=_colour(element, "fill"), anchor=anchor, font=font)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


_PAINTERS = {"rect": _rect, "line": _line, "polyline": _polyline, "circle": _circle, "text": _text}
