"""Recordings by their path, and recognizers for many samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pyskl import apis
from pyskl.apis import inference_recognizer, init_recognizer
from pyskl.apis.inference import open_recognizer
from pyskl.datasets import build_dataset, load_annotations
from pyskl.datasets.label_names import names_of_data, read_label_file
from pyskl.errors import AnnotationError, DeviceError, InputError
from pyskl.inference import Ensemble, InferSettings, infer_files
from pyskl.recordings import RecordingError

Config = Callable[..., dict[str, Any]]


@pytest.fixture
def checkpoint(tiny_config: Config, tmp_path: Path) -> Path:
    """Random weights of the tiny config that tell samples apart."""
    torch.manual_seed(0)
    path = tmp_path / "weights.pth"
    weights = init_recognizer(tiny_config()).state_dict()
    weights["cls_head.fc_cls.weight"] *= 300
    torch.save({"state_dict": weights, "meta": {}}, path)
    return path


def test_a_path_is_recognised_as_what_it_holds(
    tiny_config: Config, checkpoint: Path, tiny_samples: Callable, tmp_path: Path
) -> None:
    model = init_recognizer(tiny_config(), checkpoint)
    keypoint = tiny_samples()[24]["keypoint"]
    path = tmp_path / "clip.npy"
    np.save(path, keypoint)
    expected = inference_recognizer(model, keypoint)
    for form in (path, str(path)):
        assert inference_recognizer(model, form) == expected
    np.save(path, keypoint[:, :, :17])
    with pytest.raises(RecordingError, match="17 joints, the model takes 25"):
        inference_recognizer(model, path)
    with pytest.raises(RecordingError, match="no such file"):
        inference_recognizer(model, tmp_path / "none.npy")
    with pytest.raises(InputError, match="holds many samples"):
        inference_recognizer(model, tmp_path / "all.pkl")


def test_scores_are_those_of_a_test(
    tiny_config: Config, checkpoint: Path, tiny_ann_file: Path
) -> None:
    member = open_recognizer(tiny_config(), checkpoint, "cpu")
    assert member.stream == "j"
    assert member.recognizer.layout.name == "nturgb+d"
    cfg = tiny_config()
    dataset = build_dataset(cfg["data"]["test"], {"test_mode": True})
    expected = apis.test_model(init_recognizer(cfg, checkpoint), dataset, videos_per_gpu=3)
    raw = list(load_annotations(tiny_ann_file).select("val"))
    batch = np.stack([member.recognizer.prepare(sample) for sample in raw])
    assert np.ptp(expected, axis=0).max() > 1e-3  # far above the tolerance
    np.testing.assert_allclose(member.recognizer.scores(batch), expected, rtol=0, atol=1e-6)
    alone = [member.recognizer.scores(clips[None])[0] for clips in batch]
    np.testing.assert_allclose(alone, expected, rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="17"):
        member.recognizer.scores(batch[..., :17, :])


@pytest.mark.parametrize("average", ["prob", "score", None])
def test_the_clips_of_one_sample_are_shared_out(
    tiny_config: Config, checkpoint: Path, average: str | None
) -> None:
    config = tiny_config(model__test_cfg=dict(average_clips=average))
    recognizer = open_recognizer(config, checkpoint, "cpu").recognizer
    clips = np.random.default_rng(0).normal(size=(1, 5, 1, 8, 25, 3)).astype(np.float32)
    expected = recognizer.model.predict(torch.from_numpy(clips)).numpy()
    for threads in (1, 2, 3, 8):
        torch.set_num_threads(threads)
        np.testing.assert_allclose(recognizer.scores(clips), expected, rtol=1e-4, atol=1e-6)


def test_a_model_that_keeps_clips_apart_says_so(
    tiny_config: Config, checkpoint: Path, tiny_ann_file: Path
) -> None:
    config = tiny_config(model__test_cfg=dict(average_clips=None))
    told: list[dict[str, Any]] = []
    ensemble = Ensemble([open_recognizer(config, checkpoint, "cpu")])
    infer_files([tiny_ann_file], ensemble, InferSettings(), write=told.append)
    assert len(told) == 34
    assert all("average_clips" in line["error"] for line in told)


def test_a_transform_that_fails_is_told(
    tiny_config: Config, checkpoint: Path, tiny_ann_file: Path
) -> None:
    pipeline = tiny_config()["data"]["test"]["pipeline"]
    config = tiny_config(data__test__pipeline=[*pipeline[:4], dict(type="PoseCompact")])
    member = open_recognizer(config, checkpoint, "cpu")
    with pytest.raises(AnnotationError, match="img_shape"):
        Ensemble([member]).prepare({"keypoint": np.ones((1, 8, 25, 3), np.float32)})


def test_devices_that_are_not_there_are_told(tiny_config: Config, checkpoint: Path) -> None:
    open_recognizer(tiny_config(), checkpoint, "auto")
    for name in ("cuda:77", "nonsense"):
        with pytest.raises(DeviceError, match=f"--device {name}"):
            open_recognizer(tiny_config(), checkpoint, name)


def test_classes_have_the_names_of_the_data(
    tiny_config: Config, write_tiny_annotations: Callable, tiny_samples: Callable, tmp_path: Path
) -> None:
    path = write_tiny_annotations(tmp_path / "named.pkl", tiny_samples())
    config = tiny_config(path)
    assert open_recognizer(config, None, "cpu").recognizer.labels is None
    names = tmp_path / "named.pkl.labels.txt"
    names.write_text("rise\nswing\nrest\n")
    assert open_recognizer(config, None, "cpu").recognizer.labels == ("rise", "swing", "rest")
    names.write_text("rise\n")  # of other classes
    assert open_recognizer(config, None, "cpu").recognizer.labels is None
    assert names_of_data({"ann_file": "x/ntu60_hrnet.pkl"}, 60)[0] == "drink water"
    assert names_of_data({"ann_file": "x/ntu60_hrnet.pkl"}, 61) is None
    assert names_of_data({"ann_file": "toy.pkl", "type": "ToyDataset"}, 12)[0] == "wave"
    assert names_of_data({}, 60) is None


def test_names_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("\ufeffa b\n\nc\n", encoding="utf-8")
    assert read_label_file(path) == ("a b", "c")
    path.write_text("\n")
    with pytest.raises(InputError, match="no names of classes"):
        read_label_file(path)
    path.write_bytes(b"\xff")
    with pytest.raises(InputError, match="can't be read"):
        read_label_file(path)


def test_modules_are_left_as_they_were(tiny_config: Config, checkpoint: Path) -> None:
    threads = torch.get_num_threads()
    member = open_recognizer(tiny_config(), checkpoint, "cpu")
    member.recognizer.scores(np.zeros((3, 2, 1, 8, 25, 3), np.float32))
    assert torch.get_num_threads() == threads
    assert isinstance(member.recognizer.model, nn.Module)
    assert not member.recognizer.model.training
