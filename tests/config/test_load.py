"""Reading configs and applying what the command line overrides."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyskl.apis.prepare import prepare
from pyskl.config import known_part, load_config, parse_option
from pyskl.config.error_collector import ErrorCollector
from pyskl.errors import ConfigError


def _write(folder: Path, **files: str) -> Path:
    """Write ``name=text`` as Python files; return the path of the last one."""
    for name, text in files.items():
        path = folder / f"{name}.py"
        path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    """A config with a helper variable, lists and a None."""
    return _write(
        tmp_path,
        config=(
            "modality = 'j'\n"
            "pipeline = [dict(type='PoseDecode'), dict(type='GenSkeFeat', feats=[modality])]\n"
            "data = dict(videos_per_gpu=16, train=dict(dataset=dict(pipeline=pipeline)))\n"
            "model = dict(backbone=dict(inflate_stages=(5, 8)))\n"
            "optimizer_config = dict(grad_clip=None)\n"
            "evaluation = dict(metrics=['top_k_accuracy'])\n"
            "total_epochs = 16\n"
        ),
    )


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["nowhere.py", ".", "config.txt"])
def test_what_is_no_config_file_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "config.txt").write_text("total_epochs = 1")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / name)
    assert caught.value.file == str(tmp_path / name)


@pytest.mark.parametrize(
    ("files", "parts"),
    [
        (dict(config="total_epochs = 1\nmodel = dict(\n"), ["line 2", "SyntaxError"]),
        (
            dict(base="x = 1\ny = 2\nz = = 3\n", config="_base_ = './base.py'\n"),
            ["base.py", "line 3", "SyntaxError"],
        ),
        (
            dict(base="x = 1\ny = undefined\n", config="_base_ = ['./base.py']\n"),
            ["base.py", "line 2", "NameError", "undefined"],
        ),
        (dict(config="_base_ = './gone.py'\n"), ["gone.py"]),
    ],
)
def test_a_failing_program_names_file_and_line(
    tmp_path: Path, files: dict[str, str], parts: list[str]
) -> None:
    path = _write(tmp_path, **files)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert caught.value.file == str(path)
    assert all(part in caught.value.problem for part in parts)
    assert "\n" not in str(caught.value)


def test_config_may_import_modules(tmp_path: Path) -> None:
    path = _write(tmp_path, config="import os\nwork_dir = os.path.join('runs', 'a')\n")
    assert load_config(path).to_dict() == {"work_dir": "runs/a"}


def test_bases_chain_and_their_names_can_be_used(tmp_path: Path) -> None:
    path = _write(
        tmp_path,
        root="total_epochs = 16\noptimizer = dict(type='SGD', lr=0.1, momentum=0.9)\n",
        middle="_base_ = './root.py'\noptimizer = dict(lr=0.2)\nstreams = dict(b=dict(seed=3))\n",
        config=(
            "_base_ = './middle.py'\nseed = _base_.streams.b.seed\n"
            "optimizer = dict(_delete_=True, type='Adam', lr=_base_.optimizer.lr)\n"
        ),
    )
    config = load_config(path)
    assert config.total_epochs == 16
    assert config.optimizer == dict(type="Adam", lr=0.2)
    assert config.seed == 3


@pytest.mark.parametrize("suffix", [".json", ".yaml", ".yml"])
def test_data_formats(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"config{suffix}"
    content = {"total_epochs": 3, "optimizer": {"type": "SGD", "lr": 0.1}}
    path.write_text(json.dumps(content))  # JSON is YAML, too
    assert load_config(path, ["optimizer.lr=0.5"]).to_dict() == {
        "total_epochs": 3,
        "optimizer": {"type": "SGD", "lr": 0.5},
    }


# --- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-3", -3),
        ("0.01", 0.01),
        ("1e-3", 0.001),
        ("True", True),
        ("true", True),
        ("FALSE", False),
        ("None", None),
        ("null", None),
        ("'3'", "3"),
        ("[1,2]", [1, 2]),
        ("(1, 2)", (1, 2)),
        ("(5,)", (5,)),
        ("['j','b']", ["j", "b"]),
        ("[j,b]", ["j", "b"]),
        ("(unit_tcn,mstcn)", ("unit_tcn", "mstcn")),
        ("{'max_norm': 40}", {"max_norm": 40}),
        ("{max_norm: 40}", {"max_norm": 40}),
        ("runs/a=b", "runs/a=b"),
        ("https://host/j-1a2b.pth?x=1", "https://host/j-1a2b.pth?x=1"),
        ("C:\\runs: one", "C:\\runs: one"),
        ("", ""),
        # What YAML alone would make of these is no name of a folder or a class.
        ("2024-01-01", "2024-01-01"),
        ("12:30", "12:30"),
        ("no", "no"),
        ("~", "~"),
        ("[1", "[1"),
        ("[a: b: c]", "[a: b: c]"),
    ],
)
def test_values_of_options(text: str, value: Any) -> None:
    key, found = parse_option(f"a.b={text}")
    assert key == "a.b"
    assert found == value
    assert type(found) is type(value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
        max_leaves=5,
    ).filter(lambda value: "inf" not in repr(value))
)
def test_what_python_writes_is_read_back(value: Any) -> None:
    assert parse_option(f"key={value!r}") == ("key", value)


@pytest.mark.parametrize("option", ["total_epochs", "=3", "", "a.b"])
def test_options_need_key_and_value(option: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_option(option)
    assert caught.value.found == repr(option)


def test_options_override(config_file: Path) -> None:
    config = load_config(config_file, ["total_epochs=2", "data.videos_per_gpu=8"])
    assert config.total_epochs == 2
    assert config.data.videos_per_gpu == 8
    assert config.data.train.dataset.pipeline[0].type == "PoseDecode"


def test_options_reach_into_lists(config_file: Path) -> None:
    config = load_config(
        config_file,
        [
            "data.train.dataset.pipeline.1.feats=[b]",
            "evaluation.metrics.0=mean_class_accuracy",
            "model.backbone.inflate_stages.1=9",
        ],
    )
    pipeline = config.data.train.dataset.pipeline
    assert [step.type for step in pipeline] == ["PoseDecode", "GenSkeFeat"]
    assert pipeline[1].feats == ["b"]
    assert config.evaluation.metrics == ["mean_class_accuracy"]
    assert config.model.backbone.inflate_stages == (5, 9)


def test_options_make_what_is_missing(config_file: Path) -> None:
    config = load_config(
        config_file, ["optimizer_config.grad_clip.max_norm=40", "lr_config.policy=fixed"]
    )
    assert config.optimizer_config == dict(grad_clip=dict(max_norm=40))
    assert config.lr_config.policy == "fixed"


def test_dicts_merge_unless_they_delete(config_file: Path) -> None:
    merged = load_config(config_file, ["evaluation={'topk': [1]}"])
    assert merged.evaluation == dict(metrics=["top_k_accuracy"], topk=[1])
    replaced = load_config(config_file, ["evaluation={'_delete_': True, 'topk': [1]}"])
    assert replaced.evaluation == dict(topk=[1])


def test_options_leave_shared_parts_of_the_file_alone(tmp_path: Path) -> None:
    path = _write(
        tmp_path,
        config="steps = [dict(feats=['j'])]\ndata = dict(train=steps, val=steps)\n",
    )
    config = load_config(path, ["data.train.0.feats=[b]"])
    assert config.data.train[0].feats == ["b"]
    assert config.data.val[0].feats == ["j"]


@pytest.mark.parametrize(
    ("option", "part"),
    [
        ("data.train.dataset.pipeline.2.feats=[]", "0 to 1"),
        ("data.train.dataset.pipeline.last.feats=[]", "0 to 1"),
        ("total_epochs.x=3", "'x'"),
        ("totl_epochs=3", "'total_epochs'"),
        ("epochs=3", "'total_epochs'"),
        ("batch_size=3", "'data.videos_per_gpu'"),
        ("modality=b", "helper variable"),
    ],
)
def test_options_without_a_place_are_errors(config_file: Path, option: str, part: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(config_file, [option])
    assert caught.value.key == option.partition("=")[0]
    assert part in str(caught.value)


def test_known_part_leaves_out_helper_variables(config_file: Path) -> None:
    config = load_config(config_file)
    part = known_part(config)
    assert {"modality", "pipeline"} <= set(config)
    assert set(part) == set(config) - {"modality", "pipeline"}
    assert part["data"]["train"]["dataset"]["pipeline"][1]["feats"] == ["j"]


KEYS = {
    "total_epochs": "3",
    "optimizer.momentum": "0.9",
    "data.videos_per_gpu": "2",
    "model.cls_head.num_classes": "3",
    "data.train.pipeline.2.clip_len": "8",
    "evaluation.interval": "1",
}


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_all_misspelt_options_are_told_at_once(
    tiny_config: Callable[..., dict[str, Any]], data: st.DataObject
) -> None:
    chosen = data.draw(st.lists(st.sampled_from(sorted(KEYS)), min_size=1, unique=True))
    misspelt = []
    for key in chosen:
        path, _, name = key.rpartition(".")
        cut = data.draw(st.integers(1, len(name) - 1))
        misspelt.append(f"{path}.".lstrip(".") + name[:cut] + "x" + name[cut + 1 :])
    wrong = dict(zip(misspelt, chosen))
    config = tiny_config()
    errors = ErrorCollector("config")
    loaded = load_config(config, [f"{one}={KEYS[key]}" for one, key in wrong.items()], errors)
    with pytest.raises(ConfigError) as caught:
        prepare(loaded, (), errors=errors)
    text = str(caught.value).replace("pipeline[2]", "pipeline.2")
    for one, key in wrong.items():
        assert one in text
        assert f"did you mean {key.rpartition('.')[2]!r}?" in text


@pytest.mark.parametrize(
    ("given_", "close"),
    [
        ("configs/stgcn/j.yp", "configs/stgcn/j.py"),
        ("configs/sgtcn/j.py", "configs/stgcn/j.py"),
        ("Configs/stgcnn/b.py", "configs/stgcn/b.py"),
    ],
)
def test_a_misspelt_path_gets_the_nearest_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given_: str, close: str
) -> None:
    folder = tmp_path / "configs" / "stgcn"
    folder.mkdir(parents=True)
    for name in ("j.py", "b.py"):
        (folder / name).write_text("total_epochs = 1")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load_config(given_)
    assert close in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["best.pth", "https://a.b/c.pth", "ntu60.pkl", "a.safetensors"])
def test_swapped_arguments_are_said_so(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(name)
    assert "swapped" in (caught.value.hint or "")


@pytest.mark.parametrize("marked", ["own", "base", "both"])
@pytest.mark.parametrize("suffix", [".py", ".json", ".yaml"])
def test_a_byte_order_mark_is_no_part_of_a_config(tmp_path: Path, suffix: str, marked: str) -> None:
    texts = {
        ".py": ("total_epochs = 3", "_base_ = './base.py'\nwork_dir = 'ü'"),
        ".json": ('{"total_epochs": 3}', '{"_base_": "base.json", "work_dir": "ü"}'),
        ".yaml": ("total_epochs: 3", "_base_: base.yaml\nwork_dir: ü"),
    }[suffix]
    for name, text in zip(("base", "own"), texts):
        encoding = "utf-8-sig" if marked in (name, "both") else "utf-8"
        (tmp_path / f"{name}{suffix}").write_text(text, encoding=encoding)
    config = load_config(tmp_path / f"own{suffix}")
    assert (config["total_epochs"], config["work_dir"]) == (3, "ü")


def test_a_path_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text("total_epochs = 3")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_config("~/mine.py")["total_epochs"] == 3
