"""``tools/data/check.py``: what it prints and writes, and how it ends."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tool_commands import Commands

from pyskl.datasets.annotation_pickle import read_annotation_pickle

CHECK = "tools/data/check.py"


@pytest.fixture
def spoilt(
    tiny_samples: Callable[[], list[dict[str, Any]]],
    write_tiny_annotations: Callable[..., Path],
    tmp_path: Path,
) -> Path:
    """The tiny set with a sample of NaN, a wrong length, and a copy in the validation split."""
    samples = tiny_samples()
    samples[1]["keypoint"][0, 2, 3] = np.nan
    samples[2]["total_frames"] += 1
    samples[30].update(
        keypoint=samples[3]["keypoint"].copy(), total_frames=samples[3]["total_frames"]
    )
    return write_tiny_annotations(tmp_path / "spoilt.pkl", samples)


def test_a_healthy_file(commands: Commands, tiny_ann_file: Path, tmp_path: Path) -> None:
    done = commands.quick(CHECK, tiny_ann_file, "--json", tmp_path / "a.json")
    assert done.status == 0, done.err
    assert "no errors" in done.out
    assert json.loads((tmp_path / "a.json").read_text())["facts"]["samples"] == 34


def test_findings_are_printed_and_written(commands: Commands, spoilt: Path, tmp_path: Path) -> None:
    before = spoilt.read_bytes()
    outputs = ["--json", tmp_path / "a.json", "--html", tmp_path / "a.html"]
    done = commands.quick(CHECK, spoilt, *outputs)
    assert done.status == 1, done.err
    assert done.err == ""
    assert len(done.out.splitlines()) <= 60
    assert "3 errors" in done.out
    for name in ("clip1", "clip2", "clip30"):
        assert name in done.out
    kinds = {f["kind"]: f for f in json.loads((tmp_path / "a.json").read_text())["findings"]}
    assert {"nonfinite", "total_frames", "duplicate_across"} <= set(kinds)
    assert kinds["duplicate_across"]["items"][0]["name"] == "clip30"
    assert "<svg" in (tmp_path / "a.html").read_text(encoding="utf-8")
    assert spoilt.read_bytes() == before


def test_the_exit_status_is_chosen(commands: Commands, spoilt: Path, tiny_ann_file: Path) -> None:
    assert commands.quick(CHECK, spoilt, "--fail-on", "never").status == 0
    assert commands.quick(CHECK, spoilt, "--fail-on", "warning").status == 1
    # The joints of the tiny set jump about, as nobody's do.
    healthy = commands.quick(CHECK, tiny_ann_file, "--fail-on", "warning")
    assert healthy.status == (0 if "no warnings" in healthy.out else 1)


def test_a_cleaned_copy_trains(
    commands: Commands,
    spoilt: Path,
    write_tiny_config: Callable[..., Path],
    tmp_path: Path,
) -> None:
    clean = tmp_path / "clean.pkl"
    done = commands.quick(CHECK, spoilt, "--fix", clean, "--json", tmp_path / "a.json")
    assert done.status == 0, done.out
    assert "no errors" in done.out
    told = {
        change["name"]
        for change in json.loads((tmp_path / "a.json").read_text())["fixed"]["changes"]
    }
    assert told == {"clip1", "clip2", "clip3"}
    assert "clip3" not in (read_annotation_pickle(clean).split or {})["train"]
    assert commands.quick(CHECK, clean, "--fix", tmp_path / "again.pkl").status == 0
    assert (tmp_path / "again.pkl").read_bytes() == clean.read_bytes()
    config = write_tiny_config(tmp_path / "tiny.py", ann_file=clean, total_epochs=1)
    done = commands.quick("tools/train.py", config, "--work-dir", tmp_path / "work", "--validate")
    assert done.status == 0, done.err


def test_nothing_is_written_over(commands: Commands, spoilt: Path, tmp_path: Path) -> None:
    before = spoilt.read_bytes()
    link = tmp_path / "link.pkl"
    link.symlink_to(spoilt)
    other = Path(shutil.copy(spoilt, tmp_path / "other.pkl"))
    for option, out, part in (
        ("--fix", spoilt, "can't overwrite it"),
        ("--json", spoilt, "can't overwrite it"),
        ("--html", link, "can't overwrite it"),
        ("--fix", other, "exists"),
        ("--json", other, "end in .json"),
    ):
        done = commands.quick(CHECK, spoilt, option, out)
        assert done.status == 2
        assert part in done.err
    assert spoilt.read_bytes() == other.read_bytes() == before
    twice = commands.quick(CHECK, spoilt, "--json", tmp_path / "a", "--html", tmp_path / "a")
    assert twice.status == 2


def test_names_that_no_encoding_has_are_reported(
    commands: Commands,
    tiny_samples: Callable[[], list[dict[str, Any]]],
    write_tiny_annotations: Callable[..., Path],
    tmp_path: Path,
) -> None:
    samples = tiny_samples()
    samples[1].update(frame_dir="half \ud800\x1b[2J", total_frames=1)
    path = write_tiny_annotations(tmp_path / "odd.pkl", samples)
    outputs = ["--json", tmp_path / "a.json", "--html", tmp_path / "a.html"]
    done = commands.quick(CHECK, path, *outputs)
    assert (done.status, done.err) == (1, "")
    assert "half ??[2J" in done.out
    found = json.loads((tmp_path / "a.json").read_text())["findings"][0]["items"][0]["name"]
    assert found == samples[1]["frame_dir"]
    assert "half ?" in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_against_a_config(
    commands: Commands,
    tiny_ann_file: Path,
    write_tiny_config: Callable[..., Path],
    tmp_path: Path,
) -> None:
    def findings(**changes: Any) -> dict[str, Any]:
        config = write_tiny_config(tmp_path / "tiny.py", **changes)
        done = commands.quick(
            CHECK, tiny_ann_file, "--config", config, "--json", tmp_path / "a.json"
        )
        assert done.status in (0, 1), done.err
        content = json.loads((tmp_path / "a.json").read_text())
        return {
            finding["kind"]: finding["items"]
            for finding in content["findings"]
            if finding["kind"].startswith("config_")
            and finding["kind"] != "config_mirror"  # the bones of the tiny set are random
        }

    assert findings() == {}
    (split,) = findings(data__val__split="vall")["config_split"]
    assert split == {"name": "vall", "detail": "data.val; did you mean 'val'?"}
    assert "config_classes" in findings(model__cls_head__num_classes=2)
    unused = findings(model__cls_head__num_classes=5)["config_unused_classes"]
    assert [item["name"] for item in unused] == ["3", "4"]
    assert "config_joints" in findings(model__backbone__graph_cfg__layout="coco")
    padded = dict(type="PadTo", clip_len=None, num_clips=None, length=20)
    long = findings(**{f"data__train__pipeline__2__{key}": padded[key] for key in padded})
    assert len(long["config_long"]) > 5
    short = findings(data__test__pipeline__2__clip_len=20)
    assert short["config_short"][0]["detail"].endswith("data.test draws 20")
    spare = findings(data__train__pipeline__4__num_person=2)["config_spare_persons"]
    assert [item["name"] for item in spare] == ["data.train"]
    (problem,) = findings(total_epochs="many")["config_errors"]
    assert problem["name"].startswith("total_epochs")


def test_what_can_not_be_read_is_told_in_one_message(
    commands: Commands, tiny_ann_file: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.pkl"
    broken.write_bytes(tiny_ann_file.read_bytes()[:1000])
    evil = tmp_path / "evil.pkl"
    evil.write_bytes(pickle.dumps(print))
    for arguments, part in (
        ((tmp_path / "none.pkl",), "no such annotation file"),
        ((broken,), "not a readable pickle"),
        ((evil,), "refused"),
        ((tiny_ann_file, "--config", tmp_path / "none.py"), "no such config file"),
        ((tiny_ann_file, "--json", tiny_ann_file / "a.json"), "is not a writable folder"),
        ((tiny_ann_file, "--fail-on", "sometimes"), "invalid choice"),
    ):
        done = commands.quick(CHECK, *arguments)
        assert done.status == 2
        assert part in done.err
        assert "Traceback" not in done.err
