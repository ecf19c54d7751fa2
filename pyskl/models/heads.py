"""The head of graph networks: pooling, dropout, classifier.

Shapes: N batch, M persons, T frames, V joints, C channels, L classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pyskl.errors import ConfigError
from pyskl.models.losses import CrossEntropyLoss, hard_labels, is_soft
from pyskl.registry import HEADS, LOSSES, LossConfig


@HEADS.register_module()
class GCNHead(nn.Module):
    """Average the features over frames, joints and persons, and classify the result.

    Absent persons, which went through the network as zeros, count in the average like any other:
    published weights were trained this way.

    Args:
        num_classes: Number of classes L.
        in_channels: Channels C of the features.
        loss_cls: The loss, ``dict(type=..., ...)`` or a module; by default
            :class:`pyskl.models.CrossEntropyLoss`.
        dropout: Probability that a feature is dropped in training.
        init_std: Standard deviation of the initial weights; biases start at zero.

    Raises:
        ConfigError: for values out of range.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        loss_cls: LossConfig | nn.Module | None = None,
        dropout: float = 0.0,
        init_std: float = 0.01,
    ) -> None:
        super().__init__()
        for key, value, valid, expected in (
            ("num_classes", num_classes, num_classes >= 1, "1 or more"),
            ("in_channels", in_channels, in_channels >= 1, "1 or more"),
            ("dropout", dropout, 0 <= dropout <= 1, "0 to 1"),
            ("init_std", init_std, init_std >= 0, "0 or more"),
        ):
            if not valid:
                raise ConfigError("wrong number", key=key, found=value, expected=expected)
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.loss_cls = CrossEntropyLoss() if loss_cls is None else LOSSES.build(loss_cls)
        if hasattr(self.loss_cls, "check_weights"):
            self.loss_cls.check_weights(num_classes)
        self.dropout = nn.Dropout(dropout)
        self.fc_cls = nn.Linear(in_channels, num_classes)
        nn.init.normal_(self.fc_cls.weight, std=init_std)
        nn.init.zeros_(self.fc_cls.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Compute logits (N, L) from features (N, M, C, T, V).

        Raises:
            ValueError: for another rank or number of channels.
        """
        if x.dim() != 5 or x.shape[2] != self.in_channels:
            raise ValueError(
                f"GCNHead takes features (N, M, C={self.in_channels}, T, V), found the shape "
                f"{tuple(x.shape)}; in_channels of the head is the width of the backbone's output"
            )
        x = x.mean(dim=(3, 4)).mean(dim=1)  # N, C
        return self.fc_cls(self.dropout(x))  # N, L

    def loss(self, scores: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compute the loss and the accuracy of a batch.

        Args:
            scores: Logits (N, L).
            labels: (N,) or (N, 1), or soft labels (N, L).

        Returns:
            Scalars ``loss_cls``, ``top1_acc`` and ``top5_acc``, on the scores' device.
        """
        top1, top5 = top_k_accuracy(scores.detach(), labels, (1, 5))
        return {"loss_cls": self.loss_cls(scores, labels), "top1_acc": top1, "top5_acc": top5}


@torch.no_grad()
def top_k_accuracy(scores: Tensor, labels: Tensor, topk: Sequence[int] = (1, 5)) -> list[Tensor]:
    """Compute :func:`pyskl.evaluation.top_k_accuracy` on the device of the scores.

    Args:
        scores: (N, L).
        labels: (N,) or (N, 1); or soft labels (N, L), whose highest class counts.
        topk: The values of k; a k of L or more counts every sample as a hit.

    Returns:
        A float32 scalar for each k.
    """
    truth = labels.argmax(dim=1) if is_soft(scores, labels) else hard_labels(scores, labels)
    truth = truth.unsqueeze(1)  # N, 1
    true_score = scores.gather(1, truth)  # N, 1
    classes = torch.arange(scores.shape[1], device=scores.device)
    # `~(<=)` rather than `>`, so that NaN counts as a miss.
    better = ~(scores <= true_score) | ((scores == true_score) & (classes < truth))  # N, L
    rank = better.sum(dim=1)  # N
    return [((rank < k) | (k >= scores.shape[1])).float().mean() for k in topk]
