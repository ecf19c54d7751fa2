"""The cleaned copy: fit to train on, changed no more than told, and clean when checked again."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from health_defects import DEFECTS
from health_sets import Set, found, healthy_set
from hypothesis import given, settings
from hypothesis import strategies as st

from pyskl.datasets.annotation import AnnotationFile
from pyskl.datasets.annotation_pickle import read_annotation_pickle
from pyskl.errors import AnnotationError
from pyskl.health.examine import examine
from pyskl.health.fix import fix
from pyskl.health.kinds import KINDS
from pyskl.health.raw_annotations import RawAnnotations

FIXED = {key for key, kind in KINDS.items() if kind.fixed}
SPOILS = {kind: defect.spoil for kind, defect in DEFECTS.items() if defect.dims == 3}


@settings(max_examples=40, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(sorted(SPOILS)), min_size=1, max_size=6, unique=True),
    seed=st.integers(0, 1000),
)
def test_a_cleaned_copy_is_clean_and_stays_so(kinds: list[str], seed: int) -> None:
    data = healthy_set(seed)
    for kind in kinds:
        _spoil(data, SPOILS[kind])
    before = pickle.dumps(data.content())
    cleaned, changes = fix(data.file())
    assert pickle.dumps(data.content()) == before, "the original was changed"
    report = found(examine(cleaned))
    assert not FIXED & set(report), (kinds, report)
    again, more = fix(cleaned)
    assert more == []
    assert pickle.dumps(again.content()) == pickle.dumps(cleaned.content())
    if not changes:
        assert pickle.dumps(cleaned.content()) == before


def _spoil(data: Set, spoil: Callable[[Set], None]) -> None:
    """Spoil a set that others may have spoilt so that this is not possible any more."""
    kept = copy.deepcopy(data)
    try:
        spoil(data)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        data.samples, data.split, data.extra = kept.samples, kept.split, kept.extra


@pytest.mark.parametrize("kind", sorted(FIXED & set(DEFECTS)))
def test_every_kind_that_is_fixed_is_told_and_gone(kind: str) -> None:
    _, spoil, dims = DEFECTS[kind]
    data = healthy_set(dims=dims)
    spoil(data)
    cleaned, changes = fix(data.file())
    assert {change.kind for change in changes} == {kind}
    assert kind not in found(examine(cleaned))


def test_a_healthy_file_stays_as_it_is() -> None:
    data = healthy_set()
    cleaned, changes = fix(data.file())
    assert changes == []
    assert pickle.dumps(cleaned.content()) == pickle.dumps(data.content())


def test_the_copy_of_a_spoilt_file_is_read_and_checked_as_training_does(tmp_path: Path) -> None:
    data = healthy_set()
    for kind in ("structure", "total_frames", "nonfinite", "label", "all_zero", "split_unknown"):
        _spoil(data, SPOILS[kind])
    data.extra["label_names"] = ["sit", "stand", "walk"]
    path = tmp_path / "fixed.pkl"
    path.write_bytes(pickle.dumps(fix(data.file())[0].content()))
    annotations = AnnotationFile.from_content(read_annotation_pickle(path))
    assert pickle.loads(path.read_bytes())["label_names"] == ["sit", "stand", "walk"]
    for split in annotations.split_names():
        annotations.check(split, num_classes=3)


# --- what is repaired, and how --------------------------------------------------------------------


def repaired(**changes: Any) -> tuple[dict[str, Any] | None, list[str]]:
    """Fix a set with one sample changed; return that sample, and what was said of it."""
    data = healthy_set(dims=2 if "keypoint_score" in changes else 3)
    for key, value in changes.items():
        data[1][key] = value(data[1][key]) if callable(value) else value
    cleaned, told = fix(data.file())
    samples = {sample["frame_dir"]: sample for sample in cleaned.samples}
    return samples.get("clip01"), [change.text for change in told if change.name == "clip01"]


def test_lists_whole_numbers_and_single_persons_become_arrays() -> None:
    sample = healthy_set()[1]
    for value in (
        sample["keypoint"].tolist(),
        sample["keypoint"][0],
        sample["keypoint"][0].tolist(),
    ):
        found_sample, told = repaired(keypoint=value)
        assert found_sample is not None
        assert told
        np.testing.assert_array_equal(found_sample["keypoint"], sample["keypoint"])
    whole, _ = repaired(keypoint=lambda keypoint: np.round(100 * keypoint).astype(int))
    assert whole is not None
    assert whole["keypoint"].dtype == np.float32


def test_labels_of_other_types_become_whole_numbers() -> None:
    for value in (1.0, np.float32(1), np.array([1]), np.array(1)):
        sample, _ = repaired(label=value)
        assert sample is not None
        assert type(sample["label"]) is int
        assert sample["label"] == 1
    for value in (1.5, "1", None, True, -1):
        sample, told = repaired(label=value)
        assert sample is None
        assert told[-1].startswith("dropped")


def test_joints_that_are_no_number_become_absent_with_score_zero() -> None:
    def broken(score: np.ndarray) -> np.ndarray:
        score = score.copy()
        score[0, 2, 3] = np.nan
        return score

    sample, told = repaired(keypoint_score=broken)
    assert sample is not None
    assert len(told) == 1
    assert "1 joint" in told[0]
    assert not sample["keypoint"][0, 2, 3].any()
    assert sample["keypoint_score"][0, 2, 3] == 0
    others = healthy_set(dims=2)[1]
    others["keypoint"][0, 2, 3] = 0
    np.testing.assert_array_equal(sample["keypoint"], others["keypoint"])

    def hopeless(keypoint: np.ndarray) -> np.ndarray:
        keypoint = keypoint.copy()
        keypoint[:, :, :14] = np.nan
        return keypoint

    sample, told = repaired(keypoint=hopeless)
    assert sample is None
    assert told[0].startswith("dropped: keypoint has")


def test_ends_without_persons_are_cut_off_all_arrays_of_the_sample() -> None:
    data = healthy_set(dims=2)
    whole = copy.deepcopy(data[1])
    data[1]["keypoint"][:, :3] = data[1]["keypoint"][:, -2:] = 0
    data[1]["box_score"] = np.arange(whole["total_frames"])[None]
    cleaned, _ = fix(data.file())
    sample = cleaned.samples[1]
    assert sample["total_frames"] == whole["total_frames"] - 5
    for key in ("keypoint", "keypoint_score"):
        np.testing.assert_array_equal(sample[key], whole[key][:, 3:-2])
    assert sample["box_score"][0].tolist() == list(range(3, whole["total_frames"] - 2))


def test_values_that_float16_can_not_hold_make_the_file_float32() -> None:
    data = healthy_set(dtype="float16")
    data[1]["keypoint"] = data[1]["keypoint"].astype(np.float32) * 1e5
    cleaned, _ = fix(data.file())
    assert {sample["keypoint"].dtype for sample in cleaned.samples} == {np.dtype("float32")}


@pytest.mark.parametrize("order", ["TMVC", "CTVM", "MVTC", "TVMC", "MCTV"])
def test_axes_are_reordered_with_all_that_belongs_to_them(order: str) -> None:
    data = healthy_set(dims=2)
    whole = copy.deepcopy(data[1])
    axes = ["MTVC".index(axis) for axis in order]
    data[1]["keypoint"] = data[1]["keypoint"].transpose(axes)
    data[1]["keypoint_score"] = data[1]["keypoint_score"].transpose([a for a in axes if a != 3])
    assert found(examine(data.file()))["axes"] == ["clip01"]
    cleaned, changes = fix(data.file())
    if order == "MCTV":  # C in the middle
        assert [change.kind for change in changes if change.name == "clip01"] == ["axes"]
    for key in ("keypoint", "keypoint_score", "total_frames", "img_shape"):
        np.testing.assert_array_equal(cleaned.samples[1][key], whole[key])


def test_the_number_of_frames_is_never_that_of_the_persons() -> None:
    for told in (1, 41, None):  # frames first, and total_frames does not help
        data = healthy_set()
        data[1].update(keypoint=np.random.default_rng(0).random((40, 1, 25, 3)), total_frames=told)
        cleaned, _ = fix(data.file())
        assert "clip01" not in cleaned.names
    data = healthy_set()
    data[1].update(keypoint=np.ones((3, 25, 40, 2)), total_frames=40)  # MVTC, or CVTM
    assert "clip01" not in fix(data.file())[0].names


def test_companions_of_each_frame_are_cut_with_the_frames() -> None:
    data = healthy_set(dims=2)
    T = data[1]["total_frames"]
    data[1]["keypoint"][:, :3] = 0
    data[1].update(
        keypoint_score=data[1]["keypoint_score"][..., None].tolist(),
        times=np.arange(T),
        boxes=np.zeros((1, T, 4)),
        img_shape=(1080, 1920, 3),
    )
    sample = fix(data.file())[0].samples[1]
    assert sample["total_frames"] == T - 3
    assert sample["keypoint_score"].shape == (1, T - 3, 17)
    assert sample["times"].tolist() == list(range(3, T))
    assert sample["boxes"].shape == (1, T - 3, 4)
    assert sample["img_shape"] == (1080, 1920)


def test_samples_that_share_an_id_stay() -> None:
    data = healthy_set()
    for index, name in ((1, "clip00"), (2, "clip00"), (21, "clip18")):
        for names in data.split.values():
            if data[index]["frame_dir"] in names:
                names.remove(data[index]["frame_dir"])
        data[index]["frame_dir"] = name
    cleaned, changes = fix(data.file())
    assert changes == []
    assert len(cleaned.samples) == 24
    assert found(examine(cleaned)) == {"duplicate_ids": ["clip00", "clip18"]}
    # One repeats another sample: a split can't leave out one of its id, so the file does.
    copied(data, 2, 0)
    data[2]["label"] = data[0]["label"]
    cleaned, changes = fix(data.file())
    assert [(change.kind, change.name) for change in changes] == [("duplicate_training", "clip00")]
    assert cleaned.names.count("clip00") == 2
    assert fix(cleaned)[1] == []
    # Two are in the test split, too.
    copied(data, 0, 19)
    cleaned, _ = fix(data.file())
    assert cleaned.names.count("clip00") == 2
    assert "duplicate_across" not in found(examine(cleaned))


# --- duplicates -----------------------------------------------------------------------------------


def copied(data: Set, to: int, of: int) -> None:
    data[to].update(keypoint=data[of]["keypoint"].copy(), total_frames=data[of]["total_frames"])


def test_what_is_measured_on_keeps_its_samples() -> None:
    data = healthy_set()
    copied(data, 20, 2)  # val repeats train
    copied(data, 21, 18)  # val repeats val
    copied(data, 4, 1)  # train repeats train
    cleaned, _ = fix(data.file())
    assert cleaned.split is not None
    assert cleaned.split["val"] == data.split["val"]
    assert cleaned.split["train"] == [
        name for name in data.split["train"] if name not in ("clip02", "clip04")
    ]
    assert not {"clip02", "clip04"} & set(cleaned.names)  # no split lists them any more


def test_a_sample_stays_that_another_protocol_uses() -> None:
    data = healthy_set()
    data.split["other_train"] = ["clip02", "clip03"]
    copied(data, 20, 2)
    cleaned, _ = fix(data.file())
    assert cleaned.split is not None
    assert "clip02" not in cleaned.split["train"]
    assert cleaned.split["other_train"] == ["clip02", "clip03"]
    assert "clip02" in cleaned.names


def test_contradicting_copies_all_leave_the_training_split() -> None:
    data = healthy_set()
    copied(data, 2, 1)
    cleaned, changes = fix(data.file())
    assert cleaned.split is not None
    assert {change.name for change in changes} == {"clip01", "clip02"}
    assert not {"clip01", "clip02"} & set(cleaned.split["train"])


def test_a_bare_list_loses_its_copies() -> None:
    data = healthy_set()
    copied(data, 4, 1)
    cleaned, _ = fix(RawAnnotations(Path("set.pkl"), data.samples, None))
    assert cleaned.split is None
    assert "clip04" not in cleaned.names
    assert len(cleaned.samples) == len(data.samples) - 1


def test_a_bare_list_keeps_copies_with_other_labels() -> None:
    data = healthy_set(dims=2)
    copied(data, 2, 1)
    data[2]["keypoint_score"] = np.ones(data[2]["keypoint"].shape[:3], int)[..., None].tolist()
    data[1]["keypoint_score"] = np.ones(data[1]["keypoint"].shape[:3], bool)
    cleaned, changes = fix(RawAnnotations(Path("set.pkl"), data.samples, None))
    assert {change.kind for change in changes} == {"field_forms"}
    assert len(cleaned.samples) == len(data.samples)
    for sample in cleaned.samples[1:3]:
        assert sample["keypoint_score"].dtype == np.float32
        assert (sample["keypoint_score"] == np.ones(sample["keypoint"].shape[:3])).all()
    assert "duplicate_labels" in found(examine(cleaned))


def test_nothing_left_is_an_error() -> None:
    data = healthy_set()
    for sample in data.samples:
        sample["keypoint"][:] = 0
    with pytest.raises(AnnotationError):
        fix(data.file())
