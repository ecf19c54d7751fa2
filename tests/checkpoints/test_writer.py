"""Writing in the background: nothing is lost, training continues, failures are reported."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

import pytest
import torch

from pyskl.checkpoints import writer as writer_module
from pyskl.checkpoints.writer import BackgroundWriter, copy_to_cpu
from pyskl.errors import CheckpointError, WriteError


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "RETRY_INTERVAL", 0.02)
    monkeypatch.setattr(writer_module, "FINISH_TIMEOUT", 0.2)


def test_a_copy_does_not_change_with_the_original() -> None:
    weights = OrderedDict(w=torch.zeros(3))
    weights._metadata = OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]
    original = {"state_dict": weights, "nested": [({"t": weights["w"]}, 1.5), "text", None]}
    copy = copy_to_cpu(original)
    weights["w"] += 1
    assert copy["state_dict"]["w"].tolist() == [0, 0, 0]
    assert copy["nested"][0][0]["t"].tolist() == [0, 0, 0]
    assert copy["nested"][0][1:] == (1.5,)
    assert copy["nested"][1:] == ["text", None]
    assert copy["state_dict"]._metadata == weights._metadata  # type: ignore[attr-defined]


def test_files_are_written_in_order_while_the_caller_continues() -> None:
    written: list[int] = []
    may_write = threading.Event()

    def job(number: int) -> None:
        may_write.wait(10)
        written.append(number)

    writer = BackgroundWriter()
    writer.submit("regular", lambda: job(0))
    assert written == []  # `submit` did not wait for it
    may_write.set()
    for number in range(1, 5):
        writer.submit("regular" if number % 2 else "best", lambda number=number: job(number))
    writer.finish()
    assert written == [0, 1, 2, 3, 4]


def test_a_failure_is_logged_once_and_a_newer_file_replaces_the_failed_one(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "FINISH_TIMEOUT", 10)
    written: list[str] = []
    full = True

    def job(name: str) -> None:
        if full:
            raise CheckpointError("could not be written (No space left on device)", file=name)
        written.append(name)

    writer = BackgroundWriter()
    for name in ("epoch_1", "epoch_2"):
        writer.submit("regular", lambda name=name: job(name))
        time.sleep(0.1)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    full = False
    writer.finish()
    assert written == ["epoch_2"]
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_the_end_of_a_run_does_not_wait_forever() -> None:
    def job() -> None:
        raise CheckpointError("could not be written (Read-only file system)", file="epoch_1")

    writer = BackgroundWriter()
    writer.submit("regular", job)
    start = time.monotonic()
    with pytest.raises(WriteError) as error:
        writer.finish()
    assert time.monotonic() - start < 5
    assert (error.value.exit_status, error.value.file) == (74, "epoch_1")
    writer.finish()  # it was given up, so there is nothing to wait for


def test_an_unexpected_error_does_not_end_the_thread() -> None:
    writer = BackgroundWriter()
    writer.submit("regular", lambda: 1 / 0)
    with pytest.raises(WriteError, match="ZeroDivisionError"):
        writer.finish()
    written: list[int] = []
    writer.submit("regular", lambda: written.append(1))
    writer.finish()
    assert written == [1]
