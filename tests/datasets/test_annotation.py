from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyskl.datasets import load_annotations
from pyskl.datasets.annotation_pickle import Sample
from pyskl.datasets.sample_checks import (
    content_problem,
    label_hint,
    label_problem,
    sample_id,
    sample_problem,
)
from pyskl.datasets.sample_fields import AXES, fitting_orders, reordered, with_plain_fields
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


# A change of a healthy 2D sample of 12 frames, by the key that is then wrong.
PROBLEMS: dict[str, dict[str, Callable[[Sample], Sample]]] = {
    "keypoint": {
        "rank 2": changed("keypoint", lambda k: k[0, 0]),
        "rank 5": changed("keypoint", lambda k: k[None]),
        "one person, frames not told": lambda s: {
            **s,
            "keypoint": s["keypoint"][0, :5],
            "keypoint_score": None,
        },
        "NaN": changed("keypoint", lambda k: with_value(k, np.nan, (1, 3, 2, 0))),
        "inf": changed("keypoint", lambda k: with_value(k, -np.inf, (0, 5, 2, 1))),
        "object dtype": changed("keypoint", lambda k: with_value(k.astype(object), None, (0, 0))),
        "text": changed("keypoint", lambda k: k.astype(str)),
        "bytes": changed("keypoint", lambda k: k.tobytes()),
        "bool": changed("keypoint", lambda k: k > 0),
        "ragged list": changed("keypoint", lambda k: [*k.tolist(), []]),
        "list of texts": changed("keypoint", lambda k: k.astype(str).tolist()),
        "one coordinate": changed("keypoint", lambda k: k[..., :1]),
        "four coordinates": changed("keypoint", lambda k: np.concatenate([k, k], -1)),
        "no person": changed("keypoint", lambda k: k[:0]),
        "no frame": lambda s: {**s, "keypoint": s["keypoint"][:, :0], "total_frames": 0},
        "no joint": changed("keypoint", lambda k: k[:, :, :0]),
        "missing": without("keypoint"),
        "T first": changed("keypoint", lambda k: k.transpose(1, 0, 2, 3)),
        "C first": changed("keypoint", lambda k: k[:1].transpose(3, 1, 2, 0)),
        "V first": changed("keypoint", lambda k: k.transpose(2, 1, 3, 0)),
        "frames of one person": lambda s: {
            **s,
            "keypoint": s["keypoint"].reshape(-1, 1, 17, 2)[:20],
            "total_frames": 1,
        },
        "one frame of many": lambda s: {
            **s,
            "keypoint": s["keypoint"].reshape(-1, 1, 17, 2).repeat(2, 0),
            "total_frames": 1,
        },
    },
    "total_frames": {
        "wrong": changed("total_frames", 11),
        "fraction": changed("total_frames", 12.5),
        "NaN": changed("total_frames", np.nan),
        "bool": changed("total_frames", True),
        "text": changed("total_frames", "12"),
        "two": changed("total_frames", np.array([12, 12])),
        "missing": without("total_frames"),
    },
    "keypoint_score": {
        "NaN": changed("keypoint_score", lambda s: with_value(s, np.nan, (0, 4, 0))),
        "shape": changed("keypoint_score", lambda s: s[:, :-1]),
        "two channels": changed("keypoint_score", lambda s: np.stack([s, s], -1)),
        "text": changed("keypoint_score", lambda s: s.astype(str)),
        "number": changed("keypoint_score", 1.0),
    },
    "label": {
        "too high": changed("label", 60),
        "negative": changed("label", -1),
        "huge": changed("label", 10**30),
        "float": changed("label", 3.0),
        "text": changed("label", "3"),
        "bool": changed("label", True),
        "array of bool": changed("label", np.array(True)),
        "list": changed("label", [3]),
        "array": changed("label", np.array([3])),
        "None": changed("label", None),
        "missing": without("label"),
    },
    "img_shape": {
        "zero": changed("img_shape", (0, 1920)),
        "NaN": changed("img_shape", (np.nan, 1920)),
        "of 3": changed("img_shape", (3, 1080, 1920)),
        "text": changed("img_shape", "1080x1920"),
        "two letters": changed("img_shape", "hw"),
        "number": changed("img_shape", 1080),
        "bool": changed("img_shape", (True, True)),
    },
    "original_shape": {"zero": changed("original_shape", (0, 1920))},
}

# The same sample in other words.
SAME: dict[str, Callable[[Sample], Sample]] = {
    "keypoint as list": changed("keypoint", lambda k: k.tolist()),
    "keypoint of objects": changed("keypoint", lambda k: k.astype(object)),
    "keypoint of other byte order": changed("keypoint", lambda k: k.astype(">f4")),
    "persons apart": changed("keypoint", list),
    "score as list": changed("keypoint_score", lambda s: s.tolist()),
    "score with axis": changed("keypoint_score", lambda s: s[..., None]),
    "score with axis, as list": changed("keypoint_score", lambda s: s[..., None].tolist()),
    "frames as float": changed("total_frames", float),
    "frames as array": changed("total_frames", lambda t: np.array([t])),
    "frames as 0-d array": changed("total_frames", lambda t: np.array(t)),
    "label as 0-d array": changed("label", lambda one: np.array(one)),
    "shape of a frame": changed("img_shape", lambda size: (*size, 3)),
    "shape as array": changed("img_shape", lambda size: np.array([*size, 1])),
    "id as array": changed("frame_dir", lambda one: np.array(one)),
    "filename": lambda s: {**s, "frame_dir": None, "filename": s["frame_dir"]},
}


@pytest.fixture(scope="module")
def sample(make_sample: MakeSample) -> Sample:
    return make_sample(joints=17, dims=2)


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize(
    ("key", "change"),
    [
        pytest.param(key, change, id=f"{key} {name}")
        for key, changes in PROBLEMS.items()
        for name, change in changes.items()
    ],
)
def test_a_malformed_sample_is_named(
    tmp_path: Path,
    sample: Sample,
    write_annotations: WriteAnnotations,
    key: str,
    change: Callable[[Sample], Sample],
    bare: bool,
) -> None:
    samples = [{**sample, "frame_dir": "sound"}, {**change(sample), "frame_dir": "invalid"}]
    split = None if bare else {"train": ["sound", "invalid"]}
    path = write_annotations(tmp_path / "a.pkl", samples, split)
    annotations = load_annotations(path)
    with pytest.raises(AnnotationError) as caught:
        annotations.check(None if bare else "train", num_classes=60)
    assert caught.value.file == str(path)
    (error,) = caught.value.errors
    assert (error.sample, error.key) == ("invalid", key)


@pytest.mark.parametrize("name", SAME)
def test_a_field_in_other_words_is_the_same_sample(
    tmp_path: Path, sample: Sample, write_annotations: WriteAnnotations, name: str
) -> None:
    usual, other = {**sample, "frame_dir": "usual"}, SAME[name]({**sample, "frame_dir": "other"})
    path = write_annotations(tmp_path / "a.pkl", [usual, other], {"train": ["usual", "other"]})
    for file in (load_annotations(path, pack=False), load_annotations(path, pack=True)):
        file.check("train", num_classes=60)
        first, second = file.select("train")
        assert second.pop("frame_dir", second.get("filename")) == "other"
        for key in ("keypoint", "keypoint_score"):
            np.testing.assert_array_equal(first[key], second[key])
        for key in ("label", "total_frames", "img_shape", "original_shape"):
            assert second[key] == first[key], key


@given(
    absent=st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("keypoint_score", "img_shape"), st.sampled_from([None, "", []]))
    ),
    whole=st.sampled_from([bool, int, np.uint8, np.int64]),
)
def test_nothing_and_whole_numbers_have_one_meaning(absent: Sample, whole: Any) -> None:
    keypoint = np.arange(2 * 5 * 7 * 2).reshape(2, 5, 7, 2)
    score = np.arange(2 * 5 * 7).reshape(2, 5, 7) % 2
    sample = {"keypoint": keypoint, "total_frames": 5, "label": 0,
              "keypoint_score": score.astype(whole), **absent}  # fmt: skip
    plain = with_plain_fields(sample)
    assert sample_problem(plain) is None
    assert with_plain_fields(plain) is plain
    assert set(plain) == set(sample) - set(absent)
    np.testing.assert_array_equal(plain["keypoint"], keypoint)
    if "keypoint_score" in plain:
        np.testing.assert_array_equal(plain["keypoint_score"], score)


@given(
    order=st.permutations(AXES).map("".join),
    persons=st.integers(1, 6),
    frames=st.integers(7, 60),
    joints=st.integers(8, 60),
    C=st.sampled_from([2, 3]),
)
def test_axes_in_any_order_are_read_right_or_refused(
    order: str, persons: int, frames: int, joints: int, C: int
) -> None:
    sizes = dict(zip(AXES, (persons, frames, joints, C)))
    keypoint = np.random.default_rng(0).random([sizes[axis] for axis in order], np.float32)
    score = np.ones([sizes[axis] for axis in order if axis != "C"], np.float32)
    sample = {"keypoint": keypoint, "keypoint_score": score, "total_frames": frames, "label": 0}
    problem = content_problem(sample)
    if problem is None:  # the shape does not speak against it
        assert keypoint.shape[1] == frames
        assert keypoint.shape[3] in (2, 3)
        return
    assert problem.key in ("keypoint", "total_frames")
    orders = fitting_orders(keypoint.shape, frames)
    strange = order in ("TCVM", "CMTV", "CTMV", "CVTM") or order.index("V") < order.index("T")
    if len(orders) == 1 and not strange and frames != joints:  # what --fix does
        assert orders == [order]
        again = reordered(sample, order)
        assert content_problem(again) is None
        assert again["keypoint"].shape == (persons, frames, joints, C)
        assert again["keypoint_score"].shape == (persons, frames, joints)


def test_many_persons_are_no_reason_for_doubt() -> None:
    for persons, frames in ((20, 40), (12, 1), (60, 30), (24, 2), (100, 10)):
        sample = {"keypoint": np.ones((persons, frames, 17, 2)), "total_frames": frames, "label": 0}
        assert content_problem(sample) is None


def test_a_valid_sample_has_no_problem(sample: Sample, make_sample: MakeSample) -> None:
    assert sample_problem(sample) is None
    assert sample_problem(make_sample()) is None
    for dtype in ("float16", "float32", "float64"):
        assert sample_problem(make_sample(dtype=dtype)) is None
    for key in ("keypoint_score", "img_shape", "original_shape", "frame_dir"):
        assert sample_problem(without(key)(sample)) is None
    assert sample_problem({**sample, "label": np.int64(3), "total_frames": np.int32(12)}) is None
    assert sample_problem({**sample, "label": 10**6}) is None  # the number of classes is unknown
    assert sample_problem({**sample, "img_shape": np.array([1080, 1920])}) is None


def test_several_labels_are_for_multi_class_only(sample: Sample) -> None:
    for labels in ([0, 3], (0, 3), np.array([0, 3]), 3):
        assert sample_problem({**sample, "label": labels}, multi_class=True) is None
        assert label_problem(labels, 4, True) is None
    assert sample_problem({**sample, "label": [0, 3]}) is not None
    assert label_problem([0, 4], 4, True) is not None


def test_many_problems_are_counted_and_some_are_shown(
    tmp_path: Path, sample: Sample, write_annotations: WriteAnnotations
) -> None:
    samples = [{**sample, "frame_dir": f"c{i:02}", "total_frames": 1} for i in range(25)]
    annotations = load_annotations(write_annotations(tmp_path / "a.pkl", samples))
    with pytest.raises(AnnotationError, match="25") as caught:
        annotations.check(None)
    assert len(caught.value.errors) == 10


def test_only_the_samples_of_the_split_are_checked(
    tmp_path: Path, sample: Sample, write_annotations: WriteAnnotations
) -> None:
    samples = [{**sample, "frame_dir": "a"}, {**sample, "frame_dir": "b", "label": 9}]
    path = write_annotations(tmp_path / "a.pkl", samples, {"x": ["a"], "y": ["b"]})
    annotations = load_annotations(path)
    annotations.check("x", num_classes=5)
    for _ in range(2):  # the problem is found again
        with pytest.raises(AnnotationError) as caught:
            annotations.check("y", num_classes=5)
        assert [error.sample for error in caught.value.errors] == ["b"]
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
    ("split", "asked"),
    [
        ({"xsub_train": ["a"], "xsub_val": ["b"]}, "xsub_trian"),
        ({}, "train"),
        ({"train": ["a", "missing"]}, "train"),
        ({"train": ["x", "y"]}, "train"),
        ({"train": []}, "train"),
        (None, "train"),
    ],
)
def test_a_split_that_can_not_be_had(
    tmp_path: Path, sample: Sample, write_annotations: WriteAnnotations, split: Any, asked: str
) -> None:
    samples = [{**sample, "frame_dir": name} for name in "ab"]
    path = write_annotations(tmp_path / "a.pkl", samples, split)
    with pytest.raises(AnnotationError) as caught:
        load_annotations(path).select(asked)
    assert caught.value.file == str(path)
    assert caught.value.key is not None
    assert caught.value.key.startswith("split")


def test_all_samples_of_an_id_belong_to_its_split(
    tmp_path: Path, sample: Sample, write_annotations: WriteAnnotations
) -> None:
    samples = [{**sample, "frame_dir": name, "label": i} for i, name in enumerate("aabca")]
    path = write_annotations(tmp_path / "a.pkl", samples, {"x": ["c", "a"], "y": ["b"]})
    for pack in (False, True):
        annotations = load_annotations(path, pack=pack)
        annotations.check("x", num_classes=5)
        assert annotations.select("x").values("label") == [0, 1, 3, 4]
        assert annotations.select("y").values("label") == [2]


@pytest.mark.parametrize(
    ("labels", "num_classes", "words"),
    [
        ([1, 2, 3] * 20, 3, "start at 1"),
        ([1, 2, 3] * 20, 2, "start at 1"),
        ([1, 2, 5, -1] * 20, 5, "start at 1"),
        ([0, 1, 2, 3], 3, "num_classes=4"),
        ([0, 1, 2] * 20 + [7], 3, "'60'"),
        ([0, 1, 2] * 20 + [3], 3, "'60'"),
        ([0, 1, 2] * 20, 2, "num_classes=3"),
        ([[0], [1, 5], [5]] * 20, 3, "num_classes=6"),
        ([0, 1, 2, "x", None, -1], 3, None),
    ],
)
def test_the_hint_fits_the_labels(labels: list[Any], num_classes: int, words: str | None) -> None:
    hint = label_hint(labels, num_classes, str)
    assert (hint is None) == (words is None)
    if hint is not None and words is not None:
        assert words in hint
        assert ("num_classes=" in hint) == ("num_classes=" in words or num_classes == 2)


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"annotations": []}, "split"),
        ({"split": {}, "annotation": []}, "annotations"),
        ({"split": ["train"], "annotations": []}, "split"),
        ({"split": {"train": "clip"}, "annotations": [{}]}, "split['train']"),
        ({"split": {"train": 5}, "annotations": [{}]}, "split['train']"),
        ({"split": {"train": None}, "annotations": [{}]}, "split['train']"),
        ({"split": {}, "annotations": {"a": 1}}, "annotations"),
        ({"split": {}, "annotations": []}, "annotations"),
        ([], "annotations"),
        ("text", "annotations"),
        (3, "annotations"),
        (np.zeros(3), "annotations"),
        ([{}, 3], None),
        ({"split": {}, "annotations": [{"label": 1}]}, "frame_dir"),
        ([{"frame_dir": "a"}], "keypoint"),
        ([{"frame_dir": "a", "keypoint": 3}], "total_frames"),
    ],
)
def test_a_file_of_another_structure(tmp_path: Path, content: Any, key: str | None) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(AnnotationError) as caught:
        load_annotations(path)
    assert (caught.value.file, caught.value.key) == (str(path), key)


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.6, 0.9, 0.999])
def test_a_file_cut_short(
    tmp_path: Path, sample: Sample, write_annotations: WriteAnnotations, share: float
) -> None:
    path = write_annotations(tmp_path / "a.pkl", [sample] * 3)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(AnnotationError, match=r"a\.pkl"):
        load_annotations(path)


def test_files_that_can_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (tmp_path / "none.pkl", tmp_path):
        with pytest.raises(AnnotationError) as caught:
            load_annotations(path)
        assert caught.value.file == str(path)
    path = tmp_path / "text.pkl"
    path.write_text("frame_dir label\n")
    with pytest.raises(AnnotationError, match=r"text\.pkl"):
        load_annotations(path)

    def denied(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(AnnotationError, match="Permission denied"):
        load_annotations(path)


def test_an_untrusted_file_is_refused_as_such(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps([Path("x")]))
    with pytest.raises(UntrustedFileError, match=r"a\.pkl"):
        load_annotations(path)
    with pytest.raises(AnnotationError) as caught:
        load_annotations(path, trusted=True)
    assert caught.value.sample == 0


def test_samples_of_another_kind_than_the_first_are_invalid(
    tmp_path: Path, sample: Sample, make_sample: MakeSample, write_annotations: WriteAnnotations
) -> None:
    samples = [
        {**sample, "frame_dir": "first"},
        make_sample(joints=9, dims=2, frame_dir="joints"),
        {**without("keypoint_score")(sample), "frame_dir": "scores"},
        {**sample, "frame_dir": "type", "keypoint": sample["keypoint"].astype(np.float64)},
    ]
    annotations = load_annotations(write_annotations(tmp_path / "a.pkl", samples))
    with pytest.raises(AnnotationError) as caught:
        annotations.check(None)
    assert [error.sample for error in caught.value.errors] == ["joints", "scores"]
    assert annotations.samples[3]["keypoint"].dtype == np.float64


def test_samples_can_not_be_changed(ann_file: Path) -> None:
    with pytest.raises(ValueError, match="read-only"):
        load_annotations(ann_file).samples[0]["keypoint"][:] = 0
