"""Choose, gather and pad frames.

Shapes: N batch, T frames, L = clip_len.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from pyskl.datasets.batch import Batch, Shared
from pyskl.datasets.pipelines.compose import BatchTransform
from pyskl.datasets.pipelines.numeric import as_float32
from pyskl.datasets.randomness import Draws, below
from pyskl.errors import InputError
from pyskl.registry import PIPELINES

# How many lengths a transform caches test frames for: 8 MB for ten clips of 100 frames.
_MAX_KNOWN = 1000


@PIPELINES.register_module(name=["UniformSample", "UniformSampleFrames"])
class UniformSample(BatchTransform):
    """Choose ``clip_len`` frames, spread evenly over the sequence with random jitter.

    The sequence is cut into ``clip_len`` equal segments and one frame is drawn from each
    (Duan et al., "Revisiting Skeleton-based Action Recognition", CVPR 2022, section 3.2).
    Sequences of fewer than ``2 * clip_len`` frames give consecutive frames with some skipped; those
    of fewer than ``clip_len`` start again at the first frame. In test mode the frames depend on the
    length only: published accuracies were measured with exactly these frames.

    Args:
        clip_len: Frames per clip.
        num_clips: Clips per sample.
        p_interval: Share of the sequence that a clip covers: a number, or (low, high), from which
            one is drawn for each clip. If that is fewer than ``clip_len`` frames, the clip
            starts there and continues with the frames that follow.
        seed: Seed of the frames in test mode.

    Sets ``frame_inds`` (num_clips * clip_len,) int64, ``clip_len`` and ``num_clips``.

    Raises:
        ValueError: for lengths below 1 or shares outside (0, 1].
    """

    chooses_frames = True

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
            raise ValueError(f"p_interval should be in (0, 1], low before high, found {p_interval}")
        self.clip_len = clip_len
        self.num_clips = num_clips
        self.p_interval = (float(low), float(high))
        self.seed = seed
        self._known_test_frames: dict[tuple[Any, ...], np.ndarray] = {}

    def apply(self, batch: Batch) -> None:
        """Choose the frames."""
        total = batch.total_frames
        if batch.test_mode:
            known = [self.test_frames(length) for length in total.tolist()]
            frames = np.concatenate(known).reshape(len(known), -1)  # faster than stacking
        else:
            frames = self.train_frames(total, batch.draws)
        _set_frames(batch, frames)
        batch.values["clip_len"] = Shared(self.clip_len)
        batch.values["num_clips"] = Shared(self.num_clips)

    def train_frames(self, total: np.ndarray, draws: Draws) -> np.ndarray:
        """Draw the frames of all clips.

        Args:
            total: Lengths of the sequences, (N,) int64.
            draws: The random numbers of the samples.

        Returns:
            (N, num_clips * L) int64.
        """
        length, low, high = self.clip_len, *self.p_interval
        words = draws.words(self.num_clips, length + 1).reshape(-1, length + 1)
        total = window = np.repeat(total, self.num_clips)  # (N * clips,)
        offset: Any = 0
        if low < 1:
            share = low + (high - low) * draws.stream(1).uniform(self.num_clips).reshape(-1)
            window = np.maximum((share * total).astype(np.int64), 1)
            offset = below(draws.stream(2).words(self.num_clips).reshape(-1), total - window + 1)
        steps = np.arange(length + 1)
        inside = np.empty((len(total), length), dtype=np.int64)

        short = window < length
        inside[short] = below(words[short, :1], window[short, None]) + steps[:-1]

        medium = ~short & (window < 2 * length)
        if medium.any():  # skip a frame at window - L random ones of L + 1 places
            order = np.argsort(words[medium], axis=-1)
            gaps = np.zeros_like(order)
            np.put_along_axis(gaps, order, steps < (window[medium] - length)[:, None], axis=-1)
            inside[medium] = steps[:-1] + gaps.cumsum(axis=-1)[:, :-1]

        long = window >= 2 * length
        if long.any():  # one frame of each of L equal segments
            bounds = steps * window[long, None] // length
            inside[long] = bounds[:, :-1] + below(words[long, :-1], np.diff(bounds))
        frames = (inside + np.asarray(offset).reshape(-1, 1)) % total[:, None]
        return frames.reshape(-1, self.num_clips * length)

    def test_frames(self, total: int) -> np.ndarray:
        """Return the fixed frames of all clips of a sequence of ``total`` frames, read-only.

        Published results depend on the generator, the draws and their order: do not change them.
        """
        # Cached, because seeding the generator takes longer than the rest of a pipeline.
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
        length, low, high = self.clip_len, *self.p_interval
        rng = np.random.RandomState(self.seed)
        clips = []
        for clip in range(self.num_clips):
            window = int((rng.rand() * (high - low) + low) * total)
            offset = rng.randint(total - window + 1)
            if window < length:
                start = clip if window < self.num_clips else clip * window // self.num_clips
                inside = start + np.arange(length)
            elif window < 2 * length:
                steps = np.ones(length + 1, dtype=np.int64)
                steps[rng.choice(length + 1, window - length, replace=False)] = 2
                inside = steps.cumsum()[:-1] - 1
            else:
                bounds = np.arange(length + 1) * window // length
                inside = bounds[:-1] + rng.randint(np.diff(bounds))
            clips.append((inside + offset) % total)
        return np.concatenate(clips)


@PIPELINES.register_module()
class SampleFrames(BatchTransform):
    """Choose clips of frames at a fixed distance from each other.

    The sequence is divided into ``num_clips`` parts. A clip starts at a random frame of its part,
    in test mode in its middle (Wang et al., "Temporal Segment Networks", ECCV 2016).

    Args:
        clip_len: Frames per clip.
        frame_interval: Distance between successive frames of a clip.
        num_clips: Clips per sample.
        temporal_jitter: Move each frame by a random 0 to ``frame_interval - 1`` (training only).
        out_of_bound_opt: What replaces frames past the end: ``'loop'`` starts again at the first,
            ``'repeat_last'`` repeats the last chosen frame.

    Sets ``frame_inds`` (num_clips * clip_len,) int64, ``clip_len``, ``frame_interval`` and
    ``num_clips``.

    Raises:
        ValueError: for lengths below 1 or another ``out_of_bound_opt``.
    """

    chooses_frames = True

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

    def apply(self, batch: Batch) -> None:
        """Choose the frames."""
        total = batch.total_frames[:, None]  # (N, 1)
        draws = batch.draws
        starts = self._test_starts(total) if batch.test_mode else self._train_starts(total, draws)
        inds = starts[:, :, None] + np.arange(self.clip_len) * self.frame_interval  # (N, clips, L)
        if self.temporal_jitter and not batch.test_mode:
            words = draws.stream(1).words(self.num_clips, self.clip_len)
            inds = inds + below(words, self.frame_interval)
        total = total[:, :, None]
        if self.out_of_bound_opt == "loop":
            inds = inds % total
        else:
            last_inside = np.where(inds < total, inds, 0).max(axis=-1, keepdims=True)
            inds = np.where(inds < total, inds, last_inside)
        _set_frames(batch, inds.reshape(len(batch), -1))
        batch.values["clip_len"] = Shared(self.clip_len)
        batch.values["frame_interval"] = Shared(self.frame_interval)
        batch.values["num_clips"] = Shared(self.num_clips)

    def _train_starts(self, total: np.ndarray, draws: Draws) -> np.ndarray:
        """Return the start of each clip, (N, clips); ``total`` is (N, 1)."""
        span = self.clip_len * self.frame_interval
        places = total - span + 1
        clip = np.arange(self.num_clips)
        share = np.maximum(places // self.num_clips, 0)
        words = draws.stream(0).words(self.num_clips)
        starts = np.where(
            share > 0,
            clip * share + below(words, share),
            np.where(
                total > max(self.num_clips, span),
                np.sort(below(words, np.maximum(places, 0)), axis=-1),
                clip * places // self.num_clips,  # fewer places than clips: spread them
            ),
        )
        return np.where(total < span, 0, starts)

    def _test_starts(self, total: np.ndarray) -> np.ndarray:
        span = self.clip_len * self.frame_interval
        share = (total - span + 1) / self.num_clips
        middle = (np.arange(self.num_clips) * share + share / 2).astype(np.int64)
        return np.where(total < span, 0, middle)


def _set_frames(batch: Batch, frames: np.ndarray) -> None:
    start = batch.values.get("start_index", Shared(0))
    if not (isinstance(start, Shared) and start.value == 0):
        frames = frames + np.asarray(batch.get("start_index"))[:, None]
    batch.values["frame_inds"] = frames


@PIPELINES.register_module()
class PoseDecode(BatchTransform):
    """Gather the frames ``frame_inds`` (all if absent) of the keypoints, as float32.

    The T of ``keypoint`` (M, T, V, C) and, if present, ``keypoint_score`` (M, T, V) becomes
    len(frame_inds).
    """

    gathers_frames = True

    def apply(self, batch: Batch) -> None:
        """Gather the frames."""
        if "frame_inds" in batch.values:
            frames = batch.get("frame_inds")
            if not isinstance(frames, np.ndarray):
                frames = [np.asarray(one, dtype=np.int64) for one in frames]
                if len({len(one) for one in frames}) == 1:
                    frames = np.stack(frames)
            batch.select(frames)
        for key in ("keypoint", "keypoint_score"):
            if key in batch:
                batch.map(lambda values, rows: as_float32(values), source=key)


@PIPELINES.register_module()
class UniformSampleDecode(BatchTransform):
    """:class:`UniformSample` and :class:`PoseDecode` in one step; arguments as the former."""

    chooses_frames = True
    gathers_frames = True

    def __init__(
        self,
        clip_len: int,
        num_clips: int = 1,
        p_interval: float | Sequence[float] = 1,
        seed: int = 255,
    ) -> None:
        self.sample_frames = UniformSample(clip_len, num_clips, p_interval, seed)
        self.decode = PoseDecode()

    def apply(self, batch: Batch) -> None:
        """Choose the frames and gather them."""
        self.sample_frames.apply(batch)
        self.decode.apply(batch)


@PIPELINES.register_module()
class PadTo(BatchTransform):
    """Pad a sequence to ``length`` frames by repeating it from its start.

    Args:
        length: Frames after padding.
        mode: ``'loop'`` keeps the repeats, ``'zero'`` sets them to zero.

    Raises:
        ValueError: for a length below 1 or another mode.
        InputError: when called on a sample that is longer.
    """

    def __init__(self, length: int, mode: Literal["loop", "zero"] = "loop") -> None:
        if mode not in ("loop", "zero"):
            raise ValueError(f"mode should be 'loop' or 'zero', found {mode!r}")
        if length < 1:
            raise ValueError(f"length should be at least 1, found {length}")
        self.length = length
        self.mode = mode

    def apply(self, batch: Batch) -> None:
        """Pad the keypoints, and set ``total_frames`` to ``length``."""
        total = batch.axis.frames[:, None]
        if (total > self.length).any():
            raise InputError(
                "a sample is longer than the length of PadTo",
                key="total_frames",
                found=int(total.max()),
                expected=f"at most {self.length}",
                hint="raise the length, or sample frames first",
            )
        frames = np.arange(self.length)
        batch.select(
            frames % total if self.mode == "loop" else np.where(frames < total, frames, -1)
        )
        batch.values["total_frames"] = Shared(self.length)
