"""Model and data sets are built from a config, or all of its errors are listed with their keys."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from pyskl.apis.prepare import prepare
from pyskl.config import load_config
from pyskl.datasets import PoseDataset
from pyskl.errors import ConfigError
from pyskl.registry import BACKBONES, DATASETS, PIPELINES
from pyskl.skeleton import LAYOUTS

MakeConfig = Callable[..., dict[str, Any]]
ALL = ("train", "val", "test")


def errors_of(config: Any, uses: Sequence[str] = ALL, **options: Any) -> dict[str, list[str]]:
    """Return the messages of the errors in a config by key; empty for a config without any."""
    found: dict[str, list[str]] = {}
    try:
        prepare(config, uses, **options)
    except ConfigError as error:
        for one in error.errors:
            found.setdefault(str(one.key), []).append(str(one))
    return found


@pytest.fixture
def registered() -> Iterator[Callable[..., Any]]:
    """A function that registers a class for the time of the test."""
    added: list[tuple[Any, str]] = []

    def register(registry: Any, cls: type) -> None:
        registry.register_module(module=cls)
        added.append((registry, cls.__name__))

    yield register
    for registry, name in added:
        del registry.module_dict[name]


# --- what is built --------------------------------------------------------------------------------


def test_model_and_data_sets_are_built(tiny_config: MakeConfig) -> None:
    prepared = prepare(tiny_config(), ALL)
    assert prepared.model.cls_head.num_classes == 3
    assert {use: len(dataset) for use, dataset in prepared.datasets.items()} == {
        "train": 24,
        "val": 10,
        "test": 10,
    }
    assert [prepared.datasets[use].test_mode for use in ALL] == [False, True, True]
    assert prepared.cfg.evaluation.ks == (1, 5)
    only_model = prepare({"model": tiny_config()["model"]}, ())
    assert only_model.datasets == {}


def test_equal_validation_and_test_sets_are_one(tiny_config: MakeConfig) -> None:
    config = tiny_config()
    config["data"]["test"] = config["data"]["val"]
    prepared = prepare(config, ALL)
    assert prepared.datasets["test"] is prepared.datasets["val"]
    prepared = prepare(tiny_config(), ALL)
    assert prepared.datasets["test"] is not prepared.datasets["val"]


def test_only_what_is_used_is_checked(tiny_config: MakeConfig) -> None:
    config = tiny_config(data__val__ann_file="nowhere.pkl", data__test__split="gone")
    assert errors_of(config, ["train"]) == {}
    assert set(errors_of(config)) == {"data.val.ann_file", "data.test.split"}


def test_objects_can_stand_in_place_of_configs(tiny_config: MakeConfig) -> None:
    def double(sample: dict[str, Any]) -> dict[str, Any]:
        return {**sample, "keypoint": 2 * sample["keypoint"]}

    config = tiny_config()
    config["data"]["train"]["pipeline"].insert(1, double)
    config["data"]["val"]["type"] = PoseDataset
    assert errors_of(config) == {}


def test_classes_of_users_are_built(
    tiny_config: MakeConfig, registered: Callable[..., None]
) -> None:
    class Wobble:
        def __init__(self, strength: float) -> None:
            if strength < 0:
                raise KeyError("negative")

        def __call__(self, sample: dict[str, Any]) -> dict[str, Any]:
            return sample

    class Fragile(nn.Module):
        def __init__(self) -> None:
            raise RuntimeError("it asserts")

    class Half(PoseDataset):
        def __init__(self, ann_file: str, pipeline: list[Any], test_mode: bool = False) -> None:
            super().__init__(ann_file, pipeline, test_mode=test_mode)
            self.samples = self.samples[::2]

    registered(PIPELINES, Wobble)
    registered(BACKBONES, Fragile)
    registered(DATASETS, Half)
    config = tiny_config()
    config["data"]["train"].pop("split")
    config["data"]["train"]["type"] = "Half"
    config["data"]["train"]["pipeline"].insert(0, dict(type="Wobble", strength=1))
    assert len(prepare(config, ["train"]).datasets["train"]) == 17
    config["data"]["train"]["pipeline"][0]["strength"] = -1
    config["model"]["backbone"] = dict(type="Fragile")
    found = errors_of(config, ["train"])
    assert set(found) == {"model", "data.train.pipeline[0]"}
    assert "RuntimeError: it asserts" in found["model"][0]


# --- errors ---------------------------------------------------------------------------------------


def test_all_errors_are_listed_at_once(tiny_config: MakeConfig) -> None:
    changes: dict[str, Any] = {
        "totl_epochs": 3,
        "model.backbone.tpye": "STGCN",
        "model.cls_head.num_classes": None,  # deletes the key
        "data.workers_per_gpu": -1,
        "data.train.pipeline[0].type": "PreNormalise3D",
        "data.train.pipeline[1].feats": 3,
        "data.train.pipeline[4].num_person": 0,
        "data.train.split": "trian",
        "data.val.ann_file": "nowhere/gone.pkl",
        "data.test.type": "PosDataset",
        "optimizer.type": "SDG",
        "lr_config.policy": "cosine",
        "evaluation.metrics": ["top_k_accurracy", "mean_class_acuracy"],
        "log_config.hooks": [dict(type="WandLoggerHook")],
        "seed": "one",
    }
    config = tiny_config(
        **{
            key.replace(".", "__").replace("[", "__").replace("]", ""): value
            for key, value in changes.items()
        }
    )
    expected = set(changes) - {"data.train.pipeline[4].num_person", "log_config.hooks"}
    found = errors_of(config)
    assert set(found) == expected | {"data.train.pipeline[4]", "log_config.hooks[0].type"}
    assert len(found["evaluation.metrics"]) == 2


def test_the_error_names_the_file(
    tiny_config: MakeConfig, write_tiny_config: Any, tmp_path: Path
) -> None:
    path = write_tiny_config(tmp_path / "own.py", totl_epochs=3)
    with pytest.raises(ConfigError) as caught:
        prepare(load_config(path), ())
    assert caught.value.file == str(path)


@pytest.mark.parametrize(
    ("key", "value", "where"),
    [
        ("model__cls_head__dropout", 1.5, "model"),
        ("model__cls_head__in_channels", 7, "model.cls_head.in_channels"),
        ("model__backbone__gcn_type", "unit_gnc", "model.backbone"),
        ("model__backbone__graph_cfg__layout", "cocoo", "model"),
        ("model__backbone__num_stages", 0, "model"),
        ("model__test_cfg", dict(average_clips="max"), "model"),
        ("optimizer__lr", None, "optimizer.lr"),
        ("optimizer__lr", "0.1", "optimizer.lr"),
        ("optimizer__lr", -1, "optimizer"),
        ("optimizer__momentun", 0.9, "optimizer.momentun"),
        ("optimizer__params", [], "optimizer.params"),
        ("optimizer__type", ["SGD"], "optimizer.type"),
        ("optimizer", dict(type="SGD", lr=0.1, nesterov=True), "optimizer"),
        ("optimizer", dict(type="Adam", lr=0.1, betas=(2, 3)), "optimizer"),
        ("lr_config", dict(policy="step"), "lr_config"),
        ("lr_config__warmup", "linear", "lr_config"),
        ("lr_config__gama", 0.1, "lr_config.gama"),
        ("lr_config__epochs", 3, "lr_config.epochs"),
        ("lr_config__step", [2, 0.5], "lr_config.step[1]"),
        ("evaluation__save_best", "top3_acc", "evaluation.save_best"),
        ("workflow", [("val", 1)], "workflow"),
        ("data__train__class_prob", [1, 1], "data.train"),
        ("data__train__multi_class", True, "data.train"),
        ("data__train__num_classes", 2, "data.train.ann_file"),
        ("data__train__pipeline__4__num_person", 0, "data.train.pipeline[4]"),
        ("data__device", "gpu", "data.device"),
        ("data__val_dataloader", dict(device="gpu"), "data.val_dataloader.device"),
    ],
)
def test_one_error(tiny_config: MakeConfig, key: str, value: Any, where: str) -> None:
    found = errors_of(tiny_config(**{key: value}))
    assert set(found) == {where}, found


@pytest.mark.parametrize("key", ["optimizer__dampening", "evaluation__save_best"])
def test_values_that_are_right(tiny_config: MakeConfig, key: str) -> None:
    value = 0.5 if key == "optimizer__dampening" else "top5_acc"
    assert errors_of(tiny_config(**{key: value})) == {}


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("classes", "count"), [(2, 8), (1, 16)])
def test_labels_without_a_class(tiny_config: MakeConfig, classes: int, count: int) -> None:
    with pytest.raises(ConfigError) as caught:
        prepare(tiny_config(model__cls_head__num_classes=classes), ["train"])
    (error,) = caught.value.errors
    assert error.key == "data.train.ann_file"
    assert error.problem.startswith(f"{count} ")
    assert error.expected == f"0 to {classes - 1}"
    assert f"'clip{classes}'" in error.found


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda position, label: label + 1, "start at 1"),
        (lambda position, label: 7 if position == 5 else label, "'clip5'"),
        (lambda position, label: label + 2 * (label == 2), "num_classes=5"),
    ],
)
@pytest.mark.parametrize("of_data", [False, True])
def test_hints_about_labels_without_a_class(
    tiny_config: MakeConfig, tiny_ann_file: Path, tmp_path: Path,
    change: Callable[[int, int], int], words: str, of_data: bool,
) -> None:  # fmt: skip
    content = pickle.loads(tiny_ann_file.read_bytes())
    for position, sample in enumerate(content["annotations"]):
        sample["label"] = change(position, sample["label"])
    path = tmp_path / "labels.pkl"
    path.write_bytes(pickle.dumps(content))
    changes = dict(data__train__num_classes=3) if of_data else {}
    with pytest.raises(ConfigError) as caught:
        prepare(tiny_config(ann_file=path, **changes), ["train"])
    (error,) = caught.value.errors
    assert error.key == "data.train.ann_file"
    assert words in str(error)
    assert ("num_classes=" in str(error)) == ("num_classes=" in words)


def test_several_labels_a_sample(tiny_config: MakeConfig) -> None:
    several = dict(data__train__multi_class=True, data__train__num_classes=3)
    assert errors_of(tiny_config(**several), ["train"]) == {}
    found = errors_of(tiny_config(model__cls_head__num_classes=2, **several), ["train"])
    assert set(found) == {"data.train.ann_file"}


def test_a_file_that_is_no_annotation_file(tiny_config: MakeConfig, tmp_path: Path) -> None:
    path = tmp_path / "garbage.pkl"
    path.write_bytes(b"no pickle at all")
    found = errors_of(tiny_config(ann_file=path))
    assert set(found) == {f"data.{use}.ann_file" for use in ALL}


def test_joints_of_other_names_or_in_another_order(
    tiny_config: MakeConfig, tiny_ann_file: Path, tmp_path: Path
) -> None:
    content = pickle.loads(tiny_ann_file.read_bytes())
    path = tmp_path / "named.pkl"
    names = list(LAYOUTS["nturgb+d"].joint_names)
    for joint_names, keys in (
        (names, set()),
        (names[::-1], {"data.train.ann_file"}),
        (list(LAYOUTS["body_25"].joint_names), {"data.train.ann_file"}),
        (names[:-1], set()),  # a number that no joints have: the key means something else
    ):
        path.write_bytes(pickle.dumps({**content, "joint_names": joint_names}))
        assert set(errors_of(tiny_config(ann_file=path), ["train"])) == keys


def _without_format(config: dict[str, Any]) -> None:
    del config["data"]["train"]["pipeline"][4]


def _without_label(config: dict[str, Any]) -> None:
    config["data"]["train"]["pipeline"][5]["keys"] = ["keypoint"]


def _too_long(config: dict[str, Any]) -> None:
    config["data"]["train"]["pipeline"].insert(4, dict(type="PadTo", length=2))


def _several_clips(config: dict[str, Any]) -> None:
    config["data"]["train"]["pipeline"][2]["num_clips"] = 2


def _two_modalities(config: dict[str, Any]) -> None:
    config["data"]["train"]["pipeline"][1]["feats"] = ["j", "b"]


def _other_layout(config: dict[str, Any]) -> None:
    config["model"]["backbone"]["graph_cfg"]["layout"] = "coco"


def _other_persons(config: dict[str, Any]) -> None:
    config["model"]["backbone"] |= dict(data_bn_type="MVC", num_person=2)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (_without_format, "FormatGCNInput"),
        (_without_label, "'label'"),
        (_too_long, "sample 'clip0'"),
        (_several_clips, "found 2, expected 1"),
        (_two_modalities, "found 6, expected 3"),
        (_other_layout, "found 25, expected 17"),
        (_other_persons, "found 1, expected 2"),
    ],
)
def test_samples_that_do_not_fit_the_model(
    tiny_config: MakeConfig, change: Callable[[dict[str, Any]], None], part: str
) -> None:
    config = tiny_config()
    change(config)
    found = errors_of(config, ["train"])
    assert set(found) == {"data.train"}
    assert part in found["data.train"][0]


def test_the_number_of_persons_is_free_otherwise(tiny_config: MakeConfig) -> None:
    assert errors_of(tiny_config(data__train__pipeline__4__num_person=2)) == {}


def test_annotations_that_need_trust(
    tiny_config: MakeConfig, tiny_samples: Any, tmp_path: Path
) -> None:
    path = tmp_path / "odd.pkl"
    samples = [{**sample, "rng": np.random.RandomState(0)} for sample in tiny_samples()]
    ids = [sample["frame_dir"] for sample in samples]
    path.write_bytes(pickle.dumps({"split": {"train": ids}, "annotations": samples}))
    config = tiny_config(ann_file=path)
    assert set(errors_of(config, ["train"])) == {"data.train.ann_file"}
    assert errors_of(config, ["train"], trusted=True) == {}
    config["data"]["train"]["trusted"] = True
    assert errors_of(config, ["train"]) == {}


# --- data sets inside others ----------------------------------------------------------------------


def test_repeated_and_concatenated_data(tiny_config: MakeConfig) -> None:
    config = tiny_config()
    both = [config["data"]["train"], config["data"]["val"]]
    repeated = dict(type="RepeatDataset", times=2, dataset=config["data"]["train"])
    for train, length in (
        (both, 34),
        (repeated, 48),
        (dict(type="ConcatDataset", datasets=[*both, repeated]), 82),
        ({**repeated, "dataset": dict(type="ConcatDataset", datasets=both)}, 68),
    ):
        config["data"]["train"] = train
        assert len(prepare(config, ["train"]).datasets["train"]) == length


@pytest.mark.parametrize("name", ["RepeatDataset", "pyskl.RepeatDataset", "class"])
def test_errors_inside_a_repeated_data_set(tiny_config: MakeConfig, name: str) -> None:
    config = tiny_config()
    kind: Any = DATASETS.get("RepeatDataset") if name == "class" else name
    inner = {**config["data"]["train"], "split": "gone"}
    config["data"]["train"] = dict(type=kind, times=0, dataset=inner)
    found = errors_of(config, ["train"])
    assert set(found) == {"data.train", "data.train.dataset.split"}


@pytest.mark.parametrize(
    ("repeat", "keys"),
    [
        (dict(time=2, dataset={}), {".time", ".times", ".dataset.type"}),
        (dict(times=2, dataset="train"), {".dataset"}),
        (dict(times=2), {".dataset"}),
    ],
)
def test_errors_of_the_repetition_itself(
    tiny_config: MakeConfig, repeat: dict[str, Any], keys: set[str]
) -> None:
    config = tiny_config(data__train=dict(type="RepeatDataset", **repeat))
    assert set(errors_of(config, ["train"])) == {f"data.train{key}" for key in keys}


def test_errors_inside_concatenated_data_sets(tiny_config: MakeConfig) -> None:
    config = tiny_config()
    train = config["data"]["train"]
    parts = [
        {**train, "split": "gone"},
        train,
        {**train, "ann_file": "gone.pkl"},
        dict(type="RepeatDataset", times=2, dataset={**train, "pipelin": []}),
    ]
    inside = ["[0].split", "[2].ann_file", "[3].dataset.pipelin"]
    config["data"]["train"] = dict(type="ConcatDataset", datasets=parts)
    assert set(errors_of(config, ["train"])) == {f"data.train.datasets{key}" for key in inside}
    config["data"]["train"] = parts
    assert set(errors_of(config, ["train"])) == {f"data.train{key}" for key in inside}
    config["data"]["train"] = dict(type="ConcatDataset", datasets=[])
    assert set(errors_of(config, ["train"])) == {"data.train"}
