"""How long training takes from the command to the first batch in the network, and what it holds.

Real processes are started, through ``tools/launch.py`` where there are several, as
``tools/dist_train.sh CONFIG N --validate`` does; :mod:`pyskl.benchmark.first_batch` is what they
run. Each scenario has its own link to the annotation file, so that packs made on the way are new
where they are meant to be, and nothing is left beside the user's file.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mmengine.config import Config

from pyskl.benchmark import first_batch
from pyskl.benchmark.report import Figure, Table
from pyskl.benchmark.sources import has_packs, with_packs
from pyskl.benchmark.timing import alternate, spread
from pyskl.benchmark.workload import Workload, with_made_up
from pyskl.config import config_text
from pyskl.datasets.nested import map_leaves
from pyskl.errors import InputError

_TIMEOUT = 900.0  # seconds for one start, packing included
_SETTLED = 60.0  # seconds: as old as a file has to be for a pack's maker to trust its time stamp


@dataclass(frozen=True)
class Start:
    """What one start came to.

    Attributes:
        seconds: From the command to the first batch in the last process's network.
        age: From the creation of that process, which a launcher starts in its turn, likewise; None
            where the system does not tell.
        anonymous: Bytes that a process holds for itself: the most of all processes. None likewise.
        file: Bytes that are mapped from files, likewise.
        worker: Bytes that a worker process holds for itself, the most of all; None without workers.
    """

    seconds: float
    age: float | None
    anonymous: int | None
    file: int | None
    worker: int | None


class Scenario:
    """A config on annotation files of its own, started again and again.

    Args:
        workload: The config and the data.
        name: What the table calls it.
        ranks: Number of processes.
        cfg: The config to start.

    Attributes:
        starts: What the starts so far came to.
    """

    def __init__(self, workload: Workload, name: str, ranks: int, cfg: Config) -> None:
        self.name = name
        self.starts: list[Start] = []
        self._workload = workload
        self._ranks = ranks
        self._cfg = cfg
        self._folder = workload.folder / f"{ranks} {name}"

    def start(self) -> float:
        """Start once, keep what it came to, and return the seconds."""
        self.starts.append(_start(self._workload, self._config, self._ranks))
        return self.starts[-1].seconds

    @cached_property
    def _config(self) -> Path:
        """The config file, beside links to the annotation files that it names."""
        self._folder.mkdir(parents=True)
        cfg = Config(self._cfg.to_dict())
        for use in _uses(cfg):
            cfg.data[use] = map_leaves(cfg.to_dict()["data"][use], self._link)
        path = self._folder / "config.py"
        path.write_text(config_text(cfg), encoding="utf-8")
        return path

    def _link(self, leaf: dict[str, Any]) -> dict[str, Any]:
        if "ann_file" not in leaf:
            return leaf
        source = Path(leaf["ann_file"]).resolve()
        link = self._folder / source.name
        if not link.exists():
            try:
                os.link(source, link)
            except OSError:  # another file system, or one without links
                shutil.copyfile(source, link)
        return {**leaf, "ann_file": str(link)}


def measure_startup(workload: Workload) -> list[Table]:
    """Compare starts: from packs, without them, and on a data set of next to nothing."""
    tables = []
    for ranks in workload.settings.ranks:
        if ranks > 1 and workload.settings.launcher is None:
            raise InputError("several processes need a launcher: settings.launcher is None")
        tables.append(_measure(workload, ranks))
    return tables


def _measure(workload: Workload, ranks: int) -> Table:
    table = Table(f"from the command to the first batch in the network, {_processes(ranks)}")
    tiny = Scenario(workload, "tiny data set", ranks, _on_tiny_data(workload, ranks))
    scenarios = [tiny]
    if has_packs(workload.cfg, "train"):
        for name, pack in (("unpacked", False), ("packed", True)):
            cfg = workload.cfg
            for use in _uses(cfg):
                cfg = with_packs(cfg, use, pack=pack)
            scenarios.append(Scenario(workload, name, ranks, cfg))
        # Packing takes far longer than starting does, and once is enough to tell how long.
        first = scenarios[-1].start()
        scenarios[-1].starts.clear()
        table.figures.append(Figure("packed, packing included", "s", (first,)))
    else:
        scenarios.append(Scenario(workload, "whole data set", ranks, workload.cfg))
    found = alternate({one.name: one.start for one in scenarios}, workload.settings.repeats)
    empty = _middle(tiny, "anonymous"), _middle(tiny, "file")
    for scenario in scenarios:
        own, mapped = _middle(scenario, "anonymous"), _middle(scenario, "file")
        notes: dict[str, float | int | str | None] = {
            "s in process": _middle(scenario, "age"),
            "own MB": _megabytes(own),
            "own beyond tiny": _megabytes(_beyond(own, empty[0])),
            "mapped MB": _megabytes(mapped),
            "mapped beyond tiny": _megabytes(_beyond(mapped, empty[1])),
            "worker's own MB": _megabytes(_middle(scenario, "worker")),
        }
        table.figures.append(Figure(scenario.name, "s", found[scenario.name], notes))
    return table


def _processes(ranks: int) -> str:
    return "1 process" if ranks == 1 else f"{ranks} processes"


def _on_tiny_data(workload: Workload, ranks: int) -> Config:
    """Return the config on a made-up set that just fills a batch of each process."""
    cfg = Config(workload.cfg.to_dict())
    batch = workload.batch_sizes[0]
    path = workload.folder / f"tiny_{ranks}.pkl"
    cfg.data = with_made_up(cfg, _uses(cfg), path, count=2 * batch * ranks, everywhere=True)
    return cfg


def _uses(cfg: Config) -> list[str]:
    return [use for use in ("train", "val") if use in cfg.data]


def _middle(scenario: Scenario, name: str) -> float | None:
    """Return the median of one of the figures of a scenario's starts."""
    values = [getattr(start, name) for start in scenario.starts]
    known = [float(value) for value in values if value is not None]
    return spread(known).median if known else None


def _beyond(value: float | None, base: float | None) -> float | None:
    return None if value is None or base is None else value - base


def _megabytes(size: float | None) -> float | None:
    return None if size is None else size / 1e6


def _start(workload: Workload, config: Path, ranks: int) -> Start:
    """Start a training and wait for its end."""
    folder = config.parent / "figures"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file in config.parent.iterdir():
        if file.is_file():
            old = time.time() - _SETTLED
            os.utime(file, (old, old))
    launcher = [str(workload.settings.launcher), str(ranks)] if ranks > 1 else []
    command = [sys.executable, *launcher, str(first_batch.__file__), str(config), str(folder)]
    env = {**os.environ, "PYSKL_HOME": str(config.parent / "cache")}
    if workload.device.type == "cpu":
        env["CUDA_VISIBLE_DEVICES"] = ""
    began = time.time()
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=_TIMEOUT)
    except subprocess.TimeoutExpired:
        raise InputError(
            f"a start of {_processes(ranks)} took more than {_TIMEOUT:.0f} s to the first batch"
        ) from None
    figures = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("rank*.json"))
    ]
    if done.returncode != 0 or len(figures) != ranks:
        told = done.stderr.strip() or done.stdout.strip()
        raise InputError(
            f"a start of {_processes(ranks)} ended with status {done.returncode} before the first "
            f"batch:\n{told[-4000:]}"
        )
    return _summary(began, figures)


def _summary(began: float, figures: list[Mapping[str, Any]]) -> Start:
    """Return the figures of the processes of one start as one."""
    last = max(figures, key=lambda one: one["time"])
    residents = [one["resident"] for one in figures if one["resident"] is not None]
    workers = [worker for one in figures for worker in one["workers"]]
    return Start(
        seconds=last["time"] - began,
        age=last["age"],
        anonymous=max((one["anonymous"] for one in residents), default=None),
        file=max((one["file"] for one in residents), default=None),
        worker=max((one["anonymous"] for one in workers), default=None),
    )
