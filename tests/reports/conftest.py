"""Work dirs of runs that never ran."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyskl.evaluation.scores import ScoreOrigin, digest_of_ids, dump_scores


@pytest.fixture
def make_run(
    write_tiny_config: Callable[..., Path], tiny_ann_file: Path, tmp_path: Path
) -> Callable[..., Path]:
    """A function that writes a work dir: ``make_run(name, scores)``; see :func:`make`."""

    def make(
        name: str,
        scores: np.ndarray | None = None,
        *,
        stream: str = "j",
        weights: str = "best",
        epochs: int = 2,
        env: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> Path:
        """Write a work dir of two epochs, of which ``epochs`` are logged.

        Args:
            name: Path below the test's folder.
            scores: Of the ten test samples (10, 3).
            stream: The feature in its pipelines.
            weights: Whose scores they are.
            epochs: The epochs in the log.
            env: In the head of the log.
            **changes: Of the config.
        """
        folder = tmp_path / name
        folder.mkdir(parents=True)
        feats = {f"data__{use}__pipeline__1__feats": [stream] for use in ("train", "val", "test")}
        write_tiny_config(folder / "tiny.py", **feats, **changes)
        lines: list[dict[str, Any]] = [{"env": dict(env or {}), "seed": 1, "processes": 1}]
        for epoch in range(1, epochs + 1):
            for step in (3, 6):
                done = epoch - 1 + step / 6
                figures = {"lr": 0.1, "loss": 2 - done, "top1_acc": done / 4, "time": 0.1}
                lines.append({"mode": "train", "epoch": epoch, "iter": step, **figures})
            lines.append({"mode": "val", "epoch": epoch, "iter": 2, "top1_acc": epoch / 4})
        log = folder / "20260101_000000.log.json"
        log.write_text("".join(json.dumps(line) + "\n" for line in lines))
        if scores is not None:
            digest = digest_of_ids([f"clip{number}" for number in range(24, 34)])
            data = [{"ann_file": str(tiny_ann_file), "split": "val"}]
            names = {"best": "best_top1_acc_epoch_1.pth", "last": f"epoch_{epochs}.pth"}
            origin = ScoreOrigin(*scores.shape, digest, data=data, checkpoint=names[weights])
            dump_scores(scores, folder / f"{weights}_pred.pkl", origin)
        return folder

    return make
