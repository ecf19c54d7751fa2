"""Which frames of a sequence make up a clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from pyskl.datasets.pipelines.decode import PoseDecode
from pyskl.datasets.randomness import generator
from pyskl.registry import PIPELINES

Sample = dict[str, Any]

# Lengths whose test frames a transform remembers: 8 MB at ten clips of 100 frames.
_MAX_KNOWN = 1000


@PIPELINES.register_module(name=["UniformSample", "UniformSampleFrames"])
class UniformSample:
    """Choose ``clip_len`` frames, spread evenly over the sequence with random jitter.

    The sequence is cut into ``clip_len`` equal segments and one frame is drawn from each
    (Duan et al., "Revisiting Skeleton-based Action Recognition", CVPR 2022, section 3.2).
    Sequences of fewer than ``2 * clip_len`` frames give consecutive frames with some gaps, shorter
    ones wrap around. In test mode the choice is a fixed function of the length: published
    accuracies were measured with those very frames.

    Args:
        clip_len: Frames per clip.
        num_clips: Clips per sample.
        p_interval: Share of the sequence that a clip covers: a number, or (low, high) of which
            one is drawn for each clip. A share of fewer than ``clip_len`` frames says where the
            clip starts; what it lacks comes from the frames that follow.
        seed: Seed of the fixed choice in test mode.

    Sets ``frame_inds`` (num_clips * clip_len,) int64, ``clip_len`` and ``num_clips``.

    Raises:
        ValueError: for lengths below 1 or shares outside (0, 1].
    """

    def __init__(
        self,
        clip_len: int,
        num_clips: int = 1,
        p_interval: float | Sequence[float] = 1,
        seed: int = 255,
    ) -> None:
        if clip_len < 1 or num_clips < 1:
            raise ValueError(
                f"clip_len and num_clips should be at least 1, found {clip_len} and {num_clips}"
            )
        low, high = (p_interval,) * 2 if isinstance(p_interval, (int, float)) else p_interval
        if not 0 < low <= high <= 1:
            raise ValueError(f"p_interval should lie in (0, 1], low before high: {p_interval}")
        self.clip_len = clip_len
        self.num_clips = num_clips
        self.p_interval = (float(low), float(high))
        self.seed = seed
        self._known_test_frames: dict[tuple[Any, ...], np.ndarray] = {}

    def __call__(self, sample: Sample) -> Sample:
        """Choose the frames."""
        total = int(sample["total_frames"])
        if sample.get("test_mode", False):
            inds = self.test_frames(total)
        else:
            inds = self.train_frames(total, generator())
        sample["frame_inds"] = inds + int(sample.get("start_index", 0))
        sample["clip_len"] = self.clip_len
        sample["num_clips"] = self.num_clips
        return sample

    def train_frames(self, total: int, rng: np.random.Generator) -> np.ndarray:
        """Draw the frames of all clips of a sequence of ``total`` frames."""
        low, high = self.p_interval
        clips = []
        for _ in range(self.num_clips):
            window = max(1, int(rng.uniform(low, high) * total)) if low < 1 else total
            offset = int(rng.integers(total - window + 1)) if window < total else 0
            if window < self.clip_len:
                start = int(rng.integers(window)) + offset
                inside = np.arange(start, start + self.clip_len) % total
            elif window < 2 * self.clip_len:
                gaps = rng.permutation(self.clip_len + 1)[: window - self.clip_len]
                inside = self._with_gaps(gaps) + offset
            else:
                starts, sizes = self._segments(window)
                inside = starts + (rng.random(self.clip_len) * sizes).astype(np.int64) + offset
            clips.append(inside)
        return clips[0] if len(clips) == 1 else np.concatenate(clips)

    def test_frames(self, total: int) -> np.ndarray:
        """Return the fixed frames of all clips of a sequence of ``total`` frames, read-only.

        The generator, the draws and their order are those that published results rely on.
        """
        # Starting the generator takes longer than the rest of a pipeline, and lengths repeat.
        key = (total, self.clip_len, self.num_clips, self.p_interval, self.seed)
        frames = self._known_test_frames.get(key)
        if frames is None:
            frames = self._draw_test_frames(total)
            frames.setflags(write=False)
            if len(self._known_test_frames) >= _MAX_KNOWN:
                self._known_test_frames.clear()
            self._known_test_frames[key] = frames
        return frames

    def _draw_test_frames(self, total: int) -> np.ndarray:
        low, high = self.p_interval
        rng = np.random.RandomState(self.seed)
        clips = []
        for clip in range(self.num_clips):
            window = int((rng.rand() * (high - low) + low) * total)
            offset = rng.randint(total - window + 1)
            if window < self.clip_len:
                start = clip if window < self.num_clips else clip * window // self.num_clips
                inside = start + np.arange(self.clip_len)
            elif window < 2 * self.clip_len:
                gaps = rng.choice(self.clip_len + 1, window - self.clip_len, replace=False)
                inside = self._with_gaps(gaps)
            else:
                starts, sizes = self._segments(window)
                inside = starts + rng.randint(sizes)
            clips.append((inside + offset) % total)
        return np.concatenate(clips)

    def _with_gaps(self, gaps: np.ndarray) -> np.ndarray:
        """Return consecutive frames that skip one at each of the chosen gaps."""
        steps = np.ones(self.clip_len + 1, dtype=np.int64)
        steps[gaps] = 2
        return steps.cumsum()[:-1] - 1

    def _segments(self, window: int) -> tuple[np.ndarray, np.ndarray]:
        """Return start and size of the equal segments of a window."""
        bounds = np.arange(self.clip_len + 1) * window // self.clip_len
        return bounds[:-1], np.diff(bounds)


@PIPELINES.register_module()
class UniformSampleDecode:
    """:class:`UniformSample` and :class:`PoseDecode` in one step; arguments as the former."""

    def __init__(
        self,
        clip_len: int,
        num_clips: int = 1,
        p_interval: float | Sequence[float] = 1,
        seed: int = 255,
    ) -> None:
        self.sample_frames = UniformSample(clip_len, num_clips, p_interval, seed)
        self.decode = PoseDecode()

    def __call__(self, sample: Sample) -> Sample:
        """Choose the frames and gather them."""
        return self.decode(self.sample_frames(sample))


@PIPELINES.register_module()
class SampleFrames:
    """Choose clips of frames at a fixed distance from each other.

    In training each clip starts at a random place of its share of the sequence, in test mode at
    the middle of it (Wang et al., "Temporal Segment Networks", ECCV 2016).

    Args:
        clip_len: Frames per clip.
        frame_interval: Distance of neighbouring frames of a clip, in frames.
        num_clips: Clips per sample.
        temporal_jitter: Move each frame by a random 0 to ``frame_interval - 1`` (training only).
        out_of_bound_opt: What stands for frames past the end: ``'loop'`` starts again at the
            first, ``'repeat_last'`` repeats the last frame inside.

    Sets ``frame_inds`` (num_clips * clip_len,) int64, ``clip_len``, ``frame_interval`` and
    ``num_clips``.
    """

    def __init__(
        self,
        clip_len: int,
        frame_interval: int = 1,
        num_clips: int = 1,
        temporal_jitter: bool = False,
        out_of_bound_opt: Literal["loop", "repeat_last"] = "loop",
    ) -> None:
        if clip_len < 1 or frame_interval < 1 or num_clips < 1:
            raise ValueError(
                "clip_len, frame_interval and num_clips should be at least 1, found "
                f"{clip_len}, {frame_interval} and {num_clips}"
            )
        if out_of_bound_opt not in ("loop", "repeat_last"):
            raise ValueError(
                f"out_of_bound_opt should be 'loop' or 'repeat_last', found {out_of_bound_opt!r}"
            )
        self.clip_len = clip_len
        self.frame_interval = frame_interval
        self.num_clips = num_clips
        self.temporal_jitter = temporal_jitter
        self.out_of_bound_opt = out_of_bound_opt

    def __call__(self, sample: Sample) -> Sample:
        """Choose the frames."""
        total = int(sample["total_frames"])
        test_mode = bool(sample.get("test_mode", False))
        starts = self._test_starts(total) if test_mode else self._train_starts(total)
        # (clips, clip_len)
        inds = starts[:, None] + np.arange(self.clip_len)[None] * self.frame_interval
        if self.temporal_jitter and not test_mode:
            inds = inds + generator().integers(self.frame_interval, size=inds.shape)
        if self.out_of_bound_opt == "loop":
            inds = inds % total
        else:
            last_inside = np.where(inds < total, inds, 0).max(axis=1, keepdims=True)
            inds = np.where(inds < total, inds, last_inside)
        sample["frame_inds"] = inds.reshape(-1) + int(sample.get("start_index", 0))
        sample["clip_len"] = self.clip_len
        sample["frame_interval"] = self.frame_interval
        sample["num_clips"] = self.num_clips
        return sample

    def _train_starts(self, total: int) -> np.ndarray:
        rng = generator()
        span = self.clip_len * self.frame_interval
        share = (total - span + 1) // self.num_clips
        if share > 0:
            return np.arange(self.num_clips) * share + rng.integers(share, size=self.num_clips)
        if total > max(self.num_clips, span):
            return np.sort(rng.integers(total - span + 1, size=self.num_clips))
        if total >= span:  # fewer places than clips: spread them
            return np.arange(self.num_clips) * (total - span + 1) // self.num_clips
        return np.zeros(self.num_clips, dtype=np.int64)

    def _test_starts(self, total: int) -> np.ndarray:
        span = self.clip_len * self.frame_interval
        if total < span:
            return np.zeros(self.num_clips, dtype=np.int64)
        share = (total - span + 1) / self.num_clips
        return (np.arange(self.num_clips) * share + share / 2).astype(np.int64)
