"""The checker finds every fault of a config, names its key, and passes healthy ones."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config
from torch import nn

from pyskl.config import check_config, load_config
from pyskl.datasets import PoseDataset
from pyskl.errors import ConfigError
from pyskl.registry import BACKBONES, DATASETS, PIPELINES
from pyskl.skeleton import LAYOUTS

MakeConfig = Callable[..., dict[str, Any]]
ALL = ("train", "val", "test")


def faults_of(config: Any, uses: tuple[str, ...] = ALL, **kwargs: Any) -> dict[str, list[str]]:
    """Return what the checker says, by key; empty for a healthy config."""
    try:
        check_config(config, uses, **kwargs)
    except ConfigError as error:
        head, _, body = str(error).partition("\n  ")
        found: dict[str, list[str]] = {}
        # A fault of several lines indents those that follow more than its first.
        for line in re.split(r"\n  (?! )", body):
            key, _, what = line.partition(": ")
            found.setdefault(key, []).append(what)
        count = sum(map(len, found.values()))
        assert re.search(rf": {count} faults? in the config$", head), head
        return found
    return {}


def only_fault(config: Any, uses: tuple[str, ...] = ALL, **kwargs: Any) -> tuple[str, str]:
    """Return key and text of the only fault."""
    found = faults_of(config, uses, **kwargs)
    assert [len(texts) for texts in found.values()] == [1], found
    ((key, (text,)),) = found.items()
    return key, text


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


# --- healthy configs ------------------------------------------------------------------------------


def test_a_healthy_config_passes(tiny_config: MakeConfig) -> None:
    assert faults_of(tiny_config()) == {}
    assert faults_of(Config(tiny_config())) == {}


def test_helper_variables_pass(tiny_config: MakeConfig, tmp_path: Path) -> None:
    lines = [f"{key} = {value!r}\n" for key, value in tiny_config().items()]
    lines += ["modality = 'j'\n", "dataset_type = 'PoseDataset'\n", "data_root = 'data/'\n"]
    lines += ["modle = 3\n", "seed = modle\n"]  # reads like a slip of 'model', but is read
    path = tmp_path / "config.py"
    path.write_text("".join(lines))
    assert faults_of(load_config(path)) == {}


def test_only_what_is_used_is_checked(tiny_config: MakeConfig) -> None:
    config = tiny_config(data__val__ann_file="nowhere.pkl", data__test__split="gone")
    assert faults_of(config, ("train",)) == {}
    assert set(faults_of(config)) == {"data.val.ann_file", "data.test.split"}


def test_objects_in_place_of_configs_pass(tiny_config: MakeConfig) -> None:
    def double(sample: dict[str, Any]) -> dict[str, Any]:
        return {**sample, "keypoint": 2 * sample["keypoint"]}

    config = tiny_config()
    config["data"]["train"]["pipeline"].insert(1, double)
    config["data"]["val"]["type"] = PoseDataset
    assert faults_of(config) == {}


def test_classes_of_one_s_own_are_checked_by_their_signature(
    tiny_config: MakeConfig, registered: Callable[..., None]
) -> None:
    class Wobble:
        def __init__(self, strength: float, axis: int = 0) -> None:
            self.strength = strength

        def __call__(self, sample: dict[str, Any]) -> dict[str, Any]:
            return sample

    registered(PIPELINES, Wobble)
    config = tiny_config()
    steps = config["data"]["train"]["pipeline"]
    steps.insert(0, dict(type="Wobble", strength=1))
    assert faults_of(config) == {}
    steps[0] = dict(type="Wobbel", strength=1)
    steps.insert(0, dict(type="Wobble", axes=1, axis="x"))
    assert faults_of(config) == {
        "data.train.pipeline[0].axes": ["Wobble takes no 'axes'; did you mean 'axis'?"],
        "data.train.pipeline[0].axis": ["should be int, found str: 'x'"],
        "data.train.pipeline[0].strength": ["is missing; Wobble needs it"],
        "data.train.pipeline[1].type": ["there is no transform 'Wobbel'; did you mean 'Wobble'?"],
    }


def test_whatever_a_constructor_raises_is_a_fault(
    tiny_config: MakeConfig, registered: Callable[..., None]
) -> None:
    class Fragile(nn.Module):
        def __init__(self) -> None:
            raise RuntimeError("the family asserts")

    registered(BACKBONES, Fragile)
    config = tiny_config(model__backbone=dict(type="Fragile"))
    assert only_fault(config) == ("model", "RuntimeError: the family asserts")


# --- everything at once ---------------------------------------------------------------------------


def test_all_faults_are_listed_at_once(tiny_config: MakeConfig) -> None:
    config = tiny_config(
        totl_epochs=3,
        model__backbone__tpye="STGCN",
        model__cls_head__num_clases=3,
        model__cls_head__num_classes=None,
        data__video_per_gpu=4,
        data__workers_per_gpu=-1,
        data__train__pipeline__0__type="PreNormalise3D",
        data__train__pipeline__1__feats=3,
        data__train__pipeline__2__clip_length=100,
        data__train__pipeline__4__num_person=0,
        data__train__split="trian",
        data__val__ann_file="nowhere/gone.pkl",
        data__test__type="PosDataset",
        optimizer__type="SDG",
        lr_config__policy="cosine",
        evaluation__metrics=["top_k_accurracy", "mean_class_acuracy"],
        evaluation__intervall=1,
        log_config__hooks=[dict(type="WandLoggerHook"), dict(type="CSVLoggerHook", dir="a")],
        log_config__interval=0,
        checkpoint_config__interval=0.5,
        optimizer_config__grad_clip=dict(norm=40),
        seed="one",
    )
    found = faults_of(config)
    expected = {
        "totl_epochs": "did you mean 'total_epochs'",
        "model.backbone.tpye": "STGCN takes no 'tpye'",
        "model.cls_head.num_clases": "takes no 'num_clases'; did you mean 'num_classes'",
        "model.cls_head.num_classes": "is missing; GCNHead needs it",
        "data.video_per_gpu": "no such key; did you mean 'videos_per_gpu'",
        "data.workers_per_gpu": "at least 0, found -1",
        "data.train.pipeline[0].type": "no transform 'PreNormalise3D'; did you mean 'PreNorm",
        "data.train.pipeline[1].feats": "found int: 3",
        "data.train.pipeline[2].clip_length": "takes no 'clip_length'; did you mean 'clip_len'",
        "data.train.pipeline[4]": "num_person",
        "data.train.split": "no split 'trian'; did you mean 'train'",
        "data.val.ann_file": "gone.pkl: there is no such annotation file",
        "data.test.type": "no dataset 'PosDataset'; did you mean 'PoseDataset'",
        "optimizer.type": "no optimizer 'SDG'; did you mean 'SGD'",
        "lr_config.policy": "should be 'fixed' or 'step' or 'CosineAnnealing'",
        "evaluation.intervall": "no such key; did you mean 'interval'",
        "log_config.hooks[0].type": "'WandLoggerHook'; did you mean 'WandbLoggerHook'",
        "log_config.hooks[1].dir": "CSVLoggerHook takes no 'dir'; did you mean 'log_dir'",
        "log_config.interval": "at least 1, found 0",
        "checkpoint_config.interval": "should be int, found float: 0.5",
        "optimizer_config.grad_clip.norm": "no such key; did you mean 'max_norm'",
        "optimizer_config.grad_clip.max_norm": "is missing",
        "seed": "should be int or None, found str: 'one'",
    }
    missed = {
        key: found.get(key) for key, what in expected.items() if what not in str(found.get(key))
    }
    assert missed == {}
    assert set(found) == set(expected)


def test_message_names_the_file(
    tiny_config: MakeConfig, write_tiny_config: Any, tmp_path: Path
) -> None:
    path = write_tiny_config(tmp_path / "own.py", totl_epochs=3)
    with pytest.raises(ConfigError, match=rf"^{re.escape(str(path))}: 1 fault in the config\n"):
        check_config(load_config(path))
    with pytest.raises(ConfigError, match=r"^there\.json: 1 fault"):
        check_config(tiny_config(totl_epochs=3), source="there.json")


# --- one by one -----------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["model", "optimizer", "lr_config", "total_epochs"])
def test_missing_sections(tiny_config: MakeConfig, key: str) -> None:
    assert only_fault(tiny_config(**{key: None}), ("train",)) == (key, "is missing")


@pytest.mark.parametrize("use", ALL)
def test_missing_data_sets(tiny_config: MakeConfig, use: str) -> None:
    assert only_fault(tiny_config(**{f"data__{use}": None}), (use,)) == (
        f"data.{use}",
        "is missing",
    )


def test_an_empty_config() -> None:
    required = {"model", "data.train", "optimizer", "lr_config", "total_epochs"}
    assert set(faults_of({}, ("train",))) == required
    assert set(faults_of({"data": None}, ALL)) >= {*required, "data.val", "data.test"}


@pytest.mark.parametrize("section", ["model", "data", "optimizer", "lr_config", "evaluation"])
@pytest.mark.parametrize("value", ["text", 3, [dict(type="SGD")], True])
def test_sections_of_another_type(tiny_config: MakeConfig, section: str, value: Any) -> None:
    found = faults_of(tiny_config(**{section: value}))
    assert re.fullmatch(r"should be dict, found \w+: .*", found[section][0])


@pytest.mark.parametrize("value", ["no/such/file", 3, None, [3], {"dataset": 3}])
@pytest.mark.parametrize("key", ["data__train", "data__train__pipeline", "data__train__ann_file"])
def test_parts_of_a_data_set_of_another_type(tiny_config: MakeConfig, key: str, value: Any) -> None:
    found = faults_of(tiny_config(**{key: value}), ("train",))
    assert any(name.startswith(key.replace("__", ".")) for name in found), found


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("epochs", "total_epochs"),
        ("max_epochs", "total_epochs"),
        ("batch_size", "data.videos_per_gpu"),
        ("lr_scheduler", "lr_config"),
        ("optimiser", "optimizer"),
        ("workdir", "work_dir"),
        ("resume", "auto_resume"),
    ],
)
def test_other_words(tiny_config: MakeConfig, tmp_path: Path, key: str, meant: str) -> None:
    config = tiny_config(**{key: 3})
    answer = (key, f"there is no such key; did you mean {meant!r}?")
    assert only_fault(config) == answer
    json_file = tmp_path / "config.json"
    json_file.write_text(json.dumps(config))
    assert only_fault(load_config(json_file)) == answer


@pytest.mark.parametrize(
    ("key", "value", "where", "what"),
    [
        ("model__type", "RecognizerGNC", "model.type", "did you mean 'RecognizerGCN'"),
        ("model__type", None, "model.type", "is missing; it names the recognizer"),
        ("model__backbone__type", "STGNC", "model.backbone.type", "did you mean 'STGCN'"),
        ("model__backbone__type", 3, "model.backbone.type", "name of a backbone, found 3"),
        ("model__cls_head__type", "GCNHaed", "model.cls_head.type", "did you mean 'GCNHead'"),
        ("model__cls_head__dropout", "no", "model.cls_head.dropout", "should be float"),
        ("model__cls_head__dropout", 1.5, "model", "dropout: wrong number"),
        ("model__cls_head__in_channels", 7, "model.cls_head.in_channels", "have 8 channels"),
        ("model__backbone__tcn_dropuot", 0.5, "model.backbone.tcn_dropuot", "'tcn_dropout'"),
        ("model__backbone__gcn_type", "unit_gnc", "model.backbone", "gcn_type: unknown type"),
        ("model__backbone__graph_cfg__layout", "cocoo", "model", "'coco'"),
        ("model__backbone__graph_cfg__mode", "spatail", "model", "'spatial'"),
        ("model__backbone__num_stages", 0, "model", "num_stages"),
        ("model__test_cfg", dict(average_clips="max"), "model", "average_clips"),
        ("optimizer__lr", None, "optimizer.lr", "is missing"),
        ("optimizer__lr", "0.1", "optimizer.lr", "should be a number from 0 up, found '0.1'"),
        ("optimizer__lr", -1, "optimizer.lr", "should be a number from 0 up, found -1"),
        ("optimizer__momentun", 0.9, "optimizer.momentun", "did you mean 'momentum'"),
        ("optimizer__type", ["SGD"], "optimizer.type", "no optimizer"),
        ("optimizer__dampening", 0.5, None, None),
        ("optimizer", dict(type="SGD", lr=0.1, nesterov=True), "optimizer", "[Nn]esterov"),
        ("optimizer", dict(type="Adam", lr=0.1, betas=(2, 3)), "optimizer", "beta"),
        ("lr_config", dict(policy="step"), "lr_config", "'step' needs step"),
        ("lr_config__warmup", "linear", "lr_config", "warm-up needs warmup_iters"),
        ("lr_config__gama", 0.1, "lr_config.gama", "did you mean 'gamma'"),
        ("lr_config__step", [2, 0.5], "lr_config.step", "int or list of int"),
        ("total_epochs", 0, "total_epochs", "at least 1, found 0"),
        ("total_epochs", 1.5, "total_epochs", "should be int, found float: 1.5"),
        ("data__videos_per_gpu", 0, "data.videos_per_gpu", "at least 1, found 0"),
        ("data__test_dataloader__videos_per_gpu", 0, "data.test_dataloader.videos_per_gpu", "at"),
        ("data__test_dataloader__shuffle", True, "data.test_dataloader.shuffle", "no such key"),
        ("seed", -1, "seed", "at least 0, found -1"),
        ("evaluation__metrics", ["acc", "top_k_accuracy"], "evaluation.metrics", "'acc'"),
        ("evaluation__topk", (1, 0), "evaluation.topk", "from 1 up"),
        ("evaluation__save_best", "top3_acc", "evaluation.save_best", "did you mean 'top5_acc'"),
        ("evaluation__save_best", "top5_acc", None, None),
        ("optimizer_config__grad_clip", {}, "optimizer_config.grad_clip.max_norm", "is missing"),
        ("optimizer_config__grad_clip", dict(max_norm=4), None, None),
        ("auto_scale_lr", {}, "auto_scale_lr.base_batch_size", "is missing"),
        ("workflow", [("train", 1)], None, None),
        ("workflow", ["train"], "workflow", "list of (str, int)"),
        ("log_level", "LOUD", "log_level", "'INFO'"),
        ("dist_params", dict(backend="mpi"), "dist_params.backend", "'nccl' or 'gloo'"),
        ("checkpoint_config", None, None, None),
        ("data__train__class_prob", [1, 1], "data.train", "class_prob has 2 numbers"),
        ("data__train__multi_class", True, "data.train", "needs num_classes"),
        ("data__train__num_classes", 2, "data.train", "label"),
    ],
)
def test_one_fault(
    tiny_config: MakeConfig, key: str, value: Any, where: str | None, what: str | None
) -> None:
    config = tiny_config(**{key: value})
    if where is None:
        assert faults_of(config) == {}
        return
    found = faults_of(config)
    assert set(found) == {where}, found
    assert re.search(what if what == "[Nn]esterov" else re.escape(what or ""), found[where][0]), (
        found
    )


# --- files ----------------------------------------------------------------------------------------


def test_labels_outside_of_the_classes(tiny_config: MakeConfig) -> None:
    key, text = only_fault(tiny_config(model__cls_head__num_classes=2), ("train",))
    assert key == "data.train.ann_file"
    assert "8 malformed samples; the data need num_classes=3\n" in text
    assert "'clip2'" in text


def test_a_file_that_is_no_annotation_file(tiny_config: MakeConfig, tmp_path: Path) -> None:
    path = tmp_path / "garbage.pkl"
    path.write_bytes(b"no pickle at all")
    found = faults_of(tiny_config(ann_file=path))
    assert set(found) == {f"data.{use}.ann_file" for use in ALL}


def test_a_layout_of_other_joints(tiny_config: MakeConfig) -> None:
    config = tiny_config(model__backbone__graph_cfg__layout="coco")
    found = faults_of(config)
    assert set(found) == {f"data.{use}" for use in ALL}
    assert "25 joints, but the model's layout 'coco' has 17" in found["data.train"][0]


def test_joints_of_other_names_or_in_another_order(
    tiny_config: MakeConfig, tiny_ann_file: Path, tmp_path: Path
) -> None:
    content = pickle.loads(tiny_ann_file.read_bytes())
    path = tmp_path / "named.pkl"
    names = list(LAYOUTS["nturgb+d"].joint_names)
    for joint_names, part in (
        (names, None),
        (names[::-1], "of the layout 'nturgb+d' in another order: joint 0 is "),
        (list(LAYOUTS["body_25"].joint_names), "not those of the layout 'nturgb+d': joint 0 is"),
        (names[:-1], None),  # of a number that no joints have: something else is meant by it
    ):
        path.write_bytes(pickle.dumps({**content, "joint_names": joint_names}))
        if part is None:
            assert faults_of(tiny_config(ann_file=path)) == {}
        else:
            key, text = only_fault(tiny_config(ann_file=path), ("train",))
            assert key == "data.train.ann_file"
            assert part in text


def test_other_channels(tiny_config: MakeConfig) -> None:
    key, text = only_fault(tiny_config(data__train__pipeline__1__feats=["j", "b"]))
    assert key == "data.train"
    assert "6 channels, but the backbone takes in_channels=3" in text


def test_other_persons_matter_where_the_norm_is_over_persons(tiny_config: MakeConfig) -> None:
    assert faults_of(tiny_config(data__train__pipeline__4__num_person=2)) == {}
    config = tiny_config(model__backbone__data_bn_type="MVC", model__backbone__num_person=1)
    assert faults_of(config) == {}
    config = tiny_config(model__backbone__data_bn_type="MVC", model__backbone__num_person=2)
    assert set(faults_of(config)) == {f"data.{use}" for use in ALL}


def test_several_clips_in_training(tiny_config: MakeConfig) -> None:
    key, text = only_fault(tiny_config(data__train__pipeline__2__num_clips=2))
    assert key == "data.train"
    assert "one clip" in text


def test_pipelines_that_end_elsewhere(tiny_config: MakeConfig) -> None:
    config = tiny_config()
    del config["data"]["train"]["pipeline"][4]
    config["data"]["val"]["pipeline"][5]["keys"] = ["keypoint"]
    found = faults_of(config, ("train", "val"))
    assert "does it end with FormatGCNInput?" in found["data.train"][0]
    assert "the model needs 'label'" in found["data.val"][0]


def test_a_pipeline_that_fails_names_the_sample(tiny_config: MakeConfig) -> None:
    config = tiny_config()
    config["data"]["train"]["pipeline"].insert(4, dict(type="PadTo", length=2))
    key, text = only_fault(config)
    assert key == "data.train"
    assert "sample 'clip0'" in text


def test_annotations_that_need_trust(
    tiny_config: MakeConfig, tiny_samples: Any, tmp_path: Path
) -> None:
    class_of_some_program = np.random.RandomState(0)
    path = tmp_path / "odd.pkl"
    samples = [{**sample, "rng": class_of_some_program} for sample in tiny_samples()]
    ids = [sample["frame_dir"] for sample in samples]
    path.write_bytes(pickle.dumps({"split": {"train": ids}, "annotations": samples}))
    config = tiny_config(ann_file=path)
    key, text = only_fault(config, ("train",))
    assert key == "data.train.ann_file"
    assert "refused" in text
    assert faults_of(config, ("train",), trusted=True) == {}
    config["data"]["train"]["trusted"] = True
    assert faults_of(config, ("train",)) == {}


# --- data sets inside others ----------------------------------------------------------------------


def _nested(config: dict[str, Any], use: str, **changes: Any) -> dict[str, Any]:
    return {**config["data"][use], **changes}


def test_repeated_and_concatenated_data_pass(tiny_config: MakeConfig) -> None:
    config = tiny_config()
    both = [_nested(config, "train"), _nested(config, "val")]
    repeated = dict(type="RepeatDataset", times=2, dataset=_nested(config, "train"))
    for train in (
        both,
        repeated,
        dict(type="ConcatDataset", datasets=[*both, repeated]),
        {**repeated, "dataset": dict(type="ConcatDataset", datasets=both)},
    ):
        config["data"]["train"] = train
        assert faults_of(config, ("train",)) == {}


@pytest.mark.parametrize("name", ["RepeatDataset", "pyskl.RepeatDataset", "class"])
def test_faults_inside_a_repeated_data_set(tiny_config: MakeConfig, name: str) -> None:
    config = tiny_config()
    kind: Any = DATASETS.get("RepeatDataset") if name == "class" else name
    inner = _nested(config, "train", split="gone")
    config["data"]["train"] = dict(type=kind, times=0, dataset=inner)
    found = faults_of(config, ("train",))
    assert set(found) == {"data.train", "data.train.dataset.split"}
    assert found["data.train"] == ["times should be at least 1, found 0"]


def test_faults_of_the_repetition_itself(tiny_config: MakeConfig) -> None:
    config = tiny_config()
    inner = _nested(config, "train")
    config["data"]["train"] = dict(type="RepeatDataset", time=2, dataset=inner)
    assert faults_of(config, ("train",)) == {
        "data.train.time": ["RepeatDataset takes no 'time'; did you mean 'times'?"],
        "data.train.times": ["is missing; RepeatDataset needs it"],
    }
    config["data"]["train"] = dict(type="RepeatDataset", times=2, dataset="train")
    assert set(faults_of(config, ("train",))) == {"data.train.dataset"}
    config["data"]["train"] = dict(type="RepeatDataset", times=2)
    assert set(faults_of(config, ("train",))) == {"data.train.dataset"}


def test_faults_inside_concatenated_data_sets(tiny_config: MakeConfig) -> None:
    config = tiny_config()
    parts = [
        _nested(config, "train", split="gone"),
        _nested(config, "train"),
        _nested(config, "train", ann_file="gone.pkl"),
        dict(type="RepeatDataset", times=2, dataset=_nested(config, "train", pipelin=[])),
    ]
    inside = ["[0].split", "[2].ann_file", "[3].dataset.pipelin"]
    config["data"]["train"] = dict(type="ConcatDataset", datasets=parts)
    assert set(faults_of(config, ("train",))) == {f"data.train.datasets{key}" for key in inside}
    config["data"]["train"] = parts
    assert set(faults_of(config, ("train",))) == {f"data.train{key}" for key in inside}
    config["data"]["train"] = dict(type="ConcatDataset", datasets=[])
    assert only_fault(config, ("train",)) == (
        "data.train",
        "ConcatDataset needs at least one data set",
    )
