"""The configs that come with the project: healthy, short, and as the published ones were.

The facts are those of the practices that the published numbers were measured with.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from pyskl.apis.prepare import prepare
from pyskl.config import known_part, load_config
from pyskl.config.schema import KNOWN_KEYS
from pyskl.config.unread_names import unread_names
from pyskl.errors import ConfigError
from pyskl.published import RESULTS

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs"
SHIPPED = sorted(
    path.relative_to(ROOT).as_posix()
    for path in CONFIGS.rglob("*.py")
    if path.parent.name != "_base_"
)
MODALITIES = ("j", "b", "jm", "bm")
ALL_SETS = ("ntu60_xsub", "ntu60_xview", "ntu120_xsub", "ntu120_xset")
ST_GCN_PP = dict(
    type="STGCN",
    graph_cfg=dict(mode="spatial"),
    gcn_adaptive="init",
    gcn_with_res=True,
    tcn_type="mstcn",
)
BACKBONES = {
    "stgcn/stgcn_vanilla_": dict(
        type="STGCN", graph_cfg=dict(mode="stgcn_spatial"), tcn_dropout=0.5
    ),
    "stgcn/stgcn_pyskl_": dict(type="STGCN", graph_cfg=dict(mode="stgcn_spatial")),
    "stgcn++/stgcn++_": ST_GCN_PP,
    "aagcn/aagcn_pyskl_": dict(type="AAGCN", graph_cfg=dict(mode="spatial")),
    "ctrgcn/ctrgcn_pyskl_": dict(type="CTRGCN", graph_cfg=dict(mode="spatial")),
    "msg3d/msg3d_pyskl_": dict(type="MSG3D", graph_cfg=dict(mode="binary_adj")),
    "dgstgcn/": dict(
        type="DGSTGCN",
        graph_cfg=dict(mode="random", num_filter=8, init_off=0.04, init_std=0.02),
        gcn_ratio=0.125,
        gcn_ctr="T",
        gcn_ada="T",
        tcn_ms_cfg=[(3, 1), (3, 2), (3, 3), (3, 4), ("max", 3), "1x1"],
    ),
    "strong_aug/": ST_GCN_PP,
}
"""The start of a folder's path → the network."""
PUBLISHED = {
    f"configs/{start}{benchmark}_{source}/{stream}.py": (start, benchmark, source, stream)
    for start in BACKBONES
    for benchmark in (ALL_SETS[:2] if "vanilla" in start else ALL_SETS)
    for source in (("3dkp",) if start in ("dgstgcn/", "strong_aug/") else ("3dkp", "hrnet"))
    for stream in MODALITIES
}
# The streams and the data sets of a network differ little: the fast tests take one of them.
ONE_STREAM = [
    pytest.param(path, marks=pytest.mark.slow if slow else ())
    for path in SHIPPED
    for slow in [not path.endswith("/j.py") or "ntu60_xsub" not in path]
]


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


# --- all configs ----------------------------------------------------------------------------------


def test_the_published_ones_are_there() -> None:
    assert len(PUBLISHED) == 48 + 160
    assert {path for path in SHIPPED if re.search(r"ntu\d+_", path)} == set(PUBLISHED)


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


@pytest.mark.parametrize("path", PUBLISHED)
def test_the_head_carries_the_published_number(path: str) -> None:
    name = Path(path).relative_to("configs")
    number = RESULTS[name.parent.as_posix()].top1[name.stem]
    assert head_of(path)[-1] == f"# Published top-1 (PYSKL): {number} %"


# --- the facts of the published ones --------------------------------------------------------------


@pytest.mark.parametrize("path", PUBLISHED)
def test_facts(path: str) -> None:
    start, benchmark, source, stream = PUBLISHED[path]
    number, split = benchmark.removeprefix("ntu").split("_")
    three_d, vanilla, dg = source == "3dkp", "vanilla" in start, start == "dgstgcn/"
    layout = "nturgb+d" if three_d else "coco"
    backbone = BACKBONES[start]

    normalize = dict(type="PreNormalize3D" if three_d else "PreNormalize2D")
    if dg:
        normalize["align_spine"] = False
    augment = {
        "dgstgcn/": [dict(type="RandomRot", theta=0.2)],
        "strong_aug/": [dict(type="RandomScale", scale=0.1), dict(type="RandomRot")],
    }.get(start, [])

    def pipeline(num_clips: int, augment: list[dict[str, Any]]) -> list[dict[str, Any]]:
        sampling = dict(clip_len=100, num_clips=num_clips)
        frames = [dict(type="UniformSample", **sampling), dict(type="PoseDecode")]
        if vanilla:
            frames = [dict(type="PoseDecode"), dict(type="PadTo", length=300, mode="zero")]
        elif dg:
            frames = [dict(type="UniformSampleDecode", **sampling)]
        return [
            normalize,
            *augment,
            dict(type="GenSkeFeat", dataset=layout, feats=[stream]),
            *frames,
            dict(type="FormatGCNInput", num_person=2),
            dict(type="Collect", keys=["keypoint", "label"], meta_keys=[]),
            dict(type="ToTensor", keys=["keypoint"]),
        ]

    def samples(part: str, pipeline: list[dict[str, Any]]) -> dict[str, Any]:
        ann_file = f"data/nturgbd/ntu{number}_{'3danno' if three_d else 'hrnet'}.pkl"
        split_name = f"{split}_{part}"
        return dict(type="PoseDataset", ann_file=ann_file, split=split_name, pipeline=pipeline)

    train = samples("train", pipeline(1, augment))
    sgd = dict(type="SGD", lr=0.1, momentum=0.9)
    assert known_part(loaded(path)) == dict(
        model=dict(
            type="RecognizerGCN",
            backbone={**backbone, "graph_cfg": {**backbone["graph_cfg"], "layout": layout}},
            cls_head=dict(
                type="GCNHead",
                in_channels=384 if backbone["type"] == "MSG3D" else 256,
                num_classes=int(number),
            ),
        ),
        data=dict(
            videos_per_gpu=16,
            workers_per_gpu=4 if dg else 2,
            test_dataloader=dict(videos_per_gpu=1),
            train=train if dg else dict(type="RepeatDataset", times=5, dataset=train),
            val=samples("val", pipeline(1, [])),
            test=samples("val", pipeline(10, [])),
        ),
        optimizer={**sgd, "weight_decay": 1e-4}
        if vanilla
        else {**sgd, "weight_decay": 5e-4, "nesterov": True},
        optimizer_config=dict(grad_clip=None),
        lr_config=dict(policy="step", step=[2, 10])
        if vanilla
        else dict(policy="CosineAnnealing", min_lr=0, by_epoch=False),
        total_epochs={"dgstgcn/": 150, "strong_aug/": 24}.get(start, 16),
        checkpoint_config=dict(interval=1),
        evaluation=dict(interval=1, metrics=["top_k_accuracy"]),
        log_config=dict(interval=100, hooks=[dict(type="TextLoggerHook")]),
        log_level="INFO",
        work_dir=f"./work_dirs/{path.removeprefix('configs/').removesuffix('.py')}",
    )
