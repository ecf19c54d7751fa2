"""Equal samples and shared runs of frames are found, and nothing else is taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyskl.health.measure import digest
from pyskl.health.shared_frames import RUN_LENGTH, Run, SharedFrames


def search(samples: list[np.ndarray]) -> list[Run]:
    shared = SharedFrames()
    for index, keypoint in enumerate(samples):
        shared.add(index, keypoint)
    return shared.runs(samples.__getitem__)


def noise(seed: int, frames: int, *, persons: int = 1, dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(persons, frames, 5, 3)).astype(dtype)


@settings(max_examples=60, deadline=None)
@given(
    cut=st.integers(1, 40),
    start=st.integers(0, 20),
    place=st.integers(0, 20),
    dtype=st.sampled_from(["float16", "float32", "float64"]),
    person=st.integers(0, 1),
)
def test_a_run_is_found_exactly_if_it_is_long_enough(
    cut: int, start: int, place: int, dtype: str, person: int
) -> None:
    one, other = noise(0, 60, dtype=dtype), noise(1, place + cut + 3, persons=2, dtype=dtype)
    other[person, place : place + cut] = one[0, start : start + cut]
    third = noise(2, 50, dtype=dtype)
    expected = [Run(0, 2, start, place, cut)] if cut >= RUN_LENGTH else []
    assert search([one, third, other]) == expected


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_mirror_images_and_near_copies_are_not_equal(dtype: str) -> None:
    one = noise(0, 40, dtype=dtype)
    mirrored = one * np.array([-1, 1, 1], dtype)
    upside_down = -one
    near = np.nextafter(one, np.ones_like(one))
    assert search([one, mirrored, upside_down, near]) == []
    assert len({digest(sample) for sample in (one, mirrored, upside_down, near)}) == 4


def test_frames_without_a_person_are_no_run() -> None:
    samples = [noise(seed, 60) for seed in range(3)]
    for sample in samples:
        sample[:, 10:50] = 0
    assert search(samples) == []


def test_a_sample_that_repeats_itself_is_no_pair() -> None:
    frozen = np.repeat(noise(0, 1), 60, axis=1)
    looped = np.tile(noise(1, 20), (1, 3, 1, 1))
    assert search([frozen, looped, noise(2, 40)]) == []


def test_frozen_frames_of_two_samples_are_a_run() -> None:
    frozen = np.repeat(noise(0, 1), 60, axis=1)
    (run,) = search([frozen, frozen[:, :30].copy()])
    assert (run.first, run.second) == (0, 1)
    assert RUN_LENGTH <= run.frames <= 30


def test_all_cuts_of_a_recording_are_found() -> None:
    recording = noise(0, 200)
    cuts = [recording[:, start : start + 40] for start in range(0, 160, 20)]
    assert [(run.first, run.second, run.frames) for run in search(cuts)] == [
        (index, index + 1, 20) for index in range(len(cuts) - 1)
    ]


def test_the_hash_of_a_sample_knows_type_and_shape() -> None:
    zeros = [np.zeros((1, 4, 5, 3), dtype) for dtype in ("float16", "float32")]
    zeros += [np.zeros((1, 5, 4, 3), "float32"), np.zeros((1, 4, 5, 2), "float32")]
    assert len({digest(sample) for sample in zeros}) == len(zeros)
    one = noise(0, 9)
    assert digest(one) == digest(np.asfortranarray(one)) == digest(one.copy())


def test_other_joints_or_types_are_no_pair() -> None:
    one = noise(0, 40)
    assert search([one, one.astype("float64"), one[:, :, :4], one[..., :2]]) == []
    assert search([]) == []
    assert search([noise(0, RUN_LENGTH - 1)]) == []
