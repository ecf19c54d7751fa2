"""What a reader of recordings is told besides the path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pyskl.errors import ConfigError, did_you_mean
from pyskl.skeleton.layout import SkeletonLayout

# What the last dimension of an array may be, and its length; s is the score.
CHANNELS = {"xy": 2, "xyz": 3, "xys": 3, "xyzs": 4}


@dataclass(frozen=True)
class ReadOptions:
    """What a reader is told; each reader heeds what concerns its format.

    Attributes:
        persons: How many persons M to keep at most, the most active ones; None keeps all.
        image_size: (height, width) of the videos in pixels, for formats that do not say.
        fps: Frames per second, for formats that do not say.
        layout: The skeleton that joints with names are put in the order of.
        dim: Coordinates C to take where a file has more than one kind (MediaPipe): 2 or 3.
        axes: What the dimensions of an array are, such as ``'MTVC'`` or ``'CTVM'``.
        channels: What the last dimension of an array is: ``'xy'``, ``'xyz'``, ``'xys'`` or
            ``'xyzs'``, with s for the score.
        end_sites: Whether the ends of the last bones of a BVH file are joints, too.
        asf: The skeleton of an AMC file; by default the one that lies beside it.
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
        if self.persons is not None and self.persons < 1:
            raise ConfigError(f"persons is {self.persons}, expected 1 or more")
        if self.image_size is not None and not all(0 < side < 10**6 for side in self.image_size):
            raise ConfigError(
                f"the image size is {self.image_size}, expected (height, width) in pixels"
            )
        if self.fps is not None and not 0 < self.fps < 1e6:
            raise ConfigError(f"fps is {self.fps:g}, expected frames per second above 0")
        if self.dim not in (None, 2, 3):
            raise ConfigError(f"dim is {self.dim}, expected 2 or 3")
        if self.channels not in (None, *CHANNELS):
            raise ConfigError(
                f"channels is {self.channels!r}{did_you_mean(self.channels or '', CHANNELS)}"
            )
        letters = sorted((self.axes or "TVC").upper())
        if letters not in (sorted("TVC"), sorted("MTVC")):
            raise ConfigError(
                f"axes is {self.axes!r}, expected an order of T, V, C or of M, T, V, C, such as "
                "CTVM"
            )
