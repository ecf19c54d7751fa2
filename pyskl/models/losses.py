"""Losses for hard and soft labels.

Shapes: N samples, L classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pyskl.errors import ConfigError
from pyskl.registry import LOSSES


class _WeightedLoss(nn.Module):
    """A loss with a factor, and a weight for each class."""

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
            if not (weight.isfinite() & (weight >= 0)).all():
                raise ConfigError(
                    "wrong weights",
                    key="class_weight",
                    found=class_weight,
                    expected="numbers from 0 up",
                )
        # The config holds the weights, so checkpoints don't have to.
        self.register_buffer("class_weight", weight, persistent=False)

    def check_weights(self, classes: int) -> None:
        """Check that there is one weight for each class.

        Raises:
            ConfigError: if not.
        """
        weight = self.class_weight
        if weight is not None and weight.shape != (classes,):
            raise ConfigError(
                "does not have one weight for each class",
                key="class_weight",
                found=f"weights of the shape {tuple(weight.shape)}",
                expected=f"{classes} numbers",
            )


@LOSSES.register_module()
class CrossEntropyLoss(_WeightedLoss):
    """The mean cross entropy of a batch.

    Args:
        loss_weight: Factor of the loss.
        class_weight: One weight for each class. The mean is then weighted by the labels' classes,
            so that a hard label and its one-hot vector give the same loss.

    Raises:
        ConfigError: for weights that are not numbers.
    """

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
        self.check_weights(scores.shape[1])
        if not is_soft(scores, labels):
            hard = hard_labels(scores, labels)
            return self.loss_weight * F.nll_loss(log_prob, hard, weight)
        target = labels.to(log_prob.dtype)  # N, L
        if weight is None:
            return self.loss_weight * -(target * log_prob).sum(dim=1).mean()
        target = target * weight
        return self.loss_weight * -(target * log_prob).sum() / target.sum()


@LOSSES.register_module()
class BCELossWithLogits(_WeightedLoss):
    """The binary cross entropy of each class on its own: for samples with several classes.

    Args:
        loss_weight: Factor of the loss.
        class_weight: One weight for each class, by which its terms are multiplied.

    Raises:
        ConfigError: for weights that are not numbers.
    """

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Compute the mean over samples and classes in float32.

        Args:
            scores: Logits (N, L).
            labels: 0 to 1 for each class (N, L); or integers (N,) or (N, 1) from 0 to L - 1, which
                stand for their one-hot vectors.

        Returns:
            The loss, a scalar.

        Raises:
            ValueError: for shapes or labels that don't fit the scores.
        """
        self.check_weights(scores.shape[1])
        target = labels
        if not is_soft(scores, labels):
            target = F.one_hot(hard_labels(scores, labels), scores.shape[1])
        return self.loss_weight * F.binary_cross_entropy_with_logits(
            scores.float(), target.float(), self.class_weight
        )


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
