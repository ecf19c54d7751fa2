"""Batches give the samples that their transforms give one by one, with NumPy and with PyTorch.

Shapes: N batch, M persons, T frames, V joints, C channels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pyskl.datasets import ConcatDataset, PoseDataset, RepeatDataset, build_dataloader
from pyskl.datasets.annotation_pickle import Sample
from pyskl.datasets.axis import Axis
from pyskl.datasets.batch import Batch
from pyskl.datasets.loader import collate_batch, read_batch
from pyskl.datasets.pipelines import BatchTransform
from pyskl.datasets.randomness import keyed, sample_keys
from pyskl.errors import InputError

CPU = torch.device("cpu")

FORMAT: list[Any] = [
    {"type": "FormatGCNInput", "num_person": 2},
    {"type": "Collect", "keys": ["keypoint", "label"]},
    {"type": "ToTensor", "keys": ["keypoint"]},
]
SAMPLED: list[Any] = [{"type": "UniformSample", "clip_len": 9}, {"type": "PoseDecode"}]
STREAMS: list[Any] = [{"type": "GenSkeFeat", "feats": ["bm", "j", "jm", "b"]}]
AUGMENTED: list[Any] = [
    {"type": "RandomRot"},
    {"type": "RandomScale", "scale": (0.1, 0, 0.3)},
    {"type": "RandomGaussianNoise"},
    {"type": "Flip", "layout": "nturgb+d"},
]


def mark(sample: Sample) -> Sample:
    """A user's transform of one sample that works in place and draws."""
    sample["keypoint"] *= 1 + np.random.rand()
    return sample


class Shift(BatchTransform):
    """A user's transform of a batch."""

    def apply(self, batch: Batch) -> None:
        move = batch.draws.uniform(1).astype(np.float32)
        axis = batch.axis
        batch.map(lambda values, rows: values + batch.on_device(move[axis.sample[rows]])[..., None])


PIPELINES: dict[str, list[Any]] = {
    "sampled": SAMPLED,
    "streams": [*STREAMS, *SAMPLED],
    "streams of clips": [*SAMPLED, *STREAMS],
    "augmented": [*AUGMENTED, *STREAMS, *SAMPLED],
    "augmented clips": [*SAMPLED, *AUGMENTED],
    "noise of the video": [{"type": "RandomGaussianNoise", "base": "video"}, *SAMPLED],
    "shared noise": [{"type": "RandomGaussianNoise", "shared": True}, *SAMPLED],
    "several clips": [*STREAMS, {"type": "UniformSampleDecode", "clip_len": 4, "num_clips": 7}],
    "spaced": [{"type": "SampleFrames", "clip_len": 5, "temporal_jitter": True}, SAMPLED[1]],
    "padded": [{"type": "ToMotion", "target": "keypoint"}, {"type": "PadTo", "length": 30}],
    "zero padded": [{"type": "PadTo", "length": 30, "mode": "zero"}, *STREAMS],
    "merged": [
        {"type": "JointToBone", "target": "b"},
        {"type": "ToMotion", "source": "b", "target": "bm"},
        {"type": "MergeSkeFeat", "feat_list": ["keypoint", "bm"]},
        *SAMPLED,
    ],
    "user's sample transform": [mark, *STREAMS, mark, *SAMPLED],
    "user's batch transform": [*STREAMS, Shift(), *SAMPLED],
    "normalised late": [{"type": "RandomRot"}, {"type": "PreNormalize3D"}, *SAMPLED],
}
PIPELINES_2D: dict[str, list[Any]] = {
    "scored": [{"type": "GenSkeFeat", "dataset": "coco", "feats": ["bm", "b", "jm"]}, *SAMPLED],
    "normalised": [
        {"type": "PreNormalize2D"},
        {"type": "Flip", "layout": "coco"},
        {"type": "RandomRot"},
        {"type": "RandomScale"},
        {"type": "RandomGaussianNoise"},
        {"type": "GenSkeFeat", "dataset": "coco", "feats": ["jm"]},
        *SAMPLED,
    ],
    "pixels": [{"type": "Flip", "layout": "coco"}, *SAMPLED],
}


def check(path: Path, pipeline: list[Any], test_mode: bool) -> None:
    dataset = PoseDataset(path, [*pipeline, *FORMAT], test_mode=test_mode)
    indices = np.array([3, 0, 7, 3])
    keys = sample_keys(1, 2, np.array([5, 6, 7, 8]))
    host = read_batch(dataset, indices, lambda: keys)
    device = read_batch(dataset, indices, lambda: keys, CPU)
    for batch in (host, device):
        assert batch["keypoint"].dtype == torch.float32
        assert batch["label"].tolist() == dataset.labels[indices].tolist()
    torch.testing.assert_close(host["keypoint"], device["keypoint"], atol=2e-5, rtol=1e-5)
    for position, (index, key) in enumerate(zip(indices.tolist(), keys.tolist())):
        with keyed(key):
            sample = dataset[index]
        torch.testing.assert_close(sample["keypoint"], host["keypoint"][position])


@pytest.mark.parametrize("test_mode", [False, True])
@pytest.mark.parametrize("name", PIPELINES)
def test_samples_do_not_depend_on_their_batch_or_device(
    ann_file: Path, name: str, test_mode: bool
) -> None:
    check(ann_file, PIPELINES[name], test_mode)


@pytest.mark.parametrize("name", PIPELINES_2D)
def test_samples_with_scores_do_not_depend_on_their_batch_or_device(
    ann_file_2d: Path, name: str
) -> None:
    check(ann_file_2d, PIPELINES_2D[name], False)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=5).filter(
        lambda sizes: any(m * t for m, t in sizes)
    )
)
def test_an_axis_counts_samples_persons_and_frames(sizes: list[tuple[int, int]]) -> None:
    axis = Axis(*np.array(sizes, dtype=np.int64).T)
    rows = [(s, m, t) for s, (ms, ts) in enumerate(sizes) for m in range(ms) for t in range(ts)]
    assert len(axis) == len(rows)
    assert list(zip(axis.sample.tolist(), axis.person.tolist(), axis.frame.tolist())) == rows
    assert axis.is_last.tolist() == [t == sizes[s][1] - 1 for s, _, t in rows]


def batch_of(*lengths: int) -> Batch:
    samples = [
        {"keypoint": np.arange(2 * t * 6, dtype=np.float32).reshape(2, t, 3, 2)} for t in lengths
    ]
    return Batch.from_samples(samples)


def test_choosing_frames_commutes_with_functions_of_rows() -> None:
    frames = np.array([[2, 0, -1, 1], [4, 4, 0, -1]])

    def double(values: Any, rows: Any) -> Any:
        return 2 * values

    first, second = batch_of(3, 5), batch_of(3, 5)
    first.map(double)
    first.select(frames)
    second.select(frames)
    second.map(double)
    np.testing.assert_array_equal(first.read(), second.read())
    sample = first.to_samples()[0]["keypoint"]
    np.testing.assert_array_equal(sample[:, 0], 2 * batch_of(3).to_samples()[0]["keypoint"][:, 2])
    assert not sample[:, 2].any()


def test_samples_may_choose_different_numbers_of_frames() -> None:
    batch = batch_of(3, 5)
    batch.select([np.array([2]), np.array([0, 4, 4])])
    one, two = batch.to_samples()
    assert (one["keypoint"].shape, two["keypoint"].shape) == ((2, 1, 3, 2), (2, 3, 3, 2))
    np.testing.assert_array_equal(two["keypoint"][:, 1], two["keypoint"][:, 2])


@pytest.mark.parametrize("frames", [[[3], [0]], [[0], [5]], [[-2], [0]]])
def test_frames_outside_a_sample_are_an_error(frames: list[list[int]]) -> None:
    with pytest.raises(InputError) as caught:
        batch_of(3, 5).select(np.array(frames))
    assert caught.value.key == "frame_inds"


def test_the_next_frame_of_the_last_one_is_itself() -> None:
    batch = batch_of(3, 5)
    batch.map(lambda now, following, rows: following - now, with_next=True)
    for sample in batch.to_samples():
        assert (sample["keypoint"][:, :-1] == 6).all()
        assert not sample["keypoint"][:, -1].any()


@pytest.mark.parametrize("frames", [[[3, 2, 1, 0]], [[0, 0, 3, 3]], [[1, 1, 2, 2]], [[0, 1, 2, 3]]])
def test_the_next_frame_of_as_many_frames_as_there_were(frames: list[list[int]]) -> None:
    keypoint = np.float32([1, 2, 4, 8]).reshape(1, 4, 1, 1)
    batch = Batch.from_samples([{"keypoint": keypoint}])
    batch.map(lambda now, following, rows: following - now, with_next=True)
    batch.select(np.array(frames))
    motion = np.float32([1, 2, 4, 0])
    assert batch.read().ravel().tolist() == motion[frames[0]].tolist()


def test_values_that_differ_are_not_shared() -> None:
    batch = Batch.from_samples([{"clips": 1, "other": 2}, {"clips": 3, "other": 2}])
    assert batch.shared("other") == 2
    assert batch.shared("absent", 7) == 7
    with pytest.raises(InputError) as caught:
        batch.shared("clips")
    assert caught.value.key == "clips"


def test_absent_values_stay_absent() -> None:
    batch = Batch.from_samples([{"a": 1}, {"b": 2}])
    assert batch.get("a", 5) == [1, 5]
    assert batch.to_samples() == [{"a": 1}, {"b": 2}]


def test_batches_of_samples_of_different_lengths_are_an_error(ann_file: Path) -> None:
    for pipeline in ([], FORMAT):
        dataset = PoseDataset(ann_file, pipeline)
        with pytest.raises(InputError) as caught:
            collate_batch(dataset.read_batch(np.array([0, 1])))
        assert caught.value.key == "keypoint"
        assert collate_batch(dataset.read_batch(np.array([0])))["keypoint"].shape[0] == 1


@pytest.mark.parametrize("device", [None, CPU])
def test_wrapped_data_sets_keep_the_order_of_a_batch(
    ann_file: Path, device: torch.device | None
) -> None:
    parts = [PoseDataset(ann_file, [*SAMPLED, *FORMAT], split) for split in ("train", "val")]
    dataset = ConcatDataset([RepeatDataset(parts[0], 2), parts[1]])
    indices = np.array([33, 0, 35, 16, 31, 1])
    batch = read_batch(dataset, indices, lambda: sample_keys(0, 0, indices), device)
    assert batch["label"].tolist() == dataset.labels[indices].tolist()
    for position, index in enumerate(indices.tolist()):
        with keyed(int(sample_keys(0, 0, np.array([index]))[0])):
            expected = dataset[index]["keypoint"]
        torch.testing.assert_close(batch["keypoint"][position], expected)


@pytest.mark.parametrize("device", [None, CPU])
def test_a_data_set_with_its_own_samples_is_read_sample_by_sample(
    ann_file: Path, device: torch.device | None
) -> None:
    class Marked(PoseDataset):
        def __getitem__(self, index: int) -> Sample:
            return {**super().__getitem__(index), "label": 100 + index}

    dataset = Marked(ann_file, [*SAMPLED, *FORMAT])
    batch = read_batch(dataset, np.array([4, 2]), lambda: np.array([1, 2]), device)
    assert batch["label"].tolist() == [104, 102]
    assert batch["keypoint"].shape == (2, 1, 2, 9, 25, 3)


def test_a_loader_that_makes_batches_on_the_cpu_reads_the_same(ann_file: Path) -> None:
    dataset = PoseDataset(ann_file, [*PIPELINES["augmented"], *FORMAT])
    workers, device = (
        list(build_dataloader(dataset, 4, seed=3, **options))
        for options in ({"workers_per_gpu": 1}, {"device": "cpu"})
    )
    for one, other in zip(workers, device, strict=True):
        torch.testing.assert_close(one, other)
