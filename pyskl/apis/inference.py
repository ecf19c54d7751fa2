"""Build recognizers for inference.

:mod:`pyskl.inference` applies them to samples, recordings and streams.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from pyskl.checkpoints.checkpoint import open_checkpoint
from pyskl.checkpoints.weights import load_weights
from pyskl.config import load_config
from pyskl.distributed.env import usable_device
from pyskl.models import build_model
from pyskl.models.convert import replace_sync_batchnorm


def init_recognizer(
    config: str | Path | Mapping[str, Any] | Config,
    checkpoint: str | Path | None = None,
    device: str | torch.device = "cpu",
    *,
    trusted: bool = False,
) -> nn.Module:
    """Build a recognizer that is ready for :func:`pyskl.apis.inference_recognizer`.

    Args:
        config: The config, or its path.
        checkpoint: Path or URL of the weights; None leaves them random.
        device: Where to put the model.
        trusted: Load the checkpoint with plain pickle, which can run code.

    Returns:
        The model in evaluation mode; its config is in ``model.cfg``.

    Raises:
        InputError: for errors in the config or the checkpoint.
        DeviceError: if torch can't use the device.
    """
    device = usable_device(device)
    cfg = load_config(config)
    model = build_model(cfg.model)
    if checkpoint is not None:
        opened = open_checkpoint(checkpoint, trusted=trusted)
        load_weights(model, opened.state_dict, opened.source)
    if device.type == "cpu":
        model = replace_sync_batchnorm(model)
    model.cfg = cfg
    return model.to(device).eval()
