"""Keys, types and defaults of a config are checked without building anything."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, TypeVar

import pytest
from mmengine.config import Config
from torch import nn

from pyskl.config import load_config, read_config
from pyskl.config.check import check_arguments, check_value, describe, matches
from pyskl.config.error_collector import ErrorCollector
from pyskl.config.schema import AtLeast, EvaluationConfig, RunConfig
from pyskl.errors import ConfigError
from pyskl.registry import TransformConfig

MakeConfig = Callable[..., dict[str, Any]]
ALL = ("train", "val", "test")


def errors_of(config: Any, uses: Sequence[str] = ALL) -> dict[str | None, ConfigError]:
    """Return the errors in a config by key."""
    errors = ErrorCollector("config")
    read_config(config, uses, errors)
    return {error.key: error for error in errors.found}


# --- the resolved config --------------------------------------------------------------------------


def test_defaults_are_filled_in(tiny_config: MakeConfig) -> None:
    cfg = read_config(Config(tiny_config(total_epochs=7)), ALL)
    assert (cfg.total_epochs, cfg.seed, cfg.on_nonfinite, cfg.auto_resume) == (7, 1, "stop", True)
    assert (cfg.evaluation.ks, cfg.evaluation.save_best) == ((1, 5), "auto")
    assert (cfg.dist_params.timeout, cfg.log_config.interval) == (120, 3)
    assert cfg.given == tiny_config(total_epochs=7)
    empty = read_config({}, ())
    assert empty == RunConfig()
    assert (empty.auto_scale_lr.base_batch_size, empty.log_config.interval) == (128, 100)


def test_a_loader_has_the_values_of_data_and_its_own(tiny_config: MakeConfig) -> None:
    data = dict(videos_per_gpu=16, workers_per_gpu=2, test_dataloader=dict(videos_per_gpu=1))
    cfg = read_config({"data": data}, ())
    assert [cfg.data.loader(use).videos_per_gpu for use in ALL] == [16, 16, 1]
    assert [cfg.data.loader(use).workers_per_gpu for use in ALL] == [2, 2, 2]
    assert cfg.data.loader("val").persistent_workers


def test_one_metric_or_number_stands_for_a_list() -> None:
    section = EvaluationConfig(metrics="mean_class_accuracy", topk=3)
    assert (section.metric_names, section.ks) == (["mean_class_accuracy"], (3,))


def test_a_changed_config_is_written_down_changed(tiny_config: MakeConfig) -> None:
    cfg = read_config(tiny_config(), ()).with_values(seed=5)
    assert (cfg.seed, cfg.given["seed"]) == (5, 5)


def test_invalid_values_are_replaced_while_errors_are_collected(tiny_config: MakeConfig) -> None:
    errors = ErrorCollector("config")
    changes = dict(seed="one", data__videos_per_gpu=0, optimizer_config__grad_clip={})
    cfg = read_config(tiny_config(**changes), ALL, errors)
    assert (cfg.seed, cfg.data.loader("train").videos_per_gpu) == (None, 1)
    assert cfg.optimizer_config.grad_clip is None
    assert {error.key for error in errors.found} == {
        "seed",
        "data.videos_per_gpu",
        "optimizer_config.grad_clip.max_norm",
    }


# --- keys -----------------------------------------------------------------------------------------


def test_helper_variables_pass(tiny_config: MakeConfig, tmp_path: Path) -> None:
    lines = [f"{key} = {value!r}\n" for key, value in tiny_config().items()]
    lines += ["modality = 'j'\n", "dataset_type = 'PoseDataset'\n", "data_root = 'data/'\n"]
    lines += ["modle = 3\n", "seed = modle\n"]  # similar to 'model', but it is read
    path = tmp_path / "config.py"
    path.write_text("".join(lines))
    assert errors_of(load_config(path)) == {}


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("epochs", "total_epochs"),
        ("batch_size", "data.videos_per_gpu"),
        ("lr_scheduler", "lr_config"),
        ("optimiser", "optimizer"),
        ("workdir", "work_dir"),
        ("resume", "auto_resume"),
    ],
)
def test_other_words_for_keys(
    tiny_config: MakeConfig, tmp_path: Path, key: str, meant: str
) -> None:
    config = tiny_config(**{key: 3})
    json_file = tmp_path / "config.json"
    json_file.write_text(json.dumps(config))
    for source in (config, load_config(json_file)):
        (error,) = errors_of(source).values()
        assert (error.key, error.hint) == (key, f"did you mean {meant!r}?")


def test_what_a_use_requires() -> None:
    training = {"model", "data.train", "optimizer", "lr_config", "total_epochs"}
    assert set(errors_of({}, ["train"])) == training
    assert set(errors_of({"data": None}, ALL)) >= {*training, "data.val", "data.test"}
    assert errors_of({}, ()) == {}


@pytest.mark.parametrize("section", ["model", "data", "optimizer", "lr_config", "evaluation"])
@pytest.mark.parametrize("value", ["text", 3, [dict(type="SGD")], True])
def test_sections_of_another_type(tiny_config: MakeConfig, section: str, value: Any) -> None:
    assert errors_of(tiny_config(**{section: value}))[section].expected == "dict"


@pytest.mark.parametrize(
    ("key", "value", "where"),
    [
        ("model__type", "RecognizerGNC", "model.type"),
        ("model__type", None, "model.type"),
        ("model__backbone__type", 3, "model.backbone.type"),
        ("model__cls_head__dropout", "no", "model.cls_head.dropout"),
        ("model__backbone__tcn_dropuot", 0.5, "model.backbone.tcn_dropuot"),
        ("total_epochs", 0, "total_epochs"),
        ("total_epochs", 1.5, "total_epochs"),
        ("data__video_per_gpu", 4, "data.video_per_gpu"),
        ("data__videos_per_gpu", 0, "data.videos_per_gpu"),
        ("data__workers_per_gpu", -1, "data.workers_per_gpu"),
        ("data__test_dataloader__videos_per_gpu", 0, "data.test_dataloader.videos_per_gpu"),
        ("data__test_dataloader__shuffle", True, "data.test_dataloader.shuffle"),
        ("data__train__pipeline", 3, "data.train.pipeline"),
        ("data__train__pipeline__1__feats", 3, "data.train.pipeline[1].feats"),
        ("data__train", {"dataset": 3}, "data.train.type"),
        ("seed", -1, "seed"),
        ("seed", True, "seed"),
        ("evaluation__topk", (1, 0), "evaluation.topk[1]"),
        ("log_config__hooks", [dict(type="CSVLoggerHook", dir="a")], "log_config.hooks[0].dir"),
        ("optimizer_config__grad_clip", {}, "optimizer_config.grad_clip.max_norm"),
        ("auto_scale_lr", {}, "auto_scale_lr.base_batch_size"),
        ("workflow", ["train"], "workflow[0]"),
        ("log_level", "LOUD", "log_level"),
        ("dist_params", dict(backend="mpi"), "dist_params.backend"),
        ("dist_params", dict(stall=0.5), "dist_params.stall"),
    ],
)
def test_one_error(tiny_config: MakeConfig, key: str, value: Any, where: str) -> None:
    assert set(errors_of(tiny_config(**{key: value}))) == {where}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("optimizer_config__grad_clip", dict(max_norm=4)),
        ("checkpoint_config", None),
        ("workflow", [["train", 1]]),
        ("evaluation__topk", 3),
        ("dist_params", dict(timeout=60)),
    ],
)
def test_values_that_are_right(tiny_config: MakeConfig, key: str, value: Any) -> None:
    assert errors_of(tiny_config(**{key: value})) == {}


def test_the_whole_message(tiny_config: MakeConfig) -> None:
    config = tiny_config(data__videos_per_gpu=0, totl_epochs=3, log_level="LOUD")
    with pytest.raises(ConfigError) as caught:
        read_config(config, ALL)
    assert str(caught.value) == (
        "config: 3 errors in the config\n"
        "  totl_epochs: there is no such key; did you mean 'total_epochs'?\n"
        "  data.videos_per_gpu: is too small; found 0, expected at least 1\n"
        "  log_level: has the wrong type; found str 'LOUD', expected 'DEBUG' or 'INFO' or "
        "'WARNING' or 'ERROR' or 'CRITICAL'"
    )


# --- signatures of classes ------------------------------------------------------------------------


class Options:
    def __init__(self, size: int, names: Sequence[str] = (), **more: Any) -> None: ...

    @classmethod
    def extra_options(cls, cfg: Mapping[str, Any]) -> dict[str, inspect.Parameter]:
        if cfg["size"] < 2:
            return {}
        return {"wide": inspect.Parameter("wide", inspect.Parameter.KEYWORD_ONLY, default=None)}


def test_arguments_are_checked_against_the_signature() -> None:
    class Wobble:
        def __init__(self, strength: float, axis: int = 0) -> None: ...

    errors = ErrorCollector("config")
    given = dict(type="Wobble", axes=1, axis="x")
    check_arguments("here", given, Wobble, errors)
    assert {error.key: (error.hint, error.expected) for error in errors.found} == {
        "here.axes": ("did you mean 'axis'?", None),
        "here.axis": (None, "int"),
        "here.strength": (None, None),
    }


def test_a_class_can_say_which_other_options_it_takes() -> None:
    errors = ErrorCollector("config")
    check_arguments("here", dict(size=1, wide=True), Options, errors)
    assert [error.key for error in errors.found] == ["here.wide"]
    errors = ErrorCollector("config")
    check_arguments("here", dict(size=2, wide=True), Options, errors)
    assert errors.found == []
    check_arguments("here", dict(wide=True), Options, errors)  # its method raises KeyError
    assert [error.key for error in errors.found] == ["here", "here.size"]


def test_ranges_and_items_of_lists() -> None:
    errors = ErrorCollector("config")
    check_value("k", [1, 0, "a"], int | Sequence[Annotated[int, AtLeast(1)]], errors)
    assert [(error.key, error.found) for error in errors.found] == [
        ("k[1]", 0),
        ("k[2]", "str 'a'"),
    ]


class _Readable(Protocol):
    def read(self) -> str: ...


class _Reader:
    def read(self) -> str:
        return ""


_T = TypeVar("_T")


@pytest.mark.parametrize(
    ("hint", "fit", "unfit"),
    [
        (int, [0, -3], [0.5, True, "3", None, [3]]),
        (float, [0.5, 3], [True, "0.5", None]),
        (bool, [True, False], [0, 1, "True", None]),
        (str, ["a", Path("a")], [3, None, ["a"]]),
        (Path, ["a", Path("a")], [3]),
        (None, [None], [0, False, ""]),
        (Any, [None, 3, "a", [1]], []),
        (object, [None, 3], []),
        (int | None, [3, None], ["3", 0.5]),
        (int | Sequence[int], [3, [3, 4], (3,), []], [[0.5], "34", {"a": 1}]),
        (list, [[1], (1,)], ["ab", 3, {1: 2}]),
        (Sequence[str], [["a"], ()], ["a", [3], {"a": 1}]),
        (dict, [{}, {"a": 1}], [[], "a"]),
        (Mapping[str, int], [{"a": 1}, {}], [{"a": "b"}, {1: 1}, [("a", 1)]]),
        (tuple[int, str], [(1, "a"), [1, "a"]], [(1,), (1, 2), (1, "a", 3), 1]),
        (tuple[int, ...], [(), (1, 2, 3), [1]], [("a",), 1]),
        (Literal["a", 1], ["a", 1], ["b", True, 1.0, None]),
        (TransformConfig, [{"type": "PoseDecode"}], ["PoseDecode", None]),
        (EvaluationConfig, [{}], [3, None]),
        (_Readable, [_Reader()], ["a", 3, None, [1], {}]),
        (nn.Module | None, [nn.ReLU(), None], ["relu", {}]),
        (Callable[[int], int], [abs, int], ["abs", 3, None]),
        (_T, [3, "anything"], []),
        (complex, [1j, 3], []),
    ],
)
def test_matches(hint: Any, fit: list[Any], unfit: list[Any]) -> None:
    assert [value for value in fit if not matches(value, hint)] == []
    assert [value for value in unfit if matches(value, hint)] == []


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (int | Sequence[float] | None, "int or list of float or None"),
        (Mapping[str, Any], "dict"),
        (EvaluationConfig, "dict"),
        (tuple[int, str], "(int, str)"),
        (tuple[int, ...], "(int, ...)"),
        (Literal["step", "fixed"], "'step' or 'fixed'"),
        (Sequence[TransformConfig | str], "list of dict or str"),
    ],
)
def test_describe(hint: Any, words: str) -> None:
    assert describe(hint) == words
