"""The top-k accuracy of a training batch, computed where the batch is."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pyskl.models.losses.cross_entropy import hard_labels, is_soft


@torch.no_grad()
def top_k_accuracy(scores: Tensor, labels: Tensor, topk: Sequence[int] = (1, 5)) -> list[Tensor]:
    """Compute what :func:`pyskl.evaluation.top_k_accuracy` does without leaving the device.

    Args:
        scores: (N, L).
        labels: (N,) or (N, 1); or soft labels (N, L), of which the highest counts.
        topk: The values of k; a k of L or more counts every sample as a hit.

    Returns:
        A float32 scalar for each k; nothing waits for the device.
    """
    truth = labels.argmax(dim=1) if is_soft(scores, labels) else hard_labels(scores, labels)
    truth = truth.unsqueeze(1)  # N, 1
    own = scores.gather(1, truth)  # N, 1
    classes = torch.arange(scores.shape[1], device=scores.device)
    # `not <=` rather than `>`: what is not a number has to count against the prediction.
    ahead = ~(scores <= own) | ((scores == own) & (classes < truth))  # N, L
    rank = ahead.sum(dim=1)  # N
    return [((rank < k) | (k >= scores.shape[1])).float().mean() for k in topk]
