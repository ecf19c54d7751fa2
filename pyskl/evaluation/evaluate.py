"""Scores of a data set, and what they amount to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from pyskl.datasets.sampling import TestBatches
from pyskl.distributed.processes import from_all, in_group
from pyskl.errors import InputError, did_you_mean
from pyskl.evaluation.metrics import mean_average_precision, mean_class_accuracy, top_k_accuracy
from pyskl.evaluation.scoring import predictions


def collect_scores(
    model: nn.Module,
    loader: DataLoader,
    device: torch.device,
    *,
    amp: str | None = None,
    progress: bool = False,
) -> np.ndarray:
    """Score all samples of a data set, each once, on all processes together.

    Args:
        model: A recognizer; it is put in evaluation mode and back.
        loader: From ``build_dataloader(..., shuffle=False)``.
        device: Where the model is.
        amp: See :func:`pyskl.training.precision.autocast`.
        progress: Whether to show a bar.

    Returns:
        (len(dataset), L) float32 in the order of the data set, on every process.
    """
    batches = loader.batch_sampler
    if not isinstance(batches, TestBatches):
        raise TypeError("collect_scores takes a loader built with shuffle=False")
    was_training = model.training
    model.eval()
    bar = tqdm(loader, desc="testing", disable=not progress, leave=False)
    parts = list(predictions(model, bar, device, amp=amp))
    model.train(was_training)
    mine = torch.cat(parts).cpu().numpy() if parts else None
    shares = from_all((batches.indices(), mine)) if in_group() else [(batches.indices(), mine)]
    filled = next(part for _, part in shares if part is not None)
    scores = np.empty((batches.length, *filled.shape[1:]), dtype=filled.dtype)
    for indices, part in shares:
        if part is not None:
            scores[indices] = part
    return scores


def evaluate(
    scores: np.ndarray,
    labels: np.ndarray,
    metrics: str | Sequence[str] = ("top_k_accuracy",),
    topk: int | Sequence[int] = (1, 5),
) -> dict[str, float]:
    """Measure scores.

    Args:
        scores: (S, L), one row per sample.
        labels: (S,), or 0/1 (S, L) for ``mean_average_precision``.
        metrics: Some of ``'top_k_accuracy'``, ``'mean_class_accuracy'``,
            ``'mean_average_precision'``.
        topk: The k of the first.

    Returns:
        ``{'top1_acc': ..., 'top5_acc': ..., 'mean_class_accuracy': ...}``, each from 0 to 1.

    Raises:
        InputError: for an unknown metric.
    """
    metrics = [metrics] if isinstance(metrics, str) else list(metrics)
    topk = (topk,) if isinstance(topk, int) else tuple(topk)
    check_metrics(metrics)
    found: dict[str, float] = {}
    for metric in metrics:
        if metric == "top_k_accuracy":
            values = top_k_accuracy(scores, labels, topk)
            found.update(zip(figure_names([metric], topk), map(float, values)))
        elif metric == "mean_class_accuracy":
            found[metric] = float(mean_class_accuracy(scores, labels))
        else:
            found[metric] = float(mean_average_precision(scores, _multi_hot(scores, labels)))
    return found


METRICS = ("top_k_accuracy", "mean_class_accuracy", "mean_average_precision")


def check_metrics(metrics: Sequence[str]) -> None:
    """Raise an :class:`InputError` for a metric that does not exist."""
    for metric in metrics:
        if metric not in METRICS:
            raise InputError(f"there is no metric {metric!r}{did_you_mean(metric, METRICS)}")


def figure_names(metrics: Sequence[str], topk: int | Sequence[int] = (1, 5)) -> list[str]:
    """Return the names under which :func:`evaluate` returns the metrics."""
    ks = (topk,) if isinstance(topk, int) else tuple(topk)
    names = {"top_k_accuracy": [f"top{k}_acc" for k in ks]}
    return [name for metric in metrics for name in names.get(metric, [metric])]


def _multi_hot(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    if labels.ndim == 2:
        return labels
    hot = np.zeros(scores.shape, dtype=np.float32)
    hot[np.arange(len(labels)), labels] = 1
    return hot


def describe_metrics(found: Mapping[str, Any]) -> str:
    """Return metrics as ``top1_acc 0.9123, top5_acc 0.9876``."""
    return ", ".join(f"{name} {value:.4f}" for name, value in found.items())
