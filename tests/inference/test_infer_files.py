"""Files and lines of standard input, and what is written about each."""

from __future__ import annotations

import dataclasses
import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyskl.errors import AnnotationError, InputError, UntrustedFileError
from pyskl.inference import (
    Ensemble,
    InferSettings,
    ReadSettings,
    Span,
    WindowSettings,
    infer_files,
    read_sequences,
)
from pyskl.inference.infer import InferReport, write_line, write_lines
from pyskl.inference.json_input import read_lines, recording_of_json
from pyskl.inference.sources import read_recording_sample, reorder_joints
from pyskl.recordings import Recording, RecordingError
from pyskl.skeleton import LAYOUTS, resolve_layout

Telling = Callable[..., np.ndarray]


@pytest.fixture
def folder(tmp_path: Path, telling: Telling) -> Path:
    """A folder with two good recordings, a damaged one, and another file."""
    for name, label in (("a", 0), ("deep/b", 1)):
        path = tmp_path / "clips" / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, telling([label]))
    (tmp_path / "clips" / "broken.npy").write_bytes(b"\x93NUMPY")
    (tmp_path / "clips" / "notes.txt").write_text("none")
    return tmp_path / "clips"


def lines(
    files: list[Any],
    ensemble: Ensemble,
    settings: InferSettings | None = None,
    reading: ReadSettings | None = None,
    stdin: str = "",
) -> list[dict[str, Any]]:
    """Return the lines of files."""
    found: list[dict[str, Any]] = []
    infer_files(files, ensemble, settings, reading, write=found.append, stdin=io.StringIO(stdin))
    return found


# --- files ----------------------------------------------------------------------------------------


def test_folders_are_searched_and_errors_are_lines(folder: Path, ensemble: Ensemble) -> None:
    found = lines([folder, folder / "none.npy"], ensemble, InferSettings(topk=1))
    assert [line["name"] for line in found] == ["a", "broken", "deep/b", "none.npy"]
    assert ["error" in line for line in found] == [False, True, False, True]
    assert found[2] == {
        "name": "deep/b",
        "source": str(folder / "deep" / "b.npy"),
        "frames": 20,
        "topk": [{"class": 1, "label": "sit", "score": 1.0}],
    }


def test_failures_are_listed_or_stop_at_once(folder: Path, ensemble: Ensemble) -> None:
    found: list[dict[str, Any]] = []
    report = infer_files([folder], ensemble, write=found.append)
    assert report.count == len(found) == 3
    with pytest.raises(InputError) as caught:
        report.raise_if_failed()
    assert len(caught.value.errors) == 1
    found.clear()
    with pytest.raises(InputError):
        infer_files([folder], ensemble, InferSettings(strict=True), write=found.append)
    with pytest.raises(InputError):
        InferReport().raise_if_failed()
    with pytest.raises(InputError, match="and 2 more") as caught:
        InferReport(12, ["x"] * 12).raise_if_failed()
    assert len(caught.value.errors) == 11


def test_annotation_files_give_the_samples_of_a_split(
    tmp_path: Path, ensemble: Ensemble, telling: Telling
) -> None:
    samples = [
        {"frame_dir": f"s{n}", "label": n % 4, "total_frames": 20, "keypoint": telling([n % 4])}
        for n in range(9)
    ]
    samples[1]["label"] = [0, 2]  # several classes
    samples[8]["total_frames"] = 3  # malformed
    path = tmp_path / "a.pkl"
    split = {"train": ["s0", "s1"], "val": ["s3", "s2", "s8"]}
    path.write_bytes(pickle.dumps({"split": split, "annotations": samples}))
    found = lines([path], ensemble, reading=ReadSettings(split="val"))
    assert [line["name"] for line in found] == ["s2", "s3", "s8"]  # in the order of the file
    assert [(line["truth"], line["topk"][0]["class"]) for line in found[:2]] == [(2, 2), (3, 3)]
    assert "error" in found[2]
    assert lines([path], ensemble)[1]["truth"] == [0, 2]
    (wrong,) = lines([path], ensemble, reading=ReadSettings(split="tset"))
    assert "error" in wrong
    path.write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")  # a pickle that runs a command
    (refused,) = read_sequences([path], ReadSettings())
    assert isinstance(refused.error, UntrustedFileError)


def test_a_single_recording(folder: Path, tmp_path: Path) -> None:
    assert read_recording_sample(folder / "a.npy")["total_frames"] == 20
    (folder / "broken.npy").unlink()
    for path in (folder, tmp_path / "x.pkl", tmp_path / "x.npy", tmp_path / "x.mp4"):
        with pytest.raises(InputError):
            read_recording_sample(path)


# --- joints ---------------------------------------------------------------------------------------


def recording(joints: int, **known: Any) -> Recording:
    """Return a recording whose joint number v is at x = v + 1."""
    keypoint = np.zeros((1, 2, joints, 2), np.float32)
    keypoint[..., 0] = np.arange(joints) + 1
    return Recording("r", keypoint, keypoint[..., 0] / 100, **known)


def test_named_joints_are_put_in_order() -> None:
    coco = LAYOUTS["coco"]
    names = tuple(reversed(coco.joint_names))
    found = reorder_joints(recording(17, joint_names=names), coco)
    assert found.joint_names == coco.joint_names
    np.testing.assert_array_equal(found.keypoint[0, 0, :, 0], np.arange(17, 0, -1))
    np.testing.assert_allclose(found.score[0, 0], np.arange(17, 0, -1) / 100)
    same = recording(17, joint_names=coco.joint_names)
    assert reorder_joints(same, coco) is same


def test_other_skeletons_are_refused() -> None:
    ntu, openpose = LAYOUTS["nturgb+d"], recording(25, layout="body_25")
    for wrong in (openpose, recording(17, layout="coco")):
        with pytest.raises(RecordingError) as caught:
            reorder_joints(wrong, ntu)
        assert caught.value.file == "r"
    assert reorder_joints(openpose, ntu, given=ntu) is openpose
    assert reorder_joints(openpose, LAYOUTS["body_25"]) is openpose
    assert reorder_joints(openpose, None) is openpose
    unknown = recording(25)
    assert reorder_joints(unknown, ntu) is unknown


def test_names_of_joints_are_held_against_the_layout(tmp_path: Path) -> None:
    coco = LAYOUTS["coco"]
    spelt = tuple("".join(map(str.title, name.split("_"))) for name in coco.joint_names)
    assert reorder_joints(recording(17, joint_names=spelt), coco).joint_names == spelt
    mixed = reorder_joints(recording(17, joint_names=spelt[::-1]), coco)
    assert mixed.joint_names == coco.joint_names
    other = recording(17, joint_names=("pelvis", *spelt[1:]))
    with pytest.raises(RecordingError) as caught:
        reorder_joints(other, coco)
    assert "pelvis" in caught.value.problem
    assert reorder_joints(other, coco, given=coco) is other

    sample = dict(frame_dir="a", label=0, total_frames=9, keypoint=np.ones((1, 9, 17, 2), "f4"))
    for names, wrong in ((spelt, False), (spelt[::-1], True)):
        path = tmp_path / "a.pkl"
        content = dict(split={"val": ["a"]}, annotations=[sample], joint_names=list(names))
        path.write_bytes(pickle.dumps(content))
        (found,) = read_sequences([path], ReadSettings(coco))
        assert (found.error is not None) == wrong
        if wrong:
            assert found.error.key == "joint_names"
            (found,) = read_sequences([path], ReadSettings(coco, layout=coco))
            assert found.error is None


def test_skeletons_of_files_are_compared_by_their_edges() -> None:
    own = resolve_layout(dict(num_joints=3, edges=[(1, 0), (2, 1)], center=0))
    other = resolve_layout(dict(num_joints=3, edges=[(1, 0), (2, 0)], center=0, name="other"))
    reorder_joints(recording(3, own_layout=own), dataclasses.replace(own, name="mine"))
    with pytest.raises(RecordingError):
        reorder_joints(recording(3, own_layout=own), other)


# --- standard input -------------------------------------------------------------------------------


def test_lines_of_standard_input_are_paths_or_samples(
    folder: Path, ensemble: Ensemble, telling: Telling
) -> None:
    keypoint = telling([3])
    given = [
        str(folder / "a.npy"),
        "",
        json.dumps({"keypoint": keypoint.tolist()}),
        json.dumps({"name": "piped", "keypoint": keypoint[0].tolist(), "fps": 25}),
        json.dumps({"keypoint": [[1, 2]]}),
        "{",
        str(folder),
    ]
    found = lines(["-"], ensemble, stdin="\n".join(given))
    names = ["a", "line 2", "piped", "line 4", "line 5", "a", "broken", "deep/b"]
    assert [line["name"] for line in found] == names
    assert [found[n]["topk"][0]["class"] for n in (0, 1, 2)] == [0, 3, 3]
    assert (found[2]["fps"], found[1]["source"]) == (25, "-")
    assert all("error" in found[n] for n in (3, 4))


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ([1], None),
        ({}, "keypoint"),
        ({"keypoint": 3}, "keypoint"),
        ({"keypoint": [[["a"]]]}, "keypoint"),
        ({"keypoint": [[[True, False]]]}, "keypoint"),
        ({"keypoint": [[[1, 2]], [[1]]]}, "keypoint"),
        ({"keypoint": [[[1, 2, 3, 4]]]}, "keypoint"),
        ({"keypoint": []}, "keypoint"),
        ({"keypoint": [[[1, 1e300]]]}, None),
        ({"keypoint": [[[1, 2]]], "keypoint_score": [[1, 1]]}, "keypoint_score"),
        ({"keypoint": [[[1, 2]]], "fps": 0}, "fps"),
        ({"keypoint": [[[1, 2]]], "img_shape": [0, 1]}, "img_shape"),
        ({"keypoint": [[[1, 2]]], "img_shape": 3}, "img_shape"),
        ({"keypoint": [[[1, 2]]], "name": 1}, "name"),
    ],
)
def test_malformed_samples_are_refused(content: Any, key: str | None) -> None:
    with pytest.raises(RecordingError) as caught:
        recording_of_json(json.dumps(content), "here")
    if key is not None:
        assert (caught.value.file, caught.value.key) == ("here", key)


def test_a_sample_of_json_may_have_scores_and_gaps() -> None:
    text = json.dumps({"keypoint": [[[1, 2, 0.5], [None, 2, 0.7]]], "img_shape": [480, 640]})
    found = recording_of_json(text, "here", channels="xys", fps=10)
    np.testing.assert_array_equal(found.keypoint, [[[[1, 2], [0, 0]]]])
    np.testing.assert_array_equal(found.score, [[[0.5, 0]]])
    assert (found.fps, found.image_size, found.name) == (10, (480, 640), "here")
    for more, size in ((dict(img_shape=[480, 640, 3]), (480, 640)), (dict(img_shape=""), None)):
        content = {"keypoint": [[[1, 2]]], "keypoint_score": [[[1]]], **more}
        other = recording_of_json(json.dumps(content), "here")
        assert (other.image_size, other.score.tolist()) == (size, [[[1]]])
    with pytest.raises(RecordingError):
        recording_of_json('{"keypoint": [[[1, 2]]]}', "here", channels="xyz")


def test_samples_of_annotation_files_get_the_size_that_is_given(tmp_path: Path) -> None:
    path = tmp_path / "flat.pkl"
    sample = dict(label=0, total_frames=4, keypoint=np.ones((1, 4, 17, 2)))
    path.write_bytes(pickle.dumps([sample, {**sample, "img_shape": (1, 2)}]))
    settings = ReadSettings(options={"image_size": (480, 640)})
    sizes = [one.sample["img_shape"] for one in read_sequences([path], settings)]
    assert sizes == [(480, 640), (1, 2)]


@given(st.text(max_size=40) | st.recursive(st.none() | st.floats() | st.text(max_size=3), st.lists))
def test_any_line_is_read_or_refused(content: Any) -> None:
    for text in (str(content), json.dumps({"keypoint": content})):
        try:
            found = recording_of_json(text, "here")
        except InputError:
            continue
        assert found.keypoint.ndim == 4
        assert found.keypoint.shape[3] in (2, 3)
        assert np.isfinite(found.keypoint).all()


def test_endless_lines_are_refused() -> None:
    assert list(read_lines(io.StringIO("a\n\n  \nbc"), limit=5)) == ["a", "bc"]
    with pytest.raises(RecordingError):
        list(read_lines(io.StringIO("a\n123456"), limit=5))


# --- windows and lines ----------------------------------------------------------------------------


def test_untrimmed_sequences_become_segments(
    tmp_path: Path, ensemble: Ensemble, telling: Telling
) -> None:
    keypoint = telling([0, 2, 1], 40)
    keypoint[:, 100:] = 0  # nobody is there any more
    np.save(tmp_path / "long.npy", keypoint)
    windows = WindowSettings(Span(1, seconds=True), Span(0.2, seconds=True), smooth=1)
    settings = InferSettings(topk=1, windows=windows, per_window=True)
    (line,) = lines([tmp_path], ensemble, settings, ReadSettings(options={"fps": 20}))
    found = [(one["start"], one["end"], one["class"]) for one in line["segments"]]
    assert [label for _, _, label in found] == [0, 2, 1, None]
    assert (found[0][0], found[-1][1]) == (0, 120)
    for (_, end, _), truth in zip(found, (40, 80, 100)):
        assert abs(end - truth) <= 4 + 1  # the stride, and half a frame either way
    assert line["segments"][-1] == {
        **{"start": found[-1][0], "end": 120, "start_s": found[-1][0] / 20, "end_s": 6.0},
        **{"class": None, "label": "background", "score": None},
    }
    assert len(line["windows"]) == 26
    assert line["windows"][0] == {
        **{"start": 0, "end": 20, "start_s": 0.0, "end_s": 1.0},
        "topk": [{"class": 0, "label": "walk", "score": 1.0}],
    }
    assert line["windows"][-1]["topk"] == []
    (line,) = lines([tmp_path], ensemble, settings)
    assert "error" in line  # seconds need the frames per second


@pytest.mark.parametrize("batch", [1, 7])
def test_batches_go_across_files(
    tmp_path: Path, ensemble: Ensemble, telling: Telling, batch: int
) -> None:
    for number, labels in enumerate(([0, 1], [2], [3, 0, 2])):
        np.save(tmp_path / f"{number}.npy", telling(labels, 24))
    np.save(tmp_path / "1b.npy", telling([-4], 24))
    windows = WindowSettings(Span(16), Span(4), smooth=1, threshold=0.1)
    found = lines([tmp_path], ensemble, InferSettings(batch=batch, windows=windows))
    labels = [[one["class"] for one in line.get("segments", [])] for line in found]
    assert labels == [[0, 1], [2], [], [3, 0, 2]]
    assert "error" in found[2]


def test_bad_settings_are_refused() -> None:
    for name in ("batch", "topk"):
        with pytest.raises(InputError) as caught:
            InferSettings(**{name: 0})
        assert caught.value.key == f"--{name}"


class Latin(io.StringIO):
    """A stream that has few characters."""

    encoding = "latin-1"


def test_lines_are_escaped_if_the_stream_lacks_a_character() -> None:
    for stream, text in ((io.StringIO(), "ō"), (Latin(), "\\u014d")):
        write_line({"label": "ō"}, stream)
        assert stream.getvalue() == f'{{"label": "{text}"}}\n'
    stream = io.StringIO()
    write_line({"name": "\udcff"}, stream)  # a file name that is not text
    assert json.loads(stream.getvalue()) == {"name": "\udcff"}


def test_a_file_of_lines_is_complete_or_absent(tmp_path: Path) -> None:
    path, report = tmp_path / "out.jsonl", InferReport()

    def run(write: Callable[[dict[str, Any]], None]) -> InferReport:
        write({"a": 1})
        return report

    def fail(write: Callable[[dict[str, Any]], None]) -> InferReport:
        write({"b": 2})
        raise AnnotationError("no")

    assert write_lines(path, run) is report
    with pytest.raises(AnnotationError):
        write_lines(path, fail)
    assert path.read_text() == '{"a": 1}\n'
    assert list(tmp_path.iterdir()) == [path]
