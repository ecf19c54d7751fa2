"""``tools/analysis/flops.py``: the published model by hand, and any config."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from tool_commands import Commands


def test_the_published_model(commands: Commands, repo_root: Path, tmp_path: Path) -> None:
    config = repo_root / "configs/stgcn/stgcn_pyskl_ntu60_xsub_3dkp/j.py"
    file = tmp_path / "cost.json"
    done = commands.quick("tools/analysis/flops.py", config, "--depth", 3, "--json", file)
    assert done.status == 0, done.err
    assert "(M, T, V, C) = (2, 100, 25, 3)" in done.out
    assert "parameters     3,098,832" in done.out
    assert "with norms and means 5.713 G" in done.out
    assert "10 clips" in done.out
    assert sum(line.startswith("backbone.gcn.") for line in done.out.splitlines()) == 10
    assert not re.search(r" 0 +0 +0\.0% +0 ", done.out)  # rows without any cost
    found = json.loads(file.read_text())
    assert (
        found["flops"]
        == 2 * found["multiply_adds"]
        == sum(layer["flops"] for layer in found["cost"]["layers"])
    )


def test_the_size_of_a_clip_can_be_chosen(commands: Commands, repo_root: Path) -> None:
    config = repo_root / "configs/stgcn/stgcn_vanilla_ntu60_xsub_3dkp/j.py"
    done = commands.quick("tools/analysis/flops.py", config)
    assert "(2, 300, 25, 3)" in done.out
    done = commands.quick("tools/analysis/flops.py", config, "--clip-len", 100, "--persons", 1)
    assert "(1, 100, 25, 3)" in done.out


def test_each_error_is_one_message(
    commands: Commands, write_tiny_config: Callable[..., Path], tmp_path: Path
) -> None:
    config = write_tiny_config(tmp_path / "tiny.py")
    for options, part in (
        (["--joints", 17], "takes no input (M, T, V, C) = (1, 8, 17, 3)"),
        (["--clip-len", 0], "--clip-len: wrong number"),
        (["--cfg-options", "model.backbone.type=STGC"], "did you mean 'STGCN'"),
        (["--cfg-options", "data=None"], "pass --persons"),
        (["--json", config], "can't overwrite it"),
        (["--json", tmp_path / "other.py"], "end in .json"),
    ):
        done = commands.quick("tools/analysis/flops.py", config, *options)
        assert done.status == 2, done.out
        assert part in done.err
        assert len(done.err.splitlines()) == 1
