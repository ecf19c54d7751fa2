"""The fuzzer for a few seconds; long runs are made by hand."""

from __future__ import annotations

from pathlib import Path

import fuzz
import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/proc/self/clear_refs").exists(), reason="memory is measured as Linux tells it"
    ),
]


@pytest.mark.parametrize("target", fuzz.SUFFIXES)
def test_no_input_does_harm(tmp_path: Path, target: str) -> None:
    found = fuzz.feed_in_child(target, 3.0, 7, tmp_path)
    assert found["failures"] == []
    assert found["refused"] > 20
