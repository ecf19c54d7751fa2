"""The rows of a batch: which sample, person and frame each one is.

Shapes: N batch, R rows, M persons, T frames.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np


class Axis:
    """Which sample, person and frame each row is.

    Args:
        persons: M of each sample, (N,) int64.
        frames: T of each sample, (N,) int64.
    """

    def __init__(self, persons: np.ndarray, frames: np.ndarray) -> None:
        self.persons = persons
        self.frames = frames
        rows = persons * frames
        self.ends = rows.cumsum()
        self.starts = self.ends - rows

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self.ends[-1])

    @cached_property
    def track_starts(self) -> np.ndarray:
        """The first row of each track (one person of one sample), (sum of M,) int64."""
        frames = self.track_frames
        return frames.cumsum() - frames

    @cached_property
    def track_frames(self) -> np.ndarray:
        """The frames of each track."""
        return self.frames.repeat(self.persons)

    @cached_property
    def track_sample(self) -> np.ndarray:
        """The sample of each track."""
        return np.arange(len(self.persons)).repeat(self.persons)

    @cached_property
    def sample(self) -> np.ndarray:
        """The sample of each row."""
        return np.repeat(np.arange(len(self.persons)), self.persons * self.frames)

    @cached_property
    def person(self) -> np.ndarray:
        """The person of each row, counted within its sample."""
        first_track = np.cumsum(self.persons) - self.persons
        person = np.arange(len(self.track_frames)) - first_track[self.track_sample]
        return np.repeat(person, self.track_frames)

    @cached_property
    def frame(self) -> np.ndarray:
        """The frame of each row."""
        return np.arange(len(self)) - np.repeat(self.track_starts, self.track_frames)

    @cached_property
    def is_last(self) -> np.ndarray:
        """Whether a row is the last frame of its track, (R,) bool."""
        last = np.zeros(len(self), dtype=bool)
        last[self.track_starts[self.track_frames > 0] - 1] = True  # row -1 is the very last one
        return last
