"""JSON of other tools and people: recorded cases, and the ways of writing the same landmarks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recording_files import FRAMES, openpose_folder, people, scores, write

from pyskl.recordings import RecordingError, read_recording, read_recordings
from pyskl.recordings.discovery import find_recordings
from pyskl.skeleton import LAYOUTS

NAMES = LAYOUTS["mediapipe"].joint_names


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


# --- recorded cases -------------------------------------------------------------------------------


@pytest.fixture
def cases(shared: Path) -> Path:
    folder = shared / "cases" / "files"
    if not folder.is_dir():
        pytest.skip("needs the cases in the shared folder")
    return folder


@pytest.mark.shared_data
def test_case_of_mediapipe_under_keypoints(cases: Path) -> None:
    path = cases / "15_mediapipe_keypoints.json"
    content = load(path)
    numbers = np.array([entry["frame"] for entry in content])
    wanted = np.zeros((1, numbers.max() - numbers.min() + 1, 33, 4))
    for entry in content:
        for point in entry["keypoints"]:
            wanted[0, entry["frame"] - numbers.min(), point["id"]] = [
                *(point[key] for key in ("x", "y", "z", "visibility")),
            ]
    found = read_recording(path)
    assert found.layout == "mediapipe"
    np.testing.assert_allclose(found.keypoint, wanted[..., :3], rtol=1e-6)
    flat = read_recording(path, dim=2, image_size=(720, 1280))
    np.testing.assert_allclose(flat.keypoint, wanted[..., :2] * [1280, 720], rtol=1e-6)
    np.testing.assert_allclose(flat.score, wanted[..., 3], rtol=1e-6)


@pytest.mark.shared_data
def test_case_of_kinetics_skeleton(cases: Path) -> None:
    path = cases / "16_kinetics_skeleton.json"
    persons = [entry["skeleton"][0] for entry in load(path)["data"]]
    found = read_recording(path, image_size=(1080, 1920))
    pose = np.array([person["pose"] for person in persons])[None]
    score = np.array([person["score"] for person in persons])[None, ..., 0]
    np.testing.assert_allclose(found.keypoint, pose, rtol=1e-6)
    np.testing.assert_allclose(found.score, score, rtol=1e-6)
    assert (found.layout, found.image_size) == ("coco", (1080, 1920))


@pytest.mark.shared_data
def test_case_of_nwucla(cases: Path) -> None:
    path = cases / "17_nwucla.json"
    found = read_recording(path)
    np.testing.assert_allclose(found.keypoint[0], np.array(load(path)["skeletons"]), rtol=1e-6)
    assert (found.layout, found.score) == ("kinect_v1", None)


@pytest.mark.shared_data
def test_case_of_openpose_with_numbers_as_names(cases: Path) -> None:
    folder = cases / "19_openpose_numbers_only"
    frames = [load(path)["people"][0] for path in sorted(folder.iterdir())]
    wanted = np.array([frame["pose_keypoints_2d"] for frame in frames]).reshape(1, -1, 25, 3)
    found = read_recording(folder)
    np.testing.assert_allclose(found.keypoint, wanted[..., :2], rtol=1e-6)
    np.testing.assert_allclose(found.score, wanted[..., 2], rtol=1e-6)
    assert found.layout == "body_25"


# --- MediaPipe ------------------------------------------------------------------------------------


def _upper(name: str) -> str:
    return name.upper()


def _camel(name: str) -> str:
    head, *others = name.split("_")
    return head + "".join(map(str.capitalize, others))


def _as_published(name: str) -> str:
    return {"left_mouth": "MOUTH_LEFT", "right_mouth": "MOUTH_RIGHT"}.get(name, name.upper())


def _spaced(name: str) -> str:
    return name.replace("_", " ").title()


POINTS: dict[str, Callable[[list[float]], Any]] = {
    "dict": lambda point: dict(zip(("x", "y", "z", "visibility"), point)),
    "score": lambda point: dict(zip(("x", "y", "z", "score"), point)),
    "list": list,
}
KEYS = (None, "landmark", "landmarks", "keypoints", "pose_landmarks", "poseLandmarks")
FRAME_KEYS = ("{}", "frame_{}", "{:06d}")


@given(
    data=st.data(),
    point=st.sampled_from(sorted(POINTS)),
    key=st.sampled_from(KEYS),
    spelling=st.sampled_from([None, str, _upper, _camel, _as_published, _spaced]),
    outside=st.sampled_from(["list", "numbered", "by frame", "frames", "frames by number"]),
    frames=st.sets(st.integers(0, 12), min_size=1, max_size=4),
)
def test_ways_to_write_landmarks(
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    point: str,
    key: str | None,
    spelling: Callable[[str], str] | None,
    outside: str,
    frames: set[int],
) -> None:
    numbers = sorted(frames)
    values = np.random.default_rng(0).uniform(0.1, 0.9, (len(numbers), 33, 4)).round(4)
    if key is None and spelling is None and point == "list":
        point = "dict"  # plain lists of numbers say nothing of MediaPipe

    def person(frame: np.ndarray) -> Any:
        points = [POINTS[point](joint) for joint in frame.tolist()]
        if spelling is None:
            return points
        order = data.draw(st.permutations(range(33)))
        return {spelling(NAMES[joint]): points[joint] for joint in order}

    entries = [person(frame) for frame in values]
    if key is not None:
        entries = [{key: entry} for entry in entries]
    content: Any = entries
    numbered = outside in ("by frame", "frames by number")
    if outside == "numbered" and all(isinstance(entry, dict) for entry in entries):
        numbered = True
        content = [{"frame": number, **entry} for number, entry in zip(numbers, entries)]
    elif numbered:
        form = data.draw(st.sampled_from(FRAME_KEYS))
        order = data.draw(st.permutations(range(len(numbers))))
        content = {form.format(numbers[at]): entries[at] for at in order}
    if outside.startswith("frames"):
        content = {"frames": content, "fps": 30}
    path = write(tmp_path_factory.mktemp("m") / "a.json", content)

    found = read_recording(path, dim=2, image_size=(100, 200))
    at = np.array(numbers) - numbers[0] if numbered else np.arange(len(numbers))
    at //= max(1, int(np.gcd.reduce(at)))  # numbers with a common step are consecutive
    wanted = np.zeros((1, at[-1] + 1, 33, 4))
    wanted[0, at] = values
    np.testing.assert_allclose(found.keypoint, wanted[..., :2] * [200, 100], rtol=1e-5)
    np.testing.assert_allclose(found.score, wanted[..., 3], rtol=1e-5)
    assert found.layout == "mediapipe"


@pytest.mark.parametrize("key", [None, "landmark", "keypoints", "by name"])
def test_a_single_frame_of_mediapipe(tmp_path: Path, key: str | None) -> None:
    values = np.random.default_rng(0).uniform(0.1, 0.9, (33, 4)).round(4)
    points = [POINTS["dict"](joint) for joint in values.tolist()]
    content: Any = {key: points}
    if key is None:
        content = points
    elif key == "by name":
        content = dict(zip(NAMES, points))
    found = read_recording(write(tmp_path / "a.json", content))
    np.testing.assert_allclose(found.keypoint[0, 0], values[:, :3], rtol=1e-6)


def test_landmarks_by_id_by_number_and_in_pixels(tmp_path: Path) -> None:
    values = np.random.default_rng(0).uniform(10, 500, (33, 4)).round(4)
    points = [POINTS["dict"](joint) for joint in values.tolist()]
    with_ids = [{"id": joint, **points[joint]} for joint in reversed(range(33))]
    with_names = [{"name": NAMES[joint], **points[joint]} for joint in reversed(range(33))]
    by_number = {str(joint): points[joint] for joint in reversed(range(33))}
    numbered = {f"landmark_{joint}": points[joint] for joint in reversed(range(33))}
    forms = [with_ids, with_names, by_number, numbered]
    for content in [[form] for form in forms] + [[{"keypoints": form}] for form in forms]:
        found = read_recording(write(tmp_path / "a.json", content), dim=2, image_size=(600, 600))
        np.testing.assert_allclose(found.keypoint[0, 0], values[:, :2], rtol=1e-6)
        assert found.image_size == (600, 600)


def test_persons_of_a_frame_or_frames_of_a_person(tmp_path: Path) -> None:
    points = [{"x": 0.5, "y": 0.4, "z": 0.1}] * 33
    with pytest.raises(RecordingError):
        read_recording(write(tmp_path / "a.json", {"landmarks": [points, points]}))
    found = read_recording(write(tmp_path / "a.json", [{"landmarks": [points, points]}]))
    assert found.keypoint.shape == (2, 1, 33, 3)


def test_names_of_landmarks(tmp_path: Path) -> None:
    points = {name: {"x": 0.5, "y": 0.4, "z": 0.1} for name in NAMES[11:]}
    found = read_recording(write(tmp_path / "a.json", [points])).keypoint
    assert found[0, 0, 11:].all()
    assert not found[0, 0, :11].any()
    points["tail"] = points.pop("left_hip")
    with pytest.raises(RecordingError) as caught:
        read_recording(write(tmp_path / "a.json", [points]))
    assert caught.value.key == "frame 0"


# --- Kinetics-skeleton and Northwestern-UCLA ------------------------------------------------------


@pytest.mark.parametrize("pairs", [True, False])
@pytest.mark.parametrize("fractions", [True, False])
@pytest.mark.parametrize(("joints", "layout"), [(17, "coco"), (18, "openpose")])
def test_kinetics(tmp_path: Path, joints: int, layout: str, fractions: bool, pairs: bool) -> None:
    pose, score = people(joints), scores(1, FRAMES, joints)
    written = pose / [1280, 720] if fractions else pose
    persons = [
        {
            "pose": (written[0, frame] if pairs else written[0, frame].reshape(-1)).tolist(),
            "score": (score[0, frame, :, None] if pairs else score[0, frame]).tolist(),
        }
        for frame in range(FRAMES)
    ]
    data = [
        {"frame_index": frame + 1, "skeleton": [] if frame == 3 else [person]}
        for frame, person in enumerate(persons)
    ]
    path = write(tmp_path / "a.json", {"data": data[::-1], "label": "a", "label_index": 0})
    found = read_recording(path, image_size=(720, 1280))
    pose[:, 3] = 0
    np.testing.assert_allclose(found.keypoint, pose, rtol=1e-5)
    assert (found.layout, found.image_size) == (layout, (720, 1280))
    assert read_recording(path).image_size == ((1, 1) if fractions else None)


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"data": []}, None),
        ({"data": [{"skeleton": []}]}, "data 0"),
        ({"data": [{"frame_index": 1, "skeleton": 5}]}, "data 0"),
        ({"data": [{"frame_index": "a", "skeleton": []}]}, "data 0, frame_index"),
        (
            {"data": [{"frame_index": 1, "skeleton": [{"pose": [1, 2], "score": [1, 1]}]}]},
            "data 0, pose",
        ),
        (
            {"data": [{"frame_index": 1, "skeleton": [{"pose": [[1], [1, 2]], "score": [1]}]}]},
            "data 0, pose",
        ),
        ({"skeletons": []}, "skeletons"),
        ({"skeletons": [[[1, 2, 3]], [[1, 2]]]}, "skeletons 1"),
        ({"skeletons": [[[1, 2, 3]], [[1, 2, 3], [1, 2, 3]]]}, "skeletons 1"),
        ({"skeletons": [7]}, "skeletons 0"),
        ({"skeletons": [[[1, 2, None]]]}, None),
    ],
)
def test_malformed_kinetics_and_nwucla(tmp_path: Path, content: Any, key: str | None) -> None:
    path = write(tmp_path / "a.json", content)
    with pytest.raises(RecordingError) as caught:
        read_recordings(path)
    assert (caught.value.file, caught.value.key) == (str(path), key)


# --- MMPose -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["video", "frames"])
@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("tracked", [True, False])
def test_mmpose(tmp_path: Path, form: str, dim: int, tracked: bool) -> None:
    keypoint, score = people(17, dim, persons=2), scores(2, FRAMES, 17)
    frames = [
        {
            "frame_id": frame + 1,
            "instances": [
                {
                    "keypoints": keypoint[person, frame].tolist(),
                    "keypoint_scores": score[person, frame].tolist(),
                    "bbox": [[0, 0, 9, 9]],
                    **({"track_id": person} if tracked else {}),
                }
                for person in range(2)
                if frame != 4
            ],
        }
        for frame in range(FRAMES)
    ]
    meta = {"keypoint_id2name": dict(enumerate(LAYOUTS["coco"].joint_names))}
    content = {"meta_info": meta, "instance_info": frames} if form == "video" else frames
    found = read_recording(write(tmp_path / "a.json", content))
    keypoint[:, 4] = 0
    order = np.argsort(found.keypoint[:, 0, 0, 0])
    np.testing.assert_allclose(found.keypoint[order], keypoint, rtol=1e-6)
    assert found.layout == "coco"


def test_mmpose_of_an_image(tmp_path: Path) -> None:
    keypoint = people(26)
    person = {"keypoints": keypoint[0, 0].tolist(), "keypoint_scores": [0.5] * 26}
    for content in ([person], {"instances": [person]}):
        found = read_recording(write(tmp_path / "a.json", content))
        np.testing.assert_allclose(found.keypoint[0], keypoint[0, :1], rtol=1e-6)
        assert found.layout == "halpe26"


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"instance_info": []}, None),
        ({"instance_info": [3]}, "instance_info 0"),
        ({"instance_info": [{"instances": []}]}, None),
        ([{"instances": [{"keypoints": [[1, 2]]}]}], "instance_info 0, instance 0"),
        (
            [{"instances": [{"keypoints": [[1, 2, 3, 4]], "keypoint_scores": [1]}]}],
            "instance_info 0, instance 0, keypoints",
        ),
        ([{"frame_id": "a", "instances": []}], "instance_info 0, frame_id"),
    ],
)
def test_malformed_mmpose(tmp_path: Path, content: Any, key: str | None) -> None:
    with pytest.raises(RecordingError) as caught:
        read_recordings(write(tmp_path / "a.json", content))
    assert caught.value.key == key


# --- OpenPose -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["{}", "{:03d}", "walk_{}", "frame{:05d}"])
def test_renamed_files_of_openpose(tmp_path: Path, form: str) -> None:
    keypoint = people(25)
    folder = openpose_folder(tmp_path / "sets" / "wave", keypoint, scores(1, FRAMES, 25))
    for number, path in enumerate(sorted(folder.iterdir())):
        path.rename(folder / f"{form.format(number)}.json")
    write(folder / "settings.json", {"fps": 30})
    np.testing.assert_array_equal(read_recording(folder).keypoint, keypoint)
    assert [path.path for path in find_recordings([tmp_path]).paths] == [folder]


def test_numbered_files_of_other_tools_are_no_frames_of_openpose(tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path / "set" / f"{number}.json", {"skeletons": people(20, 3)[0].tolist()})
    assert len(find_recordings([tmp_path]).paths) == 3


# --- unknown JSON ---------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [{"pets": 1, "name": "a"}, [{"pets": 1}], [[{"pets": []}]]])
def test_unknown_json_is_refused_by_its_keys(tmp_path: Path, content: Any) -> None:
    with pytest.raises(RecordingError) as caught:
        read_recordings(write(tmp_path / "a.json", content))
    assert "pets" in str(caught.value.found)
