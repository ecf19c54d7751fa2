"""Which versions of torch have a flawed loader."""

from __future__ import annotations

import pytest
import torch

from pyskl.checkpoints.torch_version import loader_flaws, warn_of_loader_flaws

RUNS, CORRUPTS = "CVE-2025-32434", "CVE-2026-24747"


@pytest.mark.parametrize(
    ("version", "known"),
    [
        ("2.4.0", [RUNS, CORRUPTS]),
        ("2.4.1+cu121", [RUNS, CORRUPTS]),
        ("2.5.1", [RUNS, CORRUPTS]),
        ("2.6.0a0+git1234", [RUNS, CORRUPTS]),
        ("2.6.0.dev20241112+cpu", [RUNS, CORRUPTS]),
        ("2.6.0rc3", [RUNS, CORRUPTS]),
        ("2.6.0", [CORRUPTS]),
        ("2.6.0+cu124", [CORRUPTS]),
        ("2.6", [CORRUPTS]),
        ("2.9.1", [CORRUPTS]),
        ("2.10.0a0+b4e4ee81d3", [CORRUPTS]),
        ("2.10.0", []),
        ("2.10.0+deadbeef", []),
        ("2.13.0+cpu", []),
        ("3.0.0", []),
        ("unknown", []),
    ],
)
def test_flaws_by_version(version: str, known: list[str]) -> None:
    assert [flaw.split()[0] for flaw in loader_flaws(version)] == known


def test_the_warning_comes_once_and_names_the_version(caplog: pytest.LogCaptureFixture) -> None:
    warn_of_loader_flaws.cache_clear()
    warn_of_loader_flaws("2.5.1")
    warn_of_loader_flaws("2.5.1")
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "torch 2.5.1 has known flaws" in record.message
    assert RUNS in record.message
    assert "fixed in 2.6.0" in record.message


def test_a_sound_torch_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    warn_of_loader_flaws.cache_clear()
    warn_of_loader_flaws("2.13.0")
    warn_of_loader_flaws(torch.__version__ if not loader_flaws(torch.__version__) else "2.13.1")
    assert caplog.records == []
