"""Writing annotation files one sample at a time."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recording_files import people, scores

from pyskl.datasets import PoseDataset
from pyskl.datasets.annotation_cache import load_annotations
from pyskl.datasets.annotation_pickle import read_annotation_pickle
from pyskl.datasets.label_names import read_label_names
from pyskl.datasets.pack import write_pack
from pyskl.errors import AnnotationError, WriteError
from pyskl.recordings import AnnotationWriter, Recording, RecordingError
from pyskl.skeleton import LAYOUTS


def recording(name: str, joints: int = 3, dim: int = 2, **more: Any) -> Recording:
    return Recording(name, people(joints, dim, seed=len(name)), **more)


def written(path: Path, names: list[str] | None, *recordings: Recording) -> Path:
    with AnnotationWriter(path, names) as writer:
        for one in recordings or [recording("a")]:
            writer.add(one, 0, "train")
    return path


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.pkl"
    with AnnotationWriter(path, ["squat", "wave"]) as writer:
        for number in range(7):
            one = recording(f"clip{number}", score=scores(1, 12, 3), image_size=(480, 640))
            writer.add(one, ["squat", "wave"][number % 2], split="train" if number < 5 else "val")
    annotations = load_annotations(path)
    assert list(annotations.label_names or ()) == ["squat", "wave"]
    for split, samples in (
        (pickle.loads(path.read_bytes())["split"], pickle.loads(path.read_bytes())["annotations"]),
        (annotations.split, annotations.samples),
    ):
        ids = [f"clip{number}" for number in range(7)]
        assert split == {"train": ids[:5], "val": ids[5:]}
        for number, sample in enumerate(samples):
            assert sample["label"] == number % 2
            assert sample["img_shape"] == sample["original_shape"] == (480, 640)
            np.testing.assert_array_equal(sample["keypoint"], recording("clip1").keypoint)
            np.testing.assert_array_equal(sample["keypoint_score"], scores(1, 12, 3))
    assert len(PoseDataset(path, [], split="val", num_classes=2)) == 2
    assert sorted(file.name for file in tmp_path.iterdir()) == ["mine.pkl", "mine.pkl.labels.txt"]


@settings(max_examples=20)
@given(count=st.integers(1, 230), ids=st.lists(st.text(), unique=True, max_size=3))
def test_any_number_of_samples_and_any_text(
    tmp_path_factory: pytest.TempPathFactory, count: int, ids: list[str]
) -> None:
    keypoint = np.arange(count, dtype=np.float16).reshape(-1, 1, 1, 1, 1) + np.zeros((1, 1, 2, 3))
    path = tmp_path_factory.mktemp("w") / "a.pkl"
    names = [*ids, *(f"s{number}" for number in range(count))][:count]
    written(path, None, *(Recording(name, k) for name, k in zip(names, keypoint, strict=False)))
    content = pickle.loads(path.read_bytes())
    assert content["split"] == {"train": names}
    for sample, name, expected in zip(content["annotations"], names, keypoint, strict=False):
        assert sample["frame_dir"] == name
        np.testing.assert_array_equal(sample["keypoint"], expected, strict=True)


def test_samples_are_written_one_by_one(tmp_path: Path) -> None:
    with AnnotationWriter(tmp_path / "mine.pkl") as writer:
        for number in range(20):
            writer.add(Recording(f"clip{number}", np.ones((1, 1000, 25, 3), np.float32)), 0)
        (partial,) = tmp_path.iterdir()
        assert partial.stat().st_size > 18 * 1000 * 25 * 3 * 4


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "mine.pkl"
    path.write_bytes(b"old")

    def fail() -> None:
        with AnnotationWriter(path, ["a"]) as writer:
            writer.add(recording("a"), "a")
            raise KeyError("something else")

    with pytest.raises(KeyError):
        fail()
    with pytest.raises(AnnotationError), AnnotationWriter(path):
        pass  # nothing was added
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("second", "key"),
    [
        (recording("first"), None),
        (recording("b", joints=4), "shape"),
        (recording("b", dim=3), "shape"),
        (recording("b", score=scores(1, 12, 3)), "score"),
        (recording("b", layout="coco"), "layout"),
        (recording("b", joint_names=("x", "z", "y")), "joint 1"),
        (Recording("b", np.full((1, 2, 3, 2), np.nan, np.float32)), "keypoint"),
        (Recording("b", np.zeros((1, 0, 3, 2), np.float32)), "keypoint"),
    ],
)
def test_inconsistent_recordings(tmp_path: Path, second: Recording, key: str | None) -> None:
    with AnnotationWriter(tmp_path / "mine.pkl", ["a"]) as writer:
        writer.add(recording("first", layout="body_25", joint_names=("x", "y", "z")), 0)
        with pytest.raises(RecordingError) as caught:
            writer.add(second, 0)
        writer.add(recording("third"), 0)
    assert (caught.value.sample, caught.value.key) == (second.name, key)
    samples = load_annotations(tmp_path / "mine.pkl").samples
    assert [sample["frame_dir"] for sample in samples] == ["first", "third"]


@pytest.mark.parametrize(
    ("names", "label"),
    [(["wave"], "wawe"), (["wave"], 1), (["wave"], -1), (None, "wave"), (None, -1)],
)
def test_unknown_labels(tmp_path: Path, names: list[str] | None, label: int | str) -> None:
    with AnnotationWriter(tmp_path / "mine.pkl", names) as writer:
        writer.add(recording("b"), 0)
        with pytest.raises((AnnotationError, RecordingError)) as caught:
            writer.add(recording("a"), label)
    assert caught.value.sample == "a"


@pytest.mark.parametrize("names", [["a", "a"], ["a", " "], ["a\nb"]])
def test_invalid_label_names(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(AnnotationError) as caught:
        AnnotationWriter(tmp_path / "mine.pkl", names)
    assert caught.value.key == "label_names"


def test_splits_of_unknown_samples(tmp_path: Path) -> None:
    with AnnotationWriter(tmp_path / "mine.pkl") as writer:
        writer.add(recording("clip1"), 0, split=["train", "val"])
        for ids in (["clip2"], ["clip1", "clip1"]):
            with pytest.raises(AnnotationError):
                writer.assign({"train": ids})
    assert load_annotations(tmp_path / "mine.pkl").split == {"train": ["clip1"], "val": ["clip1"]}


def test_folders_are_made_if_possible(tmp_path: Path) -> None:
    assert written(tmp_path / "not" / "there" / "mine.pkl", None).is_file()
    (tmp_path / "file").touch()
    with AnnotationWriter(tmp_path / "mine.pkl") as writer:
        writer.path = tmp_path / "file" / "mine.pkl"
        with pytest.raises(WriteError):
            writer.add(recording("a"), 0)
        writer.path = tmp_path / "mine.pkl"
        writer.add(recording("a"), 0)


def test_label_names_are_in_the_pickle_and_next_to_it(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.pkl", ["übung", "b c"])
    assert read_label_names(path) == ("übung", "b c")
    names_file = tmp_path / "mine.pkl.labels.txt"
    assert names_file.read_text(encoding="utf-8") == "übung\nb c\n"
    names_file.unlink()
    assert read_label_names(path) == ("übung", "b c")
    # A file without names leaves no names of an older file.
    written(path, ["a"])
    written(path, None)
    assert read_label_names(path) is None
    assert not names_file.exists()


def test_label_names_of_packs_and_published_files(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.pkl", ["a", "b"])
    pack = tmp_path / "mine.packed"
    write_pack(pack, read_annotation_pickle(path))
    (tmp_path / "label_map.txt").write_text("\ufeffx\n\ny\n", encoding="utf-8")
    assert read_label_names(pack) == ("a", "b")
    assert read_label_names(path) == ("a", "b")
    assert read_label_names(written(tmp_path / "other.pkl", None)) == ("x", "y")


@pytest.mark.parametrize(
    ("one", "names"),
    [
        (recording("a", joint_names=("x", "y", "z")), ("x", "y", "z")),
        (recording("a", 17, layout="coco"), LAYOUTS["coco"].joint_names),
        (recording("a"), None),
    ],
    ids=["own", "layout", "none"],
)
def test_joint_names(tmp_path: Path, one: Recording, names: tuple[str, ...] | None) -> None:
    path = written(tmp_path / "mine.pkl", None, one)
    assert read_annotation_pickle(path).joint_names == names
    assert pickle.loads(path.read_bytes()).get("joint_names") == (names and list(names))
