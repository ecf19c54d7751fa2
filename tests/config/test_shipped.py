"""The configs that come with the project: healthy, short, and as the published ones were.

The facts are those of the ST-GCN practice that the published numbers were measured with.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from pyskl.apis.prepare import prepare
from pyskl.config import load_config
from pyskl.config.schema import KNOWN_KEYS
from pyskl.config.unread_names import unread_names
from pyskl.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs"
SHIPPED = sorted(
    path.relative_to(ROOT).as_posix()
    for path in CONFIGS.rglob("*.py")
    if path.parent.name != "_base_"
)
# The streams of a folder differ little: by default one of them is tested.
ONE_STREAM = [
    pytest.param(path, marks=() if path.endswith("/j.py") else pytest.mark.slow) for path in SHIPPED
]
MODALITIES = ("j", "b", "jm", "bm")
DIRECTORIES = [
    f"stgcn_{practice}_{benchmark}_{source}"
    for practice, benchmarks in (
        ("vanilla", ("ntu60_xsub", "ntu60_xview")),
        ("pyskl", ("ntu60_xsub", "ntu60_xview", "ntu120_xsub", "ntu120_xset")),
    )
    for benchmark in benchmarks
    for source in ("3dkp", "hrnet")
]
PUBLISHED = [f"configs/stgcn/{name}/{stream}.py" for name in DIRECTORIES for stream in MODALITIES]


@functools.cache
def loaded(path: str) -> Config:
    return load_config(ROOT / path)


@pytest.fixture(scope="module")
def empty_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder without data; the toy data set is generated in it once."""
    return tmp_path_factory.mktemp("no_data")


def head_of(path: str) -> list[str]:
    """Return the comment that a config begins with, line by line."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    return lines[: next(i for i, line in enumerate(lines) if not line.startswith("#"))]


def leaf(cfg: Any) -> Any:
    return leaf(cfg.dataset) if "dataset" in cfg else cfg


def step(pipeline: Any, kind: str) -> Any:
    (found,) = [transform for transform in pipeline if transform.type == kind]
    return found


# --- all configs ----------------------------------------------------------------------------------


def test_the_48_are_there() -> None:
    assert len(PUBLISHED) == 48
    assert set(PUBLISHED) <= set(SHIPPED)
    others = {path for path in SHIPPED if re.search(r"_(vanilla|pyskl)_ntu", path)}
    assert others == set(PUBLISHED)


@pytest.mark.parametrize("path", ONE_STREAM)
def test_loads_as_any_config_of_the_family(path: str) -> None:
    assert Config.fromfile(str(ROOT / path)).to_dict() == loaded(path).to_dict()


@pytest.mark.parametrize("path", ONE_STREAM)
def test_nothing_is_missing_but_the_data(
    path: str, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(empty_folder)  # data are searched for where the tools are run
    config, uses = loaded(path), ("train", "val", "test")
    if leaf(config.data.train).type == "ToyDataset":  # makes its data
        prepare(config, uses)
        return
    with pytest.raises(ConfigError) as caught:
        prepare(config, uses)
    assert [error.key for error in caught.value.errors] == [
        f"data.{use}{'.dataset' if 'dataset' in config.data[use] else ''}.ann_file" for use in uses
    ]


@pytest.mark.parametrize("path", SHIPPED)
def test_head_says_how_to_run_it(path: str) -> None:
    commands = [line for line in head_of(path) if "tools/" in line]
    assert commands
    for command in commands:
        assert path in command.split(), command
        assert re.match(r"# (bash tools/dist_train\.sh|python tools/train\.py) configs/", command)


@pytest.mark.parametrize("path", SHIPPED)
def test_work_dir_follows_the_path(path: str) -> None:
    below = Path(path).relative_to("configs").with_suffix("")
    assert loaded(path).work_dir == f"./work_dirs/{below.as_posix()}"


@pytest.mark.parametrize("path", SHIPPED)
def test_every_helper_variable_is_read(path: str) -> None:
    assert (unread_names(ROOT / path) & set(loaded(path))) - KNOWN_KEYS == set()


@pytest.mark.parametrize("path", [path for path in PUBLISHED if not path.endswith("/j.py")])
def test_streams_say_only_what_differs(path: str) -> None:
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= 10


@pytest.mark.shared_data
def test_heads_carry_the_published_numbers(shared: Path) -> None:
    zoo = (shared / "spec" / "model_zoo.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in zoo.splitlines()]
    numbers = {
        row[3].strip("`"): row[4:8] for row in rows if len(row) > 8 and row[3].startswith("`stgcn")
    }
    assert set(numbers) == set(DIRECTORIES)
    for path in PUBLISHED:
        directory, stream = Path(path).parts[-2], Path(path).stem
        number = numbers[directory][MODALITIES.index(stream)]
        assert f"# Published top-1 (PYSKL): {number} %" in head_of(path), path


# --- the facts of the 48 --------------------------------------------------------------------------


@pytest.mark.parametrize("path", PUBLISHED)
def test_facts(path: str) -> None:
    config = loaded(path)
    _, practice, benchmark, split, source = Path(path).parts[-2].split("_")
    stream, vanilla, three_d = Path(path).stem, practice == "vanilla", source == "3dkp"
    layout = "nturgb+d" if three_d else "coco"

    backbone = dict(type="STGCN", graph_cfg=dict(mode="stgcn_spatial", layout=layout))
    assert config.model == dict(
        type="RecognizerGCN",
        backbone={**backbone, "tcn_dropout": 0.5} if vanilla else backbone,
        cls_head=dict(type="GCNHead", in_channels=256, num_classes=int(benchmark[3:])),
    )

    ann_file = f"data/nturgbd/{benchmark}_{'3danno' if three_d else 'hrnet'}.pkl"
    data = config.data
    assert data.train.type == "RepeatDataset"
    assert data.train.times == 5
    sets = {use: leaf(data[use]) for use in ("train", "val", "test")}
    for use, dataset in sets.items():
        assert dataset.type == "PoseDataset"
        assert dataset.ann_file == ann_file
        assert dataset.split == f"{split}_{'train' if use == 'train' else 'val'}"
        steps = [transform.type for transform in dataset.pipeline]
        frames = ["PoseDecode", "PadTo"] if vanilla else ["UniformSample", "PoseDecode"]
        assert steps == [
            "PreNormalize3D" if three_d else "PreNormalize2D",
            "GenSkeFeat",
            *frames,
            "FormatGCNInput",
            "Collect",
            "ToTensor",
        ]
        features = step(dataset.pipeline, "GenSkeFeat")
        assert (features.dataset, features.feats) == (layout, [stream])
        assert step(dataset.pipeline, "FormatGCNInput").num_person == 2
        if vanilla:
            padding = step(dataset.pipeline, "PadTo")
            assert (padding.length, padding.mode) == (300, "zero")
        else:
            sampling = step(dataset.pipeline, "UniformSample")
            assert sampling.clip_len == 100
            assert sampling.get("num_clips", 1) == (10 if use == "test" else 1)
    if vanilla:
        assert sets["train"].pipeline == sets["val"].pipeline == sets["test"].pipeline

    assert (data.videos_per_gpu, data.workers_per_gpu) == (16, 2)
    assert data.test_dataloader == dict(videos_per_gpu=1)
    assert (config.total_epochs, config.checkpoint_config, config.log_config.interval) == (
        16,
        dict(interval=1),
        100,
    )
    assert config.evaluation == dict(interval=1, metrics=["top_k_accuracy"])
    sgd = dict(type="SGD", lr=0.1, momentum=0.9)
    if vanilla:
        assert config.optimizer == {**sgd, "weight_decay": 1e-4}
        assert config.lr_config == dict(policy="step", step=[2, 10])
    else:
        assert config.optimizer == {**sgd, "weight_decay": 5e-4, "nesterov": True}
        assert config.lr_config == dict(policy="CosineAnnealing", min_lr=0, by_epoch=False)
    assert config.optimizer_config == dict(grad_clip=None)
