"""Moving pictures: GIF and MP4 written, videos read to lie under skeletons."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from PIL import Image

from pyskl.errors import InputError

# MPEG-4 part 2 is what every build of OpenCV writes; H.264 needs an encoder that wheels lack.
_CODEC = "mp4v"

_MOST_COLOURS = 64  # of a GIF

# Pixels of a GIF's frames together, which are in memory at once while it is written.
_MOST_GIF_PIXELS = 10**9


class Frames(Protocol):
    """Pictures in order: RGB (H, W, 3) uint8, all of one size."""

    width: int
    height: int

    def __len__(self) -> int:
        """Return the number of frames."""

    def __getitem__(self, number: int) -> np.ndarray:
        """Return a frame."""


def write_gif(path: Path, frames: Frames, fps: float) -> None:
    """Write a GIF that repeats for ever.

    Args:
        path: The file.
        frames: What it shows.
        fps: Frames per second; the format holds at most 50.

    Raises:
        InputError: if it would be too large.
    """
    if len(frames) * frames.width * frames.height > _MOST_GIF_PIXELS:
        raise InputError(
            f"{path}: {len(frames)} frames of {frames.width} x {frames.height} pixels are too much "
            "for a GIF; write an .mp4, or make them smaller with --size"
        )
    images = [
        Image.fromarray(frames[number]).quantize(_MOST_COLOURS, dither=Image.Dither.NONE)
        for number in range(len(frames))
    ]
    duration = max(round(100 / fps) * 10, 20)  # milliseconds; the format counts hundredths
    images[0].save(
        path,
        "GIF",
        save_all=True,
        append_images=images[1:],
        duration=duration,
        loop=0,
        optimize=False,
    )


def write_mp4(path: Path, frames: Frames, fps: float) -> None:
    """Write an MP4 file; arguments as of :func:`write_gif`, of even width and height.

    Raises:
        InputError: if OpenCV can't write there, or was built without the codec.
    """
    # OpenCV goes by the suffix, which a file that is not finished may not have.
    file = path if path.suffix == ".mp4" else path.with_name(f"{path.name}.mp4")
    writer = cv2.VideoWriter(
        str(file), cv2.VideoWriter.fourcc(*_CODEC), fps, (frames.width, frames.height)
    )
    try:
        if not writer.isOpened():
            raise InputError(
                f"{path}: OpenCV can't write a video there (codec {_CODEC!r}); write a .gif or "
                ".html instead"
            )
        for number in range(len(frames)):
            writer.write(cv2.cvtColor(frames[number], cv2.COLOR_RGB2BGR))
        writer.release()
        os.replace(file, path)
    finally:
        writer.release()
        if file != path:
            file.unlink(missing_ok=True)


def read_video(
    path: str | Path, *, width: int | None = None, height: int | None = None
) -> tuple[list[np.ndarray], tuple[int, int], float | None]:
    """Read all frames of a video.

    Args:
        path: Any file that OpenCV reads.
        width: Frames that are wider, in pixels, are made as small as that.
        height: Likewise.

    Returns:
        The frames, RGB (H, W, 3) uint8; (height, width) of the video itself; frames per second,
        where the file says so.

    Raises:
        InputError: if there is no such file, or it is no video.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such video")
    capture = cv2.VideoCapture(str(path))
    try:
        fps = capture.get(cv2.CAP_PROP_FPS) if capture.isOpened() else 0.0
        frames: list[np.ndarray] = []
        size = (0, 0)
        while capture.isOpened():
            read, frame = capture.read()
            if not read:
                break
            size = frame.shape[:2]
            share = min(1.0, (width or size[1]) / size[1], (height or size[0]) / size[0])
            if share < 1:
                small = max(round(size[1] * share), 1), max(round(size[0] * share), 1)
                frame = cv2.resize(frame, small, interpolation=cv2.INTER_AREA)
            frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    finally:
        capture.release()
    if not frames:
        raise InputError(f"{path}: OpenCV finds no video in this file")
    return frames, size, float(fps) if fps and np.isfinite(fps) else None
