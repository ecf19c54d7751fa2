"""Which frames a batch holds: the batch forms of the transforms that choose, gather and pad.

Shapes: N batch, M persons, F frames, V joints, C coordinates, L = clip_len.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pyskl.datasets.device.batch import Batch
from pyskl.datasets.device.draws import Draws, below
from pyskl.datasets.device.outline import Choice, NoBatchForm, Operation, Outline, batch_form
from pyskl.datasets.packed.store import ROW_KEYS
from pyskl.datasets.pipelines.decode import PadTo, PoseDecode
from pyskl.datasets.pipelines.frames import SampleFrames, UniformSample, UniformSampleDecode
from pyskl.errors import ConfigError


class UniformFrames:
    """Draws frames as :meth:`UniformSample.train_frames` does, for many samples at once."""

    def __init__(self, transform: UniformSample, outline: Outline) -> None:
        self.clips = transform.num_clips
        self.clip_len = transform.clip_len
        self.low, self.high = transform.p_interval
        self.steps = outline.tensor(np.arange(self.clip_len + 1))  # (L + 1,)

    def __call__(self, total: Tensor, draws: Draws) -> Tensor:
        """Return frames (N, clips·L) of sequences of ``total`` (N,) frames."""
        total = window = total[:, None, None]  # (N, 1, 1), and all below are (N, clips, ...)
        offset: Tensor | int = 0
        if self.low < 1:
            window, offset = self._window(total, draws)
        # One draw serves all three cases, of which only one applies to a clip.
        words = draws.stream(0).numbered(self.clips, self.clip_len + 1)
        inside = torch.where(
            window < self.clip_len,
            below(words[..., :1], window) + self.steps[:-1],
            torch.where(
                window < 2 * self.clip_len,
                self._with_gaps(window, words),
                self._by_segment(window, words),
            ),
        )
        return ((inside + offset) % total).flatten(1)

    def _window(self, total: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Return how many frames each clip is drawn from, and where they begin, (N, clips, 1)."""
        # In float64, as in the transform: the product is cut off to a whole number.
        share = self.low + (self.high - self.low) * draws.stream(1).uniform(self.clips, 1).double()
        window = (share * total).long().clamp_(min=1)
        return window, below(draws.stream(2).numbered(self.clips, 1), total - window + 1)

    def _with_gaps(self, window: Tensor, words: Tensor) -> Tensor:
        """Skip a frame at window - L of the L + 1 gaps, any of them as likely as any other."""
        order = words.argsort(dim=-1, stable=True)
        is_first = (self.steps < window - self.clip_len).expand_as(order)
        skipped = torch.zeros_like(order).scatter_(-1, order, is_first.long())
        return self.steps[:-1] + skipped.cumsum(-1)[..., :-1]

    def _by_segment(self, window: Tensor, words: Tensor) -> Tensor:
        """Take one frame of each of L equal segments."""
        bounds = self.steps * window // self.clip_len
        return bounds[..., :-1] + below(words[..., :-1], bounds.diff(dim=-1))


class SpacedFrames:
    """Draws frames as :class:`SampleFrames` does in training, for many samples at once."""

    def __init__(self, transform: SampleFrames) -> None:
        self.clips = transform.num_clips
        self.clip_len = transform.clip_len
        self.interval = transform.frame_interval
        self.jitter = transform.temporal_jitter
        self.loops = transform.out_of_bound_opt == "loop"

    def __call__(self, total: Tensor, draws: Draws) -> Tensor:
        """Return frames (N, clips·L) of sequences of ``total`` (N,) frames."""
        total = total[:, None]  # (N, 1)
        steps = torch.arange(self.clip_len, device=total.device) * self.interval
        inds = self._starts(total, draws.stream(0))[:, :, None] + steps  # (N, clips, L)
        if self.jitter:
            words = draws.stream(1).numbered(self.clips, self.clip_len)
            inds = inds + below(words, self.interval)
        total = total[:, :, None]
        if self.loops:
            inds = inds % total
        else:
            inside = inds < total
            last_inside = (inds * inside).amax(dim=-1, keepdim=True)
            inds = torch.where(inside, inds, last_inside)
        return inds.flatten(1)

    def _starts(self, total: Tensor, draws: Draws) -> Tensor:
        """Return where each clip starts, (N, clips)."""
        span = self.clip_len * self.interval
        places = total - span + 1  # (N, 1)
        clip = torch.arange(self.clips, device=total.device)
        share = (places // self.clips).clamp(min=0)
        words = draws.numbered(self.clips)
        in_shares = clip * share + below(words, share)
        anywhere = below(words, places.clamp(min=0)).sort(dim=-1).values
        spread = clip * places // self.clips
        starts = torch.where(
            share > 0,
            in_shares,
            torch.where(total > max(self.clips, span), anywhere, spread),
        )
        return starts.masked_fill(total < span, 0)


class FixedFrames:
    """The frames that a transform takes in test mode, looked up by the length of the sequence."""

    def __init__(self, transform: UniformSample | SampleFrames, outline: Outline) -> None:
        lengths = outline.total
        frames = [
            transform({"total_frames": int(total), "test_mode": True})["frame_inds"]
            for total in lengths
        ]
        place = np.zeros(int(lengths.max()) + 1, dtype=np.int64)
        place[lengths] = np.arange(len(lengths))
        self.place = outline.tensor(place)  # (longest + 1,)
        self.table = outline.tensor(np.stack(frames))  # (lengths, clips·L)

    def __call__(self, total: Tensor, draws: Draws) -> Tensor:
        """Return frames (N, clips·L) of sequences of ``total`` (N,) frames."""
        return self.table[self.place[total]]


class PaddedFrames:
    """All frames, brought to one length as :class:`PadTo` does."""

    def __init__(self, length: int, loop: bool) -> None:
        self.length = length
        self.loop = loop

    def __call__(self, total: Tensor, draws: Draws) -> Tensor:
        """Return frames (N, length) of sequences of ``total`` (N,) frames."""
        total = total[:, None]
        frames = torch.arange(self.length, device=total.device).expand(len(total), -1)
        return frames % total if self.loop else frames.masked_fill(frames >= total, -1)


def _choose(transform: UniformSample | SampleFrames, outline: Outline) -> None:
    if outline.axis not in ("source", "padded"):
        raise NoBatchForm("it follows a transform that has chosen frames already")
    if outline.test_mode:
        outline.pending = FixedFrames(transform, outline)
    elif isinstance(transform, UniformSample):
        outline.pending = UniformFrames(transform, outline)
    else:
        outline.pending = SpacedFrames(transform)


@batch_form(UniformSample)
def _uniform_sample(transform: UniformSample, outline: Outline) -> None:
    _choose(transform, outline)


@batch_form(SampleFrames)
def _sample_frames(transform: SampleFrames, outline: Outline) -> None:
    _choose(transform, outline)


@batch_form(UniformSampleDecode)
def _uniform_sample_decode(transform: UniformSampleDecode, outline: Outline) -> Operation:
    _choose(transform.sample_frames, outline)
    return _decode(transform.decode, outline)


@batch_form(PoseDecode)
def _decode(transform: PoseDecode, outline: Outline) -> Operation:
    choice, outline.pending = outline.pending, None
    if choice is None and outline.axis == "clips":
        raise NoBatchForm("it would gather the chosen frames a second time")
    if choice is None:
        return _to_float32
    _check_only_keypoints(outline)
    on_source = outline.axis == "source"
    if on_source:
        outline.begin(choice)
    outline.axis = "clips"

    def decode(batch: Batch) -> None:
        if on_source:
            batch.settle()
        else:
            _take(batch, choice(batch.total, batch.draws))
        _to_float32(batch)

    return decode


def _to_float32(batch: Batch) -> None:
    for key in ROW_KEYS:
        if key in batch.arrays:
            batch.arrays[key] = batch.arrays[key].float()


@batch_form(PadTo)
def _pad_to(transform: PadTo, outline: Outline) -> Operation:
    if outline.pending is not None:
        raise NoBatchForm("it stands between a transform that chooses frames and PoseDecode")
    if outline.axis == "formatted":
        raise NoBatchForm("it follows FormatGCNInput")
    _check_only_keypoints(outline)
    choice = PaddedFrames(transform.length, transform.mode == "loop")
    if outline.axis != "source":
        return lambda batch: _take(batch, choice(batch.total, batch.draws))
    _check_lengths(transform, outline)
    outline.begin(choice)
    outline.axis = "padded"
    return Batch.settle


def _check_lengths(transform: PadTo, outline: Outline) -> None:
    """Let the transform complain about the longest sample, if it has to."""
    longest = int(outline.members.frames.argmax())
    try:
        transform(dict(outline.members.sample(longest)))
    except ValueError as error:
        raise ConfigError(f"data.device: {error}") from error


def _check_only_keypoints(outline: Outline) -> None:
    others = sorted(outline.arrays - set(ROW_KEYS))
    if others:
        raise NoBatchForm(
            f"it chooses the frames of keypoint, but not those of {', '.join(others)}; merge "
            "(MergeSkeFeat) first"
        )


def _take(batch: Batch, frames: Tensor) -> None:
    """Let the arrays hold ``frames`` (N, F) of theirs, zero where that is -1."""
    blank = (frames < 0)[:, None, :]  # (N, 1, F)
    for key, array in batch.arrays.items():
        index = frames.clamp(min=0).view(len(frames), 1, -1, *(1 for _ in array.shape[3:]))
        taken = torch.take_along_dim(array, index, dim=2)
        batch.arrays[key] = taken.masked_fill_(blank.view(*blank.shape, *index.shape[3:]), 0)
    batch.renumber()


def whole_sequences(outline: Outline) -> Choice:
    """Return the choice of all frames, for samples that all have the same number of them.

    Raises:
        NoBatchForm: if they differ.
    """
    lengths = outline.total
    if len(lengths) > 1:
        raise NoBatchForm(
            f"the samples have {lengths[0]} to {lengths[-1]} frames; bring them to one length "
            "first (UniformSample with PoseDecode, PadTo)"
        )
    return PaddedFrames(int(lengths[0]), loop=False)
