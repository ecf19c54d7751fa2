"""``tools/benchmark.py``: each mode runs, prints its tables and writes its figures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import test_help
from tool_commands import Commands, Done

pytestmark = pytest.mark.slow

Benchmark = Callable[..., tuple[Done, dict[str, Any]]]


@pytest.fixture
def benchmark(
    commands: Commands, write_tiny_config: Callable[..., Path], tmp_path: Path
) -> Benchmark:
    """A function that runs a mode on the tiny config; returns the finished command and the JSON."""

    def benchmark(mode: str, *options: object, **changes: Any) -> tuple[Done, dict[str, Any]]:
        config, file = write_tiny_config(tmp_path / "tiny.py", **changes), tmp_path / "out.json"
        done = commands.quick(
            *("tools/benchmark.py", mode, config, "--json", file, "--repeats", 2, *options)
        )
        assert done.status == 0, done.err
        return done, json.loads(file.read_text(encoding="utf-8"))

    return benchmark


def names(found: dict[str, Any]) -> list[list[str]]:
    """Check what all tables have in common; return the names of the rows of each table."""
    assert set(found) == {*("mode", "config", "data", "machine", "settings", "limits", "tables")}
    assert {"cpu", "device", "torch", "numpy", "python", "command", "git"} <= set(found["machine"])
    assert found["machine"]["command"].split()[1] == found["mode"]
    for table in found["tables"]:
        assert not table["failed"]
        for figure in table["figures"]:
            assert len(figure["values"]) in (1, 2)
            assert 0 < figure["low"] <= figure["median"] <= figure["high"]
            assert figure["unit"] in ("samples/s", "clips/s", "s")
    return [[figure["name"] for figure in table["figures"]] for table in found["tables"]]


def test_pipeline(benchmark: Benchmark) -> None:
    done, found = benchmark("pipeline", "--seconds", 0.01, "--batch", 2, 8)
    rows = names(found)
    assert len(rows) == 2
    for table in rows:
        assert table == [
            *("online, in batches", "online, one by one"),
            *("packed, in batches", "packed, one by one"),
            "device, in batches",
        ]
    assert found["data"] == "the config's annotation files"
    for table in found["tables"]:
        assert table["title"] in done.out
    assert found["settings"]["batch"] == [2, 8]


@pytest.mark.slow
def test_pipeline_without_the_users_data(benchmark: Benchmark, tmp_path: Path) -> None:
    done, found = benchmark(
        *("pipeline", "--seconds", 0.01, "--use", "val"),
        *("--cfg-options", f"data.val.ann_file={tmp_path / 'gone.pkl'}"),
    )
    names(found)
    assert "2000 synthetic samples" in done.out
    assert "does not exist" in done.out


def test_pipelines_of_several_configs(
    benchmark: Benchmark, write_tiny_config: Callable[..., Path], tmp_path: Path
) -> None:
    other = write_tiny_config(tmp_path / "other.py")
    done, found = benchmark("pipeline", "--seconds", 0.01, "--compare", other)
    (rows,) = names(found)
    assert rows[:4] == [
        *("online, in batches: tiny", "online, in batches: other"),
        *("online, one by one: tiny", "online, one by one: other"),
    ]
    assert found["config"].endswith("other.py")
    for figure in found["tables"][0]["figures"]:
        if figure["name"].endswith("tiny"):
            assert figure["notes"]["of tiny"] == 1
        else:
            assert figure["notes"]["of tiny"] > 0
    assert "of tiny" in done.out


def test_configs_of_the_same_name_show_their_folders(
    benchmark: Benchmark, write_tiny_config: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "b").mkdir()
    other = write_tiny_config(tmp_path / "b" / "tiny.py")
    _, found = benchmark("pipeline", "--seconds", 0.01, "--compare", other)
    assert names(found)[0][:2] == [
        f"online, in batches: {tmp_path.name}/tiny",
        "online, in batches: b/tiny",
    ]


@pytest.mark.slow
def test_loader(benchmark: Benchmark) -> None:
    _, found = benchmark("loader", "--seconds", 0.01, "--workers", 1, "--synthetic", 40)
    alone, first, loop = names(found)
    assert alone == first
    assert alone == ["online, 1 worker", "packed, 1 worker", "device"]
    assert loop[:2] == ["step alone, fp32", "loop, online, 1 worker"]
    assert found["tables"][2]["figures"][1]["notes"]["% of step"] > 0
    assert found["data"] == "40 synthetic samples in the shape of NTU RGB+D"


@pytest.mark.slow
def test_step(benchmark: Benchmark) -> None:
    done, found = benchmark(
        *("step", "--seconds", 0.01, "--batch", 2, 3, "--variants", "fp32", "bf16"),
        *("--end-to-end", "--workers", 0),
    )
    first, loop, second, _ = names(found)
    assert first == second == ["fp32", "bf16"]
    assert loop[0].startswith("step alone, ")
    assert loop[1:] == ["loop, online, 0 workers", "loop, packed, 0 workers", "loop, device"]
    notes = found["tables"][0]["figures"][1]["notes"]
    assert set(notes) == {"ms/step", "ratio", "TFLOP/s", "% of limit", "peak MB"}
    assert {
        "fp32 matrix product, TFLOP/s",
        "bf16 matrix product, TFLOP/s",
        "copy in memory, GB/s",
    } < set(found["limits"])
    assert "matrix product" in done.out


@pytest.mark.slow
def test_inference(benchmark: Benchmark) -> None:
    done, found = benchmark("inference", "--seconds", 0.01, "--batch", 1, 3)
    reference = "reference, fp32, one sample at a time"
    assert names(found) == [[reference, "fp32", "fp32-fused", "bf16", "bf16-fused"]] * 2
    assert "samples of 2 clips" in done.out


@pytest.mark.slow
def test_startup(benchmark: Benchmark) -> None:
    done, found = benchmark("startup", "--ranks", 1, "--synthetic", 20, "--repeats", 1)
    (table,) = names(found)
    assert table == ["packed, packing included", "tiny data set", "unpacked", "packed"]
    assert "1 process" in done.out
    figures = {figure["name"]: figure for figure in found["tables"][0]["figures"]}
    packed = figures["packed"]["notes"]
    if packed["own MB"] is not None:  # the system reports it
        assert packed["own MB"] > 50
        assert figures["tiny data set"]["notes"]["own beyond tiny"] == 0
        assert 0 < packed["s in process"] <= figures["packed"]["median"] + 0.05


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["pipeline", "CONFIG", "--repeats", "0"], "--repeats: wrong number"),
        (["pipeline", "CONFIG", "--device", "abacus"], "--device: no such device"),
        (["step", "CONFIG", "--variants", "fp31"], "did you mean 'fp32'?"),
        (["step", "missing.py"], "there is no such config file"),
        (["pipeline", "CONFIG", "--cfg-options", "data.train.split=x"], "there is no split 'x'"),
        (["pipeline", "CONFIG", "--compare", "missing.py"], "there is no such config file"),
        (["pipeline", "CONFIG", "--json", "CONFIG"], "can't overwrite it"),
        (["pipeline", "CONFIG", "--json", "figures.py"], "should end in .json"),
        (
            [
                *("pipeline", "CONFIG", "--batch", "9999"),
                *("--cfg-options", "data.train_dataloader.drop_last=True"),
            ],
            "choose a smaller --batch",
        ),
        (["speed", "CONFIG"], "invalid choice: 'speed'"),
    ],
)
def test_each_error_is_one_message(
    commands: Commands,
    write_tiny_config: Callable[..., Path],
    tmp_path: Path,
    command: list[str],
    message: str,
) -> None:
    config = write_tiny_config(tmp_path / "tiny.py")
    words = [str(config) if word == "CONFIG" else word for word in command]
    done = commands.quick("tools/benchmark.py", *words)
    assert done.status == 2
    assert done.err.count("error: ") == 1
    assert message in done.err
    assert "Traceback" not in done.err


def test_help_needs_no_torch(repo_root: Path, tmp_path: Path) -> None:
    modes = ["pipeline", "loader", "step", "startup", "inference"]
    test_help.test_help_needs_no_torch(repo_root, tmp_path, "benchmark", modes)
