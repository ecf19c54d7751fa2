"""Recognizers of config and checkpoint, and single sequences from Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch import nn

from pyskl import apis
from pyskl.apis import inference_recognizer, init_recognizer
from pyskl.datasets import build_dataset, load_annotations
from pyskl.datasets.label_names import names_of_data, read_label_file
from pyskl.errors import AnnotationError, DeviceError, InputError
from pyskl.inference import open_recognizer
from pyskl.logging.log import get_logger
from pyskl.recordings import RecordingError
from pyskl.runtime import recognizer

MakeConfig = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def checkpoint(tiny_config: MakeConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the tiny config that tell samples apart."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("checkpoint") / "weights.pth"
    weights = init_recognizer(tiny_config()).state_dict()
    weights["cls_head.fc_cls.weight"] *= 300
    torch.save({"state_dict": weights, "meta": {}}, path)
    return path


@pytest.fixture
def model(tiny_config: MakeConfig, checkpoint: Path) -> nn.Module:
    """The model of that checkpoint."""
    return init_recognizer(tiny_config(), checkpoint)


@pytest.fixture
def sample(tiny_samples: Callable[[], list[dict]]) -> dict[str, Any]:
    """The first sample of the validation set."""
    return tiny_samples()[24]


# --- inference_recognizer -------------------------------------------------------------------------


def test_all_forms_of_a_sequence_get_the_scores_of_a_test(
    model: nn.Module, sample: dict[str, Any], tmp_path: Path
) -> None:
    dataset = build_dataset(model.cfg.data.test, {"test_mode": True})
    (expected,) = apis.test_model(model, [dataset[0]])  # a list is a data set, too
    found = inference_recognizer(model, sample)
    assert [label for label, _ in found] == list(np.argsort(-expected))
    np.testing.assert_allclose([score for _, score in found], sorted(expected)[::-1], rtol=1e-5)
    keypoint = sample["keypoint"]  # (M, T, V, C)
    path = tmp_path / "clip.npy"
    np.save(path, keypoint)
    forms = (
        *(keypoint, keypoint[0], {"keypoint": keypoint}, path, str(path)),
        *(torch.from_numpy(keypoint), torch.from_numpy(keypoint[0]), keypoint.tolist()),
        *({"keypoint": keypoint[0].tolist()}, {**sample, "label": None, "keypoint_score": None}),
        {**sample, "total_frames": torch.tensor(keypoint.shape[1])},
    )
    for form in forms:
        assert inference_recognizer(model, form) == found
    assert inference_recognizer(model, keypoint, topk=1) == found[:1]


def test_recordings_that_do_not_fit_are_refused(
    model: nn.Module, sample: dict[str, Any], tmp_path: Path
) -> None:
    np.save(tmp_path / "coco.npy", sample["keypoint"][:, :, :17])
    for name, error in (
        ("coco.npy", RecordingError),
        ("none.npy", RecordingError),
        ("all.pkl", InputError),
    ):
        with pytest.raises(error):
            inference_recognizer(model, tmp_path / name)


@pytest.mark.parametrize("topk", [0, -1, 1.5, None])
def test_numbers_of_classes_that_are_none(model: nn.Module, topk: Any) -> None:
    with pytest.raises(InputError) as caught:
        inference_recognizer(model, np.ones((1, 8, 25, 3)), topk=topk)
    assert caught.value.key == "topk"


@pytest.mark.parametrize(
    "sample",
    [
        np.zeros((1, 8, 25, 3)),
        torch.zeros(1, 8, 25, 3),
        np.ones((30, 2, 25, 3)),  # (T, M, V, C)
        np.ones((3, 8, 25, 1)),  # (C, T, V, M)
        [],
        [[1, 2], [3]],
        None,
        3,
        {"keypoint": torch.full((1, 8, 25, 3), torch.nan)},
        {"keypoint": np.zeros((1, 8, 25, 3)), "frame_dir": None},
    ],
    ids=str,
)
def test_samples_that_are_none(model: nn.Module, sample: Any) -> None:
    with pytest.raises(AnnotationError) as caught:
        inference_recognizer(model, sample)
    assert (caught.value.sample, caught.value.key) == ("sample", "keypoint")


def test_models_that_are_no_recognizer_with_a_config(model: nn.Module) -> None:
    keypoint, cfg = np.ones((1, 8, 25, 3)), model.cfg
    model.cfg = None
    for one, key in ((model, "model.cfg"), (nn.Linear(2, 2), "model.cfg")):
        with pytest.raises(InputError) as caught:
            inference_recognizer(one, keypoint)
        assert caught.value.key == key
    model.cfg = cfg
    plain = nn.Linear(2, 2)
    plain.cfg = cfg
    for one in (plain, model.train()):
        with pytest.raises(InputError) as caught:
            inference_recognizer(one, keypoint)
        assert caught.value.key == "model"


def test_the_size_of_the_image_can_be_given(
    model: nn.Module, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recognizer, "_said", set())
    monkeypatch.setattr(get_logger(), "propagate", True)
    flat = dict(base="nturgb+d", dim=2)
    model.cfg.data.test.pipeline[:2] = [
        dict(type="PreNormalize2D"),
        dict(type="GenSkeFeat", dataset=flat, feats=["j"]),
    ]
    keypoint = np.random.default_rng(0).uniform(10, 400, (1, 8, 25, 2))
    keypoint = np.concatenate([keypoint, np.ones_like(keypoint[..., :1])], -1)  # x, y, score
    of_size = {
        size: inference_recognizer(model, keypoint, img_shape=size)
        for size in ((480, 640), (1080, 1920))
    }
    assert of_size[480, 640] != of_size[1080, 1920]
    sample = {"keypoint": keypoint, "img_shape": (480, 640)}
    assert inference_recognizer(model, sample, img_shape=(1, 1)) == of_size[480, 640]
    assert caplog.text == ""
    for _ in range(2):
        assert inference_recognizer(model, keypoint) == of_size[1080, 1920]
    assert caplog.text.count("1080 x 1920") == 1


def test_the_pipeline_is_found_inside_other_datasets(
    tiny_config: MakeConfig, model: nn.Module, sample: dict[str, Any]
) -> None:
    expected = inference_recognizer(model, sample)
    test = tiny_config()["data"]["test"]
    for outer in (
        [test, test],
        dict(type="ConcatDataset", datasets=[test]),
        dict(type="RepeatDataset", times=2, dataset=test),
    ):
        model.cfg = Config(tiny_config(data__test=outer))
        assert inference_recognizer(model, sample) == expected


# --- open_recognizer ------------------------------------------------------------------------------


def test_scores_are_those_of_a_test(tiny_config: MakeConfig, checkpoint: Path) -> None:
    cfg = tiny_config()
    recognizer = open_recognizer(cfg, checkpoint, "cpu")
    assert recognizer.stream == "j"
    assert recognizer.layout.name == "nturgb+d"
    dataset = build_dataset(cfg["data"]["test"], {"test_mode": True})
    expected = apis.test_model(init_recognizer(cfg, checkpoint), dataset, videos_per_gpu=3)
    assert np.ptp(expected, axis=0).max() > 1e-3  # far above the tolerance
    samples = list(load_annotations(cfg["data"]["test"]["ann_file"]).select("val"))
    batch = np.stack([recognizer.prepare(sample) for sample in samples])
    np.testing.assert_allclose(recognizer.scores(batch), expected, rtol=0, atol=1e-6)
    alone = [recognizer.scores(clips[None])[0] for clips in batch]
    np.testing.assert_allclose(alone, expected, rtol=0, atol=1e-6)
    with pytest.raises(InputError):
        recognizer.scores(batch[..., :17, :])


@pytest.mark.parametrize("average", ["prob", "score", None])
def test_threads_share_the_clips(
    tiny_config: MakeConfig, checkpoint: Path, average: str | None
) -> None:
    config = tiny_config(model__test_cfg=dict(average_clips=average))
    recognizer = open_recognizer(config, checkpoint, "cpu")
    model = init_recognizer(config, checkpoint)
    for size in ((1, 5), (3, 2), (9, 4)):  # the last has more clips than one call takes
        clips = np.random.default_rng(0).normal(size=(*size, 1, 8, 25, 3)).astype(np.float32)
        expected = model.predict(torch.from_numpy(clips)).numpy()
        for threads in (1, 2, 3, 8):
            torch.set_num_threads(threads)
            np.testing.assert_allclose(recognizer.scores(clips), expected, rtol=1e-4, atol=1e-6)
            assert torch.get_num_threads() == threads


def test_devices(tiny_config: MakeConfig, checkpoint: Path) -> None:
    open_recognizer(tiny_config(), checkpoint, "auto")
    for name in ("cuda:77", "nonsense"):
        with pytest.raises(DeviceError) as caught:
            open_recognizer(tiny_config(), checkpoint, name)
        assert caught.value.found == name


def test_classes_have_the_names_of_the_data(
    tiny_config: MakeConfig,
    write_tiny_annotations: Callable,
    tiny_samples: Callable,
    tmp_path: Path,
) -> None:
    config = tiny_config(write_tiny_annotations(tmp_path / "named.pkl", tiny_samples()))
    assert open_recognizer(config, None, "cpu").labels is None
    names = tmp_path / "named.pkl.labels.txt"
    names.write_text("rise\nswing\nrest\n")
    assert open_recognizer(config, None, "cpu").labels == ("rise", "swing", "rest")
    names.write_text("rise\n")  # of other classes
    assert open_recognizer(config, None, "cpu").labels is None
    assert names_of_data({"ann_file": "x/ntu60_hrnet.pkl"}, 60)[0] == "drink water"
    assert names_of_data({"ann_file": "x/ntu60_hrnet.pkl"}, 61) is None
    assert names_of_data({"ann_file": "toy.pkl", "type": "ToyDataset"}, 12)[0] == "wave"
    assert names_of_data({}, 60) is None


def test_label_files_have_a_name_in_each_line(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes("\ufeffeat\r\n drink \n\nöffnen".encode())
    assert read_label_file(path) == ("eat", "drink", "öffnen")
    for content in (b"\n", b"\xff\xfe\xff"):
        path.write_bytes(content)
        with pytest.raises(InputError):
            read_label_file(path)
    with pytest.raises(InputError):
        read_label_file(tmp_path / "absent.txt")
