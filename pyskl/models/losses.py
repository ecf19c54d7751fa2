"""Cross entropy for hard and soft labels.

Shapes: N samples, L classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pyskl.errors import ConfigError
from pyskl.registry import LOSSES


@LOSSES.register_module()
class CrossEntropyLoss(nn.Module):
    """The mean cross entropy of a batch.

    Args:
        loss_weight: Factor of the loss.
        class_weight: One weight for each class. The mean is then weighted by the labels' classes,
            so that a hard label and its one-hot vector give the same loss.

    Raises:
        ConfigError: for weights that are not numbers.
    """

    class_weight: Tensor | None

    def __init__(
        self, loss_weight: float = 1.0, class_weight: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        weight = None
        if class_weight is not None:
            try:
                weight = torch.as_tensor(class_weight, dtype=torch.float32)
            except (TypeError, ValueError) as error:
                raise ConfigError(
                    "wrong weights", key="class_weight", found=class_weight, expected="numbers"
                ) from error
        # The config holds the weights, so checkpoints don't have to.
        self.register_buffer("class_weight", weight, persistent=False)

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss in float32.

        Args:
            scores: Logits (N, L).
            labels: Integers (N,) or (N, 1) from 0 to L - 1; or soft labels (N, L), whose rows are
                weights of the classes.

        Returns:
            The loss, a scalar.

        Raises:
            ValueError: for shapes or labels that don't fit the scores.
        """
        log_prob = F.log_softmax(scores.float(), dim=1)  # N, L
        weight = self.class_weight
        if weight is not None and weight.shape != scores.shape[1:]:
            raise ValueError(
                f"class_weight has the shape {tuple(weight.shape)}, but there are scores of "
                f"{scores.shape[1]} classes"
            )
        if not is_soft(scores, labels):
            hard = hard_labels(scores, labels)
            return self.loss_weight * F.nll_loss(log_prob, hard, weight)
        target = labels.to(log_prob.dtype)  # N, L
        if weight is None:
            return self.loss_weight * -(target * log_prob).sum(dim=1).mean()
        target = target * weight
        return self.loss_weight * -(target * log_prob).sum() / target.sum()


def is_soft(scores: Tensor, labels: Tensor) -> bool:
    """Return whether the labels are soft: of the scores' shape (N, L).

    Integers of shape (N, 1) are class numbers, even if there is only one class.
    """
    return labels.shape == scores.shape and (scores.shape[1] > 1 or labels.is_floating_point())


def hard_labels(scores: Tensor, labels: Tensor) -> Tensor:
    """Return class numbers (N,) from labels (N,) or (N, 1).

    Raises:
        ValueError: for a shape, type or value that does not fit the scores.
    """
    N, L = scores.shape
    if labels.shape not in ((N,), (N, 1)) or labels.is_floating_point():
        raise ValueError(
            f"labels for scores of the shape {(N, L)} are integers of the shape ({N},) or "
            f"({N}, 1), or weights of the shape {(N, L)}; found {labels.dtype} of the shape "
            f"{tuple(labels.shape)}"
        )
    hard = labels.reshape(N).long()
    # Reading values would wait for the GPU, whose kernels check them anyway.
    if hard.device.type == "cpu":
        outside = hard[(hard < 0) | (hard >= L)]
        if len(outside):
            raise ValueError(
                f"found the labels {sorted(set(outside.tolist()))[:5]}, but there are scores of "
                f"{L} classes (0 to {L - 1})"
            )
    return hard
