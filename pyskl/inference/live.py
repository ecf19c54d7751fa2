"""Recognise frames as they arrive, with bounded latency.

One thread reads frames and keeps the newest ones; another scores the window that they form. If
scoring is slower than the frames, windows are skipped: the next one to be scored is always the
newest, so nothing piles up, and frames are never out of order.

Shapes: M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pyskl.errors import InputError
from pyskl.inference.ensemble import Ensemble
from pyskl.inference.infer import Line, frame_range, topk_entries
from pyskl.inference.json_input import Frame
from pyskl.inference.sources import InputSequence
from pyskl.logging.log import get_logger
from pyskl.recordings import RecordingError

# Latencies that the report keeps: those of a day with one window a second.
_MAX_LATENCIES = 86_400


@dataclass(frozen=True)
class LiveSettings:
    """How frames are recognised.

    Attributes:
        window: Frames that are scored together.
        stride: New frames before the next scoring.
        topk: Number of classes to write.
        fps: Frames per second, if known.
        image_size: (height, width) of the picture in pixels, for 2D.
        strict: Stop at the first frame that can't be read, or window that can't be scored.
    """

    window: int = 64
    stride: int = 16
    topk: int = 5
    fps: float | None = None
    image_size: tuple[int, int] | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        for name in ("window", "stride", "topk"):
            if getattr(self, name) < 1:
                raise InputError("below 1", key=f"--{name}", found=getattr(self, name))


@dataclass
class LiveReport:
    """Statistics of :func:`run_live`.

    Attributes:
        frames: Frames, without malformed ones.
        windows: Windows that were scored.
        skipped: Windows that were due while another one was being scored.
        errors: What was wrong with frames and windows; the first ten.
        num_errors: How many errors there were.
        latencies: Seconds from the arrival of a window's last frame until its line was written.
    """

    frames: int = 0
    windows: int = 0
    skipped: int = 0
    errors: list[str] = field(default_factory=list)
    num_errors: int = 0
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=_MAX_LATENCIES))

    def add_error(self, error: str) -> None:
        """Count an error, and keep it if it is one of the first ten."""
        self.num_errors += 1
        if len(self.errors) < 10:
            self.errors.append(error)

    def text(self) -> str:
        """Return a summary in one line."""
        text = f"{self.frames} frames, {self.windows} windows scored, {self.skipped} skipped"
        if self.num_errors:
            text += f", {self.num_errors} errors"
        if self.latencies:
            p50, p99, most = np.percentile(np.array(self.latencies) * 1000, (50, 99, 100))
            text += f"; latency p50 {p50:.1f} ms, p99 {p99:.1f} ms, at most {most:.1f} ms"
        return text


def window_sample(
    frames: Sequence[Frame], image_size: tuple[int, int] | None = None
) -> dict[str, Any] | None:
    """Return frames as a sample, or None if they have no persons.

    The first person of each frame becomes the first person of the sample, and so on.

    Raises:
        RecordingError: if the frames differ in joints or coordinates.
    """
    keypoints = [frame.keypoint for frame in frames if frame.keypoint is not None]
    if not any(keypoint.any() for keypoint in keypoints):
        return None
    kinds = {keypoint.shape[1:] for keypoint in keypoints}
    if len(kinds) > 1:
        raise RecordingError("the frames differ in joints", key="(V, C)", found=sorted(kinds))
    persons = max(map(len, keypoints))
    joints, coordinates = keypoints[0].shape[1:]
    keypoint = np.zeros((persons, len(frames), joints, coordinates), dtype=np.float32)
    score = np.zeros(keypoint.shape[:3], dtype=np.float32)
    for position, frame in enumerate(frames):
        if frame.keypoint is not None:
            keypoint[: len(frame.keypoint), position] = frame.keypoint
            if frame.score is not None:
                score[: len(frame.keypoint), position] = frame.score
    sample: dict[str, Any] = {
        "frame_dir": "window",
        "keypoint": keypoint,
        "total_frames": len(frames),
    }
    if coordinates == 2 and any(frame.score is not None for frame in frames):
        sample["keypoint_score"] = score
    if image_size is not None:
        sample["img_shape"] = sample["original_shape"] = image_size
    return sample


def replay(
    sequences: Iterable[InputSequence],
    fps: float | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Frame | InputError]:
    """Yield the frames of sequences at the pace at which they were recorded.

    Args:
        sequences: Played one after the other.
        fps: Frames per second; by default those of the sequence, or 30.
        sleep: Waits for some seconds.
        clock: Returns the time in seconds.
    """
    begin, elapsed = clock(), 0.0
    for sequence in sequences:
        if sequence.error is not None:
            yield sequence.error
            continue
        keypoint = np.asarray(sequence.sample["keypoint"])
        score = sequence.sample.get("keypoint_score")
        for position in range(keypoint.shape[1]):
            wait = begin + elapsed - clock()
            if wait > 0:
                sleep(wait)
            yield Frame(
                keypoint[:, position],
                None if score is None else np.asarray(score)[:, position],
                round(elapsed, 6),
            )
            elapsed += 1 / (fps or sequence.fps or 30.0)


@dataclass(frozen=True)
class Window:
    """The newest frames.

    Attributes:
        frames: Up to ``window`` frames, the newest last.
        end: Number of frames that had arrived by then.
        arrived: When the newest one arrived, by ``time.perf_counter``.
        skipped: Windows that were due since the last one and are not scored.
    """

    frames: tuple[Frame, ...]
    end: int
    arrived: float
    skipped: int


class LiveBuffer:
    """Keeps the newest frames; one thread adds frames and another takes windows.

    A window is due after ``window`` frames, and then after every ``stride`` frames.

    Args:
        window: Frames of a window.
        stride: Frames between windows.
    """

    def __init__(self, window: int, stride: int) -> None:
        self.stride = stride
        self.count = 0
        self.error: Exception | None = None
        self._frames: deque[Frame] = deque(maxlen=window)
        self._arrived = 0.0
        self._due = window
        self._taken = False
        self._closed = False
        self._changed = threading.Condition()

    def add(self, frame: Frame) -> None:
        """Add a frame; the oldest one is dropped."""
        with self._changed:
            self._frames.append(frame)
            self.count += 1
            self._arrived = time.perf_counter()
            if self.count >= self._due:
                self._changed.notify_all()

    def close(self, error: Exception | None = None) -> None:
        """Mark the end of the stream, and the error that caused it if there was one."""
        with self._changed:
            self._closed = True
            self.error = error
            self._changed.notify_all()

    def take(self) -> Window | None:
        """Wait until a window is due and return the newest frames; None at the end of the stream.

        A stream that ends before its first window is full gives one shorter window.
        """
        with self._changed:
            # With a timeout, as a wait without one does not notice Ctrl-C on Windows.
            while self.count < self._due and not self._closed:
                self._changed.wait(0.5)
            if self.count < self._due and (self._taken or not self.count):
                return None
            skipped = max(0, (self.count - self._due) // self.stride)
            self._due += (skipped + 1) * self.stride
            self._taken = True
            return Window(tuple(self._frames), self.count, self._arrived, skipped)


def run_live(
    frames: Iterable[Frame | InputError],
    ensemble: Ensemble,
    settings: LiveSettings,
    write: Callable[[Line], None],
    report: LiveReport | None = None,
) -> LiveReport:
    """Score the newest window repeatedly, until the stream ends.

    Args:
        frames: Frames, and the errors of those that could not be read.
        ensemble: What scores windows.
        settings: Window, stride and what to write.
        write: Is called with each line: ``frame`` (number of the newest one), its ``time`` if
            known, ``start`` and ``end`` of the window, ``topk`` (empty if nobody is in it),
            ``latency_ms``, and ``skipped`` if windows were skipped.
        report: Is updated while frames arrive.

    Returns:
        The report.

    Raises:
        InputError: at the first error, with ``settings.strict``.
    """
    report = report or LiveReport()
    buffer = LiveBuffer(settings.window, settings.stride)
    reader = threading.Thread(
        target=_fill, args=(buffer, frames, report, settings.strict), name="frames", daemon=True
    )
    reader.start()
    while (window := buffer.take()) is not None:
        report.windows += 1
        report.skipped += window.skipped
        try:
            line = _line(window, ensemble, settings)
        except InputError as error:
            if settings.strict:
                raise
            report.add_error(f"frames {window.end - len(window.frames)} to {window.end}: {error}")
            write({"frame": window.end - 1, "error": str(error)})
            continue
        latency = time.perf_counter() - window.arrived
        write({**line, "latency_ms": round(latency * 1000, 3)})
        report.latencies.append(time.perf_counter() - window.arrived)
    reader.join()
    if buffer.error is not None:
        raise buffer.error
    return report


def _fill(
    buffer: LiveBuffer, frames: Iterable[Frame | InputError], report: LiveReport, strict: bool
) -> None:
    """Add frames to the buffer as they arrive; the body of the reading thread."""
    error = None
    try:
        for frame in frames:
            if isinstance(frame, Frame):
                report.frames += 1
                buffer.add(frame)
                continue
            if strict:
                raise frame
            report.add_error(str(frame))
            if report.num_errors <= len(report.errors):
                get_logger().warning("%s", frame)
    except Exception as caught:  # raised again by run_live
        error = caught
    buffer.close(error)


def _line(window: Window, ensemble: Ensemble, settings: LiveSettings) -> Line:
    line: Line = {"frame": window.end - 1}
    if window.frames[-1].time is not None:
        line["time"] = window.frames[-1].time
    line.update(frame_range(window.end - len(window.frames), window.end, settings.fps))
    sample = window_sample(window.frames, settings.image_size)
    line["topk"] = []
    if sample is not None:
        line["topk"] = topk_entries(ensemble, ensemble.score(sample), settings.topk)
    if window.skipped:
        line["skipped"] = window.skipped
    return line
