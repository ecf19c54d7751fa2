"""The content of a report on made-up predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pyskl.drawing.skeleton import Clip
from pyskl.reports.page.content import GallerySample, Predictions, ReportContent, ReportedRun
from pyskl.reports.page.gallery import choose_samples
from pyskl.reports.runs import Run
from pyskl.skeleton import LAYOUTS


def predictions(samples: int = 300, classes: int = 6, name: str = "action", seed: int = 0) -> Any:
    """Return random predictions, with most mistakes in the next two classes."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, samples)
    logits = rng.normal(size=(samples, classes))
    logits[np.arange(samples), labels] += 4
    logits[np.arange(samples), (labels + rng.integers(1, 3, samples)) % classes] += 2.5
    powers = np.exp(logits)
    return Predictions(
        (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32),
        labels,
        [f"{name}{number:05}" for number in range(samples)],
        [f"{name} {label}" for label in range(classes)],
    )


RUN = Run(
    work_dir=Path("work/run"),
    config={"total_epochs": 5},
    config_text="total_epochs = 5\n",
    lines=[
        line
        for epoch in range(1, 6)
        for line in (
            *(
                {
                    **{"mode": "train", "epoch": epoch, "iter": step, "lr": 0.1},
                    **{"loss": 3 / (4 * epoch + step), "top1_acc": (4 * epoch + step) / 24},
                }
                for step in range(1, 5)
            ),
            {"mode": "val", "epoch": epoch, "top1_acc": epoch / 6},
        )
    ],
)


def report(
    found: Predictions | None,
    gallery: int = 8,
    frames: int = 20,
    persons: int = 1,
    runs: int = 1,
    **first: Any,
) -> ReportContent:
    """Return the content of a report; the first run has these predictions."""
    rng = np.random.default_rng(1)
    samples = []
    rest = rng.normal(size=(persons, 1, 25, 3))
    for kind, index in choose_samples(found, gallery) if found is not None else []:
        keypoint = rest + rng.normal(size=(persons, frames, 25, 3)).cumsum(axis=1) * 0.02
        samples.append(GallerySample(kind, index, Clip(keypoint, importance=rng.random(25))))
    summaries = [
        ReportedRun(
            **{
                "name": f"run{number}",
                "run": RUN,
                "weights": "best, epoch 4",
                "figures": {} if found is None else {"top1_acc": float(found.hits.mean())},
                "predictions": found,
                "facts": {"seed": "3"},
                "differences": [("optimizer.lr", "0.1", "0.2")] if number else [],
                **(first if number == 0 else {}),
            }
        )
        for number in range(runs)
    ]
    return ReportContent("Report of runs", summaries, samples, LAYOUTS["nturgb+d"])
