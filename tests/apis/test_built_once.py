"""A run builds each network and data set once, and opens each file once."""

from __future__ import annotations

import inspect
import pickle
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pyskl.apis import TrainSettings, train_from_config
from pyskl.datasets import PoseDataset
from pyskl.datasets.pipelines import UniformSample
from pyskl.models.recognizers import RecognizerGCN

EVERYTHING = TrainSettings(validate=True, test_last=True, test_best=True)


class Counts:
    """Counts constructor calls, and how often files are opened for reading while it is active."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.built: Counter[str] = Counter()
        self.opened: Counter[str] = Counter()
        self.active = True
        for cls in (RecognizerGCN, PoseDataset, UniformSample):
            monkeypatch.setattr(cls, "__init__", self._counting(cls.__name__, cls.__init__))
        sys.addaudithook(self._hook)  # for ever, so it looks whether it is active

    def _counting(self, name: str, init: Callable[..., None]) -> Callable[..., None]:
        def counting(*args: Any, **kwargs: Any) -> None:
            self.built[name] += 1
            init(*args, **kwargs)

        counting.__signature__ = inspect.signature(init)  # type: ignore[attr-defined]
        counting.__annotations__ = init.__annotations__
        return counting

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        reading = event == "open" and isinstance(arguments[0], str) and arguments[1] in ("r", "rb")
        if self.active and reading:
            self.opened[Path(arguments[0]).name] += 1


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counts]:
    counted = Counts(monkeypatch)
    yield counted
    counted.active = False


def _config(tiny_config: Callable[..., dict], tiny_ann_file: Path, folder: Path) -> dict[str, Any]:
    """Return a config with a file of its own, as files are kept open within a process."""
    path = folder / "own.pkl"
    path.write_bytes(pickle.dumps(pickle.loads(tiny_ann_file.read_bytes())))
    return tiny_config(path)


def test_a_training_with_validation_and_tests(
    tiny_config: Callable[..., dict], tiny_ann_file: Path, tmp_path: Path, counts: Counts
) -> None:
    config = _config(tiny_config, tiny_ann_file, tmp_path)
    counts.opened.clear()
    train_from_config(config, EVERYTHING, work_dir=tmp_path / "work")
    assert counts.built == {"RecognizerGCN": 1, "PoseDataset": 3, "UniformSample": 3}
    assert counts.opened["own.pkl"] == 2  # once for its hash, which checkpoints hold


def test_equal_validation_and_test_sets_are_built_once(
    tiny_config: Callable[..., dict], tiny_ann_file: Path, tmp_path: Path, counts: Counts
) -> None:
    config = _config(tiny_config, tiny_ann_file, tmp_path)
    config["data"]["test"] = config["data"]["val"]
    train_from_config({**config, "total_epochs": 1}, EVERYTHING, work_dir=tmp_path / "work")
    assert counts.built == {"RecognizerGCN": 1, "PoseDataset": 2, "UniformSample": 2}


def test_a_resumed_run_reads_its_checkpoint_once(
    tiny_config: Callable[..., dict], tmp_path: Path, counts: Counts
) -> None:
    train_from_config(tiny_config(total_epochs=1), work_dir=tmp_path)
    counts.opened.clear()
    train_from_config(tiny_config(total_epochs=2), TrainSettings(resume=True), work_dir=tmp_path)
    checkpoints = {name: n for name, n in counts.opened.items() if name.endswith(".pth")}
    # Once for its checksum and once by torch.
    assert checkpoints == {"latest.pth": 2}
