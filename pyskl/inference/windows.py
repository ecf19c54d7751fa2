"""Cut untrimmed sequences into sliding windows, and merge their scores into segments.

Shapes: W windows, T frames, L classes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pyskl.errors import InputError


@dataclass(frozen=True)
class Span:
    """A length of time, in frames or in seconds.

    Attributes:
        length: The number.
        seconds: Whether the unit is seconds.

    Example:
        >>> Span.parse('2s').frames(fps=30), Span.parse('64').frames(fps=None)
        (60, 64)
    """

    length: float
    seconds: bool = False

    @classmethod
    def parse(cls, text: str) -> Span:
        """Read ``'64'`` (frames) or ``'2s'``, ``'0.5s'`` (seconds).

        Raises:
            InputError: for anything else.
        """
        match = re.fullmatch(r"(\d+)|(\d+\.?|\d*\.\d+)s", text.strip(), re.ASCII)
        length = float(match[1] or match[2]) if match else 0.0
        if match is None or not 0 < length < math.inf:
            raise InputError(
                "not a length of time",
                found=repr(text),
                expected="frames, such as 64, or seconds, such as 2s or 0.5s",
            )
        return cls(length, seconds=match[1] is None)

    def frames(self, fps: float | None) -> int:
        """Return the number of frames, at least 1.

        Args:
            fps: Frames per second, if known.

        Raises:
            InputError: for seconds if they are not known.
        """
        if self.seconds and fps is None:
            raise InputError(
                "seconds need the frames per second, which are not known",
                found=f"{self.length:g}s",
                hint="give --fps, or a number of frames",
            )
        return max(1, round(self.length * (fps or 1) if self.seconds else self.length))


@dataclass(frozen=True)
class WindowSettings:
    """How untrimmed sequences are cut into windows and segments.

    Attributes:
        window: Length of a window.
        stride: From the start of a window to the next; by default a quarter of the window.
        smooth: Number of neighbouring windows that scores are averaged over.
        threshold: Score below which the best class counts as background.
        min_length: Shorter segments are merged or become background; None keeps all.
    """

    window: Span
    stride: Span | None = None
    smooth: int = 3
    threshold: float = 0.5
    min_length: Span | None = None

    def __post_init__(self) -> None:
        if self.smooth < 1:
            raise InputError("below 1", key="--smooth", found=self.smooth)
        if not math.isfinite(self.threshold):
            raise InputError("not a score", key="--threshold", found=self.threshold)

    def in_frames(self, fps: float | None) -> tuple[int, int, int]:
        """Return window, stride and shortest segment in frames.

        Raises:
            InputError: for seconds if the frames per second are not known, or a stride that is
                longer than the window.
        """
        window = self.window.frames(fps)
        stride = max(1, window // 4) if self.stride is None else self.stride.frames(fps)
        if stride > window:
            raise InputError(
                "longer than the window, which would leave out frames",
                key="--stride",
                found=f"{stride} frames",
                expected=f"at most {window}",
            )
        return window, stride, 1 if self.min_length is None else self.min_length.frames(fps)


@dataclass(frozen=True)
class Segment:
    """Frames of one action.

    Attributes:
        start: The first frame.
        end: The frame after the last.
        label: The class; None is background.
        score: Mean of the class's smoothed scores; None for background.
    """

    start: int
    end: int
    label: int | None = None
    score: float | None = None


def window_starts(total: int, window: int, stride: int) -> list[int]:
    """Return the first frame of each window.

    Every frame is in a window: the last one ends with the sequence, so its distance from the one
    before may be less than the stride. A sequence that is not longer than a window is one window.

    Args:
        total: Length T of the sequence.
        window: Frames of a window.
        stride: Frames from start to start, at most ``window``.

    Example:
        >>> window_starts(100, 64, 16)
        [0, 16, 32, 36]
    """
    last = max(0, total - window)
    return [*range(0, last, stride), last]


class _Run(NamedTuple):
    """Windows of one action, from ``first`` up to but without ``last``."""

    first: int
    last: int
    label: int | None


def find_segments(
    scores: np.ndarray,
    starts: Sequence[int],
    window: int,
    total: int,
    *,
    smooth: int = 1,
    threshold: float = 0.5,
    min_length: int = 1,
) -> list[Segment]:
    """Merge the scores of windows into segments.

    Each window stands for the frames that are nearest to its middle. Scores are averaged over
    ``smooth`` neighbours; the best class of a window is its action, or background if it scores less
    than ``threshold``; neighbours with the same action become a segment. Segments and background
    shorter than ``min_length`` are absorbed if the same action is on both sides; other short
    segments become background.

    Args:
        scores: (W, L).
        starts: First frames of the windows, ascending; see :func:`window_starts`.
        window: Frames of a window.
        total: Length T of the sequence.
        smooth: See :class:`WindowSettings`.
        threshold: See :class:`WindowSettings`.
        min_length: Frames of the shortest segment.

    Returns:
        Segments one after the other from frame 0 to ``total``, including background.
    """
    begin = np.asarray(starts, dtype=np.int64)
    between = (begin[:-1] + begin[1:] + min(window, total)) // 2
    bounds = np.concatenate(
        [[0], between, [total]]
    )  # frames bounds[i] to bounds[i + 1] of window i
    smoothed = _smooth(np.asarray(scores, dtype=np.float64), smooth)

    def is_short(run: _Run) -> bool:
        return bool(bounds[run.last] - bounds[run.first] < min_length)

    runs = _merge(
        _Run(number, number + 1, int(row.argmax()) if row.max() >= threshold else None)
        for number, row in enumerate(smoothed)
    )
    runs = _absorb(runs, is_short)
    runs = _merge(run._replace(label=None) if is_short(run) else run for run in runs)
    # This may leave short background between segments of one action.
    runs = _absorb(runs, is_short)

    segments = []
    for first, last, label in runs:
        score = None
        if label is not None:
            frames = np.diff(bounds[first : last + 1])
            score = float(np.average(smoothed[first:last, label], weights=frames))
        segments.append(Segment(int(bounds[first]), int(bounds[last]), label, score))
    return segments


def _smooth(scores: np.ndarray, width: int) -> np.ndarray:
    """Return the mean of ``width`` neighbouring rows, fewer at the ends."""
    if width == 1:
        return scores
    sums = np.concatenate([np.zeros((1, scores.shape[1])), scores.cumsum(axis=0)])
    number = np.arange(len(scores))
    low = np.maximum(number - (width - 1) // 2, 0)
    high = np.minimum(number + width // 2 + 1, len(scores))
    return (sums[high] - sums[low]) / (high - low)[:, None]


def _merge(runs: Iterable[_Run]) -> list[_Run]:
    """Join neighbours with the same label."""
    merged: list[_Run] = []
    for run in runs:
        if merged and merged[-1].label == run.label:
            run = run._replace(first=merged.pop().first)
        merged.append(run)
    return merged


def _absorb(runs: Sequence[_Run], is_short: Callable[[_Run], bool]) -> list[_Run]:
    """Join two runs of the same action with the short run between them."""
    joined: list[_Run] = []
    for run in runs:
        if (
            run.label is not None
            and len(joined) > 1
            and joined[-2].label == run.label
            and is_short(joined[-1])
        ):
            joined.pop()
            run = run._replace(first=joined.pop().first)
        joined.append(run)
    return joined
