"""The interface of readers, and their options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pyskl.errors import ConfigError
from pyskl.recordings.input_file import InputFile
from pyskl.recordings.recording import Recording
from pyskl.skeleton.layout import SkeletonLayout

# Meaning of an array's last axis (s is the score), and its length.
CHANNELS = {"xy": 2, "xyz": 3, "xys": 3, "xyzs": 4}


@dataclass(frozen=True)
class ReadOptions:
    """Options for reading; each reader uses those that apply to its format.

    Attributes:
        persons: Maximum number of persons M, the most active ones; None keeps all.
        image_size: (height, width) of the videos in pixels, for formats that do not state it.
        fps: Frames per second, for formats that do not state it.
        layout: The skeleton; joints with names are put in its order.
        dim: Number of coordinates C, 2 or 3, for files that have both (MediaPipe).
        axes: The order of an array's axes, such as ``'MTVC'`` or ``'CTVM'``.
        channels: Meaning of an array's last axis, a key of :data:`CHANNELS`.
        end_sites: Whether the end sites of a BVH file are joints, too.
        asf: The skeleton of an AMC file; by default the one in the same folder.
    """

    persons: int | None = 2
    image_size: tuple[int, int] | None = None
    fps: float | None = None
    layout: SkeletonLayout | None = None
    dim: int | None = None
    axes: str | None = None
    channels: str | None = None
    end_sites: bool = False
    asf: Path | None = None

    def __post_init__(self) -> None:
        size, axes = self.image_size, sorted((self.axes or "TVC").upper())
        for key, valid, expected in (
            ("persons", self.persons is None or self.persons >= 1, "1 or more"),
            (
                "image_size",
                size is None or all(0 < side < 10**6 for side in size),
                "(height, width) in pixels",
            ),
            ("fps", self.fps is None or 0 < self.fps < 1e6, "frames per second above 0"),
            ("dim", self.dim in (None, 2, 3), "2 or 3"),
            ("channels", self.channels in (None, *CHANNELS), f"one of {', '.join(CHANNELS)}"),
            ("axes", axes in (sorted("TVC"), sorted("MTVC")), "an order of TVC or MTVC"),
        ):
            if not valid:
                raise ConfigError(
                    "invalid value", key=key, found=getattr(self, key), expected=expected
                )


@dataclass(frozen=True)
class Reader:
    """The reader of one format.

    Readers raise :class:`RecordingError` without a file: :func:`read_recordings` adds it.

    Attributes:
        name: Its name for ``--format``.
        suffixes: Suffixes of its files, lower case; ``'/'`` for a folder.
        read: Reads all recordings of a file or folder, at least one.
        sniff: Returns whether a file with one of the suffixes has this format; called for folders,
            and if several formats share the suffix.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[InputFile, ReadOptions], list[Recording]]
    sniff: Callable[[InputFile], bool] = lambda file: True
