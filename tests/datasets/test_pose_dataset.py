from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pyskl.datasets import PoseDataset, SampleError, build_dataset
from pyskl.datasets.annotation_pickle import Sample
from pyskl.datasets.randomness import sample_randomness
from pyskl.errors import AnnotationError, ConfigError, InputError

WriteAnnotations = Callable[..., Path]
MakeSample = Callable[..., Sample]

FORMAT = [
    {"type": "FormatGCNInput", "num_person": 2},
    {"type": "Collect", "keys": ["keypoint", "label"]},
    {"type": "ToTensor", "keys": ["keypoint"]},
]


def in_place(sample: Sample) -> Sample:
    """A user's transform that changes all it can reach."""
    sample["keypoint"] *= -7
    sample["keypoint"][..., 0] = 5
    for key in list(sample):
        if isinstance(sample[key], np.ndarray):
            sample[key].fill(3)
        elif isinstance(sample[key], list):
            for item in sample[key]:
                if isinstance(item, np.ndarray):
                    item.fill(3)
            sample[key].append("more")
        elif isinstance(sample[key], dict):
            sample[key].clear()
    return sample


def untouched(sample: Sample) -> Sample:
    return sample


PIPELINES: dict[str, list[Any]] = {
    "nothing": [],
    "user's": [in_place],
    "user's callable that returns its input": [untouched],
    "3D training": [
        {"type": "PreNormalize3D"},
        {"type": "RandomRot"},
        {"type": "RandomScale"},
        {"type": "RandomGaussianNoise"},
        {"type": "GenSkeFeat", "feats": ["j", "b", "jm", "bm"]},
        {"type": "UniformSample", "clip_len": 8},
        {"type": "PoseDecode"},
        *FORMAT,
    ],
    "3D augmentation only": [
        {"type": "RandomScale"},
        {"type": "RandomGaussianNoise"},
        {"type": "Flip", "flip_ratio": 1, "layout": "nturgb+d"},
        in_place,
    ],
    "3D all frames": [{"type": "PoseDecode"}, {"type": "PadTo", "length": 30}, in_place],
    "3D decode in place": [{"type": "PoseDecode"}, in_place],
    "3D joints in place": [{"type": "GenSkeFeat", "feats": ["j"]}, in_place],
    "3D no change": [
        {"type": "PreNormalize3D", "align_center": False, "align_spine": False},
        in_place,
    ],
    "3D bones": [{"type": "JointToBone"}, {"type": "ToMotion"}, in_place],
    "3D clips": [{"type": "UniformSampleDecode", "clip_len": 8, "num_clips": 3}, *FORMAT],
    "3D frames": [{"type": "SampleFrames", "clip_len": 4}, {"type": "PoseDecode"}, *FORMAT],
    "tensors of the input": [{"type": "ToTensor", "keys": ["keypoint"]}],
}
PIPELINES_2D: dict[str, list[Any]] = {
    "user's": [in_place],
    "training": [
        {"type": "PoseCompact"},
        {"type": "Flip", "flip_ratio": 1, "layout": "coco"},
        {"type": "PreNormalize2D"},
        {"type": "GenSkeFeat", "dataset": "coco", "feats": ["b"]},
        {"type": "UniformSample", "clip_len": 8},
        {"type": "PoseDecode"},
        *FORMAT,
    ],
    "auto": [{"type": "PreNormalize2D", "mode": "auto"}, in_place],
    "flip": [{"type": "Flip", "flip_ratio": 1, "layout": "coco"}, in_place],
    "compact": [{"type": "PoseCompact", "allow_imgpad": False}, in_place],
    "scores by format": [{"type": "PoseDecode"}, {"type": "PadTo", "length": 30}, *FORMAT],
}


def arrays(value: Any) -> list[np.ndarray]:
    """Return all arrays, and tensors as arrays, within a value."""
    if isinstance(value, torch.Tensor):
        return [value.numpy()]
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            return [array for item in value.flat for array in arrays(item)]
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [array for item in value for array in arrays(item)]
    return []


def check_left_alone(path: Path, pipeline: list[Any]) -> None:
    for test_mode in (False, True):
        dataset = PoseDataset(path, pipeline, test_mode=test_mode)
        before = pickle.dumps(dataset.samples)
        held = arrays(dataset.samples)
        for index in range(len(dataset)):
            with sample_randomness(0, 0, index):
                given = dataset[index]
            for array in arrays(given):
                shared = any(np.may_share_memory(array, other) for other in held)
                assert not (shared and array.flags.writeable)
        assert pickle.dumps(dataset.samples) == before


@pytest.mark.parametrize("name", PIPELINES)
def test_no_transform_changes_the_annotations(ann_file: Path, name: str) -> None:
    check_left_alone(ann_file, PIPELINES[name])


@pytest.mark.parametrize("name", PIPELINES_2D)
def test_no_transform_changes_2d_annotations(ann_file_2d: Path, name: str) -> None:
    check_left_alone(ann_file_2d, PIPELINES_2D[name])


def test_extras_of_a_sample_are_copied_too(
    tmp_path: Path, make_sample: MakeSample, write_annotations: WriteAnnotations
) -> None:
    boxes = np.empty(2, dtype=object)
    boxes[:] = [np.zeros(2), np.zeros(3)]
    extras = {"boxes": boxes, "list": [np.zeros(2)], "tuple": (np.zeros(2),), "dict": {"a": [1]}}
    path = write_annotations(tmp_path / "a.pkl", [{**make_sample(), **extras}])
    check_left_alone(path, [in_place])
    check_left_alone(path, [untouched])


def test_a_pipeline_receives_the_sample_and_what_the_dataset_knows(ann_file: Path) -> None:
    dataset = PoseDataset(ann_file, [], split="val", test_mode=True, start_index=3)
    sample, stored = dataset[1], dataset.samples[1]
    assert sample["test_mode"] is True
    assert sample["start_index"] == 3
    assert sample["modality"] == "Pose"
    for key in ("frame_dir", "label", "total_frames"):
        assert sample[key] == stored[key]
    np.testing.assert_array_equal(sample["keypoint"], stored["keypoint"])
    assert PoseDataset(ann_file, [])[0]["test_mode"] is False


def test_length_labels_and_ids_follow_the_split(ann_file: Path) -> None:
    dataset = PoseDataset(ann_file, [], split="val")
    assert len(dataset) == 4
    assert dataset.sample_ids == ["clip16", "clip17", "clip18", "clip19"]
    assert dataset.labels.tolist() == [0, 1, 2, 3]
    assert dataset.labels.dtype == np.int64
    assert len(PoseDataset(ann_file, [])) == 20


def test_samples_without_id_go_by_their_number(
    tmp_path: Path, make_sample: MakeSample, write_annotations: WriteAnnotations
) -> None:
    bare = {key: value for key, value in make_sample().items() if key != "frame_dir"}
    dataset = PoseDataset(write_annotations(tmp_path / "a.pkl", [bare, bare]), [])
    assert dataset.sample_ids == ["0", "1"]


def test_negative_numbers_count_from_the_end(ann_file: Path) -> None:
    dataset = PoseDataset(ann_file, [])
    assert dataset[-1]["frame_dir"] == dataset[19]["frame_dir"]
    for index in (20, -21):
        with pytest.raises(IndexError, match=f"index {index} of 20"):
            dataset[index]
    assert len(list(dataset)) == 20  # type: ignore[call-overload]


def failing(error: Exception) -> Callable[[Sample], Sample]:
    def transform(sample: Sample) -> Sample:
        raise error

    return transform


@pytest.mark.parametrize(
    ("transform", "key"),
    [
        ({"type": "PadTo", "length": 3}, "total_frames"),
        ({"type": "GenSkeFeat", "dataset": "coco"}, "keypoint"),
        ({"type": "Collect", "keys": ["keypont"]}, "keypont"),
        (failing(KeyError("body")), None),
        (failing(RuntimeError("what")), None),
        (lambda sample: None, None),
    ],
)
def test_a_failing_transform_names_file_and_sample(
    ann_file: Path, transform: Any, key: str | None
) -> None:
    dataset = PoseDataset(ann_file, [transform], split="val")
    with pytest.raises(SampleError) as caught:
        dataset[0]
    assert isinstance(caught.value, InputError)
    fields = (caught.value.file, caught.value.sample, caught.value.key)
    assert fields == (str(ann_file), "clip16", key)
    assert caught.value.__cause__ is not None


def test_an_interrupt_stays_an_interrupt(ann_file: Path) -> None:
    def interrupt(sample: Sample) -> Sample:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        PoseDataset(ann_file, [interrupt])[0]


def test_problems_of_the_file_show_when_the_dataset_is_made(
    ann_file: Path, tmp_path: Path, make_sample: MakeSample, write_annotations: WriteAnnotations
) -> None:
    bare = write_annotations(tmp_path / "bare.pkl", [make_sample()])
    invalid: list[tuple[Path, dict[str, Any]]] = [
        (ann_file, {"split": "trian"}),
        (ann_file, {"num_classes": 3}),
        (tmp_path / "none.pkl", {}),
        (bare, {"split": "train"}),
    ]
    for path, arguments in invalid:
        with pytest.raises(AnnotationError) as caught:
            PoseDataset(path, [], **arguments)
        assert caught.value.file == str(path)


def test_several_labels_become_a_vector(
    tmp_path: Path, make_sample: MakeSample, write_annotations: WriteAnnotations
) -> None:
    samples = [{**make_sample(), "label": label} for label in ([0, 2], [], 1)]
    path = write_annotations(tmp_path / "a.pkl", samples)
    dataset = PoseDataset(path, [], multi_class=True, num_classes=3)
    expected = [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    assert dataset.labels.tolist() == expected
    assert [dataset[i]["label"].tolist() for i in range(3)] == expected
    assert dataset[0]["label"].dtype == np.float32
    with pytest.raises(ValueError, match="num_classes"):
        PoseDataset(path, [], multi_class=True)


def test_class_prob_weighs_samples_by_class(ann_file: Path) -> None:
    def weights(class_prob: Any) -> Any:
        return PoseDataset(ann_file, [], split="val", class_prob=class_prob).draw_weights()

    assert weights(None) is None
    assert weights([1, 2, 0, 0.5]).tolist() == [1, 2, 0, 0.5]
    assert weights({1: 3}).tolist() == [1, 3, 1, 1]
    assert weights({"1": 3}).tolist() == [1, 3, 1, 1]
    for bad in ([1, 1, 1], [0, 0, 0, 0], [1, -1, 1, 1], [1, np.nan, 1, 1], [1, np.inf, 1, 1]):
        with pytest.raises(InputError) as caught:
            weights(bad)
        assert caught.value.key == "class_prob"


def test_datasets_are_built_by_name(ann_file: Path) -> None:
    config: dict[str, Any] = {"type": "PoseDataset", "ann_file": str(ann_file), "pipeline": []}
    one = build_dataset({**config, "split": "val"}, {"test_mode": True})
    assert isinstance(one, PoseDataset)
    assert one.test_mode
    before = copy.deepcopy(config)
    both = build_dataset([{**config, "split": "val"}, config])
    assert len(both) == 24
    assert config == before
    bad: Any
    for bad in (
        {**config, "type": "PoseDatset"},
        {**config, "splt": "val"},
        "PoseDataset",
        {**config, "pipeline": [{"type": "PadT", "length": 3}]},
    ):
        with pytest.raises(ConfigError):
            build_dataset(bad)


def test_scores_that_are_none_are_no_channel(
    tmp_path: Path, make_sample: Callable[..., Sample], write_annotations: Callable[..., Path]
) -> None:
    samples = [make_sample(i, joints=17, dims=2, dtype="float32") for i in range(3)]
    for sample in samples:
        sample["keypoint_score"] = None
    path = write_annotations(tmp_path / "a.pkl", samples)
    for steps in ([], [{"type": "GenSkeFeat", "dataset": "coco", "feats": ["j"]}]):
        pipeline = [*steps, {"type": "UniformSample", "clip_len": 12}, {"type": "PoseDecode"}]
        found = PoseDataset(path, pipeline, test_mode=True)[0]["keypoint"]
        np.testing.assert_array_equal(found, samples[0]["keypoint"])
