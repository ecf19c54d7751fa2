"""The importance of the joints for a prediction.

The importance of a joint is what its coordinates contribute to the score of a class: gradient times
input (Shrikumar et al., "Not Just a Black Box", 2016), to first order the amount by which the score
would fall if the joint were at the origin. It is summed over the coordinates of a joint in a frame;
negative sums count as 0; the rest is summed over frames, persons and clips.

The class activation map of the last features (Zhou et al., CVPR 2016) would be cheaper. But after
ten graph convolutions each of these features depends on joints ten edges away, so it says little
about which joints the evidence came from.

Shapes: N batch, M persons, T frames, V joints, C channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


def joint_importance(model: Any, keypoint: Tensor, label: int) -> np.ndarray:
    """Return how much each joint contributes to the score of a class.

    The input is that of the model's stream: in a bone stream, the bone that ends at the joint. A
    joint at the origin (as the body centre after ``PreNormalize3D``) contributes nothing.

    Args:
        model: A recognizer in ``eval()`` mode.
        keypoint: The clips of one sample, (clips, M, T, V, C), on the model's device.
        label: The class.

    Returns:
        (V,) float32 from 0 to 1, relative to the maximum; all 0 if no joint increases the score.
    """
    total = torch.zeros(keypoint.shape[3], dtype=torch.float64)
    for clip in keypoint:  # one at a time, to save memory
        inputs = clip[None].detach().clone().requires_grad_()  # 1, M, T, V, C
        with torch.enable_grad():
            score = model.logits(inputs)[0, 0, label]
            (gradient,) = torch.autograd.grad(score, inputs)
        parts = (gradient * inputs).detach().sum(dim=-1).clamp(min=0)  # 1, M, T, V
        total += parts.sum(dim=(0, 1, 2)).double().cpu()
    importance = torch.nan_to_num(total)
    return (importance / importance.max().clamp(min=1e-300)).float().numpy()
