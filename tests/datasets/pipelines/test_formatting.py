from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyskl.datasets.pipelines import Collect, FormatGCNInput, ToTensor
from pyskl.errors import InputError


@settings(max_examples=60, deadline=None)
@given(
    persons=st.integers(1, 5),
    wanted=st.integers(1, 5),
    clips=st.integers(1, 4),
    frames=st.integers(1, 5),
    mode=st.sampled_from(["zero", "loop"]),
    scored=st.booleans(),
)
def test_persons_are_cut_or_padded_and_clips_come_first(
    persons: int, wanted: int, clips: int, frames: int, mode: Any, scored: bool
) -> None:
    rng = np.random.default_rng(0)
    keypoint = rng.random((persons, clips * frames, 4, 2), dtype=np.float32)
    sample: dict[str, Any] = {"keypoint": keypoint.copy(), "num_clips": clips}
    if scored:
        sample["keypoint_score"] = keypoint[..., 1] + 3
    given_ = FormatGCNInput(wanted, mode)(sample)
    formatted = given_["keypoint"]
    assert "keypoint_score" not in given_
    assert formatted.shape == (clips, wanted, frames, 4, 2 + scored)
    assert formatted.flags.c_contiguous
    assert formatted.dtype == np.float32
    for clip in range(clips):
        for person in range(wanted):
            for frame in range(frames):
                found = formatted[clip, person, frame]
                if person >= persons and mode == "zero":
                    assert not found.any()
                    continue
                expected = keypoint[person % persons, clip * frames + frame]
                np.testing.assert_array_equal(found[:, :2], expected)
                if scored:
                    np.testing.assert_array_equal(found[:, 2], expected[:, 1] + 3)


def test_without_a_number_of_clips_there_is_one(make_sample: Any) -> None:
    assert FormatGCNInput()(make_sample())["keypoint"].shape == (1, 2, 12, 25, 3)


def test_frames_that_do_not_make_whole_clips(make_sample: Any) -> None:
    with pytest.raises(InputError) as caught:
        FormatGCNInput()({**make_sample(), "num_clips": 5})
    assert caught.value.found == 12


def test_impossible_arguments_of_format() -> None:
    with pytest.raises(ValueError, match="'mirror'"):
        FormatGCNInput(2, "mirror")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 1, found 0"):
        FormatGCNInput(0)


def test_collect_keeps_the_keys_and_no_more() -> None:
    sample = {"keypoint": 1, "label": 2, "frame_dir": "a", "rest": 3}
    assert Collect(["keypoint", "label"])(sample) == {"keypoint": 1, "label": 2}
    assert Collect(["label"], meta_keys=["frame_dir", "absent"])(sample) == {
        "label": 2,
        "img_metas": {"frame_dir": "a"},
    }
    renaming = Collect(["label"], meta_keys={"frame_dir": "id"}, meta_name="meta")
    assert renaming(sample) == {"label": 2, "meta": {"id": "a"}}
    assert Collect(["label"], nested=True)(sample) == {"label": [2]}
    with pytest.raises(InputError) as caught:
        Collect(["lable"])(sample)
    assert caught.value.key == "lable"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.arange(4, dtype=np.float32)[::-1], torch.tensor([3.0, 2, 1, 0])),
        (np.asfortranarray(np.eye(2, 3)), torch.eye(2, 3, dtype=torch.float64)),
        (np.float32(1.5), torch.tensor([1.5])),
        (7, torch.tensor([7])),
        (True, torch.tensor([True])),
        (1.5, torch.tensor([1.5])),
        ([1, 2], torch.tensor([1, 2])),
        (torch.ones(2), torch.ones(2)),
    ],
)
def test_values_become_tensors(value: Any, expected: torch.Tensor) -> None:
    tensor = ToTensor(["x"])({"x": value})["x"]
    assert tensor.dtype == expected.dtype
    assert torch.equal(tensor, expected)


def test_what_can_not_become_a_tensor_is_named() -> None:
    with pytest.raises(InputError) as caught:
        ToTensor(["x"])({"x": "text"})
    assert (caught.value.key, caught.value.found) == ("x", "str")
