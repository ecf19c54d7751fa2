"""Start a training as ``tools/train.py --validate`` does, and stop where its network gets a batch.

Run by :mod:`pyskl.benchmark.startup`, in one process or several:
``python first_batch.py CONFIG FOLDER [--launcher pytorch]``. Each process leaves
``FOLDER/rank<N>.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn


class _Reached(BaseException):
    """The first batch has reached the network; nothing on the way is to handle this."""


def main() -> None:
    """Train until then."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--launcher", default="none")
    args = parser.parse_args()

    from torch.nn.modules.module import register_module_forward_pre_hook

    from pyskl.apis import TrainSettings, train_from_config
    from pyskl.config import load_config
    from pyskl.registry import RECOGNIZERS

    recognizers: tuple[type[Any], ...] = tuple(map(RECOGNIZERS.get, RECOGNIZERS.names()))

    def stop(module: Any, _: Any) -> None:
        if isinstance(module, recognizers) and module.training:
            _leave_figures(args.folder)
            raise _Reached

    register_module_forward_pre_hook(stop)
    cfg = load_config(args.config)
    settings = TrainSettings(validate="val" in cfg.data)
    try:
        train_from_config(cfg, settings, work_dir=args.folder / "work", launcher=args.launcher)
    except _Reached:
        return
    _never()


def _leave_figures(folder: Path) -> None:
    """Write what this process has taken so far: time and memory, its workers' too."""
    from pyskl.training.memory import children, process_age, resident

    now, age = time.time(), process_age()
    mine = resident()
    workers = [found for found in map(resident, children()) if found is not None]
    figures = {
        "time": now,
        "age": age,
        "resident": None if mine is None else asdict(mine),
        "workers": [asdict(worker) for worker in workers],
    }
    path = folder / f"rank{os.environ.get('RANK', '0')}.json"
    path.write_text(json.dumps(figures), encoding="utf-8")


def _never() -> NoReturn:
    raise SystemExit("the training ended before a batch reached the network")


if __name__ == "__main__":
    main()
