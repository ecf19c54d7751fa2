from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyskl.datasets import PoseDataset
from pyskl.datasets.annotation_pickle import Sample
from pyskl.datasets.loader import BatchedDataset
from pyskl.datasets.pipelines import Compose, RandomScale
from pyskl.datasets.randomness import (
    Draws,
    SampleRandomness,
    below,
    current_key,
    generator,
    hashed,
    high_uniform,
    low_uniform,
    sample_keys,
    sample_randomness,
)
from pyskl.datasets.sampling import SampleKey, TrainBatches

keys = st.tuples(*[st.integers(0, 2**31)] * 3)


def global_draws() -> tuple[float, float, float]:
    return np.random.rand(), random.random(), float(torch.rand(()))


def global_states() -> list[Any]:
    algorithm, words, *rest = np.random.get_state()
    return [algorithm, np.asarray(words).tolist(), rest, random.getstate(), torch.get_rng_state()]


def same_states(before: list[Any], after: list[Any]) -> bool:
    return before[:-1] == after[:-1] and torch.equal(before[-1], after[-1])


def with_global_draws(sample: Sample) -> Sample:
    """A user's transform that draws from every global generator."""
    sample["drawn"] = global_draws()
    return sample


class Subclassed(RandomScale):
    """A user's transform made from a built-in one."""

    def __call__(self, sample: Sample) -> Sample:
        return with_global_draws(super().__call__(sample))


@settings(max_examples=50, deadline=None)
@given(keys)
def test_a_key_repeats_its_draws(key: tuple[int, int, int]) -> None:
    draws = []
    for noise in range(2):
        np.random.seed(noise)
        with sample_randomness(*key) as rng:
            assert generator() is rng
            draws.append(generator().random(4).tolist())
    assert draws[0] == draws[1]


@settings(max_examples=50, deadline=None)
@given(keys, keys)
def test_different_keys_draw_differently(
    one: tuple[int, int, int], two: tuple[int, int, int]
) -> None:
    def draws(key: tuple[int, int, int]) -> list[float]:
        with sample_randomness(*key) as rng:
            return rng.random(4).tolist()

    assert (draws(one) == draws(two)) == (one == two)


def test_the_order_of_an_epoch_draws_apart_from_its_samples() -> None:
    order = TrainBatches(50, 1, seed=3).order(2).tolist()
    for index in range(50):
        with sample_randomness(3, 2, index) as rng:
            assert rng.permutation(50).tolist() != order


@pytest.mark.parametrize("part", [0, 1, 2])
def test_neighbouring_keys_draw_independently(part: int) -> None:
    draws = []
    for number in range(4000):
        key = [1, 2, 3]
        key[part] = number
        with sample_randomness(*key) as rng:
            draws.append(rng.random(2))
    first, second = np.array(draws).T
    counts = np.histogram(first, bins=20, range=(0, 1))[0]
    assert ((counts - 200) ** 2 / 200).sum() < 50  # chi-square, 19 degrees: 1 in 10,000
    for one, two in ((first, second), (first[1:], first[:-1]), (second[1:], first[:-1])):
        assert abs(np.corrcoef(one, two)[0, 1]) < 0.065  # four standard deviations


def test_keys_are_told_apart_and_may_be_of_numpy() -> None:
    def first(*key: int) -> float:
        with sample_randomness(*key) as rng:
            return float(rng.random())

    assert first(1, 23, 4) != first(12, 3, 4) != first(1, 2, 34)
    assert first(1, 2, 3) == first(np.int64(1), np.int64(2), np.int64(3))
    assert first(2**80, 0, 0) != first(2**80 + 1, 0, 0)


def test_threads_have_keys_of_their_own() -> None:
    both = threading.Barrier(2)

    def draw(index: int) -> list[float]:
        with sample_randomness(0, 0, index):
            both.wait(timeout=10)
            draws = generator().random(3).tolist()
            both.wait(timeout=10)
            assert generator() is generator()
        return draws

    expected = []
    for index in range(2):
        with sample_randomness(0, 0, index) as rng:
            expected.append(rng.random(3).tolist())
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(draw, range(2))) == expected


def test_blocks_nest_and_end_even_by_an_error() -> None:
    assert current_key() is None
    with sample_randomness(0, 0, 0) as outer:
        with pytest.raises(KeyError), sample_randomness(0, 0, 1):
            raise KeyError
        assert current_key() is not None
        assert generator() is outer
    assert current_key() is None


def test_outside_a_block_numpys_seed_decides() -> None:
    np.random.seed(3)
    first = [generator().random() for _ in range(3)]
    np.random.seed(3)
    assert [generator().random() for _ in range(3)] == first
    assert len(set(first)) == 3


def test_seeded_globals_follow_the_key_and_restore_the_state() -> None:
    draws = []
    for noise in range(2):
        for seed in (np.random.seed, random.seed, torch.manual_seed):
            seed(noise)
        before = global_states()
        with SampleRandomness(123).seeded_globals():
            draws.append(global_draws())
        assert same_states(before, global_states())
    assert draws[0] == draws[1]


def test_seeded_globals_restore_the_state_after_an_error() -> None:
    def fail() -> None:
        global_draws()
        raise KeyError

    before = global_states()
    with pytest.raises(KeyError), SampleRandomness(123).seeded_globals():
        fail()
    assert same_states(before, global_states())


@pytest.mark.parametrize(
    "transform", [with_global_draws, Subclassed(), lambda sample: with_global_draws(sample)]
)
def test_users_transforms_draw_by_key_from_the_global_generators(
    transform: Callable[[Sample], Sample], make_sample: Callable[..., Sample]
) -> None:
    def drawn(index: int, noise: int) -> tuple[float, ...]:
        for seed in (np.random.seed, random.seed, torch.manual_seed):
            seed(noise)
        before = global_states()
        with sample_randomness(0, 0, index):
            sample = Compose([{"type": "RandomScale"}, transform, transform])(make_sample())
        assert same_states(before, global_states())
        result: tuple[float, ...] = sample["drawn"]
        return result

    assert drawn(0, noise=0) == drawn(0, noise=1)
    assert drawn(0, noise=0) != drawn(1, noise=0)


def test_two_users_transforms_draw_differently() -> None:
    draws: list[tuple[float, float, float]] = []

    def transform(sample: Sample) -> Sample:
        draws.append(global_draws())
        return sample

    with sample_randomness(0, 0, 0):
        Compose([transform, transform])({})
    assert len(set(sum(draws, ()))) == 6


def test_without_a_key_users_transforms_use_the_global_state_as_it_is() -> None:
    np.random.seed(0)
    expected = np.random.rand()
    np.random.seed(0)
    assert Compose([with_global_draws])({})["drawn"][0] == expected


RANDOM: list[Any] = [
    {"type": "RandomRot"},
    {"type": "RandomScale"},
    {"type": "RandomGaussianNoise"},
    {"type": "Flip", "layout": "nturgb+d"},
    {"type": "UniformSample", "clip_len": 4, "num_clips": 2, "p_interval": (0.5, 1)},
    {"type": "PoseDecode"},
    with_global_draws,
]


def test_reading_order_has_no_say(ann_file: Path) -> None:
    def read(order: list[int], epoch: int = 0, seed: int = 0) -> dict[int, Any]:
        dataset = BatchedDataset(PoseDataset(ann_file, RANDOM), seed)
        before = global_states()
        samples = {i: dataset.__getitems__([SampleKey(epoch, i)]) for i in order}
        assert same_states(before, global_states())
        return {
            i: (sample["keypoint"].tolist(), sample["frame_inds"].tolist(), sample["drawn"])
            for i, sample in samples.items()
        }

    forward, some = read(list(range(20))), [13, 2, 7]
    assert read(list(range(19, -1, -1))) == forward
    assert read(some) == {i: forward[i] for i in some}
    for other in (read(some, epoch=1), read(some, seed=1)):
        assert all(other[i][part] != forward[i][part] for i in some for part in (0, 2))


# --- draws of whole batches -----------------------------------------------------------------------


def splitmix64(state: int) -> int:
    """The output function of SplitMix64 in plain Python."""
    mask = 2**64 - 1
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & mask
    return state ^ (state >> 31)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**40))
def test_the_hash_is_splitmix64_in_numpy_and_torch(key: int, counter: int) -> None:
    expected = splitmix64((key + (counter + 1) * 0x9E3779B97F4A7C15) % 2**64)
    signed = key - 2**64 if key >= 2**63 else key
    for array in (np.array, torch.tensor):
        found = int(hashed(array([signed]), array([counter]))[0])
        assert found % 2**64 == expected


def test_draws_are_uniform_and_independent() -> None:
    draws = Draws(sample_keys(1, 2, np.arange(400)))
    words = draws.words(50)
    for uniform in (high_uniform(words), low_uniform(words), draws.stream(3).uniform(50)):
        assert uniform.shape == (400, 50)
        assert 0 <= uniform.min() <= uniform.max() < 1
        counts = np.histogram(uniform, bins=20, range=(0, 1))[0]
        assert ((counts - 1000) ** 2 / 1000).sum() < 50  # chi-square, 19 degrees: 1 in 10,000
        for axis in (0, 1):
            one, other = np.delete(uniform, 0, axis).ravel(), np.delete(uniform, -1, axis).ravel()
            assert abs(np.corrcoef(one, other)[0, 1]) < 0.03
    pairs = (high_uniform(words), low_uniform(words), draws.stream(0).uniform(50))
    assert np.abs(np.corrcoef([pair.ravel() for pair in pairs]) - np.eye(3)).max() < 0.03


@given(st.integers(0, 2**31))
def test_whole_numbers_lie_below_their_bound(bound: int) -> None:
    numbers = below(Draws(sample_keys(0, 0, np.arange(3))).words(20), bound)
    assert numbers.min() >= 0
    assert numbers.max() < max(bound, 1)


def test_whole_numbers_are_equally_likely() -> None:
    numbers = below(Draws(sample_keys(0, 0, np.arange(100))).words(70), 7)
    counts = np.bincount(numbers.ravel(), minlength=7)
    assert ((counts - 1000) ** 2 / 1000).sum() < 27  # chi-square, 6 degrees: 1 in 10,000
