"""Writing in the background: nothing is lost, nothing is stopped, failures are told."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

import pytest
import torch

from pyskl.checkpoints.writer import CheckpointWriter, on_host
from pyskl.errors import CheckpointError, WriteError


def test_a_copy_in_host_memory_changes_no_more() -> None:
    weights = OrderedDict(w=torch.zeros(3))
    weights._metadata = OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]
    original = {"state_dict": weights, "nested": [({"t": weights["w"]}, 1.5), "text", None]}
    copy = on_host(original)
    weights["w"] += 1
    assert copy["state_dict"]["w"].tolist() == [0, 0, 0]
    assert copy["nested"][0][0]["t"].tolist() == [0, 0, 0]
    assert copy["nested"][0][1:] == (1.5,)
    assert copy["nested"][1:] == ["text", None]
    assert copy["state_dict"]._metadata == weights._metadata  # type: ignore[attr-defined]


def test_what_is_submitted_is_written_in_order_while_the_caller_goes_on() -> None:
    written: list[int] = []
    may_write = threading.Event()

    def job(number: int) -> None:
        may_write.wait(10)
        written.append(number)

    writer = CheckpointWriter()
    writer.submit("regular", lambda: job(0))
    assert written == []  # `submit` did not wait for it
    may_write.set()
    for number in range(1, 5):
        writer.submit("regular" if number % 2 else "best", lambda number=number: job(number))
    writer.finish()
    assert written == [0, 1, 2, 3, 4]


def test_a_failing_write_is_told_once_and_gives_way_to_a_newer_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    written: list[str] = []
    full = True

    def job(name: str) -> None:
        if full:
            raise CheckpointError(f"{name} could not be written (No space left on device)")
        written.append(name)

    writer = CheckpointWriter(retry_after=0.02, patience=10)
    for name in ("epoch_1", "epoch_2"):
        writer.submit("regular", lambda name=name: job(name))
        time.sleep(0.1)
    assert caplog.text.count("No space left") == 1
    assert "training goes on" in caplog.text
    full = False
    writer.finish()
    assert written == ["epoch_2"]
    assert "can be written again" in caplog.text


def test_at_the_end_patience_is_bounded() -> None:
    def job() -> None:
        raise CheckpointError("epoch_1 could not be written (Read-only file system)")

    writer = CheckpointWriter(retry_after=0.02, patience=0.2)
    writer.submit("regular", job)
    begin = time.monotonic()
    with pytest.raises(WriteError, match="Read-only file system") as caught:
        writer.finish()
    assert time.monotonic() - begin < 5
    assert caught.value.exit_status == 74
    writer.finish()  # given up: nothing waits any more


def test_an_unexpected_error_does_not_end_the_thread() -> None:
    writer = CheckpointWriter(retry_after=0.02, patience=0.1)
    writer.submit("regular", lambda: 1 / 0)
    with pytest.raises(WriteError, match="ZeroDivisionError"):
        writer.finish()
    written: list[int] = []
    writer.submit("regular", lambda: written.append(1))
    writer.finish()
    assert written == [1]
