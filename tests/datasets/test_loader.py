from __future__ import annotations

import os
import random
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from pyskl.datasets import PoseDataset, RepeatDataset, SampleError, build_dataloader
from pyskl.datasets.annotation_pickle import Sample
from pyskl.datasets.loader import collate
from pyskl.datasets.sampling import TestBatches, TrainBatches
from pyskl.errors import InputError


def noise_of_users(sample: Sample) -> Sample:
    """A user's transform that draws from every global generator, and works in place."""
    keypoint = sample["keypoint"]
    keypoint *= np.random.rand() + random.random()
    keypoint += float(torch.rand(()))
    return sample


TRAIN: list[Any] = [
    {"type": "PreNormalize3D"},
    {"type": "RandomRot"},
    {"type": "GenSkeFeat", "feats": ["j"]},
    {"type": "UniformSample", "clip_len": 6},
    {"type": "PoseDecode"},
    noise_of_users,
    {"type": "FormatGCNInput"},
    {"type": "Collect", "keys": ["keypoint", "label", "frame_dir"]},
    {"type": "ToTensor", "keys": ["keypoint"]},
]
Epoch = list[dict[str, Any]]


@pytest.fixture
def dataset(ann_file: Path) -> PoseDataset:
    return PoseDataset(ann_file, TRAIN, split="train")


def read(dataset: Any, epochs: list[int], *, workers: int = 0, **options: Any) -> list[Epoch]:
    """Return the batches of some epochs of one loader."""
    loader = build_dataloader(dataset, 3, workers, **options)
    result = []
    for epoch in epochs:
        if isinstance(loader.batch_sampler, TrainBatches):
            loader.batch_sampler.set_epoch(epoch)
        result.append(list(loader))
        assert len(result[-1]) == len(loader)
    return result


def same_epochs(one: list[Epoch], two: list[Epoch]) -> bool:
    return len(one) == len(two) and all(
        len(left) == len(right)
        and all(
            a["frame_dir"] == b["frame_dir"]
            and torch.equal(a["label"], b["label"])
            and torch.equal(a["keypoint"], b["keypoint"])
            for a, b in zip(left, right, strict=True)
        )
        for left, right in zip(one, two, strict=True)
    )


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("workers", [1, 2])
def test_workers_have_no_say_in_the_batches(
    dataset: PoseDataset, workers: int, persistent: bool
) -> None:
    expected = read(dataset, [0, 1])
    np.random.seed(99)  # and neither has the state of the process that starts them
    random.seed(99)
    torch.manual_seed(99)
    given = read(dataset, [0, 1], workers=workers, persistent_workers=persistent)
    assert same_epochs(given, expected)


def test_test_batches_do_not_depend_on_workers(ann_file: Path) -> None:
    dataset = PoseDataset(ann_file, TRAIN, split="train", test_mode=True)
    expected = read(dataset, [0, 0], shuffle=False)
    assert same_epochs(expected[:1], expected[1:])
    assert same_epochs(read(dataset, [0, 0], workers=2, shuffle=False), expected)


def test_epochs_come_out_the_same_alone_and_in_any_order(dataset: PoseDataset) -> None:
    zero, one, two = read(dataset, [0, 1, 2])
    assert same_epochs(read(dataset, [2, 0]), [two, zero])
    assert same_epochs(read(dataset, [1]), [one])  # as after resuming a run


def test_an_epoch_taken_up_in_the_middle_goes_on_as_it_would_have(dataset: PoseDataset) -> None:
    (whole,) = read(dataset, [1])
    loader = build_dataloader(dataset, 3)
    assert isinstance(loader.batch_sampler, TrainBatches)
    loader.batch_sampler.set_epoch(1, first_batch=2)
    assert same_epochs([list(loader)], [whole[2:]])


def by_sample(epoch: Epoch) -> dict[str, torch.Tensor]:
    return {
        name: keypoint
        for batch in epoch
        for name, keypoint in zip(batch["frame_dir"], batch["keypoint"], strict=True)
    }


def test_epochs_and_seeds_differ(dataset: PoseDataset) -> None:
    zero, one = map(by_sample, read(dataset, [0, 1]))
    (other,) = map(by_sample, read(dataset, [0], seed=1))
    assert len(zero) == 16
    assert list(zero) != list(one)
    assert list(zero) != list(other)
    for name in zero:
        assert not torch.equal(zero[name], one[name])
        assert not torch.equal(zero[name], other[name])


def test_repetitions_of_a_sample_differ(dataset: PoseDataset) -> None:
    (epoch,) = read(RepeatDataset(dataset, 2), [0])
    seen: dict[str, list[torch.Tensor]] = {}
    for batch in epoch:
        for name, keypoint in zip(batch["frame_dir"], batch["keypoint"], strict=True):
            seen.setdefault(name, []).append(keypoint)
    assert len(seen) == 16
    assert all(len(two) == 2 and not torch.equal(*two) for two in seen.values())


@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_share_out_a_step_without_changing_its_samples(
    dataset: PoseDataset, world_size: int
) -> None:
    def steps(batch_size: int, world_size: int) -> list[dict[str, torch.Tensor]]:
        ranks = [
            list(build_dataloader(dataset, batch_size, rank=rank, world_size=world_size))
            for rank in range(world_size)
        ]
        return [by_sample(list(parts)) for parts in zip(*ranks, strict=True)]

    for alone, shared in zip(steps(6, 1), steps(6 // world_size, world_size), strict=True):
        assert alone.keys() <= shared.keys()
        assert all(torch.equal(alone[name], shared[name]) for name in alone)


def test_global_generators_are_left_as_they_were(dataset: PoseDataset) -> None:
    loader = build_dataloader(dataset, 3)
    np.random.seed(0)
    random.seed(0)
    expected = np.random.RandomState(0).rand(), random.Random(0).random()
    list(loader)
    assert (np.random.rand(), random.random()) == expected


def test_batches_are_of_the_documented_form(dataset: PoseDataset) -> None:
    loader = build_dataloader(dataset, 3, shuffle=False)
    assert isinstance(loader.batch_sampler, TestBatches)
    batch = next(iter(loader))
    assert batch["keypoint"].shape == (3, 1, 2, 6, 25, 3)
    assert batch["keypoint"].dtype == torch.float32
    assert batch["label"].tolist() == [0, 1, 2]
    assert batch["frame_dir"] == ["clip0", "clip1", "clip2"]


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_names_the_sample_also_from_a_worker(ann_file: Path, workers: int) -> None:
    dataset = PoseDataset(ann_file, [{"type": "PadTo", "length": 21}], split="val")
    with pytest.raises(SampleError, match=r"toy\.pkl, sample 'clip17'"):
        list(build_dataloader(dataset, 1, workers, shuffle=False, persistent_workers=False))


def test_weights_reach_the_order(ann_file: Path) -> None:
    dataset = PoseDataset(ann_file, [], split="train", class_prob=[0, 2, 0, 0])
    loader = build_dataloader(dataset, 1, seed=4)
    labels = [batch["label"].item() for batch in loader]
    assert labels == [1] * 8


@pytest.mark.parametrize(
    ("arguments", "word"),
    [((0, 0), "videos_per_gpu"), ((1, -1), "workers_per_gpu")],
)
def test_impossible_sizes(dataset: PoseDataset, arguments: tuple[int, int], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        build_dataloader(dataset, *arguments)


def test_a_negative_seed_is_an_error(dataset: PoseDataset) -> None:
    with pytest.raises(ValueError, match="seed"):
        build_dataloader(dataset, 1, seed=-1)


@pytest.mark.parametrize("drop_last", [False, True])
def test_drop_last(dataset: PoseDataset, drop_last: bool) -> None:
    loader = build_dataloader(dataset, 5, drop_last=drop_last)
    counts = [len(batch["frame_dir"]) for batch in loader]
    assert counts == ([5, 5, 5] if drop_last else [5, 5, 5, 1])


def test_collate_stacks_arrays_and_numbers_and_lists_the_rest() -> None:
    samples = [
        {
            "keypoint": torch.full((2, 3), float(i)),
            "array": np.full(2, i, np.float32),
            "label": i,
            "scalar": np.int64(i),
            "share": i / 2,
            "name": f"c{i}",
            "meta": {"i": i},
        }
        for i in range(3)
    ]
    batch = collate(samples)
    assert batch["keypoint"].shape == (3, 2, 3)
    assert batch["array"].tolist() == [[0, 0], [1, 1], [2, 2]]
    assert batch["array"].dtype == torch.float32
    assert batch["label"].tolist() == batch["scalar"].tolist() == [0, 1, 2]
    assert batch["label"].dtype == torch.int64
    assert batch["share"].tolist() == [0, 0.5, 1]
    assert batch["name"] == ["c0", "c1", "c2"]
    assert batch["meta"] == [{"i": 0}, {"i": 1}, {"i": 2}]


def test_collate_of_labels_as_tensors_gives_a_column() -> None:
    batch = collate([{"label": torch.tensor([i])} for i in range(3)])
    assert batch["label"].shape == (3, 1)


def test_collate_reads_memory_that_it_may_not_write() -> None:
    arrays = [np.full(3, i, np.float32) for i in range(2)]
    for array in arrays:
        array.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        batch = collate([{"keypoint": array} for array in arrays])
    batch["keypoint"] += 1
    assert batch["keypoint"].tolist() == [[1, 1, 1], [2, 2, 2]]
    assert arrays[0].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "make",
    [
        lambda i: torch.full((2, 2), float(i), dtype=torch.bfloat16),
        lambda i: torch.full((2, 2), float(i), requires_grad=True),
        lambda i: torch.full((2, 2), i % 2, dtype=torch.bool),
        lambda i: torch.tensor(i),
        lambda i: np.full((2, 2), i, np.float64).T,
        lambda i: torch.full((2, 2), float(i)).T,
        lambda i: torch.full((1, 2), float(i)).expand(3, 2),
    ],
)
def test_collate_of_whatever_stacks_is_that_of_pytorch(make: Callable[[int], Any]) -> None:
    values = [make(i) for i in range(3)]
    batch, expected = collate([{"x": value} for value in values])["x"], default_collate(values)
    assert batch.dtype == expected.dtype
    assert torch.equal(batch, expected)


def test_collate_keeps_the_precision_of_the_finest() -> None:
    fine = torch.tensor([1 / 3], dtype=torch.float64)
    for values in ([torch.ones(1), fine, torch.ones(1)], [fine, torch.ones(1), torch.ones(1)]):
        batch = collate([{"x": value} for value in values])["x"]
        assert batch.dtype == torch.float64
        assert torch.equal(batch, torch.stack([value.double() for value in values]))


def test_workers_hand_over_shared_memory(dataset: PoseDataset) -> None:
    for batch in build_dataloader(dataset, 4, 1, persistent_workers=False):
        assert batch["keypoint"].is_shared()


def test_samples_of_different_shapes_do_not_stack(make_sample: Callable[..., Sample]) -> None:
    with pytest.raises(InputError, match="keypoint"):
        collate([{"keypoint": make_sample(frames=frames)["keypoint"]} for frames in (9, 4)])


_ORPHAN = """
import os, time
from pyskl.datasets.loader import worker_init_fn
parent = os.getpid()
if os.fork() == 0:
    while os.getppid() == parent:
        time.sleep(0.05)
    worker_init_fn(parent, 0)  # as a worker does whose process was killed while it started
    time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")
def test_a_worker_ends_if_its_process_is_gone_before_it_has_started() -> None:
    # The output stays open as long as the worker lives.
    done = subprocess.run(
        [sys.executable, "-c", _ORPHAN], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
