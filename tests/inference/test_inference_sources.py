"""What files and lines mean, and what is told of each."""

from __future__ import annotations

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

from pyskl.errors import AnnotationError, InputError
from pyskl.inference import (
    Ensemble,
    InferSettings,
    Item,
    ReadSettings,
    Span,
    Unread,
    WindowSettings,
    infer_files,
    read_items,
)
from pyskl.inference.output import write_line, write_lines
from pyskl.inference.samples import lines_of, recording_of_json
from pyskl.inference.sources import read_one
from pyskl.recordings import RecordingError

Telling = Callable[..., np.ndarray]


@pytest.fixture
def folder(tmp_path: Path, telling: Telling) -> Path:
    """A folder of recordings: two good ones, one damaged, and what is none."""
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


def test_folders_are_searched_and_faults_are_lines(folder: Path, ensemble: Ensemble) -> None:
    found = lines([folder, folder / "none.npy"], ensemble, InferSettings(topk=1))
    assert [line["name"] for line in found] == ["a", "broken", "deep/b", "none.npy"]
    assert [line["topk"][0]["label"] for line in found[::2]][:1] == ["walk"]
    assert found[2]["topk"] == [{"class": 1, "label": "sit", "score": 1.0}]
    assert found[2]["source"] == str(folder / "deep" / "b.npy")
    assert found[2]["frames"] == 20
    assert "NumPy" in found[1]["error"]
    assert "no such file" in found[3]["error"]


def test_faults_are_named_in_the_end_or_stop_at_once(folder: Path, ensemble: Ensemble) -> None:
    told: list[dict[str, Any]] = []
    report = infer_files([folder], ensemble, write=told.append)
    assert report.count == len(told) == 3
    with pytest.raises(InputError, match=r"1 of 3 inputs could not be recognised:\n  broken: "):
        report.raise_if_failed()
    told.clear()
    with pytest.raises(InputError, match=r"^broken: "):
        infer_files([folder], ensemble, InferSettings(strict=True), write=told.append)
    with pytest.raises(InputError, match="nothing to recognise"):
        infer_files([], ensemble, write=told.append).raise_if_failed()
    many = infer_files([folder / f"{n}.npy" for n in range(12)], ensemble, write=told.append)
    with pytest.raises(InputError, match=r"12 of 12(.|\n)*\.\.\. and 2 more$"):
        many.raise_if_failed()


def test_annotation_files_give_the_samples_of_a_split(
    tmp_path: Path, ensemble: Ensemble, telling: Telling
) -> None:
    samples = [
        {"frame_dir": f"s{n}", "label": n % 4, "total_frames": 20, "keypoint": telling([n % 4])}
        for n in range(9)
    ]
    samples[8]["total_frames"] = 3  # malformed, and told as such
    path = tmp_path / "a.pkl"
    split = {"train": ["s0", "s1"], "val": ["s3", "s2", "s8"]}
    path.write_bytes(pickle.dumps({"split": split, "annotations": samples}))
    found = lines([path], ensemble, reading=ReadSettings(split="val"))
    assert [line["name"] for line in found] == ["s2", "s3", "s8"]  # in the order of the file
    assert [(line["truth"], line["topk"][0]["class"]) for line in found[:2]] == [(2, 2), (3, 3)]
    assert "total_frames is 3" in found[2]["error"]
    assert len(lines([path], ensemble)) == 9
    (wrong,) = lines([path], ensemble, reading=ReadSettings(split="tset"))
    assert "no split 'tset'" in wrong["error"]


def test_annotation_files_run_nothing(tmp_path: Path, ensemble: Ensemble) -> None:
    path = tmp_path / "evil.pkl"
    path.write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    (line,) = lines([path], ensemble)
    assert "refused" in line["error"]
    assert not Path("ran").exists()


def test_lines_of_standard_input_are_paths_or_samples(
    folder: Path, ensemble: Ensemble, telling: Telling
) -> None:
    keypoint = telling([3])
    alone = {"name": "piped", "keypoint": keypoint[0].tolist(), "fps": 25}
    given = [
        str(folder / "a.npy"),
        "",
        json.dumps({"keypoint": keypoint.tolist()}),
        json.dumps(alone),
        json.dumps({"keypoint": [[1, 2]]}),
        "{",
        str(folder),
    ]
    found = lines(["-"], ensemble, stdin="\n".join(given))
    names = ["a", "line 2", "piped", "line 4", "line 5", "a", "broken", "deep/b"]
    assert [line["name"] for line in found] == names
    assert [found[n]["topk"][0]["class"] for n in (0, 1, 2)] == [0, 3, 3]
    assert found[2]["fps"] == 25
    assert found[1]["source"] == "-"
    assert "with or without M, found the shape (1, 2)" in found[3]["error"]
    assert "JSON" in found[4]["error"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1], "expected an object"),
        ({}, "no 'keypoint'"),
        ({"keypoint": 3}, "lists of numbers"),
        ({"keypoint": [[["a"]]]}, "lists of numbers"),
        ({"keypoint": [[[1, 2]], [[1]]]}, "differ in length"),
        ({"keypoint": [[[1, 2, 3, 4]]]}, "4 channels"),
        ({"keypoint": []}, "found the shape"),
        ({"keypoint": [[[1, 1e300]]]}, "too large"),
        ({"keypoint": [[[1, 2]]], "keypoint_score": [[1, 1]]}, "as keypoint is"),
        ({"keypoint": [[[1, 2]]], "fps": 0}, "frames per second"),
        ({"keypoint": [[[1, 2]]], "img_shape": [0, 1]}, "expected pixels"),
        ({"keypoint": [[[1, 2]]], "name": 1}, "expected a text"),
    ],
)
def test_malformed_samples_are_refused(content: Any, message: str) -> None:
    with pytest.raises(RecordingError, match=message):
        recording_of_json(json.dumps(content), "here")


def test_a_sample_of_json_may_have_scores_and_gaps() -> None:
    text = json.dumps({"keypoint": [[[1, 2, 0.5], [None, 2, 0.7]]], "img_shape": [480, 640]})
    recording = recording_of_json(text, "here", channels="xys", fps=10)
    np.testing.assert_array_equal(recording.keypoint, [[[[1, 2], [0, 0]]]])
    np.testing.assert_array_equal(recording.score, [[[0.5, 0]]])
    assert (recording.fps, recording.image_size, recording.name) == (10, (480, 640), "here")
    with pytest.raises(RecordingError, match="xyz are 3 channels, found 2"):
        recording_of_json('{"keypoint": [[[1, 2]]]}', "here", channels="xyz")


@given(st.text(max_size=40) | st.recursive(st.none() | st.floats() | st.text(max_size=3), st.lists))
def test_no_line_breaks_the_reader(content: Any) -> None:
    for text in (str(content), json.dumps({"keypoint": content})):
        try:
            found = recording_of_json(text, "here")
        except InputError:
            continue
        assert found.keypoint.ndim == 4
        assert found.keypoint.shape[3] in (2, 3)
        assert np.isfinite(found.keypoint).all()


def test_lines_without_an_end_are_refused() -> None:
    assert list(lines_of(io.StringIO("a\n\n  \nbc"), limit=5)) == ["a", "bc"]
    with pytest.raises(RecordingError, match="more than 5 characters"):
        list(lines_of(io.StringIO("a\n123456"), limit=5))


def test_untrimmed_sequences_become_segments(
    tmp_path: Path, ensemble: Ensemble, telling: Telling
) -> None:
    keypoint = telling([0, 2, 1], 40)
    keypoint[:, 100:] = 0  # nobody is there any more
    np.save(tmp_path / "long.npy", keypoint)
    windows = WindowSettings(Span(1, seconds=True), Span(0.2, seconds=True), smooth=1)
    settings = InferSettings(topk=1, windows=windows, per_window=True)
    (line,) = lines([tmp_path], ensemble, settings, ReadSettings(options={"fps": 20}))
    told = [(one["start"], one["end"], one["class"]) for one in line["segments"]]
    assert [label for _, _, label in told] == [0, 2, 1, None]
    assert told[0][0] == 0
    assert told[-1][1] == 120
    for (_, end, _), truth in zip(told, (40, 80, 100)):
        assert abs(end - truth) <= 4 + 1  # the stride, and half a frame either way
    assert line["segments"][-1] == {
        **{"start": told[-1][0], "end": 120, "start_s": told[-1][0] / 20, "end_s": 6.0},
        **{"class": None, "label": "background", "score": None},
    }
    assert len(line["windows"]) == 26
    assert line["windows"][0] == {
        **{"start": 0, "end": 20, "start_s": 0.0, "end_s": 1.0},
        "topk": [{"class": 0, "label": "walk", "score": 1.0}],
    }
    assert line["windows"][-1]["topk"] == []
    (line,) = lines([tmp_path], ensemble, settings)
    assert "give --fps" in line["error"]


@pytest.mark.parametrize("batch", [1, 7])
def test_windows_of_several_files_share_batches(
    tmp_path: Path, ensemble: Ensemble, telling: Telling, batch: int
) -> None:
    for number, labels in enumerate(([0, 1], [2], [3, 0, 2])):
        np.save(tmp_path / f"{number}.npy", telling(labels, 24))
    np.save(tmp_path / "1b.npy", telling([-4], 24))
    windows = WindowSettings(Span(16), Span(4), smooth=1, threshold=0.1)
    found = lines([tmp_path], ensemble, InferSettings(batch=batch, windows=windows))
    told = [[one["class"] for one in line.get("segments", [])] for line in found]
    assert told == [[0, 1], [2], [], [3, 0, 2]]
    assert "not finite" in found[2]["error"]


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match="--batch is 1 or more, found 0"):
        InferSettings(batch=0)


def test_one_recording_for_python(folder: Path, tmp_path: Path) -> None:
    assert read_one(folder / "a.npy")["total_frames"] == 20
    (folder / "broken.npy").unlink()
    with pytest.raises(RecordingError, match="holds 2 recordings"):
        read_one(folder)
    with pytest.raises(InputError, match="holds many samples"):
        read_one(tmp_path / "x.pkl")
    with pytest.raises(RecordingError, match="no such file"):
        read_one(tmp_path / "x.npy")


def test_videos_need_somebody_who_finds_skeletons(tmp_path: Path) -> None:
    (tmp_path / "film.MP4").write_bytes(b"")
    (item,) = read_items([tmp_path / "film.MP4"], ReadSettings())
    assert isinstance(item, Unread)
    assert "is a video" in str(item.error)
    (item,) = read_items([tmp_path / "none.mp4"], ReadSettings())
    assert isinstance(item, Unread)
    assert "no such file" in str(item.error)


def test_labels_of_several_classes_are_told(tmp_path: Path, telling: Telling) -> None:
    sample = {"frame_dir": "s", "total_frames": 20, "keypoint": telling([1])}
    path = tmp_path / "multi.pkl"
    path.write_bytes(pickle.dumps([{**sample, "label": [0, 2]}, {**sample, "label": "odd"}]))
    first, second = read_items([path], ReadSettings())
    assert isinstance(first, Item)
    assert isinstance(second, Item)
    assert first.truth == [0, 2]
    assert second.truth is None


class Latin(io.StringIO):
    """A stream of one alphabet."""

    encoding = "latin-1"


def test_lines_are_written_in_what_the_stream_can_spell() -> None:
    for stream, text in ((io.StringIO(), "ō"), (Latin(), "\\u014d")):
        write_line({"label": "ō"}, stream)
        assert stream.getvalue() == f'{{"label": "{text}"}}\n'
    stream = io.StringIO()
    write_line({"name": "\udcff"}, stream)  # a name of a file that is no text
    assert json.loads(stream.getvalue()) == {"name": "\udcff"}


def test_a_file_of_lines_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    assert write_lines(path, lambda write: [write({"a": 1}), write({"b": 2})] and "done") == "done"
    assert path.read_text() == '{"a": 1}\n{"b": 2}\n'

    def fail(write: Callable[[dict], None]) -> None:
        write({"c": 3})
        raise AnnotationError("no")

    with pytest.raises(AnnotationError):
        write_lines(path, fail)
    assert path.read_text() == '{"a": 1}\n{"b": 2}\n'
    assert list(tmp_path.iterdir()) == [path]
