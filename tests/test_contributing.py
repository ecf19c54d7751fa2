"""What CONTRIBUTING.md shows how to add works as it is written there, in one file each."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyskl.apis.dry_run import dry_run_from_config
from pyskl.registry import BACKBONES, DATASETS, PIPELINES

CONTRIBUTING = Path(__file__).parents[1] / "CONTRIBUTING.md"


def section(title: str) -> list[str]:
    """Return the Python blocks of a section."""
    text = CONTRIBUTING.read_text(encoding="utf-8")
    body = text.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return re.findall(r"^```python\n(.*?)^```$", body, flags=re.DOTALL | re.MULTILINE)


Train = Callable[..., None]


@pytest.fixture
def dry_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write_tiny_config: Callable[..., Path],
) -> Train:
    """A function that saves a module and dry-runs a config that imports it."""

    def run(name: str, code: str, **changes: Any) -> None:
        monkeypatch.delitem(sys.modules, name, raising=False)
        for registry in (PIPELINES, DATASETS, BACKBONES):  # what another case has registered
            for added in re.findall(r"class (\w+)", code):
                registry.module_dict.pop(added, None)
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(str(tmp_path))
        config = write_tiny_config(
            tmp_path / "config.py", custom_imports=dict(imports=[name]), **changes
        )
        assert "loss" in dry_run_from_config(config, work_dir=tmp_path / "work").text()

    return run


@pytest.fixture
def pipeline(tiny_config: Callable[..., dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tiny_config()["data"]["train"]["pipeline"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("device", [None, "cpu"])
@pytest.mark.parametrize("number", [0, 1])
def test_a_transform(
    dry_run: Train, pipeline: list[dict[str, Any]], number: int, device: str | None
) -> None:
    code = section("Add a transform")[number]
    name = re.findall(r"class (\w+)", code)[0]
    added = [pipeline[0], dict(type=name, ratio=0.2), *pipeline[1:]]
    dry_run(f"transform{number}", code, data__train__pipeline=added, data__device=device)


@pytest.mark.slow
def test_a_data_set(dry_run: Train, tiny_config: Callable[..., dict[str, Any]]) -> None:
    (code,) = section("Add a data set")
    own = {**tiny_config()["data"]["train"], "type": "LongClips", "min_frames": 20}
    dry_run("long_clips", code, data__train=own)


@pytest.mark.slow
@pytest.mark.parametrize("device", [None, "cpu"])
def test_a_backbone(dry_run: Train, device: str | None) -> None:
    (code,) = section("Add a backbone")
    backbone = dict(type="MeanOfJoints", channels=8)
    dry_run("mean_of_joints", code, model__backbone=backbone, data__device=device)


FIRST_JOINTS = """
from pyskl.datasets import PIPELINES

@PIPELINES.register_module()
class FirstJoints:
    def __call__(self, sample):
        return {**sample, 'keypoint': sample['keypoint'][:, :, :4]}
"""


FIRST_JOINTS = """
from pyskl.datasets import PIPELINES

@PIPELINES.register_module()
class FirstJoints:
    def __call__(self, sample):
        return {**sample, 'keypoint': sample['keypoint'][:, :, :4]}
"""


@pytest.mark.slow
def test_a_layout(dry_run: Train, pipeline: list[dict[str, Any]]) -> None:
    (code,) = section("Add a layout")
    names: dict[str, Any] = {}
    exec(code, names)
    arm = names["ARM"]
    changed = [dict(type="FirstJoints"), *pipeline[1:]]
    for position, step in enumerate(changed):
        if step["type"] == "GenSkeFeat":
            changed[position] = dict(step, dataset=arm)
    dry_run(
        "first_joints",
        FIRST_JOINTS,
        data__train__pipeline=changed,
        model__backbone__graph_cfg=dict(layout=arm, mode="stgcn_spatial"),
    )
