"""Each network that a shipped config describes takes a step and is tested, on made-up data.

Configs that differ only in stream or split share a test.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config

from pyskl.apis import TrainSettings, train_from_config
from pyskl.config import load_config
from pyskl.datasets.dataset_tree import leaves
from pyskl.skeleton import resolve_layout

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
FRAMES = 8
NETWORKS: dict[str, list[Path]] = {}  # folder without the split → its configs
for _path in sorted(CONFIGS.rglob("*.py")):
    if _path.parent.name != "_base_":
        _folder = _path.parent.relative_to(CONFIGS).as_posix()
        NETWORKS.setdefault(re.sub("(?<=ntu60|tu120)_x[a-z]+", "", _folder), []).append(_path)


def data_sets(config: Config) -> Iterator[Any]:
    """Yield the data sets of a config: training, validation, test."""
    for use in ("train", "val", "test"):
        for _, data_set in leaves(config.data[use]):
            yield data_set


def what_runs(config: Config) -> list[Any]:
    """Return the model and the transforms of a config; streams count as the same."""
    pipelines = [data_set.pipeline for data_set in data_sets(config)]
    return [
        config.model.to_dict(),
        *({**step, "feats": None} for pipeline in pipelines for step in pipeline),
    ]


def write_annotations(data_set: Any, joints: int) -> None:
    """Write an annotation file that a data set can read: two samples for each use."""
    flat = any(step.type == "PreNormalize2D" for step in data_set.pipeline)
    rng = np.random.default_rng(0)
    shape = (2, FRAMES + 3, joints)
    scores = dict(keypoint_score=rng.random(shape, np.float32), img_shape=(2, 2)) if flat else {}
    annotations = [
        dict(
            frame_dir=f"{part}{i}",
            label=i,
            total_frames=shape[1],
            keypoint=rng.normal(size=(*shape, 2 if flat else 3)).astype(np.float32),
            **scores,
        )
        for part in ("train", "val")
        for i in range(2)
    ]
    benchmark = data_set.split.partition("_")[0]
    split = {f"{benchmark}_{part}": [f"{part}0", f"{part}1"] for part in ("train", "val")}
    Path(data_set.ann_file).parent.mkdir(parents=True, exist_ok=True)
    Path(data_set.ann_file).write_bytes(pickle.dumps(dict(split=split, annotations=annotations)))


@pytest.mark.slow
@pytest.mark.parametrize("folder", NETWORKS)
def test_a_step_and_a_test(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config, *others = [load_config(path) for path in NETWORKS[folder]]
    assert all(what_runs(other) == what_runs(config) for other in others)

    joints = resolve_layout(config.model.backbone.graph_cfg.layout).num_joints
    sizes = {"clip_len": FRAMES, "length": 2 * FRAMES}
    for data_set in data_sets(config):
        data_set.type = "PoseDataset"
        for step in data_set.pipeline:
            step.update({key: size for key, size in sizes.items() if key in step})
            if step.get("num_clips", 1) > 1:
                step.num_clips = 2
        write_annotations(data_set, joints)
    if "times" in config.data.train:
        config.data.train.times = 1
    config.data.update(videos_per_gpu=2, workers_per_gpu=0)
    config.total_epochs = 1
    settings = TrainSettings(validate=True, test_last=True, seed=0)
    results = train_from_config(config, settings, work_dir=tmp_path / "run")
    assert 0 <= results["last"]["top1_acc"] <= 1
