"""Frames as they arrive: the newest are scored, in order, and nothing piles up."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyskl.errors import InputError
from pyskl.inference import Ensemble, InputSequence, LiveSettings, Recognizer, run_live
from pyskl.inference.json_input import Frame, frame_of_json, read_frames
from pyskl.inference.live import LiveBuffer, replay, window_sample
from pyskl.recordings import RecordingError

# Seconds to wait for a thread before a test fails.
TIMEOUT = 120

Telling = Callable[..., np.ndarray]


def frame(label: int = 0, number: int = 0) -> Frame:
    """Return a frame of one person that tells a label, and its number in y of joint 0."""
    keypoint = np.ones((1, 25, 3), np.float32)
    keypoint[0, 0, :2] = label + 1, number
    return Frame(keypoint, time=number / 10)


@given(
    st.integers(1, 12), st.integers(1, 12), st.lists(st.integers(0, 40), min_size=1, max_size=12)
)
def test_the_newest_window_is_taken(window: int, stride: int, arrivals: list[int]) -> None:
    """``arrivals``: how many frames arrive between two scorings."""
    buffer = LiveBuffer(window, stride)
    due, sent = window, 0
    for count in arrivals:
        for _ in range(count):
            buffer.add(frame(number=sent))
            sent += 1
        if sent < due:
            continue
        taken = buffer.take()
        assert taken is not None
        assert taken.end == sent
        numbers = [int(one.keypoint[0, 0, 1]) for one in taken.frames]
        assert numbers == list(range(max(0, sent - window), sent))
        assert taken.skipped == (sent - due) // stride
        due += stride * (1 + taken.skipped)
        assert due > sent
    buffer.close()
    if due > window or not sent:
        assert buffer.take() is None
    else:  # too few for a window
        last = buffer.take()
        assert last is not None
        assert last.end == len(last.frames) == sent
        assert buffer.take() is None


class Slow(Recognizer):
    """Scores the first window only after ``go`` is set."""

    def __init__(self) -> None:
        super().__init__("slow", [], 2)
        self.started, self.go = threading.Event(), threading.Event()
        self.numbers: list[list[int]] = []

    def prepare(self, sample: Any) -> np.ndarray:
        self.numbers.append([int(number) for number in sample["keypoint"][0, :, 0, 1]])
        return np.asarray(sample["keypoint"])[None]

    def scores(self, batch: np.ndarray) -> np.ndarray:
        self.started.set()
        assert self.go.wait(TIMEOUT)
        return np.array([[0.25, 0.75]])

    def logits(self, clips: np.ndarray) -> np.ndarray:
        raise NotImplementedError


def test_windows_are_skipped_if_scoring_is_slow() -> None:
    slow = Slow()

    def frames() -> Iterator[Frame]:
        for number in range(8):
            yield frame(number=number)
        assert slow.started.wait(TIMEOUT)
        for number in range(8, 31):  # due at 12, 16, 20, 24, 28
            yield frame(number=number)
        slow.go.set()

    found: list[dict[str, Any]] = []
    settings = LiveSettings(window=8, stride=4, topk=1)
    report = run_live(frames(), Ensemble([slow]), settings, found.append)
    # The scorer may wake before the last frames are in: it takes what is newest then.
    assert slow.numbers[0] == list(range(8))
    ends = [line["frame"] + 1 for line in found]
    assert ends[0] == 8
    for numbers, end in zip(slow.numbers, ends):
        assert numbers == list(range(end - 8, end))
    assert report.frames == 31
    assert report.windows + report.skipped == 6
    assert report.windows == len(found) == len(report.latencies)
    assert sum(line.get("skipped", 0) for line in found) == report.skipped
    assert report.skipped >= 3  # those due while the first was being scored
    assert "latency p50" in report.text()


def test_every_window_is_scored_if_there_is_time(ensemble: Ensemble) -> None:
    turn = threading.Semaphore(0)
    found: list[dict[str, Any]] = []

    def frames() -> Iterator[Frame]:
        for number in range(40):
            yield frame(label=number // 20, number=number)
            if number >= 9 and (number - 9) % 5 == 0:
                assert turn.acquire(timeout=TIMEOUT)

    def write(line: dict[str, Any]) -> None:
        found.append(line)
        turn.release()

    settings = LiveSettings(window=10, stride=5, topk=1, fps=10)
    report = run_live(frames(), ensemble, settings, write)
    assert (report.windows, report.skipped) == (7, 0)
    assert [line["frame"] for line in found] == [9, 14, 19, 24, 29, 34, 39]
    assert [line["topk"][0]["class"] for line in found] == [0, 0, 0, 0, 1, 1, 1]
    first = dict(found[0])
    assert first.pop("latency_ms") >= 0
    assert first == {
        **{"frame": 9, "time": 0.9, "start": 0, "end": 10, "start_s": 0.0, "end_s": 1.0},
        "topk": [{"class": 0, "label": "walk", "score": 1.0}],
    }


def test_a_stream_that_is_shorter_than_a_window_is_scored(ensemble: Ensemble) -> None:
    found: list[dict[str, Any]] = []
    run_live([frame(2, n) for n in range(3)], ensemble, LiveSettings(), found.append)
    assert [(line["end"], line["topk"][0]["class"]) for line in found] == [(3, 2)]
    found.clear()
    assert run_live([], ensemble, LiveSettings(), found.append).text().startswith("0 frames")
    assert found == []


def test_nobody_has_no_classes(ensemble: Ensemble) -> None:
    found: list[dict[str, Any]] = []
    run_live([Frame(None)] * 4, ensemble, LiveSettings(window=4), found.append)
    assert found[0]["topk"] == []


def test_errors_do_not_stop_the_rest(ensemble: Ensemble) -> None:
    bad = Frame(np.ones((1, 17, 3), np.float32))
    frames = [frame(1), RecordingError("line 2: odd"), bad, *[frame(1)] * 2]
    found: list[dict[str, Any]] = []
    settings = LiveSettings(window=4, stride=4)
    report = run_live(frames, ensemble, settings, found.append)
    assert report.frames == 4
    assert report.num_errors == 2
    assert "error" in found[0]
    assert report.errors[0] == "line 2: odd"
    strict = LiveSettings(window=4, stride=4, strict=True)
    with pytest.raises(InputError, match="line 2: odd"):
        run_live(frames, ensemble, strict, found.append)
    with pytest.raises(InputError):
        run_live([frame(1), bad, *[frame(1)] * 2], ensemble, strict, found.append)


def test_an_error_of_the_source_is_raised(ensemble: Ensemble) -> None:
    def frames() -> Iterator[Frame]:
        yield frame()
        raise OSError("the pipe broke")

    with pytest.raises(OSError, match="the pipe broke"):
        run_live(frames(), ensemble, LiveSettings(), lambda line: None)


def test_frames_of_several_persons_become_a_sample() -> None:
    two = Frame(np.full((2, 17, 2), 2, np.float32), np.full((2, 17), 0.5, np.float32))
    one = Frame(np.full((1, 17, 2), 1, np.float32), np.full((1, 17), 0.25, np.float32))
    sample = window_sample([one, Frame(None), two], (480, 640))
    assert sample is not None
    assert sample["keypoint"].shape == (2, 3, 17, 2)
    assert sample["keypoint"][:, :, 0, 0].tolist() == [[1, 0, 2], [0, 0, 2]]
    assert sample["keypoint_score"][:, :, 0].tolist() == [[0.25, 0, 0.5], [0, 0, 0.5]]
    assert sample["img_shape"] == (480, 640)


def test_lines_are_frames() -> None:
    flat = [[1, 2, 3], [4, 5, 6]]
    given = [
        {"t": 1.5, "keypoint": [flat]},
        flat,
        [flat, flat],
        [],
        {"keypoint": None},
        {"keypoint": [[[1, 2]]], "keypoint_score": [[0.5]]},
    ]
    text = "\n".join([*map(json.dumps, given), "nonsense", "7", '{"t": 1}'])
    *frames, odd, number, lacking = read_frames(io.StringIO(text))
    shapes = [None if one.keypoint is None else one.keypoint.shape for one in frames]
    assert shapes == [(1, 2, 3), (1, 2, 3), (2, 2, 3), None, None, (1, 1, 2)]
    assert frames[0].time == 1.5
    assert frames[5].score.tolist() == [[0.5]]
    for error, where in ((odd, "line 7"), (number, "line 8"), (lacking, "line 9")):
        assert isinstance(error, RecordingError)
        assert where in str(error)
    scored = frame_of_json("[[1, 2, 0.5]]", "here", "xys")
    assert scored.score.tolist() == [[0.5]]


def test_recordings_are_played_at_their_pace(telling: Telling) -> None:
    waited: list[float] = []
    items = [
        InputSequence("a", "a", {"keypoint": telling([0], 3)}, fps=10),
        InputSequence("b", "b", error=RecordingError("gone")),
        InputSequence(
            "c", "c", {"keypoint": telling([1], 2), "keypoint_score": np.ones((1, 2, 25))}
        ),
    ]
    frames = list(replay(items, sleep=waited.append, clock=lambda: 7.0))
    assert isinstance(frames.pop(3), RecordingError)
    assert [one.time for one in frames] == pytest.approx([0, 0.1, 0.2, 0.3, 0.333333])
    assert frames[4].score.shape == (1, 25)
    assert waited == pytest.approx([0.1, 0.2, 0.3, 0.333333], abs=1e-5)
    assert list(replay(items[:1], fps=4, sleep=waited.append))[2].time == 0.5
