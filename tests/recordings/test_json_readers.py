"""COCO, AlphaPose, OpenPose and MediaPipe: what their tools write, and what is wrong with some."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recording_files import (
    FRAMES,
    alphapose,
    alphapose_cmu,
    coco,
    landmarks,
    openpose_folder,
    people,
    scores,
    write,
)

from pyskl.recordings import RecordingError, read_recording, read_recordings
from pyskl.skeleton import LAYOUTS

COCO = list(LAYOUTS["coco"].joint_names)


def same_persons(found: np.ndarray, wanted: np.ndarray) -> None:
    """Compare (M, T, V, C), whatever the order of persons."""
    assert found.shape == wanted.shape

    def key(persons: np.ndarray) -> np.ndarray:
        return np.argsort(persons[:, 0, 0, 0])

    np.testing.assert_array_equal(found[key(found)], wanted[key(wanted)])


# --- AlphaPose ------------------------------------------------------------------------------------


@pytest.mark.parametrize("tracked", [True, False])
@pytest.mark.parametrize(("joints", "layout"), [(17, "coco"), (26, "halpe26"), (136, "halpe136")])
def test_alphapose(tmp_path: Path, joints: int, layout: str, tracked: bool) -> None:
    keypoint, score = people(joints, persons=2), scores(2, FRAMES, joints)
    path = write(tmp_path / "alphapose-results.json", alphapose(keypoint, score, tracked=tracked))
    found = read_recording(path, image_size=(720, 1280))
    same_persons(found.keypoint, keypoint)
    assert found.layout == layout
    assert found.image_size == (720, 1280)
    assert found.score is not None
    np.testing.assert_array_equal(np.sort(found.score.ravel()), np.sort(score.ravel()))


def test_alphapose_frames_without_anybody_are_empty(tmp_path: Path) -> None:
    keypoint = people(17)
    content = alphapose(keypoint, scores(1, FRAMES, 17), tracked=False)
    content = [entry for entry in content if entry["image_id"] != "4.jpg"]
    content.sort(key=lambda entry: str(entry["image_id"]))  # 0, 1, 10, 11, 2 ...
    found = read_recording(write(tmp_path / "a.json", content))
    wanted = keypoint.copy()
    wanted[:, 4] = 0
    np.testing.assert_array_equal(found.keypoint, wanted)


def test_alphapose_in_the_forms_of_openpose(tmp_path: Path) -> None:
    keypoint, score = people(18, persons=2), scores(2, FRAMES, 18)
    content = alphapose_cmu(keypoint, score)
    opened = {
        image: {
            "version": "AlphaPose v0.3",
            "people": [{"pose_keypoints_2d": body["joints"]} for body in frame["bodies"]],
        }
        for image, frame in content.items()
    }
    for form in (content, opened):
        found = read_recording(write(tmp_path / "a.json", form))
        same_persons(found.keypoint, keypoint)
        assert found.layout == "openpose"


def test_image_names_without_numbers_stand_in_the_order_of_names(tmp_path: Path) -> None:
    keypoint = people(17, frames=3)
    content = alphapose(keypoint, scores(1, 3, 17), tracked=False)
    for entry, name in zip(content, ("a.jpg", "b.jpg", "c.jpg")):
        entry["image_id"] = name
    found = read_recording(write(tmp_path / "a.json", content[::-1]))
    np.testing.assert_array_equal(found.keypoint, keypoint)


def test_scores_above_one_are_one(tmp_path: Path) -> None:
    score = np.full((1, FRAMES, 17), 1.5, np.float32)
    content = alphapose(people(17), score, tracked=False)
    found = read_recording(write(tmp_path / "a.json", content))
    assert found.score is not None
    assert found.score.min() == found.score.max() == 1


# --- COCO -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("tracks", [True, False])
def test_coco(tmp_path: Path, tracks: bool) -> None:
    keypoint = people(17, persons=2)
    found = read_recording(write(tmp_path / "c.json", coco(keypoint, names=COCO, tracks=tracks)))
    same_persons(found.keypoint, keypoint)
    assert found.layout == "coco"
    assert found.joint_names == tuple(COCO)
    assert found.image_size == (480, 640)
    # Labelled joints are sure, be they hidden or visible.
    assert found.score is not None
    assert found.score.min() == found.score.max() == 1


def test_coco_joints_that_are_not_labelled(tmp_path: Path) -> None:
    content = coco(people(17), names=COCO)
    for annotation in content["annotations"]:
        annotation["keypoints"][3:6] = [0, 0, 0]
    found = read_recording(write(tmp_path / "c.json", content))
    assert not found.keypoint[:, :, 1].any()
    assert found.score is not None
    assert not found.score[:, :, 1].any()
    assert found.score[:, :, 0].all()


def test_coco_videos_are_folders_or_video_ids(tmp_path: Path) -> None:
    one, two = people(17, seed=1), people(17, seed=2)
    first = coco(one, names=COCO, video="set/v10")
    second = json.loads(json.dumps(coco(two, names=COCO, video="set/v2")).replace("10", "90"))
    content = {key: first[key] + second[key] for key in ("images", "annotations")}
    content["categories"] = first["categories"]
    second_ids = {image["id"] for image in second["images"]}
    assert not second_ids & {image["id"] for image in first["images"]}
    found = read_recordings(write(tmp_path / "c.json", content))
    assert [recording.name for recording in found] == ["c/set/v2", "c/set/v10"]
    np.testing.assert_array_equal(found[1].keypoint, one)

    for image in content["images"]:
        image["video_id"] = 5 if image["file_name"].startswith("set/v10") else 6
        image["frame_id"] = image["id"]
    found = read_recordings(write(tmp_path / "c.json", content))
    assert [recording.name for recording in found] == ["c/5", "c/6"]
    np.testing.assert_array_equal(found[0].keypoint, one)


def test_coco_crowds_and_boxes_without_joints_are_skipped(tmp_path: Path) -> None:
    keypoint = people(17)
    content = coco(keypoint, names=COCO)
    content["annotations"] += [
        {"id": 900, "image_id": 1000, "iscrowd": 1, "keypoints": [0, 0, 0]},
        {"id": 901, "image_id": 1001, "bbox": [0, 0, 1, 1]},
    ]
    found = read_recording(write(tmp_path / "c.json", content))
    np.testing.assert_array_equal(found.keypoint, keypoint)


def test_coco_results(tmp_path: Path) -> None:
    keypoint, score = people(17), scores(1, FRAMES, 17)
    content = [
        {**entry, "image_id": 40 + frame}
        for frame, entry in enumerate(alphapose(keypoint, score, tracked=False))
    ]
    for entry in content:
        del entry["idx"], entry["box"]
    found = read_recording(write(tmp_path / "results.json", content))
    np.testing.assert_array_equal(found.keypoint, keypoint)
    np.testing.assert_array_equal(found.score, score)


def test_other_joints_than_cocos_have_no_built_in_layout(tmp_path: Path) -> None:
    names = [f"joint{number}" for number in range(17)]
    found = read_recording(write(tmp_path / "c.json", coco(people(17), names=names)))
    assert found.layout is None
    assert found.joint_names == tuple(names)


# --- OpenPose -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("joints", "layout"), [(25, "body_25"), (18, "openpose")])
def test_openpose(tmp_path: Path, joints: int, layout: str) -> None:
    keypoint, score = people(joints, persons=2), scores(2, FRAMES, joints)
    folder = openpose_folder(tmp_path / "wave", keypoint, score)
    found = read_recording(folder)
    same_persons(found.keypoint, keypoint)
    assert (found.name, found.layout, found.image_size) == ("wave", layout, None)


def test_openpose_persons_that_it_has_tracked_and_frames_without_anybody(tmp_path: Path) -> None:
    keypoint = people(18, persons=2)
    folder = openpose_folder(tmp_path / "a", keypoint, scores(2, FRAMES, 18))
    for frame, path in enumerate(sorted(folder.iterdir())):
        content = json.loads(path.read_text())
        for person, entry in enumerate(content["people"]):
            # Who changes places is believed to be who the tool says.
            entry["person_id"] = [(person + (frame > 5)) % 2]
        write(path, {**content, "people": []} if frame == 3 else content)
    found = read_recording(folder).keypoint
    swapped = keypoint.copy()
    swapped[:, 6:] = keypoint[::-1, 6:]
    swapped[:, 3] = 0
    same_persons(found, swapped)


def test_openpose_several_videos_in_one_folder(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    for number, name in enumerate(("b", "a")):
        openpose_folder(folder, people(18, seed=number), scores(1, FRAMES, 18), name)
    found = read_recordings(folder)
    assert [recording.name for recording in found] == ["out/a", "out/b"]
    np.testing.assert_array_equal(found[1].keypoint, people(18, seed=0))


@pytest.mark.parametrize(
    ("name", "content", "key"),
    [
        ("v_000000000002_keypoints.json", {"people": 3}, "people"),
        ("v_000000000002_keypoints.json", [], "people"),
        ("v_000000000002_keypoints.json", {"people": [7]}, "person 0"),
        (
            "v_000000000002_keypoints.json",
            {"people": [{"pose_keypoints_2d": [1, 2, 3]}]},
            "person 0, pose_keypoints_2d",
        ),
        (
            "v_000000000002_keypoints.json",
            {"people": [{"pose_keypoints_2d": [1.0] * 75}]},
            "person 0",
        ),
        (
            "v_000000000002_keypoints.json",
            {"people": [{"pose_keypoints_2d": ["1"] * 54}]},
            "person 0, pose_keypoints_2d",
        ),
        ("v_000000000002_keypoints.json", '{"people": [', "line 1, column 13"),
        ("walk_keypoints.json", {"people": []}, None),
    ],
)
def test_malformed_openpose(tmp_path: Path, name: str, content: Any, key: str | None) -> None:
    folder = openpose_folder(tmp_path / "a", people(18), scores(1, FRAMES, 18))
    write(folder / name, content)
    with pytest.raises(RecordingError) as caught:
        read_recordings(folder)
    assert (caught.value.file, caught.value.key) == (str(folder / name), key)


@pytest.mark.parametrize("name", ["v_2_keypoints.json", "v_900000000002_keypoints.json"])
def test_repeated_and_far_frame_numbers_of_openpose(tmp_path: Path, name: str) -> None:
    folder = openpose_folder(tmp_path / "a", people(18), scores(1, FRAMES, 18))
    write(folder / name, {"people": []})
    with pytest.raises(RecordingError):
        read_recordings(folder)


def test_openpose_without_persons_and_single_files(tmp_path: Path) -> None:
    write(tmp_path / "a" / "v_0_keypoints.json", {"people": []})
    (tmp_path / "b").mkdir()
    for path in (tmp_path / "a", tmp_path / "a" / "v_0_keypoints.json", tmp_path / "b"):
        with pytest.raises(RecordingError):
            read_recording(path, format="openpose")


# --- MediaPipe ------------------------------------------------------------------------------------

POINTS = np.round(np.random.default_rng(0).uniform(0.1, 0.9, size=(FRAMES, 33, 3)), 4)  # T, V, C

MEDIAPIPE_FORMS: dict[str, Callable[[np.ndarray], Any]] = {
    "bare": landmarks,
    "MessageToDict": lambda points: {"landmark": landmarks(points)},
    "tasks": lambda points: {
        "pose_landmarks": [landmarks(points)],
        "pose_world_landmarks": [],
        "segmentation_masks": None,
    },
    "solutions": lambda points: {"pose_landmarks": {"landmark": landmarks(points)}},
    "javascript": lambda points: {"poseLandmarks": landmarks(points)},
    "javascript tasks": lambda points: {"landmarks": [landmarks(points)], "worldLandmarks": []},
    "persons": lambda points: [landmarks(points)],
}


@pytest.mark.parametrize("form", MEDIAPIPE_FORMS)
@pytest.mark.parametrize("wrapped", ["list", "frames", "jsonl"])
def test_mediapipe(tmp_path: Path, form: str, wrapped: str) -> None:
    entries = [MEDIAPIPE_FORMS[form](points) for points in POINTS]
    entries[2] = None
    wanted = POINTS.copy()
    wanted[2] = 0
    if wrapped == "jsonl":
        path = write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, entries)) + "\n\n")
    elif wrapped == "frames":
        content = {"frames": entries, "fps": 25, "width": 640, "height": 480}
        path = write(tmp_path / "a.json", content)
    else:
        path = write(tmp_path / "a.json", entries)
    size = [640, 480] if wrapped == "frames" else [1, 1]

    flat = read_recording(path, dim=2)
    np.testing.assert_allclose(flat.keypoint[0], wanted[..., :2] * size, rtol=1e-6)
    assert flat.image_size == ((480, 640) if wrapped == "frames" else (1, 1))
    assert flat.score is not None
    np.testing.assert_allclose(flat.score[0, 0], 0.9)

    deep = read_recording(path)
    assert deep.layout == "mediapipe"
    np.testing.assert_allclose(deep.keypoint[0], wanted * [*size, size[0]], rtol=1e-6)
    assert deep.fps == (25 if wrapped == "frames" else None)


def test_mediapipe_of_the_world_and_of_the_image(tmp_path: Path) -> None:
    entries = [
        {"pose_landmarks": [landmarks(points)], "pose_world_landmarks": [landmarks(points * 2)]}
        for points in POINTS
    ]
    path = write(tmp_path / "a.json", entries)
    deep = read_recording(path, image_size=(100, 200))
    np.testing.assert_allclose(deep.keypoint[0], np.round(POINTS * 2, 4), rtol=1e-6)
    assert deep.image_size is None
    flat = read_recording(path, image_size=(100, 200), dim=2)
    np.testing.assert_allclose(flat.keypoint[0], POINTS[..., :2] * [200, 100], rtol=1e-6)
    assert flat.image_size == (100, 200)


def test_mediapipe_hands_are_flat_and_each_a_person(tmp_path: Path) -> None:
    hands = np.stack([POINTS[:, :21] / 4, 0.7 + POINTS[:, :21] / 4])
    entries = [
        {"hand_landmarks": [landmarks(hand[frame], visibility=False) for hand in hands]}
        for frame in range(FRAMES)
    ]
    found = read_recording(write(tmp_path / "a.json", entries))
    assert found.keypoint.shape == (2, FRAMES, 21, 2)
    assert (found.layout, found.score) == ("handmp", None)


@pytest.mark.parametrize(
    ("entries", "key"),
    [
        ([], None),
        ({"frames": 3}, None),
        ([None, None], None),
        ([[{"x": 0.5}]], "frame 0, landmark 0"),
        ([[{"x": 0.5, "y": "0.5"}]], "frame 0"),
        ([[{"x": 0.5, "y": 0.1}], [{"x": 0.5, "y": 0.1}] * 2], "frame 1"),
        ([[{"x": 1e30, "y": 0.1, "z": 0}]], None),
        ([[3]], "frame 0, landmark 0"),
        ([{"x": 0.1, "y": 0.2}], "frame 0"),
        ([7], "frame 0"),
        ([[{"x": 0.1, "y": 0.2}]], None),
        ({"frames": [[{"x": 0.1, "y": 0.2, "z": 0}]], "fps": 0}, "fps"),
        ({"frames": [[{"x": 0.1, "y": 0.2, "z": 0}]], "width": 0, "height": 1}, "height, width"),
    ],
)
def test_malformed_mediapipe(tmp_path: Path, entries: Any, key: str | None) -> None:
    path = write(tmp_path / "m.json", entries)
    with pytest.raises(RecordingError) as caught:
        read_recordings(path, format="mediapipe")
    assert (caught.value.file, caught.value.key) == (str(path), key)


# --- malformed COCO and AlphaPose -----------------------------------------------------------------


def _change(content: Any, path: list[Any], value: Any) -> None:
    for key in path[:-1]:
        content = content[key]
    if value is KeyError:
        del content[path[-1]]
    else:
        content[path[-1]] = value


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        (["annotations", 3, "image_id"], 77, "annotation 3, image_id"),
        (["annotations", 3, "image_id"], KeyError, "annotation 3"),
        (["annotations", 3, "image_id"], [1], "annotation 3, image_id"),
        (["annotations", 3], 4, "annotation 3"),
        (["annotations", 3, "keypoints"], [1, 2], "annotation 3, keypoints"),
        (["annotations", 3, "keypoints"], [1, 2, 3], "annotation 3"),
        (["annotations", 3, "keypoints", 0], "1", "annotation 3, keypoints"),
        (["annotations", 3, "keypoints", 0], True, "annotation 3, keypoints"),
        (["annotations", 3, "keypoints", 0], 10**400, "annotation 3, keypoints"),
        (["annotations", 3, "track_id"], "x", "annotation 3, track_id"),
        (["annotations"], [], "annotations"),
        (["annotations"], {}, None),
        (["images", 0], 5, "image 0"),
        (["images", 1, "id"], 1011, "id"),
        (["images", 1, "height"], -3, "image 1, height, width"),
        (["images", 1, "frame_id"], 0.5, "image 1, frame_id"),
    ],
)
def test_malformed_coco(tmp_path: Path, path: list[Any], value: Any, key: str | None) -> None:
    content = coco(people(17), names=COCO)
    _change(content, path, value)
    with pytest.raises(RecordingError) as caught:
        read_recordings(write(tmp_path / "c.json", content), format="coco")
    assert caught.value.key == key


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        ([3, "image_id"], KeyError, "result 3"),
        ([3, "keypoints"], KeyError, "result 3"),
        ([3, "keypoints"], None, "result 3, keypoints"),
        ([3, "idx"], "one", "result 3, idx"),
        ([3, "idx"], [[[[[[1]]]]]], "result 3, idx"),
        ([3], [], "result 3"),
    ],
)
def test_malformed_alphapose(tmp_path: Path, path: list[Any], value: Any, key: str) -> None:
    content: Any = alphapose(people(17), scores(1, FRAMES, 17), tracked=True)
    _change(content, path, value)
    with pytest.raises(RecordingError) as caught:
        read_recordings(write(tmp_path / "a.json", content), format="alphapose")
    assert caught.value.key == key


@pytest.mark.parametrize(
    "text",
    [
        *("", "[" * 100_000, "[" + "9" * 10_000 + "]", '{"a": 1', "7", '{"a": 1}', "[[[[[1]]]]]"),
        "[{}]",
    ],
)
def test_json_that_is_no_recording(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "x.json", text)
    with pytest.raises(RecordingError) as caught:
        read_recordings(path)
    assert caught.value.file == str(path)


def test_nan_and_null_were_not_seen(tmp_path: Path) -> None:
    content = alphapose(people(17), scores(1, FRAMES, 17), tracked=False)
    broken = copy.deepcopy(content)
    broken[0]["keypoints"][0] = None
    broken[1]["keypoints"][1] = float("nan")
    found = read_recording(write(tmp_path / "a.json", broken))
    assert not found.keypoint[0, 0, 0].any()
    assert not found.keypoint[0, 1, 0].any()
    assert found.keypoint[0, 2, 0].all()
