"""Recognise frames as they come, with a delay that stays bounded.

One thread takes the frames in and keeps the newest ones; another scores the window that they make.
Where scoring is slower than the frames come, windows are passed over: what is scored next is always
the newest, so nothing piles up, and no frame is ever out of order.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from pyskl.errors import InputError
from pyskl.inference.ensemble import Ensemble
from pyskl.inference.frames import Frame, window_sample
from pyskl.inference.output import Line, best, when
from pyskl.inference.scoring import score_one
from pyskl.logging.log import get_logger

# Delays that are kept for the report: a day at one window a second.
_KEPT = 86_400


@dataclass(frozen=True)
class LiveSettings:
    """How frames are recognised as they come.

    Attributes:
        window: Frames that are scored together.
        stride: New frames before the next scoring.
        topk: How many classes are told.
        fps: Frames per second, where known.
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
                raise InputError(f"--{name} is 1 or more, found {getattr(self, name)}")


@dataclass
class LiveReport:
    """What happened.

    Attributes:
        frames: That came, malformed ones not counted.
        windows: That were scored.
        passed_over: Windows that were due while another was being scored.
        faults: What was wrong with frames and windows, the first ten.
        num_faults: How many there were.
        delays: Seconds from the arrival of a window's last frame until its scores were written, of
            the newest windows.
    """

    frames: int = 0
    windows: int = 0
    passed_over: int = 0
    faults: list[str] = field(default_factory=list)
    num_faults: int = 0
    delays: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def add_fault(self, what: str) -> None:
        """Note what is wrong with a frame or a window."""
        self.num_faults += 1
        if len(self.faults) < 10:
            self.faults.append(what)

    def text(self) -> str:
        """Return it in one line for people."""
        told = (
            f"{self.frames} frames, {self.windows} windows scored, {self.passed_over} passed over"
        )
        if self.num_faults:
            told += f", {self.num_faults} faults"
        if not self.delays:
            return told
        p50, p99, most = np.percentile(np.array(self.delays) * 1000, (50, 99, 100))
        return f"{told}; latency p50 {p50:.1f} ms, p99 {p99:.1f} ms, at most {most:.1f} ms"


@dataclass(frozen=True)
class Snapshot:
    """The newest window.

    Attributes:
        frames: Up to ``window`` frames, the newest last.
        end: How many frames had come by then.
        arrived: When the newest one did, by the buffer's clock.
        passed_over: How many windows were due since the one before, and are not scored.
    """

    frames: tuple[Frame, ...]
    end: int
    arrived: float
    passed_over: int


class LiveBuffer:
    """The newest frames, put in by one thread and taken out by another.

    A window is due when ``window`` frames have come, and then after every ``stride`` frames.

    Args:
        window: Frames of a window.
        stride: Frames from one that is due to the next.
        clock: Returns the time in seconds.
    """

    def __init__(
        self, window: int, stride: int, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.window, self.stride = window, stride
        self.count = 0
        self.error: Exception | None = None
        self._frames: deque[Frame] = deque(maxlen=window)
        self._clock = clock
        self._arrived = 0.0
        self._due = window
        self._taken = False
        self._closed = False
        self._changed = threading.Condition()

    def add(self, frame: Frame) -> None:
        """Put a frame in; the oldest one falls out."""
        with self._changed:
            self._frames.append(frame)
            self.count += 1
            self._arrived = self._clock()
            if self.count >= self._due:
                self._changed.notify_all()

    def close(self, error: Exception | None = None) -> None:
        """Say that no more frames come, and whether that is for an error."""
        with self._changed:
            self._closed = True
            self.error = error
            self._changed.notify_all()

    def take(self) -> Snapshot | None:
        """Wait until a window is due, and return the newest frames; None where no more come.

        A stream that ends before its first window is full gives one of what there is.
        """
        with self._changed:
            # In pieces, as a wait without an end does not notice Ctrl-C on Windows.
            while self.count < self._due and not self._closed:
                self._changed.wait(0.5)
            if self.count < self._due and (self._taken or not self.count):
                return None
            passed = max(0, (self.count - self._due) // self.stride)
            self._due += (passed + 1) * self.stride
            self._taken = True
            return Snapshot(tuple(self._frames), self.count, self._arrived, passed)


def run_live(
    frames: Iterable[Frame | InputError],
    ensemble: Ensemble,
    settings: LiveSettings,
    write: Callable[[Line], None],
    report: LiveReport | None = None,
) -> LiveReport:
    """Score the newest window, again and again, until no more frames come.

    Args:
        frames: They come when they come; what could not be read stands in its place.
        ensemble: What scores windows.
        settings: Window, stride and what is told.
        write: Takes each line: ``frame`` (number of the newest one), ``time`` of it where known,
            ``start`` and ``end`` of the window, ``topk`` (empty where nobody is in it),
            ``latency_ms``, and ``passed_over`` where windows were.
        report: Is filled, and can be looked at while frames come.

    Returns:
        The report.

    Raises:
        InputError: at the first fault, with ``settings.strict``.
    """
    report = report or LiveReport()
    buffer = LiveBuffer(settings.window, settings.stride)
    reader = threading.Thread(
        target=_fill, args=(buffer, frames, report, settings.strict), name="frames", daemon=True
    )
    reader.start()
    while (taken := buffer.take()) is not None:
        report.windows += 1
        report.passed_over += taken.passed_over
        try:
            line = _scored(taken, ensemble, settings)
        except InputError as error:
            if settings.strict:
                raise
            report.add_fault(f"frames {taken.end - len(taken.frames)} to {taken.end}: {error}")
            write({"frame": taken.end - 1, "error": str(error)})
            continue
        delay = time.perf_counter() - taken.arrived
        write({**line, "latency_ms": round(delay * 1000, 3)})
        report.delays.append(time.perf_counter() - taken.arrived)
    reader.join()
    if buffer.error is not None:
        raise buffer.error
    return report


def _fill(
    buffer: LiveBuffer, frames: Iterable[Frame | InputError], report: LiveReport, strict: bool
) -> None:
    """Put frames into the buffer as they come."""
    try:
        for frame in frames:
            if isinstance(frame, InputError):
                if strict:
                    raise frame
                report.add_fault(str(frame))
                if report.num_faults <= len(report.faults):
                    get_logger().warning("%s", frame)
                continue
            report.frames += 1
            buffer.add(frame)
    except Exception as error:  # it is raised in the thread that scores
        buffer.close(error)
    else:
        buffer.close()


def _scored(taken: Snapshot, ensemble: Ensemble, settings: LiveSettings) -> Line:
    start = taken.end - len(taken.frames)
    line: Line = {"frame": taken.end - 1}
    newest = taken.frames[-1].time
    if newest is not None:
        line["time"] = newest
    line.update(when(start, taken.end, settings.fps))
    sample = window_sample(taken.frames, settings.image_size)
    line["topk"] = []
    if sample is not None:
        scores = score_one(ensemble, ensemble.prepare(sample))
        line["topk"] = best(ensemble, scores, settings.topk)
    if taken.passed_over:
        line["passed_over"] = taken.passed_over
    return line
