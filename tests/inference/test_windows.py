"""Sliding windows and the segments that their scores are merged into."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyskl.errors import InputError
from pyskl.inference.windows import Segment, Span, WindowSettings, find_segments, window_starts

LENGTHS = st.tuples(st.integers(1, 300), st.integers(1, 80), st.integers(1, 80)).filter(
    lambda sizes: sizes[2] <= sizes[1]  # stride, window
)


@given(LENGTHS)
def test_windows_cover_every_frame(sizes: tuple[int, int, int]) -> None:
    total, window, stride = sizes
    starts = window_starts(total, window, stride)
    covered = np.zeros(total, dtype=int)
    for start in starts:
        assert start >= 0
        assert start + window <= max(total, window)
        covered[start : start + window] += 1
    assert covered.min() > 0
    steps = np.diff(starts)
    assert (steps > 0).all()
    assert (steps[:-1] == stride).all()
    assert (steps <= stride).all()


@settings(max_examples=200)
@given(
    LENGTHS, st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 60), st.floats(0.2, 0.9)
)
def test_segments_are_a_partition(
    sizes: tuple[int, int, int], seed: int, smooth: int, shortest: int, threshold: float
) -> None:
    total, window, stride = sizes
    window = min(window, total)
    starts = window_starts(total, window, stride)
    # Scores with runs in them, as real ones have.
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet([0.3] * 3, size=len(starts)).repeat(3, axis=0)[: len(starts)]
    found = find_segments(
        scores, starts, window, total, smooth=smooth, threshold=threshold, min_length=shortest
    )
    assert found[0].start == 0
    assert found[-1].end == total
    for one, following in pairwise(found):
        assert one.end == following.start
        assert one.label != following.label
    for one in found:
        assert one.start < one.end
        assert (one.label is None) == (one.score is None)
        if one.label is not None:
            assert one.end - one.start >= shortest
            assert 0 <= one.score <= 1
    for one, gap, following in zip(found, found[1:], found[2:]):
        if one.label == following.label is not None:
            assert gap.end - gap.start >= shortest


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(32, 90)), min_size=1, max_size=6),
    st.integers(1, 32),
)
def test_joined_clips_are_found_where_they_are(clips: list[tuple[int, int]], stride: int) -> None:
    window = 32  # no clip is shorter, so no window has more than two actions
    truth = np.repeat(*zip(*clips))
    starts = window_starts(len(truth), window, stride)
    scores = np.array(
        [
            [(truth[start : start + window] == label).mean() for label in range(4)]
            for start in starts
        ]
    )
    found = find_segments(scores, starts, window, len(truth), threshold=0.3)
    joined = [0, *(np.flatnonzero(np.diff(truth)) + 1), len(truth)]
    assert [one.label for one in found] == [truth[start] for start in joined[:-1]]
    for one, start in zip(found, joined):
        assert abs(one.start - start) <= stride


def segments(scores: list[list[float]], **options: float) -> list[tuple[int, int, int | None]]:
    """Return the segments of windows of two frames, one after every two."""
    starts = list(range(0, 2 * len(scores), 2))
    found = find_segments(np.array(scores), starts, 2, 2 * len(scores), **options)
    return [(one.start, one.end, one.label) for one in found]


def test_short_segments_are_dissolved() -> None:
    a, b, none = [0.9, 0.1], [0.1, 0.9], [0.2, 0.2]
    assert segments([a, a, b, a]) == [(0, 4, 0), (4, 6, 1), (6, 8, 0)]
    assert segments([a, a, b, a], min_length=4) == [(0, 8, 0)]
    assert segments([a, none, a], min_length=4) == [(0, 6, 0)]
    assert segments([a, a, none, b, none, a, a], min_length=4) == [
        (0, 4, 0),
        (4, 10, None),
        (10, 14, 0),
    ]
    assert segments([a, b], min_length=9) == [(0, 4, None)]
    assert segments([none, none]) == [(0, 4, None)]


def test_smoothing_averages_neighbours() -> None:
    a, b = [0.9, 0.1], [0.4, 0.6]
    assert segments([a, a, b, a, a]) == [(0, 4, 0), (4, 6, 1), (6, 10, 0)]
    assert segments([a, a, b, a, a], smooth=3) == [(0, 10, 0)]
    (segment,) = find_segments(np.array([[0.6], [0.9]]), [0, 2], 4, 6, smooth=1)
    assert segment == Segment(0, 6, 0, pytest.approx(0.75))
    (segment,) = find_segments(np.array([[0.6], [0.9]]), [0, 1], 2, 9, smooth=2)
    assert segment.score == pytest.approx((0.75 * 1 + 0.9 * 8) / 9)  # 1 and 8 frames


@pytest.mark.parametrize(
    ("text", "frames"), [("64", 64), ("2s", 60), ("0.5s", 15), (".01s", 1), ("2.s", 60)]
)
def test_lengths_are_frames_or_seconds(text: str, frames: int) -> None:
    assert Span.parse(text).frames(30) == frames


@pytest.mark.parametrize("text", ["", "x", "1.", "-3", "1e3", "nan", "2 s s", "0", "0s", "\u0661s"])
def test_other_lengths_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        Span.parse(text)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(InputError):
        Span.parse("2s").frames(None)
    with pytest.raises(InputError) as caught:
        WindowSettings(Span(8), Span(9)).in_frames(None)
    assert caught.value.key == "--stride"
    for key, value in (("smooth", 0), ("threshold", float("nan"))):
        with pytest.raises(InputError) as caught:
            WindowSettings(Span(8), **{key: value})  # type: ignore[arg-type]
        assert caught.value.key == f"--{key}"
    assert WindowSettings(Span(2, seconds=True)).in_frames(30) == (60, 15, 1)
    assert WindowSettings(Span(2)).in_frames(None) == (2, 1, 1)
