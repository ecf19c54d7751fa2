"""What the tests of the Python interface share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from pyskl.logging.log import get_logger


@pytest.fixture(autouse=True)
def _same_everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Compute on one thread of the CPU, where results can be compared bit for bit; end the logs."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    for handler in list(get_logger().handlers):
        get_logger().removeHandler(handler)
        handler.close()
