"""A run that goes on in its folder is the same run: config, options and data."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyskl.apis import TrainSettings, train_from_config
from pyskl.apis.data import build_data
from pyskl.apis.pack import pack_file
from pyskl.apis.same_run import changes_since, run_facts
from pyskl.config import read_config
from pyskl.errors import ConfigError, InputError

LEARNED: dict[str, Any] = {
    "optimizer__lr": 0.01,
    "optimizer__momentum": 0.5,
    "lr_config": dict(policy="step", step=[1]),
    "total_epochs": 9,
    "seed": 2,
    "model__backbone__base_channels": 8,
    "model__cls_head__dropout": 0.5,
    "optimizer_config": dict(grad_clip=dict(max_norm=1.0)),
    "data__videos_per_gpu": 8,
    "data__train_dataloader": dict(drop_last=True),
    "data__train__pipeline__1__feats": ["b"],
    "data__train__split": "val",
    "data__val__split": "train",
    "auto_scale_lr": dict(base_batch_size=8),
}
FREE: dict[str, Any] = {
    "work_dir": "elsewhere",
    "log_level": "WARNING",
    "log_config__interval": 1,
    "checkpoint_config": dict(interval=2),
    "evaluation__interval": 2,
    "data__workers_per_gpu": 3,
    "data__persistent_workers": False,
    "data__test_dataloader": dict(videos_per_gpu=2),
    "data__test__pipeline__2__num_clips": 5,
    "dist_params": dict(timeout=9.0),
    "on_nonfinite": "skip",
    "auto_resume": True,  # its default, written out
}


def facts(config: dict[str, Any], **options: Any) -> dict[str, Any]:
    data = {use: build_data(config, use) for use in ("train", "val", "test")}
    return run_facts(read_config(config, ()), TrainSettings(**options), data)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(
    learned=st.sets(st.sampled_from(sorted(LEARNED)), max_size=3),
    free=st.sets(st.sampled_from(sorted(FREE)), max_size=3),
)
def test_changes_are_listed_and_judged_by_what_they_concern(
    tiny_config: Callable[..., dict], learned: set[str], free: set[str]
) -> None:
    before = facts(tiny_config())
    changed = {**{key: LEARNED[key] for key in learned}, **{key: FREE[key] for key in free}}
    found = changes_since(before, facts(tiny_config(**changed)))
    concerned = {one.key for one in found if one.learned}
    keys = {key.replace("__", ".") for key in learned}
    if "data__videos_per_gpu" in learned:
        keys = keys - {"data.videos_per_gpu"} | {"data.train_dataloader.videos_per_gpu"}
    # A change may be of a key inside, or of the samples that a split selects.
    for key in keys:
        assert any(one.startswith(key) for one in concerned), key
    for one in concerned:
        assert one.startswith(("content of data", *keys)), one
    assert not {one.key for one in found} & {"work_dir", "auto_resume"}


@pytest.mark.parametrize("options", [{"amp": "bf16"}, {"auto_scale_lr": True}])
def test_options_of_the_command_line_are_compared(
    tiny_config: Callable[..., dict], options: dict[str, Any]
) -> None:
    (found,) = changes_since(facts(tiny_config()), facts(tiny_config(), **options))
    assert found.key.startswith("--a")
    assert found.learned


def test_checkpoints_of_other_versions_and_programs_are_compared_as_far_as_they_say(
    tiny_config: Callable[..., dict],
) -> None:
    now = facts(tiny_config())
    assert changes_since({}, now) == []
    assert changes_since({"config": now["config"]}, now) == []
    (found,) = changes_since({"config": "model = build()"}, now)
    assert found.key == "config"
    for text in ("total_epochs = 5\nhooks = 3", "total_epochs = 'many'", "data = 3", ""):
        assert any(one.learned for one in changes_since({"config": text}, now))


def _other_content(path: Path, change: str) -> Path:
    """Write an annotation file of the same size with another content."""
    content = pickle.loads(path.read_bytes())
    sample = content["annotations"][3]
    if change == "coordinate":
        sample["keypoint"] = sample["keypoint"] + np.float32(1)
    elif change == "label":
        sample["label"] = 2 - sample["label"]
    written = pickle.dumps(content)
    if change == "id":
        written = written.replace(b"clip", b"film")
    other = path.with_name("other.pkl")
    other.write_bytes(written)
    assert other.stat().st_size == path.stat().st_size
    return other


@pytest.fixture
def own_file(tiny_ann_file: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(tiny_ann_file, tmp_path / "own.pkl"))


@pytest.mark.parametrize(
    ("change", "named"), [("coordinate", "content"), ("label", "labels"), ("id", "ids")]
)
@pytest.mark.parametrize("packed", [False, True])
def test_other_data_of_the_same_size_are_noticed(
    tiny_config: Callable[..., dict], own_file: Path, change: str, named: str, packed: bool
) -> None:
    options = {f"data__{use}__pack": packed for use in ("train", "val", "test")}
    before = facts(tiny_config(own_file, **options))
    shutil.move(_other_content(own_file, change), own_file)
    found = changes_since(before, facts(tiny_config(own_file, **options)))
    train = next(one for one in found if one.key == "content of data.train")
    assert train.before.startswith(named)
    assert train.learned


def test_the_same_data_may_move_and_be_packed(
    tiny_config: Callable[..., dict], own_file: Path, tmp_path: Path
) -> None:
    before = facts(tiny_config(own_file))
    (pack,) = pack_file(own_file, out=tmp_path / "pack")
    for moved in (Path(shutil.copy(own_file, tmp_path / "moved.pkl")), pack):
        now = facts(tiny_config(moved))
        found = changes_since(before, now)
        assert {one.key.rpartition(".")[2] for one in found} == {"ann_file"}
        assert not any(one.learned for one in found)
        # Of a checkpoint that does not record the content another place may be anything.
        assert any(one.learned for one in changes_since({"config": before["config"]}, now))


def test_a_set_that_the_run_does_not_use_may_change(tiny_config: Callable[..., dict]) -> None:
    def training(**changes: Any) -> dict[str, Any]:
        config = tiny_config(**changes)
        data = {"train": build_data(config, "train")}
        return run_facts(read_config(config, ()), TrainSettings(), data)

    (found,) = changes_since(training(), training(data__val__split="train"))
    assert (found.key, found.learned) == ("data.val.split", False)


def test_a_changed_run_goes_on_only_when_asked_and_its_record_stays(
    tiny_config: Callable[..., dict], own_file: Path, tmp_path: Path
) -> None:
    work_dir = tmp_path / "work"
    train_from_config(tiny_config(own_file), work_dir=work_dir)
    before = {path.name: path.read_bytes() for path in work_dir.iterdir()}
    (log,) = (name for name in before if name.endswith(".log.json"))
    _other_content(own_file, "label").replace(own_file)
    changed = tiny_config(own_file, optimizer__lr=0.01, total_epochs=3)
    with pytest.raises(ConfigError) as error:
        train_from_config(changed, work_dir=work_dir)
    assert [one.key for one in error.value.errors] == [
        "optimizer.lr",
        "total_epochs",
        "content of data.train",
    ]
    assert error.value.errors[0].found == "0.01"
    assert {path.name: path.read_bytes() for path in work_dir.iterdir()} == before

    named = TrainSettings(resume=work_dir / "epoch_1.pth")
    train_from_config(changed, named, work_dir=work_dir)
    for name in ("config.py", log):
        assert (work_dir / f"{name}.1").read_bytes() == before[name]
    assert "lr=0.01" in (work_dir / "config.py").read_text()
    lines = [json.loads(line) for line in (work_dir / log).read_text().splitlines()]
    rates = {line["epoch"]: line["lr"] for line in lines if line.get("mode") == "train"}
    assert rates == {1: 0.05, 2: 0.01, 3: 0.01}
    (text,) = work_dir.glob("*.log")
    (warning,) = (line for line in text.read_text().splitlines() if "WARNING" in line)
    assert "optimizer.lr 0.05 → 0.01" in warning
    assert "content of data.train labels" in warning

    # What it went on with is now its own.
    train_from_config(changed, work_dir=work_dir)
    assert not (work_dir / "config.py.2").exists()


def test_what_is_not_learned_may_change_without_asking(
    tiny_config: Callable[..., dict], tmp_path: Path
) -> None:
    for interval in (3, 2):
        config = tiny_config(total_epochs=1, log_config__interval=interval)
        train_from_config(config, work_dir=tmp_path)
    (text,) = tmp_path.glob("*.log")
    assert "log_config.interval 3 → 2" in text.read_text()
    assert "WARNING" not in text.read_text()
    assert [path.name for path in tmp_path.glob("*.1")] == ["config.py.1"]


def test_the_same_command_goes_on_without_a_word(
    tiny_config: Callable[..., dict], tmp_path: Path
) -> None:
    config = tiny_config(seed=None)
    for _ in range(2):
        train_from_config(config, work_dir=tmp_path)
    (text,) = tmp_path.glob("*.log")
    assert "WARNING" not in text.read_text()
    assert not list(tmp_path.glob("*.1"))


@pytest.mark.parametrize(
    "wrong", [{"data": 1}, {"data": {"train": 1}}, {"data": {"train": [torch.ones(2)]}}]
)
def test_facts_that_are_impossible_are_refused(
    tiny_config: Callable[..., dict], tmp_path: Path, wrong: dict[str, Any]
) -> None:
    config = tiny_config(total_epochs=1)
    train_from_config(config, work_dir=tmp_path)
    checkpoint = torch.load(tmp_path / "epoch_1.pth", weights_only=True)
    checkpoint["meta"].update(wrong)
    torch.save(checkpoint, tmp_path / "epoch_1.pth")
    with pytest.raises(InputError) as error:
        train_from_config(config, work_dir=tmp_path)
    assert "meta.data" in str(error.value)
