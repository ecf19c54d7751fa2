"""Tables of joints, long and wide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recording_files import long_table, people, wide_table, write

from pyskl.recordings import RecordingError, read_recording, read_recordings
from pyskl.skeleton import LAYOUTS

NAMES = ["hip", "knee", "foot"]


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize(("suffix", "delimiter"), [("csv", ","), ("csv", ";"), ("tsv", "\t")])
def test_long_gives_back_what_was_written(
    tmp_path: Path, dim: int, suffix: str, delimiter: str
) -> None:
    keypoint = people(3, dim, persons=2)
    path = write(tmp_path / f"clip.{suffix}", long_table(keypoint, NAMES, delimiter))
    found = read_recording(path)
    assert found.name == "clip"
    assert found.joint_names == tuple(NAMES)
    assert found.score is None
    # The most active person comes first.
    assert sorted(found.keypoint[:, 0, 0, 0]) == sorted(keypoint[:, 0, 0, 0])
    order = np.argsort(found.keypoint[:, 0, 0, 0])
    np.testing.assert_array_equal(found.keypoint[order], keypoint)


@pytest.mark.parametrize("dim", [2, 3])
def test_wide_gives_back_what_was_written(tmp_path: Path, dim: int) -> None:
    keypoint = people(3, dim)
    found = read_recording(write(tmp_path / "a.csv", wide_table(keypoint, NAMES)))
    np.testing.assert_array_equal(found.keypoint, keypoint)
    assert found.joint_names == tuple(NAMES)


def test_the_order_of_columns_and_rows_does_not_matter(tmp_path: Path) -> None:
    keypoint = people(2, 2, frames=5)
    lines = long_table(keypoint).splitlines()
    shuffled = [lines[0], *np.random.default_rng(0).permutation(lines[1:])]
    cells = [line.split(",") for line in shuffled]
    turned = "\n".join(",".join(reversed(row)) for row in cells)
    found = read_recording(write(tmp_path / "a.csv", turned))
    np.testing.assert_array_equal(found.keypoint, keypoint)


def test_scores_empty_cells_and_gaps(tmp_path: Path) -> None:
    text = (
        "Frame,joint,x,y,Likelihood\n"
        "10,0,1.5,2,0.5\n10,1,,,0.9\n"
        "12,0,3,nan,0.7\n12,1,4,5,1.2\n"
        "13,0,1,1,0\n13,1,2,2,\n"
    )
    found = read_recording(write(tmp_path / "a.csv", text))
    assert found.keypoint.shape == (1, 4, 2, 2)  # frame 11 is there, empty
    np.testing.assert_array_equal(found.keypoint[0, 0], [[1.5, 2], [0, 0]])
    np.testing.assert_array_equal(found.keypoint[0, 1], np.zeros((2, 2)))
    np.testing.assert_array_equal(found.keypoint[0, 2], [[0, 0], [4, 5]])
    assert found.score is not None
    np.testing.assert_allclose(found.score[0], [[0.5, 0], [0, 0], [0, 1], [0, 0]])


def test_frames_that_go_in_steps_follow_each_other(tmp_path: Path) -> None:
    rows = "\n".join(f"{frame},0,{frame + 1},1" for frame in (100, 105, 110, 120))
    found = read_recording(write(tmp_path / "a.csv", f"frame,joint,x,y\n{rows}\n"))
    np.testing.assert_array_equal(found.keypoint[0, :, 0, 0], [101, 106, 111, 0, 121])


def test_a_decimal_comma_between_semicolons(tmp_path: Path) -> None:
    found = read_recording(write(tmp_path / "a.csv", "a_x;a_y\n1,5;2\n2,5;-3,25\n"))
    np.testing.assert_array_equal(found.keypoint[0, :, 0], [[1.5, 2], [2.5, -3.25]])


def test_several_recordings_in_one_table(tmp_path: Path) -> None:
    text = "recording,frame,a_x,a_y\nb10,0,1,2\nb2,0,3,4\nb10,1,5,6\n"
    found = read_recordings(write(tmp_path / "all.csv", text))
    assert [recording.name for recording in found] == ["all/b2", "all/b10"]
    np.testing.assert_array_equal(found[1].keypoint[0, :, 0], [[1, 2], [5, 6]])
    with pytest.raises(RecordingError, match="holds 2 recordings"):
        read_recording(tmp_path / "all.csv")


def test_a_layout_puts_joints_with_names_in_its_order(tmp_path: Path) -> None:
    coco = LAYOUTS["coco"].joint_names
    keypoint = people(17)
    order = np.random.default_rng(1).permutation(17)
    text = wide_table(keypoint[:, :, order], [coco[joint] for joint in order])
    found = read_recording(write(tmp_path / "a.csv", text), layout="coco")
    np.testing.assert_array_equal(found.keypoint, keypoint)
    assert found.joint_names == coco


def test_joints_that_the_layout_has_and_the_table_has_not_were_not_seen(tmp_path: Path) -> None:
    text = "frame,joint,x,y\n0,nose,1,2\n0,left_hip,3,4\n"
    found = read_recording(write(tmp_path / "a.csv", text), layout="coco")
    assert found.keypoint.shape == (1, 1, 17, 2)
    assert np.flatnonzero(found.keypoint.any(axis=-1)).tolist() == [0, 11]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["no rows"]),
        ("frame,joint,x,y\n", ["only a head"]),
        ("frame,joint,x,y\n0,0,one,2\n", ["line 2", "'x'", "'one'"]),
        ("frame,joint,x,y\n0,0,1\n", ["line 2", "3 cells, expected 4"]),
        ("frame,joint,x,y\n0.5,0,1,2\n", ["line 2", "'frame'", "whole"]),
        ("frame,joint,x,y\n,0,1,2\n", ["line 2", "'frame'"]),
        ("frame,joint,x,y\n1e400,0,1,2\n", ["line 2", "'frame'"]),
        ("frame,joint,x,y\n0,,1,2\n", ["line 2", "'joint'"]),
        ("frame,joint,x,y\n0,0,1,2\n0,0,1,2\n", ["line 3", "twice", "person"]),
        ("frame,joint,x,y\n0,0,1,inf\n", ["beyond"]),
        ("frame,joint,x,y\n0,0,1,1e30\n", ["beyond"]),
        ("frame,joint,x,y\n0,99999,1,2\n", ["joint 99999", "at most"]),
        ("frame,joint,x,y\n0,0,1,2\n1000000000,0,1,2\n3,0,1,2\n", ["frames empty"]),
        ("frame,joint,x,y,colour\n0,0,1,2,3\n", ["'colour'"]),
        ("joint,x,y\n0,1,2\n", ["no column 'frame'"]),
        ("frame,joint,x,x\n0,0,1,2\n", ["'x' is there twice"]),
        ("frame,a_x,a_y,b_x\n0,1,2,3\n", ["'b'", "x"]),
        ("frame,a_x\n0,1\n", ["at least x and y"]),
        ("frame,a_x,a_y\n0,1,2\n0,3,4\n", ["line 3", "frame 0 is there twice"]),
        ("person,a_x,a_y\n0,1,2\n", ["'frame'"]),
        ("t,a_x,a_y\n0,1,2\n", ["'t'", "NAME_x"]),
        ("frame\n1\n", ["no joints"]),
        ("recording,a_x,a_y\n,1,2\n", ["'recording'", "empty"]),
        ("a_x,a_y\n0,0\n", ["nobody was seen"]),
        ("a_x,a_y\nnan,\n", ["nobody was seen"]),
        (b"\xff\xfe\x00a", ["UTF-8"]),
        ('a_x,a_y\n1,"' + "9" * 200_000 + '"\n', ["field larger than field limit"]),
    ],
)
def test_malformed_tables_are_told(tmp_path: Path, text: str | bytes, parts: list[str]) -> None:
    path = write(tmp_path / "bad.csv", text)
    with pytest.raises(RecordingError) as caught:
        read_recordings(path)
    message = str(caught.value)
    assert "bad.csv" in message
    for part in parts:
        assert part in message


def test_a_name_that_the_layout_lacks_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "frame,joint,x,y\n0,noze,1,2\n")
    with pytest.raises(RecordingError, match="'coco' has no joint noze"):
        read_recording(path, layout="coco")


@given(
    values=st.lists(
        st.tuples(*[st.floats(-1e6, 1e6, width=32).filter(lambda value: value != 0)] * 2),
        min_size=1,
        max_size=8,
    )
)
def test_any_number_survives(
    values: list[tuple[float, float]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    keypoint = np.array(values, np.float32)[None, :, None]
    path = write(tmp_path_factory.mktemp("t") / "a.csv", wide_table(keypoint, ["a"]))
    np.testing.assert_array_equal(read_recording(path).keypoint, keypoint)
