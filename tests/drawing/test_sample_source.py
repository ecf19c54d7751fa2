"""Which sample is drawn, and whose joints it has."""

from __future__ import annotations

import logging
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyskl.datasets.annotation_cache import load_annotations
from pyskl.drawing.skeleton.sample_source import (
    SourceSample,
    choose_layout,
    fitting_layouts,
    open_source,
    source_of_config,
)
from pyskl.errors import AnnotationError, InputError
from pyskl.skeleton import LAYOUTS


def source_with(shape: tuple[int, ...], high: float = 5.0) -> SourceSample:
    """Return a sample of this shape with numbers up to ``high``."""
    keypoint = np.random.default_rng(0).uniform(0, high, size=shape)
    return SourceSample("one", Path("one.pkl"), {"keypoint": keypoint})


def test_a_sample_is_chosen_by_id_number_or_chance(tiny_ann_file: Path) -> None:
    assert open_source(tiny_ann_file).name == "clip0"
    assert open_source(tiny_ann_file, sample="clip7").index == 7
    assert open_source(tiny_ann_file, sample="7").name == "clip7"
    assert open_source(tiny_ann_file, sample="-1").name == "clip33"
    assert open_source(tiny_ann_file, sample="0", split="val").name == "clip24"
    drawn = {open_source(tiny_ann_file, sample="random", seed=seed).name for seed in range(20)}
    assert len(drawn) > 5
    again = open_source(tiny_ann_file, sample="random", seed=3).name
    assert again == open_source(tiny_ann_file, sample="random", seed=3).name


def test_ids_that_look_like_numbers_come_first(
    tmp_path: Path, tiny_samples: Any, write_tiny_annotations: Any
) -> None:
    samples = [{**sample, "frame_dir": str(9 - n)} for n, sample in enumerate(tiny_samples()[:9])]
    path = write_tiny_annotations(tmp_path / "a.pkl", samples, {"all": ["9"]})
    assert open_source(path, sample="9").index == 0


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"sample": "clip77"}, "did you mean"),
        ({"sample": "IP3"}, "there are clip3, clip30, clip31, clip32, clip33"),
        ({"sample": "x"}, "'clip0'"),
        ({"sample": "clip0", "split": "val"}, "did you mean"),
    ],
)
def test_unknown_samples_are_refused_with_a_hint(
    tiny_ann_file: Path, options: dict[str, Any], hint: str
) -> None:
    with pytest.raises(InputError) as raised:
        open_source(tiny_ann_file, **options)
    assert hint in (raised.value.hint or "")
    assert str(tiny_ann_file) in (raised.value.file or "")


def test_numbers_and_splits_out_of_range_are_refused(tiny_ann_file: Path) -> None:
    with pytest.raises(InputError) as raised:
        open_source(tiny_ann_file, sample="34")
    assert (raised.value.found, raised.value.expected) == (34, "0 to 33")
    with pytest.raises(InputError):
        open_source(tiny_ann_file, split="vall")


def test_packs_hold_the_same_samples(tiny_ann_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "tiny.pkl"
    path.write_bytes(tiny_ann_file.read_bytes())
    pack = load_annotations(path, pack=True)
    assert pack.folder is not None
    one, other = open_source(pack.folder, sample="clip5"), open_source(path, sample="clip5")
    assert np.array_equal(one.sample["keypoint"], other.sample["keypoint"])


def test_recordings_know_their_layout(tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", np.random.default_rng(0).normal(size=(9, 25, 3)))
    source = open_source(tmp_path / "mine.npy")
    assert source.name == "mine"
    assert source.sample["keypoint"].shape == (1, 9, 25, 3)
    with pytest.raises(InputError):
        open_source(tmp_path / "mine.npy", sample="3")
    with pytest.raises(InputError):
        open_source(tmp_path / "none.npy")


def test_invalid_samples_are_drawn_as_far_as_they_go(
    tmp_path: Path, tiny_samples: Any, caplog: pytest.LogCaptureFixture
) -> None:
    samples = tiny_samples()[:3]
    samples[1]["keypoint"][0, 2] = np.nan
    samples[2]["keypoint"] = [1, 2]
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(samples))
    logger = logging.getLogger("pyskl")
    logger.addHandler(caplog.handler)
    try:
        assert open_source(path, sample="1").name == "clip1"
    finally:
        logger.removeHandler(caplog.handler)
    assert "clip1" in caplog.text
    with pytest.raises(AnnotationError) as raised:
        open_source(path, sample="2")
    assert raised.value.sample == "clip2"


def test_the_data_set_of_a_config(tiny_config: Any) -> None:
    source = source_of_config(tiny_config(), "test", sample="1")
    assert source.name == "clip25"  # of the split val
    assert source_of_config(tiny_config(), "test", sample="1", split="train").name == "clip1"


@pytest.mark.parametrize(
    ("shape", "high", "name"),
    [
        ((1, 4, 25, 3), 5.0, "nturgb+d"),
        ((1, 4, 25, 2), 5.0, "body_25"),
        ((1, 4, 17, 2), 900.0, "coco"),
        ((1, 4, 17, 3), 1.0, "coco"),  # the third coordinate may be a score
        ((1, 4, 18, 2), 900.0, "openpose"),
        ((2, 4, 21, 2), 900.0, "handmp"),
    ],
)
def test_layouts_by_the_number_of_joints(shape: tuple[int, ...], high: float, name: str) -> None:
    assert choose_layout(source_with(shape, high)).name == name


def test_who_says_the_layout(tiny_config: Any) -> None:
    source = source_with((1, 4, 17, 2))
    assert choose_layout(source, "openpose").name == "openpose"
    assert choose_layout(source, None, tiny_config()).name == "nturgb+d"
    known = SourceSample("one", Path("one.bvh"), source.sample, layout=LAYOUTS["handmp"])
    assert choose_layout(known).name == "handmp"


def test_layouts_that_nothing_says_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError) as raised:
        choose_layout(source_with((1, 4, 29, 3)))
    assert "29 joints" in raised.value.found
    assert "--layout" in (raised.value.hint or "")
    twins = {**LAYOUTS, "coco_too": LAYOUTS["coco"]}
    monkeypatch.setattr("pyskl.drawing.skeleton.sample_source.LAYOUTS", twins)
    with pytest.raises(InputError) as raised:
        choose_layout(source_with((1, 4, 17, 2)))
    assert "coco or coco" in raised.value.found


def test_a_sample_of_zeros_is_no_scored_one() -> None:
    assert fitting_layouts({"keypoint": np.zeros((1, 4, 25, 3))}) == ["nturgb+d"]
