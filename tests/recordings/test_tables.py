"""Tables of joints, long and wide."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recording_files import long_table, people, wide_table, write

from pyskl.recordings import RecordingError, read_recording, read_recordings
from pyskl.skeleton import LAYOUTS

NAMES = ["hip", "knee", "foot"]


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize(("suffix", "delimiter"), [("csv", ","), ("csv", ";"), ("tsv", "\t")])
def test_long_tables_round_trip(tmp_path: Path, dim: int, suffix: str, delimiter: str) -> None:
    keypoint = people(3, dim, persons=2)
    path = write(tmp_path / f"clip.{suffix}", long_table(keypoint, NAMES, delimiter))
    found = read_recording(path)
    assert (found.name, found.joint_names, found.score) == ("clip", tuple(NAMES), None)
    # The most active person comes first.
    order = np.argsort(found.keypoint[:, 0, 0, 0])
    np.testing.assert_array_equal(found.keypoint[order], keypoint)


@given(
    st.lists(
        st.tuples(*[st.floats(-1e6, 1e6, width=32).filter(lambda value: value != 0)] * 2),
        min_size=1,
        max_size=8,
    )
)
def test_wide_tables_round_trip(
    tmp_path_factory: pytest.TempPathFactory, values: list[tuple[float, float]]
) -> None:
    keypoint = np.array(values, np.float32)[None, :, None].repeat(2, axis=2)
    path = write(tmp_path_factory.mktemp("t") / "a.csv", wide_table(keypoint, ["a", "b"]))
    found = read_recording(path)
    np.testing.assert_array_equal(found.keypoint, keypoint)
    assert found.joint_names == ("a", "b")


def test_the_order_of_columns_and_rows_does_not_matter(tmp_path: Path) -> None:
    keypoint = people(2, 2, frames=5)
    lines = long_table(keypoint).splitlines()
    shuffled = [lines[0], *np.random.default_rng(0).permutation(lines[1:])]
    turned = "\n".join(",".join(reversed(line.split(","))) for line in shuffled)
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
    expected = [[[1.5, 2], [0, 0]], [[0, 0], [0, 0]], [[0, 0], [4, 5]], [[1, 1], [2, 2]]]
    np.testing.assert_array_equal(found.keypoint[0], expected)  # frame 11 is there, empty
    assert found.score is not None
    np.testing.assert_allclose(found.score[0], [[0.5, 0], [0, 0], [0, 1], [0, 0]])


def test_frame_numbers_in_steps_are_consecutive_frames(tmp_path: Path) -> None:
    rows = "\n".join(f"{frame},0,{frame + 1},1" for frame in (100, 105, 110, 120))
    found = read_recording(write(tmp_path / "a.csv", f"frame,joint,x,y\n{rows}\n"))
    np.testing.assert_array_equal(found.keypoint[0, :, 0, 0], [101, 106, 111, 0, 121])


def test_decimal_commas_between_semicolons(tmp_path: Path) -> None:
    found = read_recording(write(tmp_path / "a.csv", "a_x;a_y\n1,5;2\n2,5;-3,25\n"))
    np.testing.assert_array_equal(found.keypoint[0, :, 0], [[1.5, 2], [2.5, -3.25]])


def test_several_recordings_in_one_table(tmp_path: Path) -> None:
    text = "recording,frame,a_x,a_y\nb10,0,1,2\nb2,0,3,4\nb10,1,5,6\n"
    found = read_recordings(write(tmp_path / "all.csv", text))
    assert [recording.name for recording in found] == ["all/b2", "all/b10"]
    np.testing.assert_array_equal(found[1].keypoint[0, :, 0], [[1, 2], [5, 6]])
    with pytest.raises(RecordingError) as caught:
        read_recording(tmp_path / "all.csv")
    assert caught.value.found == 2


def test_layouts_order_named_joints(tmp_path: Path) -> None:
    names = LAYOUTS["coco"].joint_names
    keypoint = people(17)
    order = np.random.default_rng(1).permutation(17)
    text = wide_table(keypoint[:, :, order], [names[joint] for joint in order])
    found = read_recording(write(tmp_path / "a.csv", text), layout="coco")
    np.testing.assert_array_equal(found.keypoint, keypoint)
    assert found.joint_names == names

    # Joints that only the layout has were not seen; joints that only the table has are an error.
    text = "frame,joint,x,y\n0,nose,1,2\n0,left_hip,3,4\n"
    found = read_recording(write(tmp_path / "b.csv", text), layout="coco")
    assert np.flatnonzero(found.keypoint[0, 0].any(axis=-1)).tolist() == [0, 11]
    with pytest.raises(RecordingError):
        read_recording(write(tmp_path / "c.csv", text.replace("nose", "noze")), layout="coco")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", ""),
        ("frame,joint,x,y\n", ""),
        ("frame,joint,x,y\n0,0,one,2\n", "line 2, column 'x'"),
        ("frame,joint,x,y\n0,0,1\n", "line 2"),
        ("frame,joint,x,y\n0.5,0,1,2\n", "line 2, column 'frame'"),
        ("frame,joint,x,y\n,0,1,2\n", "line 2, column 'frame'"),
        ("frame,joint,x,y\n1e400,0,1,2\n", "line 2, column 'frame'"),
        ("frame,joint,x,y\n0,,1,2\n", "line 2, column 'joint'"),
        ("frame,joint,x,y\n0,0,1,2\n0,0,1,2\n", "line 3"),
        ("frame,joint,x,y\n0,0,1,inf\n", ""),
        ("frame,joint,x,y\n0,0,1,1e30\n", ""),
        ("frame,joint,x,y\n0,99999,1,2\n", ""),
        ("frame,joint,x,y\n0,0,1,2\n1000000000,0,1,2\n3,0,1,2\n", ""),
        ("joint,x,y\n0,1,2\n", ""),
        ("frame,joint,x,x\n0,0,1,2\n", "x"),
        ("frame,a_x,a_y,b_x\n0,1,2,3\n", "b"),
        ("frame,a_x\n0,1\n", "a"),
        ("frame,a_x,a_y\n0,1,2\n0,3,4\n", "line 3"),
        ("person,a_x,a_y\n0,1,2\n", ""),
        ("t,colour\n0,1\n", ""),
        ("scorer,m,m\nindividuals,a,b\nbodyparts,n,n\ncoords,x,y\n0,1,2\n", "individuals"),
        ("frame\n1\n", ""),
        ("recording,a_x,a_y\n,1,2\n", "line 2, column 'recording'"),
        ("a_x,a_y\n0,0\n", ""),
        ("a_x,a_y\nnan,\n", ""),
        (b"\xff\xfe\x00a", ""),
        ('a_x,a_y\n1,"' + "9" * 200_000 + '"\n', "line 2"),
    ],
)
def test_malformed_tables(tmp_path: Path, text: str | bytes, key: str) -> None:
    path = write(tmp_path / "bad.csv", text)
    with pytest.raises(RecordingError) as caught:
        read_recordings(path)
    assert (caught.value.file, caught.value.key or "") == (str(path), key)


SPELLINGS = ("{j}_{k}", "{j}.{k}", "{j} {k}", "{k}_{j}")
NUMBERED = ("{k}{j}", "{k}_{j}", "{j}{k}", "{j}_{k}")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_spellings_of_columns(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    named = data.draw(st.booleans())
    first = 0 if named else data.draw(st.sampled_from([0, 1]))
    joints = ["nose", "l.eye", "WristLeft"] if named else [str(first + n) for n in range(12)]
    spelling = data.draw(st.sampled_from(SPELLINGS if named else NUMBERED))
    score = data.draw(st.sampled_from(["score", "prob", "v", "confidence", "Likelihood"]))
    kinds = ["x", "y", *data.draw(st.sampled_from([[], ["z"], [score], ["z", score]]))]
    frame = data.draw(st.sampled_from(["frame", "Frame_No", "frame id", "FRAME"]))
    values = np.round(np.random.default_rng(0).uniform(0.1, 0.9, (3, len(joints), len(kinds))), 6)
    columns = {frame: ["5", "6", "7"], "timestamp": ["0 days"] * 3, "": ["1"] * 3}
    for (joint, name), (place, kind) in itertools.product(enumerate(joints), enumerate(kinds)):
        spelt = spelling.format(j=name, k=kind)
        columns[spelt] = [f"{value:.6f}" for value in values[:, joint, place]]
    names = data.draw(st.permutations(list(columns)))
    if named:  # joints keep the order in which they occur
        names = list(columns)
    separator = data.draw(st.sampled_from([",", ";", "\t"]))
    rows = [names, *zip(*(columns[name] for name in names))]
    text = "".join(separator.join(row) + "\n" for row in rows)
    mark = data.draw(st.sampled_from(["", "\ufeff"]))
    path = write(tmp_path_factory.mktemp("spellings") / "a.csv", mark + text)
    found = read_recording(path)
    coordinates = [place for place, kind in enumerate(kinds) if kind in "xyz"]
    expected = values.astype(np.float32)
    assert np.array_equal(found.keypoint[0], expected[..., coordinates])
    assert (found.score is None) == (len(coordinates) == len(kinds))
    if found.score is not None:
        assert np.array_equal(found.score[0], expected[..., -1])
    assert found.joint_names == (tuple(joints) if named else ())
    assert set(found.left_out) == {"timestamp", ""}


@pytest.mark.parametrize("start", [0, 1])
def test_long_tables_number_joints_from_0_or_1(tmp_path: Path, start: int) -> None:
    rows = [f"{t},{start + v},{t + v + 1},2" for t in range(3) for v in range(17)]
    path = write(tmp_path / "a.csv", "frame,keypoint,x,y\n" + "\n".join(rows) + "\n")
    for options in ({}, {"layout": "coco"}):
        found = read_recording(path, **options).keypoint
        assert found.shape == (1, 3, 17, 2)
        assert np.array_equal(found[0, ..., 0], np.add.outer(np.arange(3), np.arange(17)) + 1)


def test_names_of_the_kinect_sdk_are_those_of_the_layout(tmp_path: Path) -> None:
    layout = LAYOUTS["nturgb+d"]
    kinect = []
    for name in layout.joint_names:
        words = name.split("_")
        if words[0] in ("left", "right"):
            words = [*words[1:], words[0]]
        kinect.append("".join(map(str.title, words)))
    values = np.random.default_rng(0).standard_normal((2, 25, 3)).astype(np.float32)
    rows = [
        f"{t},{kinect[v]},{','.join(map(repr, values[t, v].tolist()))}"
        for t in range(2)
        for v in np.argsort(kinect)  # columns in alphabetical order
    ]
    path = write(tmp_path / "a.csv", "frame,joint,x,y,z\n" + "\n".join(rows) + "\n")
    found = read_recording(path, layout="nturgb+d")
    assert found.joint_names == layout.joint_names
    assert np.array_equal(found.keypoint[0], values)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("7_kinect_names_right_order", (1, 10, 25, 3)),
        ("8_csv_timestamp_column", (1, 4, 25, 3)),
        ("9_csv_x_0", (1, 4, 17, 2)),
        ("11_csv_dots_prob", (1, 2, 17, 2)),
        ("12_csv_keypoint", (1, 4, 13, 2)),
        ("14_dlc", (1, 5, 25, 2)),
    ],
)
def test_cases(shared: Path, name: str, shape: tuple[int, ...]) -> None:
    path = shared / "cases" / "files" / f"{name}.csv"
    found = read_recording(path)
    assert found.keypoint.shape == shape
    lines = [
        line for line in csv.reader(path.read_text(encoding="utf-8").splitlines()) if any(line)
    ]
    heads = 3 if name == "14_dlc" else 1
    rows = lines[heads:]
    C = shape[3]
    if "joint" in lines[0] or "keypoint" in lines[0]:
        frames, joints = (list(dict.fromkeys(row[axis] for row in rows)) for axis in (0, 1))
        expected = np.zeros(shape)  # joints without a row were not seen
        for row in rows:
            joint = int(row[1]) if row[1].isdigit() else joints.index(row[1])
            expected[0, frames.index(row[0]), joint] = row[2 : 2 + C]
    else:
        stride = C + (found.score is not None)
        numbers = np.array([row[1:] for row in rows], float).reshape(*shape[1:3], stride)
        expected = numbers[None, ..., :C]
        if found.score is not None:
            assert np.allclose(found.score[0], numbers[..., -1], atol=1e-6)
    assert np.allclose(found.keypoint, expected, rtol=1e-6)
