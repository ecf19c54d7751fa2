"""Start a training like ``tools/train.py --validate``, and stop at the network's first batch.

:mod:`pyskl.benchmark.startup` runs it in one process or several:
``python first_batch.py CONFIG FOLDER [--launcher pytorch]``. Each process writes
``FOLDER/rank<N>.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any


class _FirstBatchReached(BaseException):
    """The first batch has reached the network; not an Exception, so that no handler catches it."""


def main() -> None:
    """Train until the first batch."""
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
            _write_figures(args.folder)
            raise _FirstBatchReached

    register_module_forward_pre_hook(stop)
    cfg = load_config(args.config)
    settings = TrainSettings(validate="val" in cfg.data)
    try:
        train_from_config(cfg, settings, work_dir=args.folder / "work", launcher=args.launcher)
    except _FirstBatchReached:
        return
    raise SystemExit("the training ended before a batch reached the network")


def _write_figures(folder: Path) -> None:
    """Write the time and memory that this process and its workers have taken so far."""
    from pyskl.training.memory import children, process_age, resident

    figures: dict[str, float | None] = {"time": time.time(), "age": process_age()}
    own = resident()
    workers = [found.anonymous for found in map(resident, children()) if found is not None]
    figures["anonymous"] = None if own is None else own.anonymous
    figures["file"] = None if own is None else own.file
    figures["worker"] = max(workers, default=None)
    path = folder / f"rank{os.environ.get('RANK', '0')}.json"
    path.write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
