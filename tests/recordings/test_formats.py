"""Detecting formats, and what all readers share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recording_files import VALID_FILES, people, recording_path, scores, write

from pyskl.errors import ConfigError
from pyskl.recordings import Recording, RecordingError, read_recording, read_recordings

FORMAT_OF = {
    "csv_long": "csv",
    "csv_wide": "csv",
    "cmu": "alphapose",
    "jsonl": "mediapipe",
    "by_name": "mediapipe",
}


@pytest.mark.parametrize("kind", VALID_FILES)
def test_formats_are_detected(tmp_path: Path, kind: str) -> None:
    path = recording_path(kind, VALID_FILES[kind](tmp_path / "a"))
    name = FORMAT_OF.get(kind, "amc" if kind == "asf" else kind)
    (one,), (other,) = read_recordings(path), read_recordings(path, format=name)
    np.testing.assert_array_equal(one.keypoint, other.keypoint)
    assert one.keypoint.dtype == np.float32
    assert one.keypoint.flags.c_contiguous
    assert one.name == path.stem


def test_ntu_skeletons(tmp_path: Path) -> None:
    joints = "0.1 0.2 3 0 0 0 0 0 0 0 0 2\n" * 25
    text = f"1\n1\n72057594037931101 0 1 1 1 1 0 0.01 0.02 2\n25\n{joints}"
    found = read_recording(write(tmp_path / "S001C001P001R001A001.skeleton", text))
    assert found.keypoint.shape == (1, 1, 25, 3)
    assert found.layout == "nturgb+d"


@pytest.mark.parametrize(
    ("name", "format"), [("none.csv", "auto"), ("a.avi", "auto"), ("a", "auto"), ("a.avi", "cvs")]
)
def test_files_that_are_no_recordings(tmp_path: Path, name: str, format: str) -> None:
    for other in ("a.avi", "a"):
        write(tmp_path / other, "x")
    with pytest.raises(RecordingError) as caught:
        read_recording(tmp_path / name, format=format)
    assert caught.value.file == str(tmp_path / name)


def test_pipes_and_folders_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.npy").mkdir()
    for format in ("auto", "npy"):
        with pytest.raises(RecordingError):
            read_recording(tmp_path / "a.npy", format=format)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "a.csv")  # reading it would never end
        with pytest.raises(RecordingError):
            read_recording(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("axes", "XY"), ("channels", "rgb"), ("persons", 0), ("dim", 4), ("fps", -1.0)),
        ("image_size", (0, 1)),
    ],
)
def test_invalid_options(tmp_path: Path, key: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        read_recording(VALID_FILES["npy"](tmp_path), **{key: value})
    assert (caught.value.key, caught.value.found) == (key, value)


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


def test_subsampling_and_scaling() -> None:
    recording = Recording("a", people(3), scores(1, 12, 3), fps=30)
    thin = recording.subsampled(5)
    np.testing.assert_array_equal(thin.keypoint, recording.keypoint[:, [0, 5, 10]])
    assert thin.score is not None
    assert (thin.score.shape, thin.fps) == ((1, 3, 3), 6)
    np.testing.assert_array_equal(recording.scaled(0.5).keypoint, recording.keypoint / 2)


def test_importing_the_readers_is_cheap() -> None:
    code = "import sys, pyskl.recordings.formats; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_module_hides_a_function_of_the_package() -> None:
    from pyskl import recordings

    folder = Path(recordings.__file__).parent
    assert not [name for name in recordings.__all__ if (folder / f"{name}.py").exists()]
