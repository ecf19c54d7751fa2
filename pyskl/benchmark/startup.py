"""Measure time and memory from the command to the first batch in the network.

It starts real processes, several through ``tools/launch.py``, like
``tools/dist_train.sh CONFIG N --validate``; they run :mod:`pyskl.benchmark.first_batch`. Each
scenario has its own link to the annotation file, so that it makes its own packs and leaves nothing
next to the user's file.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from pyskl.benchmark import first_batch
from pyskl.benchmark.loaders import supports_packs, with_packs
from pyskl.benchmark.report import Table
from pyskl.benchmark.timing import alternate, spread
from pyskl.benchmark.workload import Workload, with_synthetic_data
from pyskl.config import config_text
from pyskl.datasets.dataset_tree import map_leaves
from pyskl.errors import InputError

_TIMEOUT = 900.0  # seconds for one start, packing included
_SETTLED = 60.0  # seconds: packs trust the time stamps of files of this age


def measure_startup(workload: Workload) -> list[Table]:
    """Compare starts from packs, without packs, and on a tiny data set."""
    tables = []
    for ranks in workload.settings.ranks:
        if ranks > 1 and workload.settings.launcher is None:
            raise InputError("several processes need a launcher", key="launcher")
        tables.append(_measure(workload, ranks))
    return tables


def _measure(workload: Workload, ranks: int) -> Table:
    table = Table(f"from the command to the first batch in the network, {_processes(ranks)}")
    cfg = workload.cfg
    tiny = Scenario(workload, "tiny data set", ranks, _on_tiny_data(workload, ranks))
    scenarios = [tiny]
    if supports_packs(cfg, "train"):
        unpacked = packed = cfg
        for use in _uses(cfg):
            unpacked, packed = (
                with_packs(unpacked, use, pack=False),
                with_packs(packed, use, pack=True),
            )
        scenarios.append(Scenario(workload, "unpacked", ranks, unpacked))
        scenarios.append(Scenario(workload, "packed", ranks, packed))
        # Packing takes much longer than starting, so one measurement is enough.
        table.add("packed, packing included", "s", (scenarios[-1].start(),))
        scenarios[-1].figures.clear()
    else:
        scenarios.append(Scenario(workload, "whole data set", ranks, cfg))
    found = alternate({one.name: one.start for one in scenarios}, workload.settings.repeats)
    for scenario in scenarios:
        own, mapped = scenario.median("anonymous"), scenario.median("file")
        notes = {
            "s in process": scenario.median("age"),
            "own MB": own,
            "own beyond tiny": _difference(own, tiny.median("anonymous")),
            "mapped MB": mapped,
            "mapped beyond tiny": _difference(mapped, tiny.median("file")),
            "worker's own MB": scenario.median("worker"),
        }
        table.add(scenario.name, "s", found[scenario.name], **notes)
    return table


class Scenario:
    """A config with its own annotation files that is started repeatedly.

    Args:
        workload: The config and the data.
        name: The name in the table.
        ranks: Number of processes.
        cfg: The config to start.

    Attributes:
        figures: For each start, name → value: ``'age'``, the seconds since the creation of the last
            process; ``'anonymous'`` and ``'file'``, MB of a process's own memory and of mapped
            files, and ``'worker'``, MB of a worker's own memory, the maximum over all processes.
            None if the system does not report it.
    """

    def __init__(self, workload: Workload, name: str, ranks: int, cfg: Config) -> None:
        self.name = name
        self.figures: list[dict[str, float | None]] = []
        self._workload = workload
        self._ranks = ranks
        self._folder = workload.folder / f"{ranks} {name}"
        self._folder.mkdir(parents=True)
        cfg = Config(cfg.to_dict())
        for use in _uses(cfg):
            cfg.data[use] = map_leaves(cfg.to_dict()["data"][use], self._with_link)
        self._config = self._folder / "config.py"
        self._config.write_text(config_text(cfg), encoding="utf-8")

    def _with_link(self, leaf: dict[str, Any]) -> dict[str, Any]:
        """Return the config of a data set with a link to its annotation file."""
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

    def median(self, name: str) -> float | None:
        """Return the median of a figure over the starts."""
        values = [value for figures in self.figures if (value := figures[name]) is not None]
        return spread(values).median if values else None

    def start(self) -> float:
        """Start once; return the seconds from the command to the last process's first batch.

        Raises:
            InputError: if the training fails or takes too long.
        """
        folder = self._folder / "figures"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        settled = time.time() - _SETTLED
        for file in self._folder.iterdir():
            if file.is_file():
                os.utime(file, (settled, settled))
        launcher = [str(self._workload.settings.launcher), str(self._ranks)]
        command = [
            sys.executable,
            *(launcher if self._ranks > 1 else []),
            *(str(first_batch.__file__), str(self._config), str(folder)),
        ]
        env = {**os.environ, "PYSKL_HOME": str(self._folder / "cache")}
        if self._workload.device.type == "cpu":
            env["CUDA_VISIBLE_DEVICES"] = ""
        began = time.time()
        try:
            done = subprocess.run(
                command, env=env, capture_output=True, text=True, timeout=_TIMEOUT
            )
        except subprocess.TimeoutExpired:
            raise InputError(
                f"{_processes(self._ranks)} took more than {_TIMEOUT:.0f} s to the first batch"
            ) from None
        found = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("rank*.json")]
        if done.returncode != 0 or len(found) != self._ranks:
            output = done.stderr.strip() or done.stdout.strip()
            raise InputError(
                f"{_processes(self._ranks)} ended with status {done.returncode} before the first "
                f"batch:\n{output[-4000:]}"
            )
        last = max(found, key=lambda one: one["time"])
        self.figures.append(
            {
                "age": last["age"],
                "anonymous": _most(found, "anonymous"),
                "file": _most(found, "file"),
                "worker": _most(found, "worker"),
            }
        )
        return last["time"] - began


def _most(found: list[Mapping[str, Any]], name: str) -> float | None:
    """Return the maximum of a size over the processes, in MB."""
    values = [one[name] for one in found if one[name] is not None]
    return max(values) / 1e6 if values else None


def _difference(value: float | None, base: float | None) -> float | None:
    return None if value is None or base is None else value - base


def _processes(ranks: int) -> str:
    return "1 process" if ranks == 1 else f"{ranks} processes"


def _uses(cfg: Config) -> list[str]:
    return [use for use in ("train", "val") if use in cfg.data]


def _on_tiny_data(workload: Workload, ranks: int) -> Config:
    """Return the config on a synthetic set of two batches for each process."""
    cfg = Config(workload.cfg.to_dict())
    path = workload.folder / f"tiny_{ranks}.pkl"
    count = 2 * workload.batch_sizes[0] * ranks
    cfg.data = with_synthetic_data(cfg, _uses(cfg), path, count=count, everywhere=True)
    return cfg
