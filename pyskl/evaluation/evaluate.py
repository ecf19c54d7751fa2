"""Compute metrics by their names in configs and on command lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pyskl.errors import InputError, did_you_mean
from pyskl.evaluation.metrics import mean_average_precision, mean_class_accuracy, top_k_accuracy

METRICS = ("top_k_accuracy", "mean_class_accuracy", "mean_average_precision")


def evaluate(
    scores: np.ndarray,
    labels: np.ndarray,
    metrics: str | Sequence[str] = ("top_k_accuracy",),
    topk: int | Sequence[int] = (1, 5),
) -> dict[str, float]:
    """Compute metrics of scores.

    Args:
        scores: (S, L), one row per sample.
        labels: (S,), or 0/1 (S, L) for ``mean_average_precision``.
        metrics: Some of :data:`METRICS`.
        topk: The k of ``'top_k_accuracy'``.

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
            found.update(zip(metric_keys([metric], topk), map(float, values)))
        elif metric == "mean_class_accuracy":
            found[metric] = float(mean_class_accuracy(scores, labels))
        else:
            one_hot = labels if labels.ndim == 2 else np.eye(scores.shape[1])[labels]
            found[metric] = float(mean_average_precision(scores, one_hot))
    return found


def check_metrics(metrics: Sequence[str]) -> None:
    """Raise an :class:`InputError` for a metric that does not exist."""
    for metric in metrics:
        if metric not in METRICS:
            raise InputError(
                f"unknown metric {metric!r}{did_you_mean(metric, METRICS)}", key="metrics"
            )


def metric_keys(metrics: Sequence[str], topk: int | Sequence[int] = (1, 5)) -> list[str]:
    """Return the keys under which :func:`evaluate` returns the metrics."""
    ks = (topk,) if isinstance(topk, int) else tuple(topk)
    keys = {"top_k_accuracy": [f"top{k}_acc" for k in ks]}
    return [key for metric in metrics for key in keys.get(metric, [metric])]


def describe_metrics(found: Mapping[str, Any]) -> str:
    """Return metrics as ``top1_acc 0.9123, top5_acc 0.9876``."""
    return ", ".join(f"{name} {value:.4f}" for name, value in found.items())
