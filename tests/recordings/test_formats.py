"""One way in for all formats: how a file's format is told, and what readers share."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from recording_files import VALID_FILES, alphapose, coco, people, scores, write

from pyskl.recordings import (
    FORMATS,
    Recording,
    RecordingError,
    read_recording,
    read_recordings,
)

SKELETON = (
    "1\n1\n72057594037931101 0 1 1 1 1 0 0.01 0.02 2\n25\n" + "0.1 0.2 3 0 0 0 0 0 0 0 0 2\n" * 25
)


@pytest.mark.parametrize("format", FORMATS)
def test_formats_say_what_they_are(format: str) -> None:
    entry = FORMATS[format]
    assert entry.name == format
    assert entry.suffixes
    assert entry.description
    assert entry.recognised


@pytest.mark.parametrize("kind", VALID_FILES)
def test_auto_and_by_name_are_the_same(tmp_path: Path, kind: str) -> None:
    path = VALID_FILES[kind](tmp_path / "a")
    path = {"openpose": path.parent, "asf": path.with_name("a.amc")}.get(kind, path)
    names = {"csv_long": "csv", "csv_wide": "csv", "cmu": "alphapose", "jsonl": "mediapipe"}
    name = names.get(kind, "amc" if kind == "asf" else kind)
    (one,), (other,) = read_recordings(path), read_recordings(path, format=name)
    np.testing.assert_array_equal(one.keypoint, other.keypoint)
    assert one.keypoint.dtype == np.float32
    assert one.keypoint.flags.c_contiguous
    assert one.name == path.stem


def test_ntu_skeletons(tmp_path: Path) -> None:
    path = write(tmp_path / "S001C001P001R001A001.skeleton", SKELETON)
    found = read_recording(path)
    assert found.keypoint.shape == (1, 1, 25, 3)
    assert found.layout == "nturgb+d"


def test_json_is_told_by_its_content(tmp_path: Path) -> None:
    content = alphapose(people(17), scores(1, 12, 17), tracked=False)
    assert read_recording(write(tmp_path / "a.json", content)).joint_names == ()
    names = [f"j{joint}" for joint in range(17)]
    annotations = coco(people(17), names=names)
    assert read_recording(write(tmp_path / "b.json", annotations)).joint_names == tuple(names)


@pytest.mark.parametrize(
    ("name", "format", "parts"),
    [
        ("none.csv", "auto", ["no such file", "looked in"]),
        ("a.avi", "auto", ["suffix .avi", ".bvh", "format"]),
        ("a", "auto", ["without suffix"]),
        ("a.avi", "cvs", ["no format 'cvs'", "did you mean 'csv'?"]),
    ],
)
def test_what_is_no_recording(tmp_path: Path, name: str, format: str, parts: list[str]) -> None:
    for other in ("a.avi", "a"):
        write(tmp_path / other, "x")
    with pytest.raises(RecordingError) as caught:
        read_recording(tmp_path / name, format=format)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a system with named pipes")
def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(RecordingError, match="not a regular file"):
        read_recording(tmp_path / "a.csv")


def test_an_unreadable_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.npy").mkdir()
    with pytest.raises(RecordingError, match=r"no \*_keypoints.json"):
        read_recording(tmp_path / "a.npy")
    with pytest.raises(RecordingError, match=r"a\.npy: it can't be read"):
        read_recording(tmp_path / "a.npy", format="npy")


def test_samples_have_scores_in_2d_only() -> None:
    flat = Recording("a", people(3), scores(1, 12, 3), image_size=(4, 5))
    assert flat.sample(2) == {
        "frame_dir": "a",
        "label": 2,
        "total_frames": 12,
        "keypoint": flat.keypoint,
        "keypoint_score": flat.score,
        "img_shape": (4, 5),
        "original_shape": (4, 5),
    }
    deep = Recording("a", people(3, 3), scores(1, 12, 3))
    assert set(deep.sample()) == {"frame_dir", "total_frames", "keypoint"}


def test_every_frame_and_scaled() -> None:
    recording = Recording("a", people(3), scores(1, 12, 3), fps=30)
    thin = recording.every(5)
    np.testing.assert_array_equal(thin.keypoint, recording.keypoint[:, [0, 5, 10]])
    assert thin.score is not None
    assert (thin.score.shape, thin.fps) == ((1, 3, 3), 6)
    np.testing.assert_array_equal(recording.scaled(0.5).keypoint, recording.keypoint / 2)
    assert recording.every(1) is recording.scaled(1) is recording
