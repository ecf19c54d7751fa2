"""The loader: what its batches depend on, and the data sets that it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from pyskl.datasets import ConcatDataset, PoseDataset, RepeatDataset, build_dataloader
from pyskl.datasets.device import DeviceLoader, build_device_loader, choose_data_device
from pyskl.datasets.sampling import TestBatches, TrainBatches
from pyskl.errors import ConfigError, DeviceError

Samples = Callable[..., list[dict[str, Any]]]
MakeDataset = Callable[..., PoseDataset]
Ending = Callable[..., list[dict[str, Any]]]
Batch = dict[str, torch.Tensor]

DRAWING = [
    {"type": "PreNormalize3D"},
    {"type": "RandomRot"},
    {"type": "RandomGaussianNoise"},
    {"type": "GenSkeFeat", "feats": ["j", "bm"]},
    {"type": "UniformSample", "clip_len": 8},
    {"type": "PoseDecode"},
]


@pytest.fixture(scope="module")
def dataset(random_samples: Samples, make_dataset: MakeDataset, ending: Ending) -> PoseDataset:
    """13 samples through a pipeline that draws; the label is the sample's number."""
    samples = [{**s, "label": i} for i, s in enumerate(random_samples(0, 13))]
    return make_dataset(samples, DRAWING + ending())


def read(
    dataset: Any, size: int = 4, epoch: int = 0, first: int = 0, **options: Any
) -> list[Batch]:
    loader = build_device_loader(dataset, "cpu", size, **options)
    assert isinstance(loader.batch_sampler, TrainBatches)
    loader.batch_sampler.set_epoch(epoch, first)
    return list(loader)


def same(one: list[Batch], other: list[Batch]) -> bool:
    return len(one) == len(other) and all(
        torch.equal(a["keypoint"], b["keypoint"]) and torch.equal(a["label"], b["label"])
        for a, b in zip(one, other, strict=True)
    )


def by_label(batches: list[Batch]) -> dict[int, torch.Tensor]:
    return {
        int(label): keypoint
        for batch in batches
        for label, keypoint in zip(batch["label"], batch["keypoint"], strict=True)
    }


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("stream", ["j", "b", "jm", "bm"])
def test_making_batches_waits_for_no_value(
    random_samples: Samples, make_dataset: MakeDataset, ending: Ending, stream: str, shuffle: bool
) -> None:
    # Meta tensors have none: what would make the host wait for a GPU fails on them, as does an
    # operation on tensors of two devices.
    feats = {"type": "GenSkeFeat", "feats": [stream]}
    pipeline = [*DRAWING[:3], feats, *DRAWING[4:], *ending()]
    samples = random_samples(0, 13)
    dataset = make_dataset(samples, pipeline, test_mode=not shuffle)
    batches = list(build_device_loader(dataset, "meta", 4, shuffle=shuffle))
    assert [len(batch["keypoint"]) for batch in batches] == [4, 4, 4, 1]
    assert {tensor.device.type for batch in batches for tensor in batch.values()} == {"meta"}


def test_batches_are_of_the_documented_form(dataset: PoseDataset) -> None:
    first, *_, last = read(dataset)
    assert first["keypoint"].shape == (4, 1, 2, 8, 25, 6)
    assert first["keypoint"].dtype == torch.float32
    assert first["keypoint"].is_contiguous()
    assert first["label"].dtype == torch.int64
    assert len(last["label"]) == 1
    assert len(read(dataset, drop_last=True)) == 3


def test_the_samples_of_a_batch_are_those_of_the_workers(dataset: PoseDataset) -> None:
    for options in ({}, {"seed": 3}, {"rank": 1, "world_size": 2}, {"drop_last": True}):
        workers = [batch["label"].tolist() for batch in build_dataloader(dataset, 4, **options)]
        assert [batch["label"].tolist() for batch in read(dataset, **options)] == workers


def test_a_sample_does_not_depend_on_what_else_is_in_its_batch(dataset: PoseDataset) -> None:
    expected = by_label(read(dataset, 13))
    assert len(expected) == 13
    for size, options in ((1, {}), (5, {}), (2, {"rank": 1, "world_size": 3})):
        for label, keypoint in by_label(read(dataset, size, **options)).items():
            assert torch.equal(keypoint, expected[label])


def test_epochs_and_seeds_differ_and_repeat(dataset: PoseDataset) -> None:
    zero, one, other = read(dataset), read(dataset, epoch=1), read(dataset, seed=1)
    assert same(zero, read(dataset))
    assert same(one, read(dataset, epoch=1))
    for label, keypoint in by_label(zero).items():
        assert not torch.equal(keypoint, by_label(one)[label])
        assert not torch.equal(keypoint, by_label(other)[label])


def test_an_epoch_taken_up_in_the_middle_goes_on_as_it_would_have(dataset: PoseDataset) -> None:
    assert same(read(dataset, epoch=2, first=2), read(dataset, epoch=2)[2:])
    assert read(dataset, first=4) == []


def test_global_generators_have_no_say_and_are_left_alone(dataset: PoseDataset) -> None:
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    one = read(dataset)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(6)
    assert same(one, read(dataset))


def test_repetitions_are_the_samples_again_with_draws_of_their_own(dataset: PoseDataset) -> None:
    batches = read(RepeatDataset(dataset, 3), 13)
    labels = torch.cat([batch["label"] for batch in batches])
    assert sorted(labels.tolist()) == sorted(list(range(13)) * 3)
    keypoints = torch.cat([batch["keypoint"] for batch in batches])
    for label in range(13):
        first, second, third = keypoints[labels == label]
        assert not torch.equal(first, second)
        assert not torch.equal(second, third)


def test_concatenated_sets_are_one(
    random_samples: Samples, make_dataset: MakeDataset, ending: Ending
) -> None:
    pipeline = DRAWING[3:] + ending()
    parts = [
        make_dataset(random_samples(seed, count), pipeline, test_mode=True)
        for seed, count in ((1, 5), (2, 4))
    ]
    whole = ConcatDataset([RepeatDataset(parts[0], 2), parts[1]])
    device = build_device_loader(whole, "cpu", 4, shuffle=False)
    assert isinstance(device.batch_sampler, TestBatches)
    assert same(list(device), list(build_dataloader(whole, 4, shuffle=False)))


def test_concatenated_sets_have_to_be_alike(
    random_samples: Samples, make_dataset: MakeDataset, ending: Ending
) -> None:
    first = make_dataset(random_samples(1, 5), DRAWING[4:] + ending())
    longer = make_dataset(
        random_samples(1, 5), [{"type": "UniformSample", "clip_len": 9}, *DRAWING[5:], *ending()]
    )
    with pytest.raises(ConfigError, match="different pipelines"):
        build_device_loader(ConcatDataset([first, longer]), "cpu", 2)
    halves = make_dataset(random_samples(1, 5, dtype="float16"), DRAWING[4:] + ending())
    with pytest.raises(ConfigError, match=r"differ in the shape or type.*float32.*float16"):
        build_device_loader(ConcatDataset([first, halves]), "cpu", 2)


def test_data_sets_that_would_read_otherwise_are_refused(
    random_samples: Samples, make_dataset: MakeDataset, ending: Ending, dataset: PoseDataset
) -> None:
    class Mine(PoseDataset):
        def raw_sample(self, index: int) -> dict[str, Any]:
            return super().raw_sample(-index)

    with pytest.raises(ConfigError, match=r"Mine\.raw_sample"):
        build_device_loader(Mine(dataset.ann_file, DRAWING + ending()), "cpu", 2)
    with pytest.raises(ConfigError, match="found list"):
        build_device_loader([1, 2], "cpu", 2)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="start_index=1"):
        build_device_loader(
            PoseDataset(dataset.ann_file, DRAWING + ending(), start_index=1), "cpu", 2
        )
    mixed = random_samples(1, 2) + random_samples(1, 2, dtype="float16")
    with pytest.raises(ConfigError, match="can't be kept as one array"):
        build_device_loader(make_dataset(mixed, DRAWING[4:] + ending()), "cpu", 2)


def test_the_samples_of_a_step_can_be_read_again(dataset: PoseDataset) -> None:
    loader: DeviceLoader = build_device_loader(dataset, "cpu", 4)
    (keys, *_), (batch, *_) = list(loader.batch_sampler), list(loader)
    again = loader.collate_fn(loader.dataset.__getitems__(keys))
    assert same([again], [batch])
    assert len(loader.dataset) == len(dataset)
    assert loader.dataset.dataset is dataset


def test_weights_reach_the_order(dataset: PoseDataset, ending: Ending) -> None:
    weighted = PoseDataset(
        dataset.ann_file, DRAWING + ending(), class_prob={i: 3 * (i == 2) for i in range(13)}
    )
    assert torch.cat([batch["label"] for batch in read(weighted)]).tolist() == [2, 2, 2]


def test_the_words_for_a_device() -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda", 1)
    assert choose_data_device("auto", gpu) == choose_data_device("cuda", gpu) == gpu
    assert choose_data_device("auto", cpu) == choose_data_device("cpu", gpu) == cpu
    for word in ("gpu", "mps", "cuda:x"):
        with pytest.raises(ConfigError, match=f"'auto'.*found {word!r}"):
            choose_data_device(word, cpu)
    with pytest.raises(DeviceError, match=r"cuda:99.*this machine has"):
        choose_data_device("cuda:99", cpu)
