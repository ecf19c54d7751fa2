"""Fixtures that several test modules share."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The checkout that the tests run in."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of goldens and recorded sets beside the checkout; skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("needs the shared folder (goldens and recorded sets) beside the checkout")
    return SHARED


@pytest.fixture(scope="session")
def golden(shared: Path) -> Path:
    """The folder of goldens: inputs and outputs of the original implementation."""
    return shared / "golden"
