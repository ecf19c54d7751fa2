"""Untrimmed sequences: windows that slide over them, and segments of one action each.

Shapes: W windows, T frames, L classes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pyskl.errors import InputError


@dataclass(frozen=True)
class Span:
    """A length of time, in frames or in seconds.

    Attributes:
        length: The number.
        seconds: Whether it counts seconds.

    Example:
        >>> Span.parse('2s').frames(fps=30), Span.parse('64').frames(fps=None)
        (60, 64)
    """

    length: float
    seconds: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.length) and self.length > 0):
            raise InputError(f"a length of time is above 0, found {self}")

    @classmethod
    def parse(cls, text: str) -> Span:
        """Read ``'64'`` (frames) or ``'2s'``, ``'0.5s'`` (seconds).

        Raises:
            InputError: for anything else.
        """
        match = re.fullmatch(r"(\d+|\d*\.\d+|\d+\.)(s?)", text.strip(), re.ASCII)
        if match is None or (not match[2] and "." in match[1]):
            raise InputError(
                f"{text!r} is no length of time: it is a number of frames, such as 64, or of "
                "seconds, such as 2s or 0.5s"
            )
        return cls(float(match[1]), bool(match[2]))

    def __str__(self) -> str:
        return f"{self.length:g}{'s' if self.seconds else ''}"

    def frames(self, fps: float | None) -> int:
        """Return the number of frames, at least 1.

        Args:
            fps: Frames per second, where known.

        Raises:
            InputError: for seconds where it is not.
        """
        if not self.seconds:
            return max(1, round(self.length))
        if fps is None:
            raise InputError(
                f"{self} is in seconds, but the frames per second are not known: give --fps, or a "
                "number of frames"
            )
        return max(1, round(self.length * fps))


@dataclass(frozen=True)
class WindowSettings:
    """How untrimmed sequences are cut up.

    Attributes:
        window: Length of a window.
        stride: From the start of a window to that of the next; by default a quarter of it.
        smooth: Over how many neighbouring windows scores are averaged.
        threshold: What a class has to score to be more than background.
        min_length: Shorter segments are dissolved; None keeps all.
    """

    window: Span
    stride: Span | None = None
    smooth: int = 3
    threshold: float = 0.5
    min_length: Span | None = None

    def __post_init__(self) -> None:
        if self.smooth < 1:
            raise InputError(f"--smooth is a number of windows from 1 up, found {self.smooth}")
        if not math.isfinite(self.threshold):
            raise InputError(f"--threshold is a score, found {self.threshold}")

    def in_frames(self, fps: float | None) -> tuple[int, int, int]:
        """Return window, stride and shortest segment in frames.

        Raises:
            InputError: for seconds where the frames per second are not known, or windows with
                frames between them that no window has.
        """
        window = self.window.frames(fps)
        stride = max(1, window // 4) if self.stride is None else self.stride.frames(fps)
        if stride > window:
            raise InputError(
                f"--stride {stride} frames is longer than --window {window} frames: frames "
                "between the windows would be left out"
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
    """Return where windows start.

    Every frame is in a window: the last one ends with the sequence, and may be nearer to the one
    before than the stride. A sequence that is not longer than a window is one.

    Args:
        total: T.
        window: Frames of a window.
        stride: Frames from start to start, not more than ``window``.

    Example:
        >>> window_starts(100, 64, 16)
        [0, 16, 32, 36]
    """
    last = max(0, total - window)
    return [*range(0, last, stride), last]


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

    A window stands for the frames that are nearer to its middle than to another's. Scores are
    averaged over ``smooth`` neighbours; the best class of a window is its action, or background
    where it stays below ``threshold``; neighbours of one action are a segment. Segments shorter
    than ``min_length``, and background as short, become part of what surrounds them where that is
    the same action on both sides; other short segments become background.

    Args:
        scores: (W, L).
        starts: Where the windows start, ascending; see :func:`window_starts`.
        window: Frames of a window.
        total: T.
        smooth: See :attr:`WindowSettings.smooth`.
        threshold: See :attr:`WindowSettings.threshold`.
        min_length: Frames of the shortest segment.

    Returns:
        Segments one after the other, from frame 0 to ``total``, background among them.
    """
    bounds = _bounds(starts, window, total)
    smoothed = _smoothed(np.asarray(scores, dtype=np.float64), smooth)
    best = smoothed.argmax(axis=1)
    there = smoothed.max(axis=1) >= threshold
    runs = [
        _Run(number, number + 1, int(label) if seen else None)
        for number, (label, seen) in enumerate(zip(best, there))
    ]
    # What is dissolved may leave a short gap between segments of one action.
    runs = _closed(_merged(runs), bounds, min_length)
    runs = _closed(_merged(_without_short(runs, bounds, min_length)), bounds, min_length)
    return [_segment(run, bounds, smoothed) for run in runs]


@dataclass(frozen=True)
class _Run:
    """Windows of one action, from ``first`` to before ``last``."""

    first: int
    last: int
    label: int | None

    def frames(self, bounds: np.ndarray) -> int:
        return int(bounds[self.last] - bounds[self.first])


def _bounds(starts: Sequence[int], window: int, total: int) -> np.ndarray:
    """Return the first frame that each window stands for, and ``total``: (W + 1,), ascending."""
    begin = np.asarray(starts, dtype=np.int64)
    between = (begin[:-1] + begin[1:] + min(window, total)) // 2
    return np.concatenate([[0], between, [total]])


def _smoothed(scores: np.ndarray, width: int) -> np.ndarray:
    """Return the mean of ``width`` neighbours, fewer at the ends: (W, L)."""
    if width == 1:
        return scores
    before, after = (width - 1) // 2, width // 2
    sums = np.concatenate([np.zeros((1, scores.shape[1])), scores.cumsum(axis=0)])
    number = np.arange(len(scores))
    low, high = np.maximum(number - before, 0), np.minimum(number + after + 1, len(scores))
    return (sums[high] - sums[low]) / (high - low)[:, None]


def _merged(runs: Sequence[_Run]) -> list[_Run]:
    """Make one run of neighbours with the same label."""
    merged: list[_Run] = []
    for run in runs:
        if merged and merged[-1].label == run.label:
            run = _Run(merged.pop().first, run.last, run.label)
        merged.append(run)
    return merged


def _closed(runs: Sequence[_Run], bounds: np.ndarray, shortest: int) -> list[_Run]:
    """Let what is short and has the same action on both sides become part of it."""
    closed: list[_Run] = []
    for run in runs:
        if (
            run.label is not None
            and len(closed) > 1
            and closed[-2].label == run.label
            and closed[-1].frames(bounds) < shortest
        ):
            closed.pop()
            run = _Run(closed.pop().first, run.last, run.label)
        closed.append(run)
    return closed


def _without_short(runs: Sequence[_Run], bounds: np.ndarray, shortest: int) -> list[_Run]:
    """Return the runs with short ones as background."""
    return [
        run if run.frames(bounds) >= shortest else _Run(run.first, run.last, None) for run in runs
    ]


def _segment(run: _Run, bounds: np.ndarray, smoothed: np.ndarray) -> Segment:
    start, end = int(bounds[run.first]), int(bounds[run.last])
    if run.label is None:
        return Segment(start, end)
    frames = np.diff(bounds[run.first : run.last + 1])
    score = np.average(smoothed[run.first : run.last, run.label], weights=frames)
    return Segment(start, end, run.label, float(score))
