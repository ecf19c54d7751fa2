"""Compare a network of the family with recorded values of the original implementation.

A network is named as in ``family_info.json``, for example ``msg3d``. Its small form has recorded
outputs and a short training; some also have a full form with the statistics of initial weights.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyskl.models import RecognizerGCN, build_model

SMALL, FULL = "nturgb+d/small", "nturgb+d/full"
# The deviation of a sample varies by about 1 / sqrt(2 * size): by 0.7 % here, so that a factor of
# 1.05 is an error, not chance.
LARGE = 10_000


def recorded_info(golden: Path, network: str, form: str = SMALL) -> dict[str, Any]:
    """Return what ``family_info.json`` says about a network."""
    return json.loads((golden / "family_info.json").read_text())[f"{network}/{form}"]


def recorded_arrays(golden: Path, network: str) -> dict[str, np.ndarray]:
    """Return the recorded arrays of the small network by name."""
    prefix = f"{network}/{SMALL}/"
    with np.load(golden / "family_logits.npz", allow_pickle=False) as arrays:
        return {
            name.removeprefix(prefix): arrays[name]
            for name in arrays.files
            if name.startswith(prefix)
        }


def family_model(golden: Path, network: str, form: str = SMALL) -> RecognizerGCN:
    """Build a network by its recorded config, with initial weights."""
    info = recorded_info(golden, network, form)
    head = {"type": "GCNHead", "in_channels": info["in_channels"], "num_classes": 60}
    model = build_model({"type": "RecognizerGCN", "backbone": info["config"], "cls_head": head})
    assert isinstance(model, RecognizerGCN)
    return model


def filled_model(golden: Path, network: str) -> RecognizerGCN:
    """Build a small network with the weights of the recorded outputs, in evaluation mode."""
    spec = importlib.util.spec_from_file_location("family_fill", golden / "family_fill.py")
    assert spec is not None
    assert spec.loader is not None
    fill = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fill)
    model = family_model(golden, network)
    graph = recorded_info(golden, network)["config"]["graph_cfg"]
    weights = fill.filled(model.state_dict(), random_graph=graph["mode"] == "random")
    weights |= {
        name.removeprefix("stats/"): torch.from_numpy(array)
        for name, array in recorded_arrays(golden, network).items()
        if name.startswith("stats/")
    }
    model.load_state_dict(weights)
    return model.eval()


def check_names(golden: Path, network: str, form: str = SMALL) -> None:
    """Compare names, shapes and order of the state dict and of the parameters."""
    info = recorded_info(golden, network, form)
    model = family_model(golden, network, form)
    found = [[name, list(value.shape)] for name, value in model.state_dict().items()]
    assert found == info["state_dict"]
    assert [name for name, _ in model.named_parameters()] == info["parameters"]
    assert sum(parameter.numel() for parameter in model.parameters()) == info["params"]


def check_outputs(golden: Path, network: str) -> None:
    """Compare the features and the logits in evaluation mode."""
    recorded = recorded_arrays(golden, network)
    model = filled_model(golden, network)
    x = normal(100, 2, 2, 100, 25, 3)
    x[1, 1] = 0  # an absent person
    with torch.no_grad():
        features = model.extract_feat(x)  # N, M, C, T, V
        logits = model.logits(x)[:, 0]
    assert list(features.shape) == recorded["T100/features_shape"].tolist()
    assert largest_error(features.mean(dim=(3, 4)), recorded["T100/features_mean"]) < 1e-4
    assert largest_error(logits, recorded["T100/logits"]) < 1e-4


def check_training(golden: Path, network: str) -> None:
    """Compare the gradients of the first step and the losses of three steps."""
    recorded = recorded_arrays(golden, network)
    model = filled_model(golden, network).train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    x = normal(1, 4, 2, 40, 25, 3)
    y = torch.from_numpy(np.random.RandomState(2).randint(0, 60, 4))
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, nesterov=True
    )
    losses = []
    for step in range(3):
        loss = model.loss(x, y)["loss"]
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            check_gradient_norms(model, recorded["grad_norms"])
        optimizer.step()
        losses.append(loss.item())
    assert (np.abs(losses - recorded["train3_losses"]) < [1e-4, 2e-3, 5e-2]).all(), losses


def check_gradient_norms(model: torch.nn.Module, expected: np.ndarray) -> None:
    """Compare the norm of each parameter's gradient.

    The gradient of a bias that a batch norm removes is zero but for rounding, about 1e-6.
    """
    parameters = dict(model.named_parameters())
    norms = [0 if p.grad is None else p.grad.norm().item() for p in parameters.values()]
    error = np.abs(np.subtract(norms, expected))
    tolerance = 0.2 * expected + 1e-5
    # Factors such as alpha: sums over joints and frames of both signs, where those cancel.
    few = np.array([p.numel() <= 8 for p in parameters.values()])
    tolerance[few] += 0.01 * max(expected[few], default=0)
    assert [name for name, wrong in zip(parameters, error > tolerance) if wrong] == []
    counted = expected > 1e-5
    assert np.median(error[counted] / expected[counted]) < 0.02


def check_start(golden: Path, network: str) -> None:
    """Compare mean and deviation of the initial weights of the full network.

    Large tensors agree within 5 % of their deviation, small ones within what chance allows.
    """
    state = family_model(golden, network, FULL).state_dict()
    wrong = {}
    for name, (mean, deviation) in recorded_info(golden, network, FULL)["init_mean_std"].items():
        value = state[name].double()
        found = (value.mean().item(), value.std(correction=0).item())
        # Six standard errors of the difference of two samples; 1e-4 is the recorded precision.
        chance = 6 * (2 / value.numel()) ** 0.5
        share = 0.05 if value.numel() >= LARGE else max(0.05, chance)
        close = abs(found[1] - deviation) < share * deviation + 1e-4
        close &= abs(found[0] - mean) < max(0.05, chance) * deviation + 1e-4
        if not close:
            wrong[name] = (found, (mean, deviation))
    assert not wrong


def normal(seed: int, *shape: int) -> Tensor:
    """Return the recorded kind of input: float32, standard normal."""
    return torch.from_numpy(np.random.RandomState(seed).randn(*shape).astype(np.float32))


def largest_error(found: Any, expected: np.ndarray) -> float:
    """Return the largest difference, relative to the largest value."""
    return float(np.abs(np.asarray(found) - expected).max() / np.abs(expected).max())
