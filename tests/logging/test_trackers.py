"""What trackers record, what a resumed run records again, and that no tracker ends a run."""

from __future__ import annotations

import csv
import importlib.util
import logging
import re
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyskl.errors import ConfigError
from pyskl.logging.trackers import RunInfo, open_trackers
from pyskl.registry import LOGGER_HOOKS

PICTURE = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)


@pytest.fixture
def info(tmp_path: Path) -> Callable[..., RunInfo]:
    """A function that describes a run in a folder of this test."""
    return lambda **changes: RunInfo(tmp_path, "20260101_000000", **changes)


def rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


# --- all of them ----------------------------------------------------------------------------------


def test_the_hooks_that_configs_name() -> None:
    assert LOGGER_HOOKS.names() == [
        "CSVLoggerHook",
        "MlflowLoggerHook",
        "TensorboardLoggerHook",
        "TextLoggerHook",
        "WandbLoggerHook",
    ]
    with pytest.raises(ConfigError, match="did you mean 'CSVLoggerHook'"):
        LOGGER_HOOKS.build({"type": "CsvLoggerHook"})
    with pytest.raises(ConfigError, match="'exp_nam'"):
        LOGGER_HOOKS.build({"type": "MlflowLoggerHook", "exp_nam": "a"})


def test_the_text_log_needs_no_tracker(info: Callable[..., RunInfo]) -> None:
    assert open_trackers([{"type": "TextLoggerHook"}], info()) == []


@pytest.mark.parametrize(
    ("hook", "package"),
    [
        ("TensorboardLoggerHook", "tensorboard"),
        ("WandbLoggerHook", "wandb"),
        ("MlflowLoggerHook", "mlflow"),
    ],
)
def test_an_absent_package_is_told_once_and_missed_by_nobody(
    info: Callable[..., RunInfo],
    hook: str,
    package: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == package else find_spec(name, *rest),
    )
    assert open_trackers([{"type": hook}], info()) == []
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert f"{package} is not installed (pip install {package})" in caplog.text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fails_at", ["open", "log", "image", "close"])
def test_a_tracker_that_fails_is_left_behind(
    info: Callable[..., RunInfo], fails_at: str, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []

    class Fragile:
        def _act(self, name: str) -> None:
            calls.append(name)
            if name == fails_at:
                raise ConnectionError("the server is gone")

        def open(self, run: RunInfo) -> Any:
            self._act("open")
            return self

        def log(self, figures: Any, step: int) -> None:
            self._act("log")

        def image(self, name: str, array: Any, step: int) -> None:
            self._act("image")

        def close(self) -> None:
            self._act("close")

    for tracker in open_trackers([Fragile()], info()):  # type: ignore[list-item]
        tracker.log({"train/loss": 1.0}, 1)
        tracker.image("a", PICTURE, 1)
        tracker.close()
    assert calls[-1] == fails_at
    assert len(caplog.records) == 1
    assert "Fragile failed (ConnectionError: the server is gone)" in caplog.text


def test_the_examples_of_the_docs(
    info: Callable[..., RunInfo], repo_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (repo_root / "docs" / "trackers.md").read_text(encoding="utf-8")
    config, example = re.findall(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(compile(config, "docs/trackers.md", "exec"), names)
    assert len([LOGGER_HOOKS.build(hook) for hook in names["log_config"]["hooks"]]) == 5
    try:
        exec(compile(example, "docs/trackers.md", "exec"), names)
        (tracker,) = open_trackers([{"type": "PrintLoggerHook", "prefix": "told:"}], info())
    finally:
        LOGGER_HOOKS.module_dict.pop("PrintLoggerHook", None)
    tracker.log({"train/loss": 1.0}, 3)
    tracker.image("a", PICTURE, 3)
    tracker.close()
    assert capsys.readouterr().out == "told: 3 {'train/loss': 1.0}\ntold: 3 a (4, 5, 3)\n"


# --- CSV ------------------------------------------------------------------------------------------


def test_tables_by_kind(info: Callable[..., RunInfo], tmp_path: Path) -> None:
    (tracker,) = open_trackers([{"type": "CSVLoggerHook"}], info())
    tracker.log({"train/lr": 0.1, "train/loss": 2.0}, 3)
    tracker.log({"train/lr": 0.1, "train/loss": 1.5, "train/memory": 7}, 6)  # a new column
    tracker.log({"val/top1_acc": 0.5}, 6)
    tracker.log({"test/last/top1_acc": 0.25}, 6)
    tracker.log({"test/best/top1_acc": 0.75}, 6)
    tracker.image("test/best/confusion", PICTURE, 6)
    tracker.close()
    name = tmp_path / "20260101_000000"
    assert rows(Path(f"{name}.train.csv")) == [
        {"step": "3", "lr": "0.1", "loss": "2", "memory": ""},
        {"step": "6", "lr": "0.1", "loss": "1.5", "memory": "7"},
    ]
    assert rows(Path(f"{name}.val.csv")) == [{"step": "6", "top1_acc": "0.5"}]
    assert rows(Path(f"{name}.test.csv")) == [
        {"step": "6", "last/top1_acc": "0.25", "best/top1_acc": "0.75"}
    ]
    images = pytest.importorskip("PIL.Image")
    image = images.open(f"{name}.test.best.confusion.png")
    assert image.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(image), PICTURE)
    assert len(list(tmp_path.iterdir())) == 4


def test_tables_may_be_elsewhere(info: Callable[..., RunInfo], tmp_path: Path) -> None:
    hook = {"type": "CSVLoggerHook", "log_dir": str(tmp_path / "a" / "b")}
    (tracker,) = open_trackers([hook], info())
    tracker.log({"train/loss": 2.0}, 3)
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["20260101_000000.train.csv"]


def test_a_table_goes_on_without_what_comes_again(
    info: Callable[..., RunInfo], tmp_path: Path
) -> None:
    hooks = [{"type": "CSVLoggerHook"}]

    def log(tracker: Any, first: int, last: int) -> None:
        for step in range(first, last + 1):
            tracker.log({"train/loss": 1 / step}, step)
            tracker.log({"val/top1_acc": step / 10}, step)

    (whole,) = open_trackers(hooks, info())
    log(whole, 1, 9)
    expected = {path.name: path.read_bytes() for path in tmp_path.glob("*.csv")}
    assert len(expected) == 2
    # Saved after iteration 5, killed after 9 in the midst of a row; validated again after 5.
    with (tmp_path / "20260101_000000.train.csv").open("a") as file:
        file.write("10")
    (resumed,) = open_trackers(hooks, info(first_step=5, last_metrics=[{"train/loss": 0.2}]))
    resumed.log({"val/top1_acc": 0.5}, 5)
    log(resumed, 6, 9)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.csv")} == expected


# --- TensorBoard ----------------------------------------------------------------------------------


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return what TensorBoard shows of a folder."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder))
    events.Reload()
    return {
        name: [(one.step, one.value) for one in events.Scalars(name)]
        for name in events.Tags()["scalars"]
    }


def test_tensorboard_shows_each_step_once(info: Callable[..., RunInfo], tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    hooks = [{"type": "TensorboardLoggerHook"}]
    (first,) = open_trackers(hooks, info())
    for step in (2, 4, 6, 8):
        first.log({"train/loss": float(step)}, step)
        first.log({"val/top1_acc": float(step)}, step)
    first.close()
    (second,) = open_trackers(hooks, info(first_step=4, last_metrics=[{"train/loss": 4.0}]))
    second.log({"val/top1_acc": 4.0}, 4)
    for step in (6, 8, 10):
        second.log({"train/loss": float(step)}, step)
        second.log({"val/top1_acc": float(step)}, step)
    second.close()
    steps = [(step, float(step)) for step in (2, 4, 6, 8, 10)]
    assert scalars(tmp_path / "tf_logs") == {"train/loss": steps, "val/top1_acc": steps}


def test_tensorboard_gets_pictures(info: Callable[..., RunInfo], tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    hook = {"type": "TensorboardLoggerHook", "log_dir": str(tmp_path / "elsewhere")}
    (tracker,) = open_trackers([hook], info())
    tracker.image("test/best/confusion", PICTURE, 7)
    tracker.close()
    (events,) = (tmp_path / "elsewhere").iterdir()
    content = events.read_bytes()
    assert b"test/best/confusion" in content
    assert b"\x89PNG" in content


# --- Weights & Biases -----------------------------------------------------------------------------


def test_wandb_gets_what_it_does_not_have(
    info: Callable[..., RunInfo], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[Any, ...]] = []

    class Run:
        step = 0

        def log(self, figures: dict[str, Any], step: int) -> None:
            calls.append((figures, step))

        def finish(self, exit_code: int) -> None:
            calls.append(("finish", exit_code))

    run = Run()

    def init(**settings: Any) -> Run:
        calls.append(("init", settings))
        return run

    fake = types.ModuleType("wandb")
    fake.init, fake.Image = init, lambda array: ("picture", array.shape)  # type: ignore[attr-defined]
    fake.__spec__ = importlib.util.spec_from_loader("wandb", loader=None)
    monkeypatch.setitem(sys.modules, "wandb", fake)
    hooks = [{"type": "WandbLoggerHook", "init_kwargs": {"project": "p"}}]
    (tracker,) = open_trackers(hooks, info(config={"total_epochs": 2}))
    tracker.log({"train/loss": 1.0}, 3)
    tracker.image("a", PICTURE, 3)
    tracker.close()
    settings = calls[0][1]
    assert settings["project"] == "p"
    assert settings["config"] == {"total_epochs": 2}
    assert calls[1:] == [
        ({"train/loss": 1.0}, 3),
        ({"a": ("picture", (4, 5, 3))}, 3),
        ("finish", 0),
    ]
    # The run goes on: the same id; what the service has up to step 3 is not told again.
    calls.clear()
    run.step = 4
    (tracker,) = open_trackers(hooks, info(first_step=2))
    for step in (3, 4):
        tracker.log({"train/loss": 1.0}, step)
    try:
        raise RuntimeError("the run fails")
    except RuntimeError:
        tracker.close()
    assert calls[0][1]["id"] == settings["id"]
    assert calls[1:] == [({"train/loss": 1.0}, 4), ("finish", 1)]


@pytest.mark.slow
def test_wandb_offline(
    info: Callable[..., RunInfo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb")
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    hook = {"type": "WandbLoggerHook", "init_kwargs": {"mode": "offline", "project": "tests"}}
    (tracker,) = open_trackers([hook], info(config={"total_epochs": 2}))
    for step in (1, 2):
        tracker.log({"train/loss": 1.0 / step}, step)
    tracker.image("test/best/confusion", PICTURE, 2)
    tracker.close()
    identity = (tmp_path / "20260101_000000.wandb_id").read_text().strip()
    (record,) = tmp_path.glob(f"wandb/offline-run-*-{identity}/run-{identity}.wandb")
    content = record.read_bytes()
    assert b"train/loss" in content
    assert b"total_epochs" in content
    (picture,) = record.parent.glob("files/media/images/**/*.png")
    assert picture.read_bytes().startswith(b"\x89PNG")


# --- MLflow ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_mlflow_in_a_folder(
    info: Callable[..., RunInfo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking = pytest.importorskip("mlflow.tracking")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = (tmp_path / "mlruns").as_uri()
    hooks = [
        {
            "type": "MlflowLoggerHook",
            "exp_name": "tests",
            "tags": {"stream": "j"},
            "params": {"lr": 0.1},
            "tracking_uri": uri,
        }
    ]
    (first,) = open_trackers(hooks, info())
    for step in (2, 4, 6):
        first.log({"train/loss": float(step)}, step)
    first.image("test/best/confusion", PICTURE, 6)
    try:
        raise RuntimeError("the run fails")
    except RuntimeError:
        first.close()
    client = tracking.MlflowClient(uri)
    run_id = (tmp_path / "20260101_000000.mlflow_id").read_text().strip()
    assert client.get_run(run_id).info.status == "FAILED"
    (second,) = open_trackers(hooks, info(first_step=4, last_metrics=[{"train/loss": 4.0}]))
    for step in (6, 8):
        second.log({"train/loss": float(step)}, step)
    second.close()
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["stream"] == "j"
    assert run.data.params == {"lr": "0.1"}
    history = client.get_metric_history(run_id, "train/loss")
    assert [(one.step, one.value) for one in history] == [(2, 2), (4, 4), (6, 6), (8, 8)]
    assert [one.path for one in client.list_artifacts(run_id, "images")] == [
        "images/test.best.confusion.png"
    ]
    assert len(client.search_runs([run.info.experiment_id])) == 1


def test_mlflow_is_told_each_step_once(
    info: Callable[..., RunInfo], monkeypatch: pytest.MonkeyPatch
) -> None:
    history: dict[str, list[Any]] = {"train/loss": [types.SimpleNamespace(step=2)]}
    told: list[tuple[str, float, int]] = []

    class Client:
        def __init__(self, tracking_uri: str | None) -> None: ...

        def get_experiment_by_name(self, name: str) -> None:
            return None

        def create_experiment(self, name: str) -> str:
            return "7"

        def create_run(self, experiment: str, **_: Any) -> Any:
            assert experiment == "7"
            return types.SimpleNamespace(info=types.SimpleNamespace(run_id="r"))

        def update_run(self, run_id: str, status: str) -> None:
            assert (run_id, status) == ("r", "RUNNING")

        def get_metric_history(self, run_id: str, name: str) -> list[Any]:
            return history.get(name, [])

        def log_batch(self, run_id: str, metrics: list[Any]) -> None:
            told.extend((one[0], one[1], one[3]) for one in metrics)

        def set_terminated(self, run_id: str, status: str) -> None:
            assert status == "FINISHED"

    for name in ("mlflow", "mlflow.tracking", "mlflow.entities"):
        module = types.ModuleType(name)
        module.__spec__ = importlib.util.spec_from_loader(name, loader=None)
        module.MlflowClient = Client  # type: ignore[attr-defined]
        module.Metric = lambda *values: values  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, name, module)
    (tracker,) = open_trackers([{"type": "MlflowLoggerHook"}], info())
    for step in (2, 4, 4):
        tracker.log({"train/loss": 1.0, "val/top1_acc": 0.5}, step)
    tracker.close()
    assert told == [("val/top1_acc", 0.5, 2), ("train/loss", 1.0, 4), ("val/top1_acc", 0.5, 4)]
