"""Metrics of predictions."""

from __future__ import annotations

from pyskl.evaluation.metrics import (
    confusion_matrix,
    mean_average_precision,
    mean_class_accuracy,
    top_k_accuracy,
)

__all__ = [
    "confusion_matrix",
    "mean_average_precision",
    "mean_class_accuracy",
    "top_k_accuracy",
]
