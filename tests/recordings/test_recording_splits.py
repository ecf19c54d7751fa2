"""Finding recordings; their classes, subjects and splits."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recording_files import openpose_folder, people, scores, write

from pyskl.errors import ConfigError
from pyskl.recordings import RecordingError, SplitPlan
from pyskl.recordings.discovery import RecordingPath, find_recordings
from pyskl.recordings.labels import Labels, SampleInfo
from pyskl.recordings.splits import make_splits


def recording_path(name: str, folder: str = "x") -> RecordingPath:
    return RecordingPath(Path(f"/data/{name}.csv"), name, folder)


# --- finding --------------------------------------------------------------------------------------


def test_recordings_at_any_depth(tmp_path: Path) -> None:
    for name in (
        *("wave/b10.csv", "wave/b2.csv", "squat/deep/a.bvh", "squat/a.mp4", ".git/a.csv"),
        *("squat/.a.csv", "squat/a.asf", "labels.csv"),
    ):
        write(tmp_path / name, "x")
    openpose_folder(tmp_path / "wave/clip", people(18), scores(1, 12, 18))
    found = find_recordings([tmp_path], without=[tmp_path / "labels.csv"])
    assert [(each.name, each.folder) for each in found.paths] == [
        ("squat/deep/a", "deep"),
        ("wave/clip", "wave"),
        ("wave/b2", "wave"),
        ("wave/b10", "wave"),
    ]
    assert found.ignored == {".mp4": 1}

    found = find_recordings([tmp_path], format="csv", without=[tmp_path / "labels.csv"])
    assert [each.name for each in found.paths] == ["wave/b2", "wave/b10"]
    assert found.ignored == {".mp4": 1, ".bvh": 1, "folder of OpenPose": 1}


def test_several_folders_and_files(tmp_path: Path) -> None:
    for name in ("a/1.csv", "b/1.csv"):
        write(tmp_path / name, "x")
    openpose_folder(tmp_path / "c", people(18), scores(1, 12, 18))
    found = find_recordings([tmp_path / "a", tmp_path / "b", tmp_path / "c"])
    names = [(each.name, each.folder) for each in found.paths]
    assert names == [("a/1", "a"), ("b/1", "b"), ("c", tmp_path.name)]
    (one,) = find_recordings([tmp_path / "a" / "1.csv"]).paths
    assert (one.name, one.folder) == ("1", "a")


def test_nothing_found(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", "x")
    with pytest.raises(RecordingError) as caught:
        find_recordings([tmp_path])
    assert caught.value.found == "1 .mp4"
    with pytest.raises(RecordingError):
        find_recordings([tmp_path / "none"])


# --- labels ---------------------------------------------------------------------------------------


def test_labels_are_folders_in_natural_order() -> None:
    paths = [recording_path(f"{folder}/x", folder) for folder in ("a10", "a2", "b")]
    labels = Labels(paths)
    assert labels.names == ("a2", "a10", "b")
    assert labels.info(paths[0], "a10/x") == SampleInfo(label="a10")
    # Folders named by numbers have names, too.
    assert Labels([recording_path(f"{n}/a", n) for n in ("7", "10")]).names == ("7", "10")


def test_labels_of_a_table(tmp_path: Path) -> None:
    rows = ("one;wave;7;;train", "sub/two.csv;squat;8;2;val", "three.csv;wave;;;", "many/x;jump;;;")
    text = "\n".join(["name;label;subject;camera;split", *rows, "lost;wave;;;"])
    paths = [recording_path(name) for name in ("d/one", "sub/two", "three", "many", "four")]
    labels = Labels(paths, table=write(tmp_path / "t.csv", text))
    assert labels.names == ("jump", "squat", "wave")
    assert labels.info(paths[0], "d/one") == SampleInfo("wave", "7", None, "train")
    assert labels.info(paths[1], "sub/two") == SampleInfo("squat", "8", "2", "val")
    assert labels.info(paths[2], "three") == SampleInfo("wave")
    assert labels.info(paths[3], "many/x") == SampleInfo("jump")
    assert labels.info(paths[4], "four") == SampleInfo()
    assert labels.unused({"d/one", "sub/two", "three", "many/x"}) == ["lost"]


def test_whole_numbers_in_a_table_are_the_classes(tmp_path: Path) -> None:
    path = recording_path("a")
    labels = Labels([path], table=write(tmp_path / "t.csv", "name,label\na,3\nb,0\n"))
    assert labels.names is None
    assert labels.info(path, "a").label == "3"


def test_patterns() -> None:
    paths = [recording_path(name) for name in ("S01_wave", "S02_squat", "odd")]
    labels = Labels(paths, label_from=r"_(\w+)$", name_pattern=r"S(?P<subject>\d+)")
    assert labels.names == ("squat", "wave")
    assert labels.info(paths[0], "S01_wave") == SampleInfo(label="wave", subject="01")
    assert labels.info(paths[2], "odd").label is None
    labels = Labels(paths, name_pattern=r"S(?P<subject>\d+)_(?P<label>\w+)")
    assert labels.names == ("squat", "wave")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("name,class\na,b\n", None),
        ("name,label\n,b\n", "line 2"),
        ("name,label\na,\n", "line 2"),
        ("name,label\na,b\na,c\n", "line 3"),
    ],
)
def test_malformed_tables_of_labels(tmp_path: Path, text: str, key: str | None) -> None:
    table = write(tmp_path / "t.csv", text)
    with pytest.raises(RecordingError) as caught:
        Labels([], table=table)
    assert (caught.value.file, caught.value.key) == (str(table), key)


@pytest.mark.parametrize(
    "options", [{"label_from": "("}, {"name_pattern": "a"}, {"name_pattern": "(?P<age>a)"}]
)
def test_malformed_patterns(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        Labels([], **options)
    assert [caught.value.key] == list(options)


# --- splits ---------------------------------------------------------------------------------------


def infos(counts: dict[str, int], subjects: int = 5) -> dict[str, SampleInfo]:
    return {
        f"{label}{number}": SampleInfo(label, subject=f"{number % subjects:03d}", camera="1")
        for label, count in counts.items()
        for number in range(count)
    }


@given(
    counts=st.dictionaries(st.sampled_from("abcde"), st.integers(2, 30), min_size=1),
    ratio=st.floats(0.1, 0.9),
    test=st.sampled_from([0.0, 0.05]),
    seed=st.integers(0, 99),
)
def test_by_ratio_each_class_alike(
    counts: dict[str, int], ratio: float, test: float, seed: int
) -> None:
    known = infos(counts)
    plan = SplitPlan(train_ratio=ratio, test_ratio=test, seed=seed)
    splits = make_splits(known, plan)
    assert sorted(name for ids in splits.values() for name in ids) == sorted(known)
    shares = {"train": ratio, "val": 1 - ratio - test, "test": test}
    for label, count in counts.items():
        assert any(known[name].label == label for name in splits["train"])
        assert any(known[name].label == label for name in splits["val"])
        for split, ids in splits.items():
            found = sum(known[name].label == label for name in ids)
            assert abs(found - shares[split] * count) <= len(splits) - 1
    # The order in which samples were read does not matter.
    turned = make_splits(dict(reversed(known.items())), plan)
    assert {name: set(ids) for name, ids in turned.items()} == {
        name: set(ids) for name, ids in splits.items()
    }


def test_by_ratio_with_subjects_together() -> None:
    known = infos({"a": 50, "b": 50}, subjects=10)
    splits = make_splits(known, SplitPlan(together="subject"))
    subjects = {name: {known[key].subject for key in ids} for name, ids in splits.items()}
    assert not subjects["train"] & subjects["val"]
    assert len(splits["train"]) == 80
    plans = [SplitPlan(together="subject", seed=seed) for seed in range(8)]
    assert len({tuple(make_splits(known, plan)["val"]) for plan in plans}) > 1


def test_by_subject_and_camera() -> None:
    known = infos({"a": 10, "b": 10})
    splits = make_splits(known, SplitPlan("subject", train=("0", "2"), test=("4",)))
    counts = {name: Counter(known[key].subject for key in ids) for name, ids in splits.items()}
    assert counts == {
        "train": {"000": 4, "002": 4},
        "val": {"001": 4, "003": 4},
        "test": {"004": 4},
    }
    for plan in (SplitPlan("subject", train=("9",)), SplitPlan("camera", train=("1",))):
        with pytest.raises(RecordingError):  # no such subject; nothing left to validate
            make_splits(known, plan)
    with pytest.raises(RecordingError) as caught:
        make_splits({"x": SampleInfo("a"), **known}, SplitPlan("subject", train=("0",)))
    assert caught.value.sample == "x"


def test_by_table() -> None:
    known = {
        name: SampleInfo("x", split=split) for name, split in zip("abc", ("val", "train", "z"))
    }
    assert make_splits(known, SplitPlan("table")) == {"train": ["b"], "val": ["a"], "z": ["c"]}
    with pytest.raises(RecordingError) as caught:
        make_splits({"d": SampleInfo("x"), **known}, SplitPlan("table"))
    assert caught.value.sample == "d"
    assert make_splits(known, SplitPlan("none")) == {}


def test_by_lists(tmp_path: Path) -> None:
    known = {name: SampleInfo("x") for name in ("a/1", "a/2", "b/2", "b/3")}
    train = write(tmp_path / "train.txt", "./a/1.csv\n\na/2\n")
    val = write(tmp_path / "val.txt", "3\r\n")
    plan = SplitPlan("lists", lists=(train, val))
    assert make_splits(known, plan) == {"train": ["a/1", "a/2"], "val": ["b/3"]}
    for text, key in (
        ("2\n", "line 1"),
        ("a/1\nz\n", "line 2"),
        ("a/1\na/1.bvh\n", "line 2"),
        ("\n", None),
    ):
        write(val, text)
        with pytest.raises(RecordingError) as caught:
            make_splits(known, plan)
        assert (caught.value.file, caught.value.key) == (str(val), key)
    with pytest.raises(RecordingError):
        make_splits(known, SplitPlan("lists", lists=(tmp_path / "none.txt",)))


@pytest.mark.parametrize(
    "options",
    [
        {"train_ratio": 0.0},
        {"train_ratio": 1.0},
        {"train_ratio": 0.8, "test_ratio": 0.3},
        {"by": "subject"},
        {"by": "lists"},
        {"by": "subject", "train": ("1",), "test": ("1",)},
    ],
)
def test_invalid_plans(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        SplitPlan(**options)
