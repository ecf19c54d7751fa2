"""The recognizer of graph networks.

Shapes: N batch, M persons, T frames, V joints, C channels, L classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pyskl.errors import ConfigError, did_you_mean
from pyskl.registry import BACKBONES, HEADS, RECOGNIZERS, BackboneConfig, HeadConfig

_AVERAGES = ("prob", "score")


@RECOGNIZERS.register_module()
class RecognizerGCN(nn.Module):
    """A backbone and a head: keypoints → loss in training, scores in testing.

    Args:
        backbone: ``dict(type='STGCN', ...)``, or a module that maps (N, M, T, V, C) to
            (N, M, C', T', V). If it has a method ``init_weights``, that is called.
        cls_head: ``dict(type='GCNHead', ...)``, or a module that maps the features to logits (N, L)
            and has ``loss(scores, labels)``.
        train_cfg: Not used: None or an empty dict.
        test_cfg: ``dict(average_clips=...)``, see :attr:`average_clips`.

    Raises:
        ConfigError: for unknown names, arguments or ``average_clips``.

    Example:
        >>> import torch
        >>> model = RecognizerGCN(
        ...     backbone=dict(type='STGCN', graph_cfg=dict(layout='coco', mode='stgcn_spatial')),
        ...     cls_head=dict(type='GCNHead', num_classes=60, in_channels=256),
        ... ).eval()
        >>> model.predict(torch.zeros(2, 10, 1, 16, 17, 3)).shape
        torch.Size([2, 60])
    """

    def __init__(
        self,
        backbone: BackboneConfig | nn.Module,
        cls_head: HeadConfig | nn.Module,
        train_cfg: Mapping[str, Any] | None = None,
        test_cfg: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        known = {"train_cfg": (), "test_cfg": ("average_clips",)}
        for name, cfg in (("train_cfg", train_cfg), ("test_cfg", test_cfg)):
            for key in cfg or ():
                if key not in known[name]:
                    hint = did_you_mean(str(key), known[name]).removeprefix("; ") or None
                    raise ConfigError("unknown key", key=f"{name}.{key}", hint=hint)
        self.average_clips = (test_cfg or {}).get("average_clips", "prob")
        self.backbone = BACKBONES.build(backbone)
        if hasattr(self.backbone, "init_weights"):  # networks of the family's forks have it
            self.backbone.init_weights()
        self.cls_head = HEADS.build(cls_head)

    @property
    def average_clips(self) -> str | None:
        """How :meth:`predict` averages the clips of a sample.

        ``'prob'``: the mean of the softmax; ``'score'``: the mean of the logits; None: not at all.
        """
        return self._average_clips

    @average_clips.setter
    def average_clips(self, value: str | None) -> None:
        if value is not None and value not in _AVERAGES:
            hint = did_you_mean(str(value), _AVERAGES).removeprefix("; ")
            raise ConfigError("unknown choice", key="average_clips", found=value, hint=hint)
        self._average_clips = value

    def extract_feat(self, keypoint: Tensor) -> Tensor:
        """Compute the features (N, M, C', T', V) of keypoints (N, M, T, V, C)."""
        return self.backbone(keypoint)

    def logits(self, keypoint: Tensor) -> Tensor:
        """Compute the logits of each clip.

        Args:
            keypoint: (N, clips, M, T, V, C), or (N, M, T, V, C) for one clip.

        Returns:
            Logits (N, clips, L).

        Raises:
            ValueError: for another rank, or joints and channels that don't fit the backbone.
        """
        clips = _with_clips(keypoint)
        features = self.extract_feat(clips.flatten(0, 1))  # N·clips, M, C', T', V
        return self.cls_head(features).unflatten(0, clips.shape[:2])  # N, clips, L

    def loss(self, keypoint: Tensor, label: Tensor) -> dict[str, Tensor]:
        """Compute the loss of a training batch.

        Args:
            keypoint: (N, 1, M, T, V, C) or (N, M, T, V, C).
            label: (N,) or (N, 1), or soft labels (N, L).

        Returns:
            Scalars on the batch's device: ``loss_cls``, ``top1_acc``, ``top5_acc``, and ``loss``,
            the sum of all values whose name contains "loss"; ``loss`` is the one to differentiate.

        Raises:
            ValueError: if a sample has several clips.
        """
        clips = _with_clips(keypoint)
        if clips.shape[1] != 1:
            raise ValueError(
                f"training takes one clip of each sample, found {clips.shape[1]} (keypoint of the "
                f"shape {tuple(keypoint.shape)}); set num_clips=1 in the training pipeline"
            )
        losses: dict[str, Tensor] = self.cls_head.loss(self.logits(clips).squeeze(1), label)
        parts = [value for name, value in losses.items() if "loss" in name]
        return {**losses, "loss": torch.stack(parts).sum()}

    @torch.no_grad()
    def predict(self, keypoint: Tensor) -> Tensor:
        """Score samples. Call ``eval()`` first, or dropout makes the scores random.

        Args:
            keypoint: (N, clips, M, T, V, C), or (N, M, T, V, C) for one clip.

        Returns:
            float32 (N, L), averaged over the clips according to :attr:`average_clips`; logits
            (N, clips, L) if it is None.
        """
        logits = self.logits(keypoint).float()  # N, clips, L
        if self.average_clips is None:
            return logits
        if self.average_clips == "prob":
            logits = logits.softmax(dim=2)
        return logits.mean(dim=1)  # N, L

    def forward(
        self, keypoint: Tensor, label: Tensor | None = None, return_loss: bool = True
    ) -> dict[str, Tensor] | np.ndarray:
        """Call :meth:`loss` or :meth:`predict`, with the arguments of PYSKL.

        Args:
            keypoint: (N, clips, M, T, V, C).
            label: See :meth:`loss`; required if ``return_loss``.
            return_loss: Whether to return the loss or the scores.

        Returns:
            The dict of :meth:`loss`, or the scores of :meth:`predict` as a NumPy array.

        Raises:
            ValueError: if there is no label to compute the loss.
        """
        if not return_loss:
            return self.predict(keypoint).cpu().numpy()
        if label is None:
            raise ValueError("the loss needs label; pass return_loss=False for scores")
        return self.loss(keypoint, label)


def _with_clips(keypoint: Tensor) -> Tensor:
    """Return keypoints as (N, clips, M, T, V, C)."""
    if keypoint.dim() == 5:
        return keypoint.unsqueeze(1)
    if keypoint.dim() != 6:
        raise ValueError(
            "a recognizer takes keypoints (N, clips, M, T, V, C) or (N, M, T, V, C), found the "
            f"shape {tuple(keypoint.shape)}"
        )
    return keypoint
