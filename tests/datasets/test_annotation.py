from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyskl.datasets import load_annotations
from pyskl.datasets.annotation import Sample, sample_fault, sample_id
from pyskl.errors import AnnotationError, UntrustedFileError

MakeSample = Callable[..., Sample]
WriteAnnotations = Callable[..., Path]


def with_value(array: np.ndarray, value: float, at: tuple[int, ...]) -> np.ndarray:
    changed = array.copy()
    changed[at] = value
    return changed


def changed(key: str, value: Any) -> Callable[[Sample], Sample]:
    """Return a function that gives a copy of a sample with another value (of the old) for key."""

    def apply(sample: Sample) -> Sample:
        return {**sample, key: value(sample[key]) if callable(value) else value}

    return apply


def without(key: str) -> Callable[[Sample], Sample]:
    return lambda sample: {name: value for name, value in sample.items() if name != key}


# A change of a healthy 2D sample of 12 frames, and words that the message should have.
FAULTS: dict[str, tuple[Callable[[Sample], Sample], list[str]]] = {
    "rank 3": (changed("keypoint", lambda k: k[0]), ["keypoint", "(M, T, V, C)", "(12, 17, 2)"]),
    "rank 5": (changed("keypoint", lambda k: k[None]), ["keypoint", "(1, 2, 12, 17, 2)"]),
    "NaN": (
        changed("keypoint", lambda k: with_value(k, np.nan, (1, 3, 2, 0))),
        ["keypoint", "1 values", "NaN", "3 the first"],
    ),
    "inf": (
        changed("keypoint", lambda k: with_value(k, -np.inf, (0, 5, 2, 1))),
        ["keypoint", "infinite", "5 the first"],
    ),
    "NaN score": (
        changed("keypoint_score", lambda s: with_value(s, np.nan, (0, 4, 0))),
        ["keypoint_score", "NaN", "4 the first"],
    ),
    "int dtype": (changed("keypoint", lambda k: k.astype(int)), ["float", "int64"]),
    "object dtype": (changed("keypoint", lambda k: k.astype(object)), ["float", "object"]),
    "list": (changed("keypoint", lambda k: k.tolist()), ["NumPy array", "list"]),
    "one coordinate": (changed("keypoint", lambda k: k[..., :1]), ["2 or 3", "17, 1)"]),
    "four coordinates": (
        changed("keypoint", lambda k: np.concatenate([k, k], -1)),
        ["2 or 3", "17, 4)"],
    ),
    "no person": (changed("keypoint", lambda k: k[:0]), ["empty", "(0, 12, 17, 2)"]),
    "no frame": (
        lambda s: {**s, "keypoint": s["keypoint"][:, :0], "total_frames": 0},
        ["empty", "(2, 0, 17, 2)"],
    ),
    "no joint": (changed("keypoint", lambda k: k[:, :, :0]), ["empty"]),
    "total_frames": (changed("total_frames", 11), ["total_frames is 11", "12 frames"]),
    "total_frames float": (changed("total_frames", 12.0), ["total_frames", "int", "float"]),
    "total_frames bool": (changed("total_frames", True), ["total_frames", "int", "bool"]),
    "score shape": (
        changed("keypoint_score", lambda s: s[:, :-1]),
        ["keypoint_score", "(2, 12, 17)", "(2, 11, 17)"],
    ),
    "score rank": (changed("keypoint_score", lambda s: s[..., None]), ["(2, 12, 17, 1)"]),
    "score dtype": (changed("keypoint_score", lambda s: s.astype(int)), ["float", "int64"]),
    "score list": (changed("keypoint_score", lambda s: s.tolist()), ["NumPy array", "list"]),
    "label too high": (changed("label", 60), ["label 60", "0 to 59"]),
    "label negative": (changed("label", -1), ["label -1", "0 to 59"]),
    "label float": (changed("label", 3.0), ["label", "int", "float", "3.0"]),
    "label text": (changed("label", "3"), ["label", "int", "str"]),
    "label bool": (changed("label", True), ["label", "bool"]),
    "label list": (changed("label", [3]), ["label", "int", "list"]),
    "label None": (changed("label", None), ["label", "NoneType"]),
    "img_shape zero": (changed("img_shape", (0, 1920)), ["img_shape", "(0, 1920)"]),
    "img_shape of 3": (changed("img_shape", (1080, 1920, 3)), ["img_shape", "(height, width)"]),
    "img_shape number": (changed("img_shape", 1080), ["img_shape", "1080"]),
    **{
        f"no {key}": (without(key), [repr(key), "missing", "frame_dir"])
        for key in ("keypoint", "total_frames", "label")
    },
}


@pytest.fixture(scope="module")
def sample(make_sample: MakeSample) -> Sample:
    return make_sample(joints=17, dims=2)


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("name", FAULTS)
def test_a_malformed_sample_is_named_with_its_file_and_fault(
    tmp_path: Path,
    sample: Sample,
    write_annotations: WriteAnnotations,
    name: str,
    bare: bool,
) -> None:
    change, words = FAULTS[name]
    samples = [{**sample, "frame_dir": "sound"}, {**change(sample), "frame_dir": "faulty"}]
    split = None if bare else {"train": ["sound", "faulty"]}
    path = write_annotations(tmp_path / "a.pkl", samples, split)
    annotations = load_annotations(path)
    with pytest.raises(AnnotationError) as caught:
        annotations.check(None if bare else "train", num_classes=60)
    message = str(caught.value)
    for word in [str(path), "1 malformed sample", "'faulty' (number 1)", *words]:
        assert word in message, message
    assert "'sound'" not in message


def test_a_sound_sample_has_no_fault(sample: Sample, make_sample: MakeSample) -> None:
    assert sample_fault(sample, num_classes=60) is None
    assert sample_fault(make_sample()) is None
    for dtype in ("float16", "float32", "float64"):
        assert sample_fault(make_sample(dtype=dtype)) is None
    for key in ("keypoint_score", "img_shape", "original_shape", "frame_dir"):
        assert sample_fault(without(key)(sample)) is None
    assert sample_fault({**sample, "label": np.int64(3), "total_frames": np.int32(12)}) is None
    assert sample_fault({**sample, "label": 10**6}) is None  # the number of classes is unknown
    assert sample_fault({**sample, "img_shape": np.array([1080, 1920])}) is None


def test_several_labels_are_for_multi_class_only(sample: Sample) -> None:
    for labels in ([0, 3], (0, 3), np.array([0, 3]), 3):
        several = {**sample, "label": labels}
        assert sample_fault(several, num_classes=4, multi_class=True) is None
    assert sample_fault({**sample, "label": [0, 3]}) is not None
    fault = sample_fault({**sample, "label": [0, 4]}, num_classes=4, multi_class=True)
    assert fault == "label 4 is outside 0 to 3"


def test_many_faults_are_counted_and_some_are_shown(
    tmp_path: Path, sample: Sample, write_annotations: WriteAnnotations
) -> None:
    samples = [{**sample, "frame_dir": f"c{i:02}", "total_frames": 1} for i in range(25)]
    annotations = load_annotations(write_annotations(tmp_path / "a.pkl", samples))
    with pytest.raises(AnnotationError, match="25 malformed samples") as caught:
        annotations.check(None)
    message = str(caught.value)
    assert message.count("total_frames is 1") == 10
    assert message.endswith("and 15 more")


def test_only_the_samples_of_the_split_are_checked(
    tmp_path: Path, sample: Sample, write_annotations: WriteAnnotations
) -> None:
    samples = [{**sample, "frame_dir": "a"}, {**sample, "frame_dir": "b", "label": 9}]
    path = write_annotations(tmp_path / "a.pkl", samples, {"x": ["a"], "y": ["b"]})
    annotations = load_annotations(path)
    annotations.check("x", num_classes=5)
    for _ in range(2):  # a fault is not forgotten
        with pytest.raises(AnnotationError, match=r"split 'y'.*1 malformed"):
            annotations.check("y", num_classes=5)
    annotations.check("y", num_classes=10)
    with pytest.raises(AnnotationError):  # nor covered by a check against more classes
        annotations.check("y", num_classes=5)


def test_a_split_gives_its_samples_in_the_order_of_the_file(
    tmp_path: Path, sample: Sample, write_annotations: WriteAnnotations
) -> None:
    samples = [{**sample, "frame_dir": name} for name in "abcde"]
    splits = {"one": ["d", "a", "c"], "twice": ["b", "b"], "two": list("abcde")}
    annotations = load_annotations(write_annotations(tmp_path / "a.pkl", samples, splits))
    assert annotations.split_names() == list(splits)
    assert [sample_id(s) for s in annotations.select("one")] == ["a", "c", "d"]
    assert [sample_id(s) for s in annotations.select("twice")] == ["b"]
    assert [sample_id(s) for s in annotations.select(None)] == list("abcde")


@pytest.mark.parametrize(
    "ids", [[1, 2], np.array([1, 2]), ("1", "2"), {"1", 2}, ["1", np.int64(2)]]
)
def test_ids_are_compared_as_text(
    tmp_path: Path, sample: Sample, write_annotations: WriteAnnotations, ids: Any
) -> None:
    samples = [{**sample, "frame_dir": 1}, without("frame_dir")({**sample, "filename": "2"})]
    annotations = load_annotations(write_annotations(tmp_path / "a.pkl", samples, {"all": ids}))
    assert [sample_id(s) for s in annotations.select("all")] == ["1", "2"]


@pytest.mark.parametrize(
    ("split", "asked", "words"),
    [
        ({"xsub_train": ["a"], "xsub_val": ["b"]}, "xsub_trian", ["did you mean 'xsub_train'"]),
        ({"train": ["a"]}, "zzz", ["no split 'zzz'", "train"]),
        ({}, "train", ["no split 'train'"]),
        ({"train": ["a", "missing"]}, "train", ["1 ids that have no sample", "'missing'"]),
        ({"train": ["x", "y"]}, "train", ["none of the 2 ids", "2 samples"]),
        ({"train": []}, "train", ["none of the 0 ids"]),
        (None, "train", ["bare list", "split=None", "'train'"]),
    ],
)
def test_a_split_that_can_not_be_had(
    tmp_path: Path,
    sample: Sample,
    write_annotations: WriteAnnotations,
    split: Any,
    asked: str,
    words: list[str],
) -> None:
    samples = [{**sample, "frame_dir": name} for name in "ab"]
    path = write_annotations(tmp_path / "a.pkl", samples, split)
    with pytest.raises(AnnotationError) as caught:
        load_annotations(path).select(asked)
    for word in [str(path), *words]:
        assert word in str(caught.value)


def test_samples_that_share_an_id_of_the_split(
    tmp_path: Path, sample: Sample, write_annotations: WriteAnnotations
) -> None:
    samples = [{**sample, "frame_dir": name} for name in "aab"]
    path = write_annotations(tmp_path / "a.pkl", samples, {"x": ["a", "b"], "y": ["b"]})
    assert len(load_annotations(path).select("y")) == 1
    with pytest.raises(AnnotationError, match="share an id of split 'x'"):
        load_annotations(path).select("x")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"annotations": []}, ["missing split", "annotations"]),
        ({"split": {}, "annotation": []}, ["missing annotations", "annotation"]),
        ({"split": ["train"], "annotations": []}, ["'split' should be a dict", "list"]),
        ({"split": {"train": "clip"}, "annotations": [{}]}, ["split 'train'", "list", "str"]),
        ({"split": {"train": 5}, "annotations": [{}]}, ["split 'train'", "list", "int"]),
        ({"split": {"train": None}, "annotations": [{}]}, ["split 'train'", "NoneType"]),
        ({"split": {}, "annotations": {"a": 1}}, ["a list of samples", "dict"]),
        ({"split": {}, "annotations": []}, ["no samples"]),
        ([], ["no samples"]),
        ("text", ["a list of samples", "str"]),
        (3, ["a list of samples", "int"]),
        (np.zeros(3), ["a list of samples", "ndarray"]),
        ([{}, 3], ["sample number 1", "int"]),
        ({"split": {}, "annotations": [{"label": 1}]}, ["sample number 0", "frame_dir", "label"]),
    ],
)
def test_a_file_of_another_structure(tmp_path: Path, content: Any, words: list[str]) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(AnnotationError) as caught:
        load_annotations(path)
    for word in [str(path), *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.6, 0.9, 0.999])
def test_a_file_cut_short(
    tmp_path: Path, sample: Sample, write_annotations: WriteAnnotations, share: float
) -> None:
    path = write_annotations(tmp_path / "a.pkl", [sample] * 3)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(AnnotationError, match="cut short") as caught:
        load_annotations(path)
    assert str(path) in str(caught.value)


def test_files_that_can_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AnnotationError, match=r"none\.pkl: there is no such annotation file"):
        load_annotations(tmp_path / "none.pkl")
    with pytest.raises(AnnotationError, match="this is a folder, and no pack"):
        load_annotations(tmp_path)
    path = tmp_path / "text.pkl"
    path.write_text("frame_dir label\n")
    with pytest.raises(AnnotationError, match=r"text\.pkl: not a readable pickle"):
        load_annotations(path)

    def denied(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(AnnotationError, match=r"text\.pkl: .*Permission denied"):
        load_annotations(path)


def test_an_untrusted_file_is_refused_as_such(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps([Path("x")]))
    with pytest.raises(UntrustedFileError, match=r"a\.pkl: refused: it asks for pathlib"):
        load_annotations(path)
    with pytest.raises(AnnotationError, match="sample number 0 should be a dict"):
        load_annotations(path, trusted=True)


def test_a_file_is_read_once_until_it_changes(
    tmp_path: Path, sample: Sample, write_annotations: WriteAnnotations
) -> None:
    path = write_annotations(tmp_path / "a.pkl", [sample])
    first = load_annotations(path)
    assert load_annotations(str(path)) is first
    write_annotations(path, [sample, sample])
    assert len(load_annotations(path).samples) == 2
    stat = path.stat()
    write_annotations(path, [sample, {**sample, "label": 1}])  # of the same size
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert load_annotations(path).samples[1]["label"] == 1


def test_a_trusted_reading_does_not_stand_in_for_an_untrusted_one(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps([{"frame_dir": Path("x")}]))
    load_annotations(path, trusted=True)
    with pytest.raises(UntrustedFileError):
        load_annotations(path)
