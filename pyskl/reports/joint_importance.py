"""Which joints a prediction came from.

The importance of a joint is what its coordinates contributed to the score of a class: gradient
times input (Shrikumar et al., "Not Just a Black Box", 2016), which to first order is how far the
score would fall if the joint were at the origin. Sums over the coordinates of a joint in a frame
that are below 0 speak against the class and count as 0; the rest is summed over frames, persons and
clips.

The class activation map of the last features (Zhou et al., CVPR 2016) would be cheaper, but after
ten graph convolutions each of these features has seen joints ten edges away: it tells which part of
the graph the evidence ended up in rather than which joints it came from.

Shapes: N batch, M persons, T frames, V joints, C channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


def joint_importance(model: Any, keypoint: Tensor, label: int) -> np.ndarray:
    """Return how much each joint contributed to the score of a class.

    The input is that of the model's stream: of a bone stream, the bone that ends at the joint. A
    joint that is at the origin (as the body centre after ``PreNormalize3D``) contributes nothing.

    Args:
        model: A recognizer in ``eval()`` mode.
        keypoint: The clips of one sample, (clips, M, T, V, C), where the model is.
        label: The class.

    Returns:
        (V,) float32 from 0 to 1, the greatest 1; all 0 where nothing speaks for the class.
    """
    total = np.zeros(keypoint.shape[3])
    for clip in keypoint:  # one by one: their activations take their space
        inputs = clip[None].detach().clone().requires_grad_()  # 1, M, T, V, C
        with torch.enable_grad():
            score = model.logits(inputs)[0, 0, label]
            (gradient,) = torch.autograd.grad(score, inputs)
        parts = (gradient * inputs).detach().sum(dim=-1).clamp(min=0)  # 1, M, T, V
        total += parts.sum(dim=(0, 1, 2)).double().cpu().numpy()
    greatest = float(np.nan_to_num(total).max())
    return (np.nan_to_num(total) / greatest if greatest > 0 else np.zeros_like(total)).astype(
        np.float32
    )
