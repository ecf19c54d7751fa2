"""The frames that batches draw: of the same distribution as those of the transforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pyskl.datasets.device.draws import Draws, sample_keys
from pyskl.datasets.device.frames import SpacedFrames, UniformFrames
from pyskl.datasets.pipelines import SampleFrames, UniformSample

UNLIKELY = 1e-3  # see test_draws.py
MANY = 20_000


class Device:
    """What the choices need of an outline."""

    @staticmethod
    def tensor(array: Any) -> torch.Tensor:
        return torch.as_tensor(array)


def device_frames(transform: Any, total: int | list[int], count: int = MANY) -> np.ndarray:
    """Return the frames that many samples draw on the device, (count, clips, L)."""
    kind: Callable[..., Any] = SpacedFrames
    arguments: list[Any] = [transform]
    if isinstance(transform, UniformSample):
        kind, arguments = UniformFrames, [transform, Device()]
    totals = torch.as_tensor(total).expand(count)
    frames = kind(*arguments)(totals, Draws(sample_keys(0, 0, torch.arange(count))))
    return frames.view(count, transform.num_clips, -1).numpy()


def online_frames(transform: Any, total: int, count: int = MANY) -> np.ndarray:
    """Return the frames that the transform draws itself, (count, clips, L)."""
    np.random.seed(0)
    rng = np.random.default_rng(0)
    if isinstance(transform, UniformSample):
        drawn = [transform.train_frames(total, rng) for _ in range(count)]
    else:
        drawn = [transform({"total_frames": total})["frame_inds"] for _ in range(count)]
    return np.stack(drawn).reshape(count, transform.num_clips, -1)


def same_distribution(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether two samples of whole numbers may be of one distribution."""
    table = np.stack(
        [np.bincount(a, minlength=max(one.max(), other.max()) + 1) for a in (one, other)]
    )
    table = table[:, table.sum(axis=0) > 0]
    return table.shape[1] == 1 or stats.chi2_contingency(table).pvalue > UNLIKELY


CASES = [
    (UniformSample(12), 5),
    (UniformSample(12), 12),
    (UniformSample(12), 17),
    (UniformSample(12), 23),
    (UniformSample(12), 30),
    (UniformSample(12), 24),
    (UniformSample(1), 1),
    (UniformSample(4, num_clips=2), 11),
    (UniformSample(6, p_interval=(0.4, 1)), 20),
    (UniformSample(6, p_interval=0.9), 10),
    (UniformSample(6, num_clips=2, p_interval=(0.1, 0.3)), 7),
    (SampleFrames(3, 2, num_clips=2), 20),
    (SampleFrames(3, 2, num_clips=4), 8),
    (SampleFrames(3, 2, num_clips=4), 6),
    (SampleFrames(3, 2, num_clips=2), 4),
    (SampleFrames(3, num_clips=8), 5),
    (SampleFrames(3, 4, num_clips=2, temporal_jitter=True), 17),
    (SampleFrames(3, 4, temporal_jitter=True, out_of_bound_opt="repeat_last"), 9),
]


@pytest.mark.parametrize(("transform", "total"), CASES)
def test_draws_are_distributed_as_online(transform: Any, total: int) -> None:
    device, online = (frames(transform, total, 4000) for frames in (device_frames, online_frames))
    assert device.shape == online.shape
    assert device.min() >= 0
    assert device.max() < total
    for clip in range(device.shape[1]):
        for place in range(device.shape[2]):  # each frame of a clip by itself,
            assert same_distribution(device[:, clip, place], online[:, clip, place])
        # and the first together with how the others follow it.
        steps = np.diff(device[:, clip], axis=1), np.diff(online[:, clip], axis=1)
        if steps[0].shape[1]:
            low = min(int(step.min()) for step in steps)
            spread = [(step.max(axis=1) - low) * 100 + (step.min(axis=1) - low) for step in steps]
            assert same_distribution(*spread)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(1, 80), min_size=1, max_size=12),
    st.integers(1, 30),
    st.sampled_from([1, 0.5, (0.2, 0.9)]),
)
def test_clips_are_in_order_and_inside_their_window(
    totals: list[int], clip_len: int, share: Any
) -> None:
    transform = UniformSample(clip_len, num_clips=2, p_interval=share)
    frames = device_frames(transform, totals, len(totals))
    for total, clips in zip(totals, frames, strict=True):
        assert ((clips >= 0) & (clips < total)).all()
        if share == 1 and total >= clip_len:  # no wrapping: one frame of each share in turn
            assert (np.diff(clips, axis=1) >= 1).all()
            if total >= 2 * clip_len:
                bounds = np.arange(clip_len + 1) * total // clip_len
                assert ((clips >= bounds[:-1]) & (clips < bounds[1:])).all()


def test_a_frame_is_uniform_in_its_segment() -> None:
    frames = device_frames(UniformSample(4), 30)[:, 0]
    bounds = np.arange(5) * 30 // 4
    for place in range(4):
        counts = np.bincount(frames[:, place] - bounds[place])
        assert len(counts) == bounds[place + 1] - bounds[place]
        assert stats.chisquare(counts).pvalue > UNLIKELY
    assert (
        stats.chi2_contingency(np.histogram2d(frames[:, 0], frames[:, 1], 7)[0]).pvalue > UNLIKELY
    )


@pytest.mark.parametrize("total", [5, 6, 7])
def test_every_choice_of_gaps_is_as_likely(total: int) -> None:
    frames = device_frames(UniformSample(4), total)[:, 0]  # total - 4 of 5 gaps
    # The gaps that were skipped follow from the frames: before the first, between, after the last.
    skipped = np.diff(np.pad(frames, ((0, 0), (1, 1)), constant_values=(-1, total)), axis=1) - 1
    assert set(np.unique(skipped)) == {0, 1}
    assert (skipped.sum(axis=1) == total - 4).all()
    counts = np.bincount(skipped @ (2 ** np.arange(5)))
    counts = counts[counts > 0]
    assert len(counts) == {5: 5, 6: 10, 7: 10}[total]
    assert stats.chisquare(counts).pvalue > UNLIKELY


def test_short_sequences_start_anywhere() -> None:
    starts = device_frames(UniformSample(9), 5)[:, 0, 0]
    assert stats.chisquare(np.bincount(starts, minlength=5)).pvalue > UNLIKELY
