"""Four runs side by side, of the streams j, b, jm and bm: one trained, the others made of it."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
from tool_commands import Run

from pyskl.evaluation.scores import ScoreOrigin, dump_scores, read_origin

STREAMS = ("j", "b", "jm", "bm")


def make_streams(trained: Run, folder: Path) -> dict[str, Path]:
    """Write the work dirs ``folder/{j,b,jm,bm}``.

    All but ``j`` have scores of chance, with the probabilities' sum of 1; their configs make the
    features that their names say.

    Returns:
        The work dirs by stream.
    """
    work_dirs = {}
    for number, stream in enumerate(STREAMS):
        work_dir = Path(shutil.copytree(trained.work_dir, folder / stream, symlinks=True))
        work_dirs[stream] = work_dir
        if stream == "j":
            continue
        config = work_dir / "tiny.py"
        text = config.read_text(encoding="utf-8")
        assert "feats=['j']" in text
        config.write_text(text.replace("feats=['j']", f"feats=['{stream}']"), encoding="utf-8")
        lines = []
        for name in ("last", "best"):
            path = work_dir / f"{name}_pred.pkl"
            origin = read_origin(path)
            assert origin is not None
            random = np.random.default_rng(number).random((len(scores(path)), 3))
            made = (random / random.sum(axis=1, keepdims=True)).astype(np.float32)
            dump_scores(made, path, ScoreOrigin(**{**origin.__dict__, "config": None}))
        (log,) = work_dir.glob("*.log.json")
        for line in log.read_text().splitlines():
            figures = json.loads(line)
            if figures.get("mode") != "test":  # it tells of the scores that were replaced
                lines.append(json.dumps(figures))
        log.write_text("\n".join(lines) + "\n")
    return work_dirs


def scores(path: Path) -> np.ndarray:
    """Return the scores in a pickle."""
    return np.array(pickle.loads(path.read_bytes()))


def labels(trained: Run) -> np.ndarray:
    """Return the labels of the test samples: see ``tests/conftest.py``."""
    return np.arange(24, 34) % 3
