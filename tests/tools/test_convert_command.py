"""``tools/data/convert.py``: from folders of recordings to an annotation file that trains."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tool_commands import Commands

from pyskl.apis.prepare import prepare
from pyskl.config import load_config
from pyskl.datasets.annotation_cache import load_annotations
from pyskl.recordings import FORMATS
from pyskl.skeleton import LAYOUTS, resolve_layout

sys.path.append(str(Path(__file__).resolve().parents[1] / "recordings"))

from recording_files import (
    BVH,
    alphapose,
    long_table,
    openpose_folder,
    people,
    scores,
    wide_table,
    write,
)

TOOL = "tools/data/convert.py"
NTU = list(LAYOUTS["nturgb+d"].joint_names)


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Twelve recordings of two classes in tables, NTU's joints."""
    for number in range(12):
        label = ("wave", "squat")[number % 2]
        keypoint = people(25, 3, frames=20, seed=number)
        write(tmp_path / "in" / label / f"P{number // 4}_{number}.csv", wide_table(keypoint, NTU))
    return tmp_path / "in"


@pytest.mark.slow
def test_recordings_become_a_data_set_that_trains(
    commands: Commands, recordings: Path, tmp_path: Path, write_tiny_config: Callable[..., Path]
) -> None:
    out = tmp_path / "mine.pkl"
    done = commands.quick(TOOL, recordings, "--out", out, "--layout", "nturgb+d", "--persons", 1)
    assert done.status == 0, done.err
    for line in (
        f"{out}: 12 samples",
        "joints: 25 of 3 coordinates, layout nturgb+d",
        "frames: 20 to 20, median 20",
        "persons: 1 in 12",
        "classes: 2",
        "  0 squat: 6",
        "  1 wave: 6",
        "splits: train 10, val 2",
    ):
        assert line in done.out.splitlines()
    config = write_tiny_config(tmp_path / "mine.py", ann_file=out, total_epochs=1)
    done = commands.quick("tools/train.py", config, "--work-dir", tmp_path / "work", "--validate")
    assert done.status == 0, done.err
    assert list((tmp_path / "work").glob("best_top1_acc_epoch_*.pth"))


@pytest.mark.slow
def test_what_can_not_be_read_is_told_and_left_out(
    commands: Commands, recordings: Path, tmp_path: Path
) -> None:
    write(recordings / "wave" / "bad.csv", "frame,joint,x,y\n0,0,1\n")
    write(recordings / "wave" / "other.csv", wide_table(people(3, 3), ["a", "b", "c"]))
    write(recordings / "wave" / "video.mp4", "x")
    out = tmp_path / "mine.pkl"
    done = commands.quick(TOOL, recordings, "--out", out)
    assert done.status == 0, done.err
    assert f"{out}: 12 samples" in done.out
    assert "left out: 2\n" in done.out
    assert "bad.csv, line 2: " in done.out
    assert "sample 'wave/other', shape: " in done.out
    assert "1 .mp4" in done.out

    before = out.read_bytes()
    done = commands.quick(TOOL, recordings, "--out", out, "--strict")
    assert done.status == 2
    assert "bad.csv, line 2" in done.err
    assert "Traceback" not in done.err
    assert out.read_bytes() == before

    done = commands.quick(TOOL, recordings / "wave" / "bad.csv", "--out", tmp_path / "none.pkl")
    assert done.status == 2
    assert "none of the 1 recordings can be used" in done.err
    assert not (tmp_path / "none.pkl").exists()
    assert not list(tmp_path.glob(".*"))


def test_subjects_lists_and_tables(commands: Commands, recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.pkl"
    pattern = r"P(?P<subject>\d+)_"
    done = commands.quick(
        *(TOOL, recordings, "--out", out, "--name-pattern", pattern, "--split", "subject"),
        *("--train-subjects", "0", "2", "--frame-step", "5", "--scale", "0.001"),
    )
    assert done.status == 0, done.err
    found = load_annotations(out)
    assert found.split is not None
    assert {name[-4:-2] for name in found.split["val"]} <= {"P1", "/P"}
    assert [len(ids) for ids in found.split.values()] == [8, 4]
    assert found.samples[0]["total_frames"] == 4
    np.testing.assert_allclose(
        found.samples[0]["keypoint"], people(25, 3, frames=20, seed=1)[:, ::5] / 1000, rtol=1e-6
    )

    train = write(tmp_path / "train.txt", "squat/P0_1\nwave/P0_0\n")
    val = write(tmp_path / "val.txt", "P1_5\n")
    done = commands.quick(TOOL, recordings, "--out", out, "--split", "lists", train, val)
    assert done.status == 0, done.err
    assert "splits: train 2, val 1" in done.out

    rows = [
        f"P{number // 4}_{number},{number % 3},{'val' if number > 8 else 'train'}"
        for number in range(12)
    ]
    table = write(recordings / "labels.csv", "\n".join(["name,label,split", *rows, "lost,1,train"]))
    done = commands.quick(TOOL, recordings, "--out", out, "--labels", table)
    assert done.status == 0, done.err
    assert "splits: train 9, val 3" in done.out
    assert "  2: 4" in done.out
    assert "note: 1 rows of the table have no recording: lost" in done.out
    assert sorted({sample["label"] for sample in load_annotations(out).samples}) == [0, 1, 2]


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--split", "subjects"], "split"),
        (["--split", "subject"], "train"),
        (["--train-subjects", "1"], "--split subject"),
        (["--split", "none", "--train-ratio", "0.5"], "--split ratio"),
        (["--split", "ratio", "x"], "--split"),
        (["--split", "subject", "--train-subjects", "1"], "subject"),
        (["--labels", "none.csv"], "none.csv"),
        (["--label-from", "("], "label_from"),
        (["--layout", "coco"], "'coco'"),
        (["--layout", "kinect"], "'kinect'"),
        (["--layout-out", "x.json"], "layout_out"),
        (["--to-fps", "10"], "--fps"),
        (["--to-fps", "10", "--frame-step", "2"], "to_fps"),
        (["--scale", "0"], "scale"),
        (["--persons", "0"], "persons"),
        (["--format", "bvh"], ".bvh"),
        (["--out", "mine.json"], "mine.json"),
        (["--out", "labels.txt/mine.pkl"], "mine.pkl"),
    ],
)
def test_mistakes_are_told_in_one_message(
    commands: Commands, recordings: Path, tmp_path: Path, options: list[str], part: str
) -> None:
    (commands.scratch / "labels.txt").touch()
    done = commands.quick(TOOL, recordings, "--out", tmp_path / "mine.pkl", *options)
    assert done.status == 2, done.out
    assert part in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "mine.pkl").exists()


def test_notes_before_training(commands: Commands, tmp_path: Path) -> None:
    for label in "ab":
        for number in range(3):
            table = wide_table(people(3, seed=number), ["x", "y", "z"])
            write(tmp_path / "in" / label / f"{number}.csv", table)
    done = commands.quick(TOOL, tmp_path / "in", "--out", tmp_path / "mine.pkl")
    assert "note: no layout is known for these joints" in done.out
    assert "note: some samples have no image size, so PreNormalize2D takes 1080 x 1920" in done.out
    done = commands.quick(TOOL, tmp_path / "in" / "a", "--out", tmp_path / "mine.pkl")
    assert "note: there is only one class" in done.out


@pytest.mark.parametrize(
    ("order", "words"),
    [(sorted(NTU), "IN ANOTHER ORDER"), (NTU, "in the same order")],
    ids=["other", "same"],
)
def test_joints_with_the_names_of_a_layout_are_noticed(
    commands: Commands, tmp_path: Path, order: list[str], words: str
) -> None:
    for number in range(4):
        table = wide_table(people(25, 3, frames=20, seed=number), order)
        write(tmp_path / "in" / str(number % 2) / f"{number}.csv", table)
    out = tmp_path / "not" / "there" / "mine.pkl"
    done = commands.quick(TOOL, tmp_path / "in", "--out", out)
    assert done.status == 0, done.err
    (note,) = (line for line in done.out.splitlines() if "--layout nturgb+d" in line)
    assert words in note
    assert "no layout is known" not in done.out
    assert load_annotations(out).joint_names == tuple(order)
    again = commands.quick(TOOL, tmp_path / "in", "--out", out, "--layout", "nturgb+d")
    assert "--layout" not in again.out
    assert load_annotations(out).joint_names == tuple(NTU)


def test_joints_are_put_in_order_whatever_the_format(commands: Commands, tmp_path: Path) -> None:
    source = write(tmp_path / "in" / "walk" / "a.bvh", BVH)
    how = (TOOL, source.parent, "--split", "none", "--out")
    first = commands.quick(*how, tmp_path / "a.pkl")
    assert first.status == 0, first.err
    a = load_annotations(tmp_path / "a.pkl")
    names = a.joint_names[::-1]
    layout = tmp_path / "turned.json"
    edges = [[joint, 0] for joint in range(1, len(names))]
    turned = dict(num_joints=len(names), center=0, edges=edges, joint_names=names)
    layout.write_text(json.dumps(turned), encoding="utf-8")
    done = commands.quick(*how, tmp_path / "b.pkl", "--layout", layout)
    assert done.status == 0, done.err
    b = load_annotations(tmp_path / "b.pkl")
    assert b.joint_names == names
    np.testing.assert_array_equal(b.samples[0]["keypoint"], a.samples[0]["keypoint"][:, :, ::-1])


def test_a_reason_is_told_once_for_all_files(
    commands: Commands, recordings: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mine.pkl"
    done = commands.quick(TOOL, recordings, "--out", out, "--layout", "coco")
    assert done.err.count("the layout 'coco' has no joint") == 1
    assert "P0_1.csv, " in done.err
    assert " and 9 more: " in done.err
    for number in range(30):
        write(recordings / "wave" / f"Q{number}.csv", "frame,a_x,a_y\n")
    (recordings / "wave" / "R.csv").write_text("frame\n1\n", encoding="utf-8")
    told = commands.quick(TOOL, recordings, "--out", out).out.partition("left out: 31\n")[2]
    assert len(told.splitlines()) == 2


def test_the_formats_of_the_option_are_those_of_the_package(
    commands: Commands, tmp_path: Path
) -> None:
    done = commands.quick(TOOL, "--help")
    for choices in re.findall(r"--format \{([\w,\s]+)\}", done.out):
        assert re.sub(r"\s", "", choices).split(",") == ["auto", *FORMATS]
    assert "--format {auto," in done.out


# --- what the document says -----------------------------------------------------------------------


def blocks(root: Path, language: str) -> list[str]:
    text = (root / "docs" / "convert.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def documented(commands: Commands) -> Path:
    """The folder that the commands of the document run in, with recordings to convert."""
    root = commands.scratch
    rows = ["name,label,split"]
    for number in range(8):
        label = ("squat", "wave")[number % 2]
        table = long_table(people(25, 3, persons=2, seed=number), NTU)
        write(root / f"recordings/csv/{label}/{number}.csv", table)
        write(root / f"recordings/bvh/{label}/{number}.bvh", BVH)
        keypoint, score = people(25, persons=2, seed=number), scores(2, 12, 25)
        openpose_folder(root / f"recordings/openpose/clip{number}", keypoint, score)
        rows.append(f"clip{number},{label},{'val' if number > 5 else 'train'}")
        content: Any = alphapose(people(17, seed=number), scores(1, 12, 17), tracked=True)
        write(root / f"recordings/alphapose/P{number // 3 + 1}_{label}.{number}.json", content)
        content_path = root / f"recordings/alphapose/P{number // 3 + 1}_{label}.{number}.json"
        content_path.rename(content_path.parent / f"{number}_P{number // 3 + 1}_{label}.json")
    write(root / "recordings/labels.csv", "\n".join(rows))
    clips = np.ones((4, 12, 150), dtype=np.float32)
    arrays = {f"x_{split}": clips for split in ("train", "test")}
    labels = {f"y_{split}": np.eye(2)[[0, 1, 0, 1]] for split in ("train", "test")}
    np.savez(root / "NTU60_CS.npz", **arrays, **labels)
    return root


@pytest.fixture(scope="module")
def converted(commands: Commands, documented: Path, repo_root: Path) -> list[Path]:
    """What the commands of the document make."""
    text = "".join(blocks(repo_root, "bash")).replace("\\\n", " ")
    made = []
    for line in text.splitlines():
        program, tool, *arguments = shlex.split(line)
        assert (program, tool) == ("python", TOOL)
        done = commands.quick(tool, *arguments)
        assert done.status == 0, done.err
        assert "left out" not in done.out
        made.append(documented / arguments[arguments.index("--out") + 1])
    return made


def test_commands_of_the_document_run(converted: list[Path], documented: Path) -> None:
    assert len(converted) == 5
    for path in converted:
        file = load_annotations(path)
        assert file.split_names() in (["train", "val"], ["train", "test"])
        for split in file.split_names():
            file.check(split, num_classes=2)
    assert resolve_layout(str(documented / "mocap.json")).num_joints == 6


def test_python_of_the_document_runs(
    converted: list[Path], documented: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, in_python = blocks(repo_root, "python")
    monkeypatch.chdir(documented)
    text = config.replace("'configs/", f"'{repo_root.as_posix()}/configs/")
    Path("mine2d.py").write_text(text, encoding="utf-8")
    prepare(load_config("mine2d.py"), ["train", "val", "test"])

    exec(compile(in_python, "docs/convert.md", "exec"), {})
    found = load_annotations("own.pkl")
    assert len(found.select("train")) == 8
    assert json.dumps(found.split).count("squat-") == 4
