"""What holds for every graph network: checks of a recognizer that is given.

Shapes: N batch, M persons, T frames, V joints, C channels.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from pyskl.export.clip_model import ClipModel, exporting


def unsettled(model: nn.Module) -> nn.Module:
    """Move weights and statistics off their starting values, so that nothing is the identity."""
    generator = torch.Generator().manual_seed(0)
    for name, value in model.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5, generator=generator)
        elif value.is_floating_point():
            value += 0.1 * torch.randn(value.shape, generator=generator)
    return model


def keypoints(backbone: nn.Module, N: int = 2, T: int = 9) -> Tensor:
    """Return random keypoints (N, M, T, V, C) that fit a backbone."""
    shape = (N, backbone.num_person, T, backbone.graph.num_node, backbone.in_channels)
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def gradients(model: nn.Module, x: Tensor) -> dict[str, Tensor | None]:
    """Return the gradients of a weighted sum of the outputs, by parameter, and of x as ''."""
    model.zero_grad()
    x = x.detach().requires_grad_()
    y = model(x)
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(2), dtype=y.dtype)
    (y * weights).sum().backward()
    return {"": x.grad} | {name: value.grad for name, value in model.named_parameters()}


def check_same_function(first: nn.Module, second: nn.Module, x: Tensor) -> None:
    """Compare outputs, gradients and running statistics of two networks in float64."""
    first, second = copy.deepcopy(first).double(), copy.deepcopy(second).double()
    x = x.double()
    for mode in (False, True):
        first.train(mode)
        second.train(mode)
        assert_close(first(x), second(x))
        found, expected = gradients(first, x), gradients(second, x)
        assert list(found) == list(expected)
        for name, value in found.items():
            if value is None or expected[name] is None:
                assert value is expected[name], name
            else:
                # A bias that a batch norm removes has a gradient of rounding errors alone.
                assert_close(value, expected[name], rtol=1e-7, atol=1e-9, msg=name)
    assert_close(dict(first.state_dict()), dict(second.state_dict()))


def check_all_parameters_are_used(model: nn.Module) -> None:
    """Check that training gives each parameter a gradient, but for those that are not trained."""
    found = gradients(model.train(), keypoints(model))
    trained = {name for name, value in model.named_parameters() if value.requires_grad}
    assert {name for name, value in found.items() if value is not None} == {"", *trained}
    assert all(value.isfinite().all() for value in found.values() if value is not None)


def check_low_precision(model: nn.Module) -> None:
    """Train under autocast, and compute in bfloat16 and float16 about what float32 gives."""
    model = copy.deepcopy(model).train()
    x = keypoints(model, N=4)
    with torch.autocast("cpu", torch.bfloat16):
        y = model(x)
    y.float().square().mean().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    model.eval()
    with torch.no_grad():
        expected = model(x)
        scale = expected.abs().max()
        with torch.autocast("cpu", torch.bfloat16):
            assert_close(model(x).float() / scale, expected / scale, rtol=0, atol=0.1)
        for dtype, tolerance in ((torch.bfloat16, 0.1), (torch.float16, 0.02)):
            found = copy.deepcopy(model).to(dtype)(x.to(dtype))
            assert found.dtype == dtype
            assert_close(found.float() / scale, expected / scale, rtol=0, atol=tolerance)


def check_export(recognizer: nn.Module, path: Path) -> None:
    """Export with free N, M (if the network leaves it free) and T, and compare other clips."""
    pytest.importorskip("onnxruntime")
    recognizer = recognizer.eval()
    backbone = recognizer.backbone
    axes = (0, 2) if backbone.data_bn_type == "MVC" else (0, 1, 2)
    example = keypoints(backbone, N=3, T=40)
    clips = [keypoints(backbone, N, T) for N, T in ((1, 30), (4, 45))]
    model = ClipModel(recognizer)
    with torch.no_grad():
        expected = [recognizer.logits(x)[:, 0] for x in clips]

    def check(run: Callable[[Tensor], Tensor]) -> None:
        for x, logits in zip(clips, expected):
            assert_close(run(x), logits, rtol=1e-4, atol=1e-4 * float(logits.abs().max()))

    check(model)  # batch norms are folded into convolutions
    with exporting():
        free = dict.fromkeys(axes, torch.export.Dim.DYNAMIC)
        program = torch.export.export(model, (example,), dynamic_shapes=(free,))
        torch.onnx.export(
            program, f=path, input_names=["keypoint"], opset_version=18, verbose=False
        )
    check(program.module())
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    check(lambda x: torch.from_numpy(np.asarray(session.run(None, {"keypoint": x.numpy()})[0])))
