from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyskl.datasets.sampling import SampleKey, TestBatches, TrainBatches

lengths = st.integers(1, 60)
sizes = st.integers(1, 8)
worlds = st.integers(1, 6)
moderate = settings(max_examples=100, deadline=None)


def indices(batches: TrainBatches | TestBatches) -> list[list[int]]:
    return [[key.index for key in batch] for batch in batches]


def train(
    length: int, batch_size: int, world_size: int, **options: object
) -> list[list[list[int]]]:
    """Return the batches of every rank."""
    epoch = options.pop("epoch", 0)
    ranks = []
    for rank in range(world_size):
        batches = TrainBatches(
            length,
            batch_size,
            rank=rank,
            world_size=world_size,
            **options,  # type: ignore[arg-type]
        )
        batches.set_epoch(epoch)  # type: ignore[arg-type]
        ranks.append(indices(batches))
        assert len(batches) == len(ranks[-1])
    return ranks


@moderate
@given(lengths, sizes, worlds)
def test_testing_reads_every_sample_once(length: int, batch_size: int, world_size: int) -> None:
    ranks = [
        TestBatches(length, batch_size, rank=rank, world_size=world_size)
        for rank in range(world_size)
    ]
    read = sorted(index for rank in ranks for batch in indices(rank) for index in batch)
    assert read == list(range(length))
    for rank in ranks:
        assert len(rank) == len(indices(rank))
        assert rank.indices() == [index for batch in indices(rank) for index in batch]
        assert rank.indices() == sorted(rank.indices())


@moderate
@given(lengths, sizes, worlds)
def test_test_batches_hold_the_same_for_any_number_of_processes(
    length: int, batch_size: int, world_size: int
) -> None:
    alone = indices(TestBatches(length, batch_size))
    dealt = [
        indices(TestBatches(length, batch_size, rank=rank, world_size=world_size))
        for rank in range(world_size)
    ]
    in_turn = [dealt[step % world_size][step // world_size] for step in range(sum(map(len, dealt)))]
    assert in_turn == alone
    assert all(len(batch) == batch_size for batch in alone[:-1])


@moderate
@given(lengths, sizes, worlds, st.booleans(), st.integers(0, 5))
def test_every_process_trains_on_as_many_batches_of_as_many_samples(
    length: int, batch_size: int, world_size: int, drop_last: bool, epoch: int
) -> None:
    ranks = train(length, batch_size, world_size, drop_last=drop_last, epoch=epoch)
    shapes = [[len(batch) for batch in batches] for batches in ranks]
    assert all(shape == shapes[0] for shape in shapes)
    assert all(size == batch_size for size in shapes[0][:-1])
    per_rank = math.ceil(length / world_size)
    assert sum(shapes[0]) == (per_rank // batch_size * batch_size if drop_last else per_rank)


@moderate
@given(lengths, sizes, worlds)
def test_an_epoch_reads_every_sample_and_fills_up_with_few(
    length: int, batch_size: int, world_size: int
) -> None:
    ranks = train(length, batch_size, world_size)
    counts = Counter(index for batches in ranks for batch in batches for index in batch)
    assert sorted(counts) == list(range(length))
    assert sum(counts.values()) - length < world_size
    assert max(counts.values()) - min(counts.values()) <= 1


@moderate
@given(lengths, st.sampled_from([1, 2, 3]), st.integers(0, 3), st.integers(0, 3))
def test_a_step_covers_the_same_samples_for_any_number_of_processes(
    length: int, batch_size: int, seed: int, epoch: int
) -> None:
    together = 12 * batch_size
    alone = train(length, together, 1, seed=seed, epoch=epoch)[0]
    for world_size in (2, 3, 4, 6, 12):
        ranks = train(length, together // world_size, world_size, seed=seed, epoch=epoch)
        assert len(ranks[0]) == len(alone)
        for step, whole in enumerate(alone):
            covered = [index for batches in ranks for index in batches[step]]
            added = list((Counter(covered) - Counter(whole)).elements())
            assert not Counter(whole) - Counter(covered)
            # what the last step has more of fills the processes up to one number
            assert len(added) == (-length % world_size if step == len(alone) - 1 else 0)


@moderate
@given(lengths, st.integers(0, 2**40), st.integers(0, 1000))
def test_the_order_depends_on_seed_and_epoch_alone(length: int, seed: int, epoch: int) -> None:
    order = TrainBatches(length, 3, seed=seed).order(epoch)
    assert sorted(order.tolist()) == list(range(length))
    again = TrainBatches(length, 5, seed=seed, rank=1, world_size=2)
    again.set_epoch(7)
    assert again.order(epoch).tolist() == order.tolist()
    if length >= 30:
        assert TrainBatches(length, 3, seed=seed).order(epoch + 1).tolist() != order.tolist()
        assert TrainBatches(length, 3, seed=seed + 1).order(epoch).tolist() != order.tolist()


def test_set_epoch_chooses_the_order_and_travels_with_the_samples() -> None:
    batches = TrainBatches(30, 4)
    first = list(batches)
    assert list(batches) == first
    assert {key.epoch for batch in first for key in batch} == {0}
    batches.set_epoch(5)
    later = list(batches)
    assert {key.epoch for batch in later for key in batch} == {5}
    assert [k.index for b in later for k in b] == batches.order(5).tolist()
    batches.set_epoch(0)
    assert list(batches) == first
    assert {key.epoch for batch in TestBatches(5, 2) for key in batch} == {0}


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("world_size", [1, 3])
def test_an_epoch_can_start_from_any_batch(world_size: int, drop_last: bool) -> None:
    for rank in range(world_size):
        batches = TrainBatches(31, 4, rank=rank, world_size=world_size, drop_last=drop_last)
        batches.set_epoch(2)
        whole = list(batches)
        for first in range(len(whole) + 1):
            batches.set_epoch(2, first_batch=first)
            assert list(batches) == whole[first:]
            assert len(batches) == len(whole)
        batches.set_epoch(2)
        assert list(batches) == whole


@moderate
@given(
    st.lists(st.floats(0, 5), min_size=1, max_size=40).filter(lambda w: sum(w) > 0.1),
    st.integers(0, 1000),
)
def test_weighted_draws_come_floor_or_ceil_times(weights: list[float], epoch: int) -> None:
    draws = max(1, round(sum(weights)))
    batches = TrainBatches(len(weights), 4, weights=np.array(weights))
    order = batches.order(epoch)
    assert len(order) == draws
    assert sum(map(len, batches)) == draws
    counts = np.bincount(order, minlength=len(weights))
    expected = np.array(weights) * draws / sum(weights)
    assert (counts >= np.floor(expected - 1e-9)).all()
    assert (counts <= np.ceil(expected + 1e-9)).all()
    assert not counts[np.array(weights) == 0].any()


def test_weighted_draws_meet_the_weights_over_many_epochs() -> None:
    weights = np.array([0.25, 2.5, 0, 1, 1.25])
    batches = TrainBatches(5, 2, weights=weights)
    counts = np.mean([np.bincount(batches.order(e), minlength=5) for e in range(2000)], axis=0)
    np.testing.assert_allclose(counts, weights, atol=0.05)


def test_keys_can_be_compared() -> None:
    assert SampleKey(1, 2) == SampleKey(epoch=1, index=2) != SampleKey(2, 1)
    assert len({SampleKey(0, 1), SampleKey(0, 1)}) == 1


@pytest.mark.parametrize("world_size", [1, 4])
def test_more_processes_than_samples_still_get_a_batch_each(world_size: int) -> None:
    assert train(1, 2, world_size) == [[[0]]] * world_size


@pytest.mark.parametrize("first_batch", [-1, 4])
def test_an_epoch_starts_at_one_of_its_batches(first_batch: int) -> None:
    batches = TrainBatches(10, 4)  # three batches
    with pytest.raises(ValueError, match=r"first_batch should lie in 0 to 3"):
        batches.set_epoch(0, first_batch=first_batch)
