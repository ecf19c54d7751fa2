"""BVH, AMC on ASF, and C3D: where joints are, and which skeleton they make."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recording_files import AMC, ASF, BVH, write
from scipy.spatial.transform import Rotation

from pyskl.recordings import RecordingError, read_recording
from pyskl.recordings.mocap.hierarchy import hierarchy_layout, mirror_pairs
from pyskl.skeleton import layout_problems, layout_to_json, resolve_layout


def error_of(path: Path, text: str, old: str, key: str | None) -> None:
    """Expect an error about a file, at the place ``key``; LINE is where ``old`` is in ``text``."""
    with pytest.raises(RecordingError) as caught:
        read_recording(path.with_suffix(".amc") if path.suffix == ".asf" else path)
    line = f"line {text[: text.index(old)].count(chr(10)) + 1}"
    expected = None if key is None else key.replace("LINE", line)
    assert (caught.value.file, caught.value.key) == (str(path), expected)


# --- BVH ------------------------------------------------------------------------------------------


def test_bvh_the_rest_pose_is_the_sum_of_offsets(tmp_path: Path) -> None:
    found = read_recording(write(tmp_path / "walk.bvh", BVH))
    assert found.keypoint.shape == (1, 3, 6, 3)
    assert found.joint_names == ("Hips", "LeftUpLeg", "LeftLeg", "RightUpLeg", "RightLeg", "Spine")
    np.testing.assert_allclose(
        found.keypoint[0, 0],
        [[0, 35, 0], [3, 34, 0.5], [3, 16, 0.5], [-3, 34, 0.5], [-3, 16, 0.5], [0, 40, 0]],
        atol=1e-5,
    )
    assert found.fps == pytest.approx(120, rel=1e-3)


def test_bvh_by_hand(tmp_path: Path) -> None:
    # The hips at (1, 35, 2) turned by 90° about z: x → y, y → -x. The left thigh then turns by 90°
    # about x in its own axes: the shin, (0, -18, 0), becomes (0, 0, -18), which z leaves alone.
    found = read_recording(write(tmp_path / "a.bvh", BVH), end_sites=True)
    frame = dict(zip(found.joint_names, found.keypoint[0, 1].tolist()))
    close = pytest.approx
    assert frame["Hips"] == close([1, 35, 2])
    assert frame["LeftUpLeg"] == close([1 + 1, 35 + 3, 2 + 0.5], abs=1e-5)
    assert frame["LeftLeg"] == close([2, 38, 2.5 - 18], abs=1e-5)
    # (0, -17, 1) about x by 90°: (0, -1, -17); about z by 90°: (1, 0, -17).
    assert frame["LeftLeg_end"] == close([3, 38, -15.5 - 17], abs=1e-5)
    assert frame["RightUpLeg"] == close([2, 32, 2.5], abs=1e-5)
    assert frame["RightLeg"] == close([20, 32, 2.5], abs=1e-5)
    assert frame["Spine"] == close([-4, 35, 2], abs=1e-5)


def test_bvh_against_other_rotations(tmp_path: Path) -> None:
    """The third frame turns every joint; SciPy's rotations are not ours."""
    found = read_recording(write(tmp_path / "a.bvh", BVH))
    values = [float(word) for word in BVH.splitlines()[-1].split()]
    turn = [
        Rotation.from_euler("ZXY", values[3 + 3 * n : 6 + 3 * n], degrees=True) for n in range(6)
    ]
    hips = np.array([2.0, 36, 4])
    left_up = hips + turn[0].apply([3, -1, 0.5])
    left = left_up + (turn[0] * turn[1]).apply([0, -18, 0])
    right_up = hips + turn[0].apply([-3, -1, 0.5])
    right = right_up + (turn[0] * turn[3]).apply([0, -18, 0])
    spine = hips + turn[0].apply([0, 5, 0])
    np.testing.assert_allclose(
        found.keypoint[0, 2], [hips, left_up, left, right_up, right, spine], atol=1e-4
    )


def test_bvh_position_channels_take_the_place_of_the_offset(tmp_path: Path) -> None:
    text = """HIERARCHY
ROOT a b
{
  OFFSET 100 50 100
  CHANNELS 3 Xposition Yposition Zposition
  JOINT c { OFFSET 1 2 3 CHANNELS 1 YPosition
    End Site tip { OFFSET 0 0 1 } } }
motion
Frames:\t2
Frame Time: 0.04
1 2 3 9

4 5 6 8
"""
    found = read_recording(write(tmp_path / "a.bvh", text), end_sites=True)
    assert found.joint_names == ("a b", "c", "c_end")
    np.testing.assert_allclose(
        found.keypoint[0],
        [[[1, 2, 3], [2, 11, 6], [2, 11, 7]], [[4, 5, 6], [5, 13, 9], [5, 13, 10]]],
    )
    assert found.fps == pytest.approx(25)


def test_bvh_makes_a_layout_that_can_be_written_and_read(tmp_path: Path) -> None:
    layout = read_recording(write(tmp_path / "walk.bvh", BVH)).own_layout
    assert layout is not None
    assert layout.edges == ((1, 0), (2, 1), (3, 0), (4, 3), (5, 0))
    assert (layout.center, layout.body_center, layout.dim) == (0, 0, 3)
    assert (layout.left, layout.right) == ((1, 2), (3, 4))
    assert (layout.spine, layout.shoulders) == ((0, 5), (3, 1))
    assert not layout_problems(layout)
    path = write(tmp_path / "walk.json", layout_to_json(layout))
    assert resolve_layout(str(path)) == layout


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("MOTION", "", None),
        ("HIERARCHY", "HIERACHY", "LINE"),
        ("ROOT Hips", "JOINT Hips", "LINE"),
        ("JOINT Spine", "ROOT Spine", "LINE"),
        ("JOINT Spine", "JOINT LeftLeg", None),
        ("JOINT Spine", "BONE Spine", "LINE"),
        ("OFFSET 3.0 -1.0 0.5", "OFFSET 3.0 -1.0 zero", "LINE"),
        ("OFFSET 3.0 -1.0 0.5", "OFFSET 3.0 -1.0 nan", "LINE"),
        ("CHANNELS 6 X", "CHANNELS 7 X", "LINE"),
        ("Frames: 3", "Frames: 4", None),
        ("Frames: 3\n", "", None),
        ("Frames: 3", "Frames: x", "LINE"),
        ("Frame Time: 0.008333", "Frame Time: -1", "LINE"),
        ("1 35 2 90", "1 35 2 90 7", "LINE"),
        ("1 35 2 90", "1 35 2 x", "LINE"),
        ("1 35 2 90", "1 35 2 inf", "LINE"),
        ("1 35 2 90", "1e30 35 2 90", "LINE"),
        ("}\nMOTION", "}\nROOT b\n{\n}\nMOTION", "LINE"),
    ],
)
def test_malformed_bvh(tmp_path: Path, old: str, new: str, key: str | None) -> None:
    error_of(write(tmp_path / "bad.bvh", BVH.replace(old, new, 1)), BVH, old, key)


# --- AMC on ASF -----------------------------------------------------------------------------------


@pytest.fixture
def amc(tmp_path: Path) -> Path:
    """A motion with its skeleton next to it."""
    write(tmp_path / "07.asf", ASF)
    return write(tmp_path / "07_01.amc", AMC)


def test_amc_the_rest_pose(amc: Path) -> None:
    found = read_recording(amc, fps=120)
    assert found.joint_names == ("root", "lhipjoint", "lfemur", "rhipjoint", "rfemur", "lowerback")
    np.testing.assert_allclose(
        found.keypoint[0, 0],
        np.add(
            [1, 17, -20],
            [
                *([0, 0, 0], [1.2, -1.6, 0], [1.2, -8.6, 0]),
                *([-1.2, -1.6, 0], [-1.2, -8.6, 0], [0, 3, 0]),
            ],
        ),
        atol=1e-5,
    )
    assert found.fps == 120


def test_amc_by_hand(tmp_path: Path) -> None:
    """One bone whose axes are turned by 90° about z turns by 90° about its own x, the world's y."""
    asf = ASF.replace("axis 0 0 20  XYZ", "axis 0 0 90  XYZ").replace(
        "direction 0 -1 0\n     length 7", "direction 1 0 0\n     length 7", 1
    )
    write(tmp_path / "a.asf", asf)
    found = read_recording(
        write(tmp_path / "a.amc", AMC.replace("root 1.5 17 -19 10 20 30", "root 0 0 0 0 0 0"))
    )
    frame = dict(zip(found.joint_names, found.keypoint[0, 1].tolist()))
    # About the world's y by 90°: x becomes -z.
    assert frame["lfemur"] == pytest.approx([1.2, -1.6, -7], abs=1e-5)


def test_amc_against_other_rotations(amc: Path) -> None:
    """The second frame turns every bone; SciPy's rotations are not ours."""
    found = dict(zip(read_recording(amc).joint_names, read_recording(amc).keypoint[0, 1]))

    def turn(x: float, y: float, z: float) -> Rotation:
        return Rotation.from_euler("xyz", [x, y, z], degrees=True)  # about fixed axes, x first

    root, place = turn(10, 20, 30), np.array([1.5, 17, -19])
    axes = turn(0, 0, 20)
    hip = place + root.apply([1.2, -1.6, 0])
    np.testing.assert_allclose(found["lhipjoint"], hip, atol=1e-5)
    knee = hip + (root * axes * turn(90, 0, 0) * axes.inv()).apply([0, -7, 0])
    np.testing.assert_allclose(found["lfemur"], knee, atol=1e-5)
    axes = turn(10, 20, 30)
    back = place + (root * axes * turn(15, 0, -5) * axes.inv()).apply([0, 3, 0])
    np.testing.assert_allclose(found["lowerback"], back, atol=1e-5)


def test_amc_radians(tmp_path: Path) -> None:
    radians = str(np.pi / 2)
    write(tmp_path / "a.asf", ASF.replace("angle deg", "angle rad").replace("0 0 20 ", "0 0 0 "))
    text = AMC.replace("lfemur 90", f"lfemur {radians}").replace(
        "root 1.5 17 -19 10 20 30", "root 0 0 0 0 0 0"
    )
    found = read_recording(write(tmp_path / "a.amc", text))
    np.testing.assert_allclose(found.keypoint[0, 1, 2], [1.2, -1.6, -7], atol=1e-5)


def test_amc_layout(amc: Path) -> None:
    layout = read_recording(amc).own_layout
    assert layout is not None
    assert layout.edges == ((1, 0), (2, 1), (3, 0), (4, 3), (5, 0))
    assert (layout.left, layout.right) == ((1, 2), (3, 4))
    assert (layout.spine, layout.shoulders) == ((0, 5), (4, 2))


def test_the_skeleton_of_an_amc_is_found(tmp_path: Path) -> None:
    motion = write(tmp_path / "HDM_bd_cartwheel.amc", AMC)
    with pytest.raises(RecordingError):
        read_recording(motion)
    write(tmp_path / "only.ASF", ASF)
    assert read_recording(motion).own_layout is not None
    write(tmp_path / "other.asf", "nonsense")
    with pytest.raises(RecordingError) as caught:
        read_recording(motion)
    assert caught.value.found == "only.ASF, other.asf"
    write(tmp_path / "HDM_bd.asf", ASF)
    assert read_recording(motion).own_layout is not None
    for name in ("other.asf", "none.asf"):
        with pytest.raises(RecordingError) as caught:
            read_recording(motion, asf=tmp_path / name)
        assert caught.value.file == str(tmp_path / name)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("lfemur 90 0 0", "lfemur 90 0", "LINE"),
        ("lfemur 90 0 0", "lfemur 90 0 x", "LINE"),
        ("lfemur 90 0 0", "lfemur 90 0 nan", "LINE"),
        ("lfemur 90 0 0", "femur 90 0 0", "LINE"),
        ("lfemur 90 0 0\n", "", "frame 2"),
        ("lowerback 15 -5", "lfemur 1 2 3", "LINE"),
        (":DEGREES\n1\n", ":DEGREES\n", "line 4"),
    ],
)
def test_malformed_amc(tmp_path: Path, old: str, new: str, key: str) -> None:
    write(tmp_path / "a.asf", ASF)
    error_of(write(tmp_path / "a.amc", AMC.replace(old, new, 1)), AMC, old, key)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        (":bonedata", ":bones", None),
        (":hierarchy", ":tree", None),
        ("direction 0 -1 0", "direction 0 -1", "LINE"),
        ("length 7", "length seven", "LINE"),
        ("axis 0 0 20  XYZ", "axis 0 0 20  XXZ", "LINE"),
        ("dof rx ry rz", "dof rx ry rw", "LINE"),
        ("dof rx ry rz", "dof rx rx", "LINE"),
        ("order TX", "order QX", "LINE"),
        ("lhipjoint lfemur\n", "lhipjoint\n", ":hierarchy"),
        ("lhipjoint lfemur\n", "lhipjoint lfoot\n", "LINE"),
        ("root lhipjoint rhipjoint", "root rhipjoint", ":hierarchy"),
        ("rhipjoint rfemur\n", "rhipjoint rfemur lfemur\n", "LINE"),
        (
            "root lhipjoint rhipjoint lowerback\n    lhipjoint lfemur",
            "root rhipjoint lowerback\n    lhipjoint lfemur\n    lfemur lhipjoint",
            ":hierarchy",
        ),
        (":bonedata\n  begin", ":bonedata\n", "line 17"),
    ],
)
def test_malformed_asf(tmp_path: Path, old: str, new: str, key: str | None) -> None:
    write(tmp_path / "a.amc", AMC)
    error_of(write(tmp_path / "a.asf", ASF.replace(old, new, 1)), ASF, old, key)


@pytest.mark.parametrize("name", ["name lhipjoint", ""])
def test_bones_need_names_of_their_own(tmp_path: Path, name: str) -> None:
    write(tmp_path / "a.amc", AMC)
    asf = write(tmp_path / "a.asf", ASF.replace("name lfemur", name))
    error_of(asf, ASF, "begin\n     id 3", "line 33")


# --- the skeleton ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "left", "right"),
    [
        (["Hips", "LeftUpLeg", "RightUpLeg"], [1], [2]),
        (["root", "rfemur", "lfemur", "lowerback"], [2], [1]),
        (["pelvis", "l_thigh", "r_thigh", "spine"], [1], [2]),
        (["hip", "Thigh.L", "Thigh.R"], [1], [2]),
        (["hip", "arm_left", "arm_right", "lonely_left"], [1], [2]),
        (["mixamorig:LeftArm", "mixamorig:RightArm"], [0], [1]),
        (["head", "leg", "lumbar", "rib"], [], []),
    ],
)
def test_sides_are_told_from_names(names: list[str], left: list[int], right: list[int]) -> None:
    assert mirror_pairs(names) == (left, right)


def test_a_tree_that_differs_on_the_two_sides_has_no_sides() -> None:
    names = ["hips", "l_thigh", "l_shin", "r_thigh", "r_shin"]
    assert hierarchy_layout("even", names, [-1, 0, 1, 0, 3]).left == (1, 2)
    assert hierarchy_layout("odd", names, [-1, 0, 1, 0, 1]).left == ()


def test_an_invalid_skeleton_names_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.bvh", BVH.replace("Spine", "Sp\u200bine"))
    with pytest.raises(RecordingError) as error:
        read_recording(path)
    assert error.value.file == str(path)


def test_skeletons_without_sides_or_of_one_joint() -> None:
    assert hierarchy_layout("dot", ["a"], [-1]).edges == ()
    layout = hierarchy_layout("snake", ["a", "b", "c"], [-1, 0, 1])
    assert (layout.left, layout.shoulders, layout.spine) == ((), (0, 0), (0, 1))


# --- C3D ------------------------------------------------------------------------------------------


def write_c3d(path: Path, points: np.ndarray, labels: list[str], rate: float = 100) -> Path:
    """Write points (T, V, 3) by the package's own writer; nan: not seen."""
    c3d: Any = pytest.importorskip("c3d", reason="needs the package c3d")
    writer = c3d.Writer(point_rate=rate, analog_rate=0)
    writer.set_point_labels(labels)
    for frame in points:
        row = np.zeros((len(frame), 5), np.float32)
        row[:, :3] = np.nan_to_num(frame)
        row[np.isnan(frame).any(axis=1), 3:] = -1
        writer.add_frames([(row, np.zeros((0, 0), np.float32))])
    with path.open("wb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the analog data that there are none of
        writer.write(file)
    return path


def test_c3d(tmp_path: Path) -> None:
    points = np.round(np.random.default_rng(0).normal(size=(7, 3, 3)) * 500, 1)
    points[4, 1] = np.nan
    found = read_recording(write_c3d(tmp_path / "a.c3d", points, ["LFHD", "RFHD", "C7"]))
    assert found.joint_names == ("LFHD", "RFHD", "C7")
    assert found.fps == 100
    assert found.own_layout is None
    np.testing.assert_allclose(found.keypoint[0], np.nan_to_num(points), rtol=1e-6)


def test_damaged_c3d(tmp_path: Path) -> None:
    points = np.ones((7, 3, 3))
    whole = write_c3d(tmp_path / "a.c3d", points, ["a", "b", "c"]).read_bytes()
    for content in (b"", b"nonsense" * 200, whole[:700], whole[:-600]):
        (tmp_path / "b.c3d").write_bytes(content)
        with pytest.raises(RecordingError):
            read_recording(tmp_path / "b.c3d")
    write_c3d(tmp_path / "c.c3d", np.full((2, 3, 3), np.nan), ["a", "b", "c"])
    with pytest.raises(RecordingError):
        read_recording(tmp_path / "c.c3d")


def test_c3d_without_the_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "c3d", None)
    path = write(tmp_path / "a.c3d", "x")
    with pytest.raises(RecordingError) as caught:
        read_recording(path)
    assert "pip install" in (caught.value.hint or "")
