"""Pictures of clips: strips of frames, and the frames of videos."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from PIL import Image

from pyskl.drawing.skeleton.camera import for_stills
from pyskl.drawing.skeleton.drawing import Shape, Text, frame_shapes
from pyskl.drawing.skeleton.painters import FONT, paint, shortened, svg_shapes
from pyskl.drawing.skeleton.palette import palette
from pyskl.drawing.skeleton.scene import Scene

_HEAD, _LINE, _SMALL = 15.0, 18, 12.0  # sizes of text and the height of a line, pixels
_LEAST_WIDTH = 200  # of a strip, for its title
_COUNT = 70  # width kept for a film's frame number, pixels


@dataclass(frozen=True)
class Look:
    """How pictures look.

    Attributes:
        size: Height of a skeleton's picture, pixels.
        yaw: Turn about the upright axis, radians; None for a little from the side.
        pitch: How far from above, radians; None for a little.
        dark: Whether on a dark ground.
    """

    size: int = 240
    yaw: float | None = None
    pitch: float | None = None
    dark: bool = False


def chosen_frames(scene: Scene, number: int) -> list[int]:
    """Return the numbers of frames spread evenly from the first to the last."""
    total = scene.num_frames
    return np.rint(np.linspace(0, total - 1, min(max(number, 1), total))).astype(int).tolist()


def strip_svg(scenes: Sequence[Scene], look: Look | None = None, *, number: int = 6) -> str:
    """Return strips of frames, one below the other, as the text of an SVG file.

    Args:
        scenes: One for each strip.
        look: How they look.
        number: Frames of each, spread evenly.
    """
    look = look or Look()
    strips = [_Strip(scene, number, look) for scene in scenes]
    wide, high = max(strip.total[0] for strip in strips), sum(strip.total[1] for strip in strips)
    parts, y = [], 0
    for strip in strips:
        width, height = strip.total
        parts.append(f'<svg y="{y}" width="{width}" height="{height}">{_strip(strip)}</svg>')
        y += height
    title = scenes[0].clip.title or "skeleton"
    ground = palette(dark=look.dark)["ground"]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" '
        f'viewBox="0 0 {wide} {high}" font-family="{FONT}" role="img"><title>{escape(title)}'
        f'</title><rect width="{wide}" height="{high}" fill="{ground}"/>{"".join(parts)}</svg>\n'
    )


def _strip(strip: _Strip) -> str:
    scene, look = strip.scene, strip.look
    parts = [svg_shapes(strip.texts(), dark=look.dark)]
    for index, frame in enumerate(strip.frames):
        x, y = strip.corner(index)
        image = ""
        if scene.clip.images is not None:
            image = (
                f'<image href="{jpeg_url(scene.clip.images[frame])}" width="{strip.width}" '
                f'height="{look.size}" preserveAspectRatio="none"/>'
            )
        shapes = svg_shapes(frame_shapes(scene, frame, strip.camera), dark=look.dark)
        parts.append(  # an inner svg clips what does not fit
            f'<svg x="{x}" y="{y}" width="{strip.width}" height="{look.size}">{image}{shapes}</svg>'
        )
    return "".join(parts)


def stacked(scenes: Sequence[Scene], look: Look | None = None, *, number: int = 6) -> Image.Image:
    """Return the same as pixels; arguments as of :func:`strip_svg`."""
    look = look or Look()
    pictures = [_painted(_Strip(scene, number, look)) for scene in scenes]
    size = max(one.width for one in pictures), sum(one.height for one in pictures)
    whole = Image.new("RGB", size, palette(dark=look.dark)["ground"])
    y = 0
    for picture in pictures:
        whole.paste(picture, (0, y))
        y += picture.height
    return whole


def _painted(strip: _Strip) -> Image.Image:
    scene, look = strip.scene, strip.look
    canvas = paint(strip.texts(), *strip.total, dark=look.dark)
    for index, frame in enumerate(strip.frames):
        image = None if scene.clip.images is None else scene.clip.images[frame]
        shapes = frame_shapes(scene, frame, strip.camera)
        one = paint(shapes, strip.width, look.size, dark=look.dark, image=image)
        canvas.paste(one, strip.corner(index))
    return canvas


class Film:
    """All frames of a scene as pictures with title and frame number, each painted when asked for.

    Args:
        scene: The scene.
        look: How it looks.

    Indexing gives RGB (H, W, 3) uint8; H and W are even, as video files need it.
    """

    def __init__(self, scene: Scene, look: Look | None = None) -> None:
        self.scene = scene
        self.look = look or Look(size=480)
        self.width = _even(self.look.size * _shape(scene))
        self.lines = _lines(scene, self.width - _COUNT)
        self.top = max(len(self.lines), 1) * _LINE + 10
        self.height = _even(self.look.size + self.top)
        self.below = self.height - self.top
        self.camera = for_stills(
            scene, self.width, self.below, yaw=self.look.yaw, pitch=self.look.pitch
        )

    def __len__(self) -> int:
        """Return the number of frames."""
        return self.scene.num_frames

    def __getitem__(self, frame: int) -> np.ndarray:
        """Return a frame."""
        if not 0 <= frame < len(self):
            raise IndexError(f"frame {frame} of {len(self)}")
        dark, images = self.look.dark, self.scene.clip.images
        count = Text(self.width - 8, 18, f"{frame + 1} / {len(self)}", _SMALL, "faint", "end")
        head = paint([*_texts(self.lines), count], self.width, self.top, dark=dark)
        body = paint(
            frame_shapes(self.scene, frame, self.camera),
            self.width,
            self.below,
            dark=dark,
            image=None if images is None else images[frame],
        )
        return np.concatenate([np.asarray(head), np.asarray(body)])


class Films:
    """Films side by side, as one; shorter ones begin again.

    Args:
        films: At least one.
    """

    def __init__(self, films: Sequence[Film]) -> None:
        self.films = films
        self.height = max(film.height for film in films)
        self.width = sum(film.width for film in films)

    def __len__(self) -> int:
        """Return the number of frames: of the longest."""
        return max(len(film) for film in self.films)

    def __getitem__(self, number: int) -> np.ndarray:
        """Return a frame, RGB (H, W, 3) uint8."""
        if not 0 <= number < len(self):
            raise IndexError(f"frame {number} of {len(self)}")
        parts = []
        for film in self.films:
            frame = film[number % len(film)]
            # Titles have different numbers of lines: what is missing becomes ground.
            missing = np.broadcast_to(frame[:1, :1], (self.height - len(frame), film.width, 3))
            parts.append(np.concatenate([missing, frame]))
        return np.concatenate(parts, axis=1)


class _Strip:
    """Where things are in a strip of frames."""

    def __init__(self, scene: Scene, number: int, look: Look) -> None:
        self.scene = scene
        self.look = look
        self.frames = chosen_frames(scene, number)
        self.width = round(look.size * _shape(scene))
        self.lines = _lines(scene, self.total_width)
        self.top = len(self.lines) * _LINE + (10 if self.lines else 2)
        self.camera = for_stills(
            scene, self.width, look.size, yaw=look.yaw, pitch=look.pitch, frames=self.frames
        )

    @property
    def total_width(self) -> int:
        """Of the whole, pixels."""
        return max(self.width * len(self.frames), _LEAST_WIDTH)

    @property
    def total(self) -> tuple[int, int]:
        """Width and height of the whole, pixels."""
        return self.total_width, self.top + self.look.size + _LINE

    def corner(self, index: int) -> tuple[int, int]:
        """Return the upper left corner of a frame."""
        return index * self.width, self.top

    def texts(self) -> list[Shape]:
        """Return the title, and the number under each frame."""
        y = self.top + self.look.size + _LINE - 5
        numbers: list[Shape] = [
            Text((index + 0.5) * self.width, y, f"frame {frame + 1}", _SMALL, "faint")
            for index, frame in enumerate(self.frames)
        ]
        return [*_texts(self.lines), *numbers]


def _lines(scene: Scene, width: float) -> list[str]:
    """Return title and notes, cut to the width."""
    lines = [scene.clip.title, *scene.clip.notes]
    return [shortened(line, _HEAD, width - 16) for line in lines if line]


def _texts(lines: Sequence[str]) -> list[Shape]:
    return [
        Text(8, 18 + _LINE * row, line, _SMALL + 1 if row else _HEAD, "text", "start")
        for row, line in enumerate(lines)
    ]


def _shape(scene: Scene) -> float:
    """Return the width of a picture over its height."""
    wide, high = scene.extent
    if scene.clip.images is not None:
        return wide / high
    return min(max(1.1 * wide / high, 0.75), 1.78)


def _even(number: float) -> int:
    return 2 * max(round(number / 2), 1)


def jpeg_url(image: np.ndarray, *, quality: int = 75) -> str:
    """Return a picture, RGB (H, W, 3) uint8, as a ``data:`` URL."""
    file = io.BytesIO()
    Image.fromarray(image).convert("RGB").save(file, "JPEG", quality=quality)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
