"""Untrusted work dirs and data configs run no code, whichever tool reads them."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tool_commands import Commands, Run

pytestmark = pytest.mark.slow


class _Touch:
    """Pickles to a call that makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.path}'",)


@pytest.fixture
def work_dir(trained: Run, tmp_path: Path) -> Path:
    """A run whose config trusts a pickle that makes ``tmp_path/canary``."""
    folder = Path(shutil.copytree(trained.work_dir, tmp_path / "runs" / "j", symlinks=True))
    evil = folder / "evil.pkl"
    evil.write_bytes(pickle.dumps([_Touch(tmp_path / "canary")]))
    config = folder / "tiny.py"
    text, count = re.subn(
        r"ann_file='[^']+'", f"trusted=True, ann_file='{evil}'", config.read_text()
    )
    assert count == 3
    config.write_text(text)
    return folder


def _move_config_to_log(work_dir: Path) -> None:
    """Leave the config in the log only."""
    config = work_dir / "tiny.py"
    (log,) = work_dir.glob("*.log.json")
    head, *lines = log.read_text().splitlines()
    figures = json.loads(head)
    assert "config" in figures
    log.write_text("\n".join([json.dumps({**figures, "config": config.read_text()}), *lines]))
    config.unlink()


@pytest.mark.parametrize("place", ["file", "log"])
@pytest.mark.parametrize("tool", ["report", "zoo", "compare"])
def test_trust_in_a_work_dir_is_ignored(
    commands: Commands, work_dir: Path, trained: Run, tmp_path: Path, tool: str, place: str
) -> None:
    if place == "log":
        _move_config_to_log(work_dir)
    command: list[object] = [f"tools/{tool}.py"]
    command += {
        "report": [work_dir, "--out", tmp_path / "page.html"],
        "zoo": [work_dir.parent],
        "compare": [work_dir, work_dir],
    }[tool]
    done = commands.quick(*command)
    assert done.status == (2 if tool == "compare" else 0), done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "canary").exists()
    page = tmp_path / "page.html"
    told = done.out + done.err + (page.read_text(encoding="utf-8") if page.exists() else "")
    assert "evil.pkl: refused" in told
    commands.quick(*command, "--trust-files")
    assert (tmp_path / "canary").exists()  # what the command line says still holds


COMMANDS: dict[str, Callable[[Path, Path], list[object]]] = {
    "flops": lambda config, _: ["tools/analysis/flops.py", config],
    "dry run": lambda config, _: ["tools/train.py", config, "--dry-run"],
    "check": lambda config, ann_file: ["tools/data/check.py", ann_file, "--config", config],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("key", ["gcn_act", "gcn_norm"])
def test_layer_names_run_nothing(
    commands: Commands,
    tiny_config: Callable[..., dict[str, Any]],
    tiny_ann_file: Path,
    tmp_path: Path,
    command: str,
    key: str,
) -> None:
    canary = tmp_path / "canary"
    layer: dict[str, Any] = {"type": "subprocess.Popen", "args": ["touch", str(canary)]}
    config = tmp_path / "evil.json"
    config.write_text(json.dumps(tiny_config(**{f"model__backbone__{key}": layer})))
    done = commands.quick(*COMMANDS[command](config, tiny_ann_file))
    assert not canary.exists()
    # check.py reports a problem of a config together with those of the data
    assert done.status == (1 if command == "check" else 2), done.out
    assert "Traceback" not in done.err
    told = done.out if command == "check" else done.err
    assert " ".join(told.split()).count("unknown layer; found subprocess.Popen") == 1


@pytest.mark.parametrize(
    "layers", [{"gcn_act": "HSwish"}, {"gcn_norm": {"type": "GN", "num_groups": 2}}]
)
def test_layers_by_name_in_a_data_config(
    commands: Commands,
    tiny_config: Callable[..., dict[str, Any]],
    tmp_path: Path,
    layers: dict[str, Any],
) -> None:
    config = tmp_path / "good.json"
    changes = {f"model__backbone__{key}": layer for key, layer in layers.items()}
    config.write_text(json.dumps(tiny_config(**changes)))
    done = commands.quick("tools/train.py", config, "--dry-run")
    assert done.status == 0, done.err
