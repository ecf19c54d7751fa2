"""Write GIF and MP4 files, and read videos to draw skeletons on."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from pyskl.errors import InputError

# Every build of OpenCV can write MPEG-4 part 2. H.264 needs an encoder that its wheels lack.
_CODEC = "mp4v"

_GIF_COLOURS = 64

# Pillow holds all frames in memory while it writes a GIF, one byte for each pixel.
_MAX_GIF_PIXELS = 10**9


def write_gif(path: Path, frames: Iterable[np.ndarray], fps: float) -> None:
    """Write a GIF that repeats forever.

    Args:
        path: The file.
        frames: RGB pictures (H, W, 3), uint8, all of one size.
        fps: Frames per second; the format allows at most 50.

    Raises:
        InputError: if it would be too large.
    """
    images: list[Image.Image] = []
    for frame in frames:
        image = Image.fromarray(frame)
        images.append(image.quantize(_GIF_COLOURS, dither=Image.Dither.NONE))
        if len(images) * image.width * image.height > _MAX_GIF_PIXELS:
            raise InputError(
                "the GIF would need more than 1 GB of memory",
                file=path,
                hint="write an .mp4, or smaller pictures with --size",
            )
    duration = max(round(100 / fps) * 10, 20)  # milliseconds; the format stores hundredths
    images[0].save(
        path, "GIF", save_all=True, append_images=images[1:], duration=duration, loop=0
    )  # fmt: skip


def write_mp4(path: Path, frames: Iterable[np.ndarray], fps: float) -> None:
    """Write an MP4 file; arguments as for :func:`write_gif`, with an even H and W.

    Raises:
        InputError: if OpenCV can't write it, for example because it lacks the codec.
    """
    # OpenCV chooses the container by the suffix, which a partial file may not have.
    file = path if path.suffix == ".mp4" else path.with_name(f"{path.name}.mp4")
    writer = None
    try:
        for frame in frames:
            if writer is None:
                size = (frame.shape[1], frame.shape[0])
                writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*_CODEC), fps, size)
                if not writer.isOpened():
                    raise InputError(
                        f"OpenCV can't write a video with the codec {_CODEC}",
                        file=path,
                        hint="write a .gif or .html instead",
                    )
            writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        if writer is not None:
            writer.release()
        os.replace(file, path)
    finally:
        if writer is not None:
            writer.release()
        if file != path:
            file.unlink(missing_ok=True)


def read_video(
    path: str | Path, *, width: int | None = None, height: int | None = None
) -> tuple[list[np.ndarray], tuple[int, int], float | None]:
    """Read all frames of a video.

    Args:
        path: Any file that OpenCV reads.
        width: Wider frames are scaled down to this many pixels.
        height: Higher frames are scaled down to this many pixels.

    Returns:
        The frames, RGB (H, W, 3) uint8; (height, width) of the video itself; its frames per
        second, or None if the file does not say.

    Raises:
        InputError: if the file is missing or no video.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("no such video", file=path)
    capture = cv2.VideoCapture(str(path))
    fps = capture.get(cv2.CAP_PROP_FPS) if capture.isOpened() else 0.0
    frames: list[np.ndarray] = []
    size = (0, 0)
    while capture.isOpened():
        success, frame = capture.read()
        if not success:
            break
        size = frame.shape[:2]
        share = min(1.0, (width or size[1]) / size[1], (height or size[0]) / size[0])
        if share < 1:
            small = max(round(size[1] * share), 1), max(round(size[0] * share), 1)
            frame = cv2.resize(frame, small, interpolation=cv2.INTER_AREA)
        frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    capture.release()
    if not frames:
        raise InputError("OpenCV finds no video in this file", file=path)
    return frames, size, float(fps) if fps and np.isfinite(fps) else None
