"""The head of graph networks: pool, drop, classify.

Shapes: N batch, M persons, T frames, V joints, C channels, L classes.
"""

from __future__ import annotations

from torch import Tensor, nn

from pyskl.errors import ConfigError
from pyskl.models.heads.accuracy import top_k_accuracy
from pyskl.models.losses.cross_entropy import CrossEntropyLoss
from pyskl.registry import HEADS, LOSSES, LossConfig

# What is measured on each training batch.
_TOPK = (1, 5)


@HEADS.register_module()
class GCNHead(nn.Module):
    """Average the features over frames, joints and persons, and classify the result.

    Absent persons, which went through the network as zeros, count in the average as any other:
    published weights were trained so.

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
        if num_classes < 1 or in_channels < 1:
            raise ConfigError(
                f"GCNHead: num_classes and in_channels are 1 or more, found {num_classes} and "
                f"{in_channels}"
            )
        if not 0 <= dropout <= 1:
            raise ConfigError(f"GCNHead: dropout is from 0 to 1, found {dropout}")
        if init_std < 0:
            raise ConfigError(f"GCNHead: init_std is 0 or more, found {init_std}")
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.loss_cls = CrossEntropyLoss() if loss_cls is None else LOSSES.build(loss_cls)
        self.dropout = nn.Dropout(dropout)
        self.fc_cls = nn.Linear(in_channels, num_classes)
        nn.init.normal_(self.fc_cls.weight, std=init_std)
        nn.init.zeros_(self.fc_cls.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Score features.

        Args:
            x: (N, M, C, T, V).

        Returns:
            Logits (N, L).

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
        """Compute the loss of a batch, and how many of it are right.

        Args:
            scores: Logits (N, L).
            labels: (N,) or (N, 1), or soft labels (N, L).

        Returns:
            Scalars ``loss_cls``, ``top1_acc`` and ``top5_acc``, on the scores' device.
        """
        accuracies = top_k_accuracy(scores.detach(), labels, _TOPK)
        return {
            "loss_cls": self.loss_cls(scores, labels),
            **{f"top{k}_acc": value for k, value in zip(_TOPK, accuracies, strict=True)},
        }
