from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyskl.datasets.pipelines import PadTo, PoseDecode
from pyskl.errors import InputError

moderate = settings(max_examples=50, deadline=None)


@moderate
@given(
    st.lists(st.integers(0, 11), min_size=1, max_size=30),
    st.sampled_from(["float16", "float32", "float64"]),
)
def test_decode_gathers_the_chosen_frames(make_sample: Any, inds: list[int], dtype: str) -> None:
    sample = make_sample(joints=17, dims=2, dtype=dtype)
    before = {key: sample[key].copy() for key in ("keypoint", "keypoint_score")}
    decoded = PoseDecode()({**sample, "frame_inds": np.array(inds)})
    for key, stored in before.items():
        assert decoded[key].dtype == np.float32
        for place, frame in enumerate(inds):
            np.testing.assert_array_equal(
                decoded[key][:, place], stored[:, frame].astype(np.float32)
            )
        np.testing.assert_array_equal(sample[key], stored)


def test_decode_takes_all_frames_without_a_choice(make_sample: Any) -> None:
    sample = make_sample()
    decoded = PoseDecode()(dict(sample))
    np.testing.assert_array_equal(decoded["keypoint"], sample["keypoint"])
    assert decoded["keypoint"].dtype == np.float32
    assert "keypoint_score" not in decoded


@moderate
@given(st.integers(1, 20), st.integers(0, 50), st.sampled_from(["loop", "zero"]))
def test_padding_repeats_or_blanks(make_sample: Any, frames: int, more: int, mode: Any) -> None:
    sample = make_sample(frames=frames, joints=17, dims=2)
    length = frames + more
    padded = PadTo(length, mode)(dict(sample))
    assert padded["total_frames"] == length
    for key in ("keypoint", "keypoint_score"):
        assert padded[key].shape[1] == length
        for frame in range(length):
            expected = sample[key][:, frame % frames]
            if frame >= frames and mode == "zero":
                expected = np.zeros_like(expected)
            np.testing.assert_array_equal(padded[key][:, frame], expected)


def test_padding_a_longer_sample_names_it(make_sample: Any) -> None:
    sample = make_sample(frames=13, frame_dir="S001C002")
    with pytest.raises(InputError, match="PadTo"):
        PadTo(12)(sample)
    assert PadTo(13)(sample)["keypoint"].shape[1] == 13


def test_impossible_arguments() -> None:
    with pytest.raises(ValueError, match="'mirror'"):
        PadTo(3, "mirror")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 1, found 0"):
        PadTo(0)
