"""Classes, subjects and splits of recordings."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recording_files import openpose_folder, people, scores, write

from pyskl.errors import ConfigError
from pyskl.recordings.labels import Facts, Labels
from pyskl.recordings.recording import RecordingError
from pyskl.recordings.sources import Source, find_sources
from pyskl.recordings.splits import SplitPlan, make_splits


def source(name: str, folder: str = "x") -> Source:
    return Source(Path(f"/data/{name}.csv"), name, folder)


# --- sources --------------------------------------------------------------------------------------


def test_recordings_in_folders_of_any_depth(tmp_path: Path) -> None:
    for name in ("wave/b10.csv", "wave/b2.csv", "squat/deep/a.bvh", "squat/a.mp4", ".git/a.csv"):
        write(tmp_path / name, "x")
    write(tmp_path / "squat/.a.csv", "x")
    write(tmp_path / "squat/a.asf", "x")
    write(tmp_path / "labels.csv", "x")
    openpose_folder(tmp_path / "wave/clip", people(18), scores(1, 12, 18))
    found = find_sources([tmp_path], without=[tmp_path / "labels.csv"])
    assert [(each.name, each.folder) for each in found.sources] == [
        ("squat/deep/a", "deep"),
        ("wave/clip", "wave"),
        ("wave/b2", "wave"),
        ("wave/b10", "wave"),
    ]
    assert found.ignored == {".mp4": 1}

    found = find_sources([tmp_path], format="csv", without=[tmp_path / "labels.csv"])
    assert [each.name for each in found.sources] == ["wave/b2", "wave/b10"]
    assert found.ignored == {".mp4": 1, ".bvh": 1, "folder of OpenPose": 1}


def test_several_folders_and_files(tmp_path: Path) -> None:
    for name in ("a/1.csv", "b/1.csv"):
        write(tmp_path / name, "x")
    openpose_folder(tmp_path / "c", people(18), scores(1, 12, 18))
    found = find_sources([tmp_path / "a", tmp_path / "b", tmp_path / "c"])
    assert [(each.name, each.folder) for each in found.sources] == [
        ("a/1", "a"),
        ("b/1", "b"),
        ("c", tmp_path.name),
    ]
    (one,) = find_sources([tmp_path / "a" / "1.csv"]).sources
    assert (one.name, one.folder) == ("1", "a")


def test_folders_without_recordings(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no such file or folder"):
        find_sources([tmp_path / "none"])
    with pytest.raises(RecordingError, match="found no files"):
        find_sources([tmp_path])
    write(tmp_path / "a.mp4", "x")
    with pytest.raises(RecordingError, match=r"looked for \.csv, \.tsv, found 1 \.mp4"):
        find_sources([tmp_path], format="csv")


# --- classes --------------------------------------------------------------------------------------


def test_folders_are_classes() -> None:
    sources = [source("a10/1", "a10"), source("a2/1", "a2"), source("a2/2", "a2")]
    labels = Labels(sources)
    assert labels.names == ("a2", "a10")
    assert labels.of(sources[0], "a10/1") == Facts(label="a10")


def test_a_table_names_recordings_in_any_way(tmp_path: Path) -> None:
    table = write(
        tmp_path / "t.csv",
        "name;label;subject;camera;split\n"
        "one;wave;7;;train\nsub/two.csv;squat;8;2;val\nthree.csv;wave;;;\nmany/x;jump;;;\nlost;wave;;;\n",
    )
    sources = [source("d/one"), source("sub/two"), source("three"), source("many"), source("four")]
    labels = Labels(sources, table=table)
    assert labels.names == ("jump", "squat", "wave")
    assert labels.of(sources[0], "d/one") == Facts("wave", "7", None, "train")
    assert labels.of(sources[1], "sub/two") == Facts("squat", "8", "2", "val")
    assert labels.of(sources[2], "three") == Facts("wave")
    assert labels.of(sources[3], "many/x") == Facts("jump")
    assert labels.of(sources[4], "four") == Facts()
    assert "t.csv has no row" in labels.why_not(sources[4])
    assert labels.unused({"d/one", "sub/two", "three", "many/x"}) == ["lost"]


def test_labels_that_are_numbers_are_the_classes(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", "name,label\na,3\nb,0\n")
    labels = Labels([source("a")], table=table)
    assert labels.names is None
    assert labels.of(source("a"), "a").label == "3"
    # Folders that are called by numbers are names.
    assert Labels([source("7/a", "7"), source("10/a", "10")]).names == ("7", "10")


def test_patterns() -> None:
    sources = [source("S01_wave"), source("S02_squat"), source("odd")]
    labels = Labels(sources, label_from=r"_(\w+)$", name_pattern=r"S(?P<subject>\d+)")
    assert labels.names == ("squat", "wave")
    assert labels.of(sources[0], "S01_wave") == Facts(label="wave", subject="01")
    assert labels.of(sources[2], "odd").label is None
    assert "finds no label in its name 'odd'" in labels.why_not(sources[2])
    labels = Labels(sources, name_pattern=r"S(?P<subject>\d+)_(?P<label>\w+)")
    assert labels.names == ("squat", "wave")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("name,class\na,b\n", ["name, label", "name, class"]),
        ("name,label\n,b\n", ["line 2", "empty"]),
        ("name,label\na,\n", ["line 2", "empty"]),
        ("name,label\na,b\na,c\n", ["line 3", "'a' is there twice"]),
    ],
)
def test_malformed_tables_of_labels(tmp_path: Path, text: str, parts: list[str]) -> None:
    table = write(tmp_path / "t.csv", text)
    with pytest.raises(RecordingError) as caught:
        Labels([], table=table)
    for part in ("t.csv", *parts):
        assert part in str(caught.value)


def test_malformed_patterns(tmp_path: Path) -> None:
    for options in ({"label_from": "("}, {"name_pattern": "a"}, {"name_pattern": "(?P<age>a)"}):
        with pytest.raises(ConfigError):
            Labels([], **options)  # type: ignore[arg-type]
    with pytest.raises(RecordingError, match="no such table"):
        Labels([], table=tmp_path / "none.csv")


# --- splits ---------------------------------------------------------------------------------------


def facts(counts: dict[str, int], subjects: int = 5) -> dict[str, Facts]:
    return {
        f"{label}{number}": Facts(label=label, subject=f"{number % subjects:03d}", camera="1")
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
    known = facts(counts)
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
    assert make_splits(known, plan) == splits
    # The order in which samples were read does not matter.
    turned = make_splits(dict(reversed(known.items())), plan)
    assert {name: set(ids) for name, ids in turned.items()} == {
        name: set(ids) for name, ids in splits.items()
    }


def test_by_ratio_subjects_together() -> None:
    known = facts({"a": 50, "b": 50}, subjects=10)
    splits = make_splits(known, SplitPlan(together="subject"))
    subjects = {name: {known[key].subject for key in ids} for name, ids in splits.items()}
    assert not subjects["train"] & subjects["val"]
    assert len(splits["train"]) == 80
    seeds = {
        tuple(make_splits(known, SplitPlan(together="subject", seed=s))["val"]) for s in range(8)
    }
    assert len(seeds) > 1


def test_by_subject_and_camera() -> None:
    known = facts({"a": 10, "b": 10})
    splits = make_splits(known, SplitPlan("subject", train=("0", "2"), test=("4",)))
    counts = {name: Counter(known[key].subject for key in ids) for name, ids in splits.items()}
    assert list(counts) == ["train", "val", "test"]
    assert counts["train"] == {"000": 4, "002": 4}
    assert counts["val"] == {"001": 4, "003": 4}
    assert counts["test"] == {"004": 4}
    with pytest.raises(RecordingError, match=r"no subject 9 .*there are 0, 1, 2, 3, 4"):
        make_splits(known, SplitPlan("subject", train=("9",)))
    with pytest.raises(RecordingError, match="split val would be empty"):
        make_splits(known, SplitPlan("camera", train=("1",)))
    without = {"x": Facts(label="a"), **known}
    with pytest.raises(RecordingError, match=r"1 of 21 samples have no subject, 'x'.*\(\?P"):
        make_splits(without, SplitPlan("subject", train=("0",)))


def test_by_table() -> None:
    known = {
        "a": Facts("x", split="val"),
        "b": Facts("x", split="train"),
        "c": Facts("x", split="z"),
    }
    assert make_splits(known, SplitPlan("table")) == {"train": ["b"], "val": ["a"], "z": ["c"]}
    with pytest.raises(RecordingError, match="column split"):
        make_splits({"d": Facts("x"), **known}, SplitPlan("table"))


def test_by_lists(tmp_path: Path) -> None:
    known = {name: Facts("x") for name in ("a/1", "a/2", "b/2", "b/3")}
    train = write(tmp_path / "train.txt", "./a/1.csv\n\na/2\n")
    val = write(tmp_path / "val.txt", "3\r\n")
    plan = SplitPlan("lists", lists=(train, val))
    assert make_splits(known, plan) == {"train": ["a/1", "a/2"], "val": ["b/3"]}
    for text, part in (
        ("2\n", "line 1: '2' may be a/2, b/2"),
        ("a/1\nz\n", "line 2: there is no sample 'z'"),
        ("a/1\na/1.bvh\n", "'a/1' is there twice"),
        ("\n", "the list is empty"),
    ):
        write(val, text)
        with pytest.raises(RecordingError, match=part):
            make_splits(known, plan)
    with pytest.raises(RecordingError, match="no such list"):
        make_splits(known, SplitPlan("lists", lists=(tmp_path / "none.txt",)))


def test_none() -> None:
    assert make_splits(facts({"a": 3}), SplitPlan("none")) == {}


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
def test_plans_that_make_no_sense(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        SplitPlan(**options)  # type: ignore[arg-type]
