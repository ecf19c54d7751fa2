"""Importing the interface is cheap, and training imports nothing but the core."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import pyskl.apis

# Packages around the core, which it must not import.
AROUND = [
    *("recordings", "health", "drawing", "reports", "export", "runtime", "inference"),
    *("benchmark", "published"),
]

PROGRAM = """
import json, sys
import pyskl.apis
at_first = {name.partition(".")[0] for name in sys.modules} & {"torch", "mmengine", "numpy"}
settings = pyskl.apis.TrainSettings(validate=True, test_last=True, test_best=True)
pyskl.apis.train_from_config(sys.argv[1], settings, work_dir=sys.argv[2])
print(json.dumps([sorted(at_first), sorted(sys.modules)]))
"""


def test_public_names_are_imported_on_first_use() -> None:
    for name in pyskl.apis.__all__:
        assert getattr(pyskl.apis, name).__name__ == name
    with pytest.raises(AttributeError):
        pyskl.apis.train_everything  # noqa: B018


@pytest.mark.slow
def test_a_training_imports_only_the_core(
    write_tiny_config: Callable[..., Path], tmp_path: Path
) -> None:
    config = write_tiny_config(tmp_path / "tiny.py", total_epochs=1)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(config), str(tmp_path / "work")],
        capture_output=True,
        text=True,
        check=True,
    )
    at_first, modules = json.loads(done.stdout)
    assert at_first == []
    parts = [name.split(".") for name in modules if name.startswith("pyskl.")]
    assert sorted({part[1] for part in parts} & set(AROUND)) == []
