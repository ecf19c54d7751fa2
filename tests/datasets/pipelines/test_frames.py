from __future__ import annotations

import itertools
import pickle
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyskl.datasets.pipelines import SampleFrames, UniformSample, UniformSampleDecode
from pyskl.datasets.randomness import sample_randomness

moderate = settings(max_examples=150, deadline=None)


def frames_by_the_book(
    total: int, clip_len: int, num_clips: int, interval: tuple[float, float], seed: int = 255
) -> list[int]:
    """The test frames written step by step from the specification."""
    low, high = interval
    random = np.random.RandomState(seed)
    frames = []
    for clip in range(num_clips):
        ratio = low + random.rand() * (high - low)
        window = int(ratio * total)
        offset = random.randint(total - window + 1)
        inside = []
        if window < clip_len:
            start = clip if window < num_clips else int(clip * window / num_clips)
            for step in range(clip_len):
                inside.append(start + step)
        elif window < 2 * clip_len:
            gaps = set(random.choice(clip_len + 1, window - clip_len, replace=False).tolist())
            frame = 0
            for step in range(clip_len):
                if step in gaps:
                    frame += 1
                inside.append(frame)
                frame += 1
        else:
            bounds = [step * window // clip_len for step in range(clip_len + 1)]
            sizes = [end - start for start, end in itertools.pairwise(bounds)]
            picks = random.randint(np.array(sizes))
            inside = [bounds[step] + int(picks[step]) for step in range(clip_len)]
        frames += [(offset + frame) % total for frame in inside]
    return frames


def choose(transform: Any, total: int, *, test: bool, key: int = 0, **extra: Any) -> np.ndarray:
    """Return the chosen frames, (clips, clip_len)."""
    sample = {"total_frames": total, "test_mode": test, **extra}
    with sample_randomness(0, 0, key):
        sample = transform(sample)
    assert sample["clip_len"] == transform.clip_len
    assert sample["num_clips"] == transform.num_clips
    inds = sample["frame_inds"]
    assert isinstance(inds, np.ndarray)
    assert inds.dtype == np.int64
    assert inds.shape == (transform.num_clips * transform.clip_len,)
    return inds.reshape(transform.num_clips, transform.clip_len)


@pytest.mark.parametrize("interval", [(1.0, 1.0), (0.5, 1.0), (0.05, 0.9)])
@pytest.mark.parametrize("num_clips", [1, 10])
def test_test_frames_are_those_of_published_results(
    num_clips: int, interval: tuple[float, float]
) -> None:
    transform = UniformSample(100, num_clips, p_interval=interval)
    for total in range(1, 401):
        expected = frames_by_the_book(total, 100, num_clips, interval)
        assert choose(transform, total, test=True).ravel().tolist() == expected, total


@moderate
@given(
    st.integers(1, 200), st.integers(1, 40), st.integers(1, 12), st.integers(0, 1000), st.booleans()
)
def test_test_frames_for_other_lengths_and_seeds(
    total: int, clip_len: int, clips: int, seed: int, half: bool
) -> None:
    interval = 0.5 if half else 1
    transform = UniformSample(clip_len, clips, p_interval=interval, seed=seed)
    expected = frames_by_the_book(total, clip_len, clips, (interval, interval), seed)
    assert choose(transform, total, test=True).ravel().tolist() == expected


def test_test_frames_neither_read_nor_change_the_global_generator() -> None:
    transform = UniformSample(20, 3, p_interval=(0.5, 1))
    for total in (5, 30, 90):
        np.random.seed(1)
        first = transform({"total_frames": total, "test_mode": True})["frame_inds"]
        assert np.random.rand() == np.random.RandomState(1).rand()
        np.random.seed(2)
        second = transform({"total_frames": total, "test_mode": True})["frame_inds"]
        np.testing.assert_array_equal(first, second)


def test_test_frames_are_drawn_once_for_each_length(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    plain = UniformSample._draw_test_frames

    def counted(self: UniformSample, total: int) -> np.ndarray:
        drawn.append(total)
        return plain(self, total)

    monkeypatch.setattr(UniformSample, "_draw_test_frames", counted)
    transform = UniformSample(8, 3)
    first = choose(transform, 30, test=True)
    kept = first.copy()
    first[:] = -1  # a sample's frames are its own
    np.testing.assert_array_equal(choose(transform, 30, test=True), kept)
    assert drawn == [30]
    assert not transform.test_frames(30).flags.writeable
    other = pickle.loads(pickle.dumps(transform))  # as a worker process receives it
    np.testing.assert_array_equal(choose(other, 30, test=True), kept)
    for total in range(1, 2500):
        transform.test_frames(total)
    assert len(transform._known_test_frames) <= 1000
    transform.seed = 3
    assert (
        choose(transform, 30, test=True).tolist()
        == choose(UniformSample(8, 3, seed=3), 30, test=True).tolist()
    )


lows_and_highs = st.tuples(st.floats(0.05, 1), st.floats(0.05, 1)).map(
    lambda pair: (min(pair), max(pair))
)


@moderate
@given(
    st.integers(1, 300), st.integers(1, 60), st.integers(1, 5), lows_and_highs, st.integers(0, 99)
)
def test_frames_lie_in_the_sequence(
    total: int, clip_len: int, clips: int, interval: tuple[float, float], key: int
) -> None:
    transform = UniformSample(clip_len, clips, p_interval=interval)
    for test in (False, True):
        inds = choose(transform, total, test=test, key=key)
        assert inds.min() >= 0
        assert inds.max() < total


@moderate
@given(st.integers(1, 300), st.integers(1, 60), lows_and_highs, st.integers(0, 99))
def test_a_long_clip_runs_forward_within_its_window(
    total: int, clip_len: int, interval: tuple[float, float], key: int
) -> None:
    low, high = interval
    transform = UniformSample(clip_len, 3, p_interval=interval)
    for test in (False, True):
        for inds in choose(transform, total, test=test, key=key):
            if int(low * total) >= clip_len:
                assert (np.diff(inds) > 0).all()
                assert inds[-1] - inds[0] < max(1, high * total)
            if total < clip_len:  # one frame after the other, round and round
                assert (np.diff(inds) % total == 1 % total).all()


def picked(transform: UniformSample, total: int, draws: int = 400) -> np.ndarray:
    return np.concatenate([choose(transform, total, test=False, key=k) for k in range(draws)])


def test_each_segment_gives_each_of_its_frames() -> None:
    inds = picked(UniformSample(4), 14)
    bounds = [0, 3, 7, 10, 14]
    for step in range(4):
        assert set(inds[:, step]) == set(range(bounds[step], bounds[step + 1]))


def test_segments_draw_independently() -> None:
    inds = picked(UniformSample(3), 6)
    assert len({tuple(clip) for clip in inds.tolist()}) == 2**3


def test_short_sequences_start_anywhere_in_training() -> None:
    inds = picked(UniformSample(10), 4)
    assert set(inds[:, 0]) == {0, 1, 2, 3}


def test_middle_sequences_skip_every_gap_alike() -> None:
    inds = picked(UniformSample(4), 6)
    counts = Counter(map(tuple, inds.tolist()))
    # 2 of the 5 gaps, those before and after the clip included, skip a frame each
    assert set(counts) == {
        frames
        for frames in itertools.combinations(range(6), 4)
        if max(np.diff((-1, *frames, 6))) <= 2
    }
    assert len(counts) == 10
    assert min(counts.values()) > 15  # 40 on average


def test_windows_differ_in_place_and_length_in_training() -> None:
    inds = picked(UniformSample(4, p_interval=(0.5, 1)), 100)
    assert inds[:, 0].max() > 40
    assert inds[:, -1].min() < 60
    spans = inds[:, -1] - inds[:, 0]
    assert spans.min() < 45
    assert spans.max() > 75


def test_training_draws_anew_for_each_key_and_clip() -> None:
    transform = UniformSample(20, 2)
    first = choose(transform, 100, test=False, key=0)
    assert choose(transform, 100, test=False, key=0).tolist() == first.tolist()
    assert choose(transform, 100, test=False, key=1).tolist() != first.tolist()
    assert first[0].tolist() != first[1].tolist()


@pytest.mark.parametrize("transform", [UniformSample(8, 2), SampleFrames(8, 2, 2)])
@pytest.mark.parametrize("test", [False, True])
def test_start_index_is_added_last(transform: Any, test: bool) -> None:
    for total in (3, 10, 50):
        plain = choose(transform, total, test=test)
        assert (choose(transform, total, test=test, start_index=7) == plain + 7).all()


@pytest.mark.parametrize(
    "arguments",
    [
        {"clip_len": 0},
        {"clip_len": 5, "num_clips": 0},
        {"clip_len": 5, "p_interval": 0},
        {"clip_len": 5, "p_interval": 1.1},
        {"clip_len": 5, "p_interval": (0.9, 0.5)},
    ],
)
@pytest.mark.parametrize("kind", [UniformSample, UniformSampleDecode])
def test_impossible_arguments_of_uniform_sample(kind: Any, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"found|lie in \(0, 1\]"):
        kind(**arguments)


def test_decode_in_one_step_gathers_the_frames(make_sample: Any) -> None:
    sample = {**make_sample(frames=30), "test_mode": True}
    inds = choose(UniformSample(8, 2), 30, test=True).ravel()
    decoded = UniformSampleDecode(8, 2)(dict(sample))
    np.testing.assert_array_equal(decoded["keypoint"], sample["keypoint"][:, inds])
    assert decoded["num_clips"] == 2


@moderate
@given(
    st.integers(1, 120),
    st.integers(1, 30),
    st.integers(1, 5),
    st.integers(1, 6),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["loop", "repeat_last"]),
    st.integers(0, 99),
)
def test_sample_frames_keep_their_distance(
    total: int,
    clip_len: int,
    interval: int,
    clips: int,
    jitter: bool,
    test: bool,
    out_of_bound: Any,
    key: int,
) -> None:
    transform = SampleFrames(clip_len, interval, clips, jitter, out_of_bound)
    inds = choose(transform, total, test=test, key=key)
    assert inds.min() >= 0
    assert inds.max() < total
    fits = total >= clip_len * interval
    if test or not jitter:
        if fits:
            assert (np.diff(inds, axis=1) == interval).all()
        elif out_of_bound == "loop":
            assert (np.diff(inds, axis=1) % total == interval % total).all()
        else:
            whole = np.arange(clip_len) * interval
            last = whole[whole < total].max()
            assert (inds == np.minimum(whole, last)).all()
    elif fits:
        assert (np.abs(np.diff(inds, axis=1) - interval) < interval).all()
    if fits:
        assert (np.diff(inds[:, 0]) >= (1 - interval if jitter and not test else 0)).all()


def test_sample_frames_takes_the_middle_of_each_share_in_test_mode() -> None:
    def starts(transform: SampleFrames, total: int) -> Sequence[int]:
        result: Sequence[int] = choose(transform, total, test=True)[:, 0].tolist()
        return result

    assert starts(SampleFrames(4), 10) == [3]  # starts 0 to 6
    assert starts(SampleFrames(4, num_clips=2), 13) == [2, 7]  # 0 to 9
    assert starts(SampleFrames(4, num_clips=3), 4) == [0, 0, 0]
    assert starts(SampleFrames(4, num_clips=2), 3) == [0, 0]


def test_sample_frames_starts_anywhere_in_its_share_in_training() -> None:
    transform = SampleFrames(4, num_clips=2)
    starts = np.array([choose(transform, 13, test=False, key=k)[:, 0] for k in range(200)])
    assert set(starts[:, 0]) == set(range(5))
    assert set(starts[:, 1]) == set(range(5, 10))


def test_sample_frames_jitter_moves_frames_apart() -> None:
    transform = SampleFrames(5, frame_interval=4, temporal_jitter=True)
    distances = [np.diff(choose(transform, 100, test=False, key=k)[0]) for k in range(50)]
    assert len(set(np.concatenate(distances).tolist())) == 7  # 4 ± 3


@pytest.mark.parametrize(
    "arguments",
    [
        {"clip_len": 0},
        {"clip_len": 1, "frame_interval": 0},
        {"clip_len": 1, "num_clips": 0},
        {"clip_len": 1, "out_of_bound_opt": "mirror"},
    ],
)
def test_impossible_arguments_of_sample_frames(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="found"):
        SampleFrames(**arguments)
