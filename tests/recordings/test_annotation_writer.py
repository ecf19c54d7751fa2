"""Annotation files, written sample by sample."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recording_files import people, scores

from pyskl.datasets import PoseDataset
from pyskl.datasets.annotation import load_annotations, read_annotation_pickle, read_label_names
from pyskl.datasets.packed.cache import pack_annotations
from pyskl.errors import AnnotationError
from pyskl.recordings import AnnotationWriter, Recording, RecordingError
from pyskl.recordings.pickle_stream import PickleStream
from pyskl.skeleton import LAYOUTS


def recording(name: str, joints: int = 3, dim: int = 2, **more: Any) -> Recording:
    return Recording(name, people(joints, dim, seed=len(name)), **more)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.pkl"
    with AnnotationWriter(path, ["squat", "wave"]) as writer:
        for number in range(7):
            one = recording(f"clip{number}", score=scores(1, 12, 3), image_size=(480, 640))
            writer.add(one, ["squat", "wave"][number % 2], split="train" if number < 5 else "val")
    for content in (
        pickle.loads(path.read_bytes()),  # as the family's readers do
        vars(load_annotations(path)) | {"annotations": load_annotations(path).samples},
    ):
        assert content["split"] == {
            "train": [f"clip{number}" for number in range(5)],
            "val": ["clip5", "clip6"],
        }
        assert list(content["label_names"]) == ["squat", "wave"]
        for number, sample in enumerate(content["annotations"]):
            assert sample["label"] == number % 2
            assert sample["img_shape"] == sample["original_shape"] == (480, 640)
            np.testing.assert_array_equal(sample["keypoint"], recording("clip1").keypoint)
            np.testing.assert_array_equal(sample["keypoint_score"], scores(1, 12, 3))
    assert len(PoseDataset(path, [], split="val", num_classes=2)) == 2
    assert sorted(file.name for file in tmp_path.iterdir()) == ["mine.pkl", "mine.pkl.labels.txt"]


def test_samples_go_to_the_disk_one_by_one(tmp_path: Path) -> None:
    sizes = []
    with AnnotationWriter(tmp_path / "mine.pkl") as writer:
        for number in range(20):
            big = Recording(f"clip{number}", np.ones((1, 1000, 25, 3), np.float32))
            writer.add(big, 0)
            (partial,) = tmp_path.iterdir()
            sizes.append(partial.stat().st_size)
    assert sizes[-1] > 18 * 1000 * 25 * 3 * 4


def test_a_pickle_in_pieces_is_a_pickle() -> None:
    shared = {"name": "a", "again": "a", "shape": (1, 2)}
    samples = [
        {"frame_dir": f"s{number}", "x": np.arange(number), "y": shared, "z": shared}
        for number in range(300)
    ]
    file = io.BytesIO()
    stream = PickleStream(file)
    for sample in samples:
        stream.add(sample)
    stream.finish({"split": {"train": ["s0", "s1"]}, "more": [1, "s0", None]})
    found = pickle.loads(file.getvalue())
    assert list(found) == ["annotations", "split", "more"]
    assert found["more"] == [1, "s0", None]
    assert len(found["annotations"]) == 300
    for sample, wanted in zip(found["annotations"], samples):
        np.testing.assert_array_equal(sample.pop("x"), wanted.pop("x"))  # type: ignore[arg-type]
        assert sample == wanted


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "mine.pkl"
    path.write_bytes(b"old")

    def fail() -> None:
        with AnnotationWriter(path, ["a"]) as writer:
            writer.add(recording("a"), "a")
            raise KeyError("something else")

    with pytest.raises(KeyError):
        fail()
    with pytest.raises(AnnotationError, match="no recording was added"), AnnotationWriter(path):
        pass
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("second", "parts"),
    [
        (recording("first"), ["first", "of this name already"]),
        (recording("b", joints=4), ["b: 4 joints of 2", "first has 3 of 2"]),
        (recording("b", dim=3), ["b: 3 joints of 3", "first has 3 of 2"]),
        (recording("b", score=scores(1, 12, 3)), ["b: it has scores, but first has none"]),
        (recording("b", layout="coco"), ["layout is coco, not body_25"]),
        (recording("b", joint_names=("x", "z", "y")), ["joint 1 is 'z', not 'y' as in first"]),
        (Recording("b", np.full((1, 2, 3, 2), np.nan, np.float32)), ["b: ", "NaN"]),
        (Recording("b", np.zeros((1, 0, 3, 2), np.float32)), ["b: ", "empty"]),
    ],
)
def test_recordings_that_do_not_go_together(
    tmp_path: Path, second: Recording, parts: list[str]
) -> None:
    with AnnotationWriter(tmp_path / "mine.pkl", ["a"]) as writer:
        writer.add(recording("first", layout="body_25", joint_names=("x", "y", "z")), 0)
        with pytest.raises(RecordingError) as caught:
            writer.add(second, 0)
        writer.add(recording("third"), 0)
    for part in parts:
        assert part in str(caught.value)
    assert [s["frame_dir"] for s in load_annotations(tmp_path / "mine.pkl").samples] == [
        "first",
        "third",
    ]


def test_labels_that_there_are_not(tmp_path: Path) -> None:
    for names, label, part in (
        (["wave"], "wawe", "did you mean 'wave'"),
        (["wave"], 1, "outside 0 to 0"),
        (["wave"], -1, "outside 0 to 0"),
        (None, "wave", "label_names"),
        (None, -1, "outside"),
    ):
        with AnnotationWriter(tmp_path / "mine.pkl", names) as writer:
            writer.add(recording("b"), 0)
            with pytest.raises((AnnotationError, RecordingError), match=part):
                writer.add(recording("a"), label)  # type: ignore[arg-type]
    for names in (["a", "a"], ["a", " "], ["a\nb"]):
        with pytest.raises(AnnotationError, match="label names"):
            AnnotationWriter(tmp_path / "mine.pkl", names)


def test_splits_of_ids_that_were_not_added(tmp_path: Path) -> None:
    with AnnotationWriter(tmp_path / "mine.pkl") as writer:
        writer.add(recording("clip1"), 0, split=["train", "val"])
        with pytest.raises(AnnotationError, match="did you mean 'clip1'"):
            writer.assign({"train": ["clip2"]})
        with pytest.raises(AnnotationError, match="an id twice"):
            writer.assign({"train": ["clip1", "clip1"]})
    assert load_annotations(tmp_path / "mine.pkl").split == {"train": ["clip1"], "val": ["clip1"]}


def test_a_folder_that_is_not_there_is_made(tmp_path: Path) -> None:
    assert written(tmp_path / "not" / "there" / "mine.pkl", None).is_file()
    (tmp_path / "file").touch()
    writer = AnnotationWriter(tmp_path / "file" / "mine.pkl")
    with pytest.raises(AnnotationError, match="can't be written"):
        writer.add(recording("a"), 0)


# --- the names of the classes ---------------------------------------------------------------------


def written(path: Path, names: list[str] | None) -> Path:
    with AnnotationWriter(path, names) as writer:
        writer.add(recording("a"), 0, "train")
    return path


def test_label_names_are_in_the_pickle_and_beside_it(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.pkl", ["übung", "b c"])
    assert read_label_names(path) == ("übung", "b c")
    beside = tmp_path / "mine.pkl.labels.txt"
    assert beside.read_text(encoding="utf-8") == "übung\nb c\n"
    beside.unlink()
    assert read_label_names(path) == ("übung", "b c")
    # A file without names leaves no names of the one before it.
    written(path, ["a"])
    written(path, None)
    assert read_label_names(path) is None
    assert not beside.exists()


def test_label_names_of_packs_and_of_the_familys_files(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.pkl", ["a", "b"])
    pack = tmp_path / "mine.packed"
    pack_annotations(read_annotation_pickle(path), pack)
    assert read_label_names(pack) is None
    (tmp_path / "label_map.txt").write_text("\ufeffx\n\ny\n", encoding="utf-8")
    assert read_label_names(pack) == ("x", "y")
    assert read_label_names(path) == ("a", "b")
    assert read_label_names(written(tmp_path / "other.pkl", None)) == ("x", "y")
    (tmp_path / "label_map.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(AnnotationError, match=r"label_map\.txt"):
        read_label_names(pack)


# --- the names of the joints ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "names"),
    [
        (recording("a", joint_names=("x", "y", "z")), ("x", "y", "z")),
        (recording("a", 17, layout="coco"), LAYOUTS["coco"].joint_names),
        (recording("a"), None),
    ],
    ids=["own", "layout", "none"],
)
def test_joint_names_are_kept(
    tmp_path: Path, one: Recording, names: tuple[str, ...] | None
) -> None:
    path = tmp_path / "mine.pkl"
    with AnnotationWriter(path) as writer:
        writer.add(one, 0)
    assert read_annotation_pickle(path).joint_names == names
    assert pickle.loads(path.read_bytes()).get("joint_names") == (names and list(names))


@pytest.mark.parametrize("names", [3, "ab", [1, 2], [], None, {"a": 1}])
def test_other_uses_of_the_key_are_left_alone(tmp_path: Path, names: Any) -> None:
    sample = recording("a").sample(0)
    content = {"split": {"train": ["a"]}, "annotations": [sample], "label_names": names}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content))
    assert read_label_names(tmp_path / "a.pkl") is None
