from __future__ import annotations

import threading
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.testing import assert_close

from pyskl.models import STGCN, plain_path
from pyskl.models.cpu import takes_fast_path
from pyskl.models.cpu.temporal import takes_taps
from pyskl.models.cpu.toom_cook import MAX_TAPS, short_convolution
from pyskl.models.fuse import fuse_conv_bn
from pyskl.models.units import UnitGCN, UnitTCN

N, C, V, K = 2, 3, 5, 3


def small(**arguments: Any) -> STGCN:
    given: dict[str, Any] = {
        "graph_cfg": {"layout": "coco", "mode": "stgcn_spatial"},
        "base_channels": 4,
        "num_stages": 3,
        "inflate_stages": [2],
        "down_stages": [2],
    }
    return STGCN(**{**given, **arguments})


def results(module: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Return output, gradients and buffers of a pass in training mode, the buffers as before."""
    before = {name: value.clone() for name, value in module.state_dict().items()}
    x = x.clone().requires_grad_()
    y = module(x)
    y.backward(torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view(y.shape).sin())
    found = {"y": y.detach(), "x": x.grad}
    for name, parameter in module.named_parameters():
        found[f"gradient of {name}"] = parameter.grad
        parameter.grad = None
    found.update({name: value.clone() for name, value in module.named_buffers()})
    module.load_state_dict(before)
    return found  # type: ignore[return-value]


def check_agreement(module: nn.Module, x: Tensor) -> None:
    """Compare the two paths in double precision, where they must agree to 1e-7."""
    module, x = module.double(), x.double()
    with plain_path():
        expected = results(module, x)
    found = results(module, x)
    assert_close(found, expected)


@pytest.mark.parametrize("taps", range(1, MAX_TAPS + 1))
def test_short_convolution_is_the_convolution(taps: int) -> None:
    short = short_convolution(taps, torch.float64)
    g, d = torch.rand(taps).double(), torch.rand(short.window).double()
    y = short.to_outputs @ ((short.from_taps @ g) * (short.from_window @ d))
    assert_close(y, torch.stack([g @ d[i : i + taps] for i in range(short.outputs)]))


def test_nine_taps_take_a_third_of_the_products() -> None:
    short = short_convolution(9, torch.float32)
    assert (short.products, short.outputs, short.window) == (25, 9, 17)
    with pytest.raises(ValueError, match="1 to 9 taps, found 10"):
        short_convolution(10, torch.float32)
    assert takes_taps(17, 2)
    assert not takes_taps(11, 1)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 3), st.sampled_from([1, 3, 5, 9, 11]), st.booleans())
def test_temporal_convolution(frames: int, stride: int, taps: int, normed: bool) -> None:
    unit = UnitTCN(C, 4, taps, stride=stride, norm="BN" if normed else None)
    check_agreement(unit, torch.randn(N, C, frames, V))


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["importance", "offset", "init", None]),
    st.sampled_from(["pre", "post"]),
    st.booleans(),
    st.sampled_from(["BN", "SyncBN", None]),
    st.integers(1, 4),
    st.integers(1, 7),
)
def test_graph_convolution(
    adaptive: str | None, conv_pos: str, with_res: bool, norm: str | None, D: int, frames: int
) -> None:
    A = torch.rand(K, V, V)
    unit = UnitGCN(C, D, A, adaptive, conv_pos, with_res, None if norm == "SyncBN" else norm)
    if norm == "SyncBN":
        unit.bn = nn.SyncBatchNorm(D).eval()  # on the CPU it takes no training
    check_agreement(unit, torch.randn(N, C, frames, V))


@pytest.mark.parametrize(
    "options", [{}, {"tcn_type": "mstcn"}, {"tcn_type": ("unit_tcn", "mstcn", "unit_tcn")}]
)
@pytest.mark.parametrize("frames", [1, 13, 30])
def test_backbone(options: dict[str, Any], frames: int) -> None:
    model = small(base_channels=6, **options).double()
    x = torch.randn(2, 2, frames, 17, 3)
    with plain_path():
        expected = results(model, x.double())
    assert_close(results(model, x.double()), expected)


def test_single_precision_loses_little() -> None:
    """The errors of nine taps, 256 channels, relative to the largest value.

    They depend on the processor: with AVX-512 up to 1.6e-5 over 20 seeds, with AVX2 4e-6.
    """
    torch.manual_seed(0)
    unit = UnitTCN(256, 256, norm=None)
    x = torch.randn(1, 256, 27, 4).relu()
    found = results(unit, x)
    with plain_path():
        exact = results(unit.double(), x.double())
    for name, value in found.items():
        error = (value - exact[name]).abs().max() / exact[name].abs().max()
        assert error < 3e-5, name


@pytest.mark.parametrize("threads", [1, 2])
def test_repeats_bit_for_bit(threads: int) -> None:
    torch.set_num_threads(threads)
    model = small(base_channels=16)
    x = torch.randn(4, 2, 30, 17, 3)
    first, second = results(model, x), results(model, x)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_what_takes_the_fast_path() -> None:
    conv, x = nn.Conv2d(2, 2, 1), torch.rand(1, 2, 3, 4)
    assert takes_fast_path(x, conv)
    assert takes_fast_path(x.double(), conv.double())
    conv.float()
    assert not takes_fast_path(x.double(), conv)
    assert not takes_fast_path(x.half(), conv.half())
    conv.float()
    assert not takes_fast_path(x.to("meta"), conv)
    assert not takes_fast_path(x, conv, nn.Conv2d(2, 2, 1, groups=2))
    assert not takes_fast_path(x, nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular"))
    assert not takes_fast_path(x, nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 2, 1)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not takes_fast_path(x, conv)
    with plain_path(), plain_path():
        pass
    assert takes_fast_path(x, conv)
    with plain_path():
        seen: list[bool] = []
        thread = threading.Thread(target=lambda: seen.append(takes_fast_path(x, conv)))
        thread.start()
        thread.join()
        assert seen == [False]


def test_units_take_it_and_keep_its_order_in_memory() -> None:
    x = torch.randn(N, C, 9, V)
    for unit in (UnitGCN(C, 4, torch.rand(K, V, V)), UnitTCN(C, 4), UnitTCN(C, 4, 1, stride=2)):
        y = unit(x)
        assert y.permute(2, 3, 0, 1).is_contiguous()
        with plain_path():
            assert unit(x).is_contiguous()
        unit.fast = False
        assert unit(x).is_contiguous()


def test_hooks_run_and_see_the_usual_shapes() -> None:
    model = small().eval()
    x = torch.randn(1, 1, 8, 17, 3)
    expected = model(x)
    shapes = {}
    for name, module in model.named_modules():
        module.register_forward_hook(
            lambda _, __, y, name=name: shapes.update({name: tuple(y.shape)})
        )
    assert_close(model(x), expected, atol=1e-5, rtol=1e-4)
    assert shapes["gcn.1"] == shapes["gcn.1.tcn.bn"] == shapes["gcn.1.tcn.conv"] == (1, 8, 4, 17)
    assert shapes["gcn.1.gcn.conv"] == (1, 24, 8, 17)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(dtype: torch.dtype) -> None:
    model, x = small(), torch.randn(2, 1, 8, 17, 3)
    with torch.autocast("cpu", dtype=dtype):
        y = model(x)
        with plain_path():
            assert torch.equal(y, model(x))
    y.float().sum().backward()


def test_inference_and_folded_norms() -> None:
    model, x = small().eval(), torch.randn(2, 1, 9, 17, 3)
    with plain_path(), torch.no_grad():
        expected = model(x)
    with torch.inference_mode():
        assert_close(model(x), expected, atol=1e-5, rtol=1e-4)
        assert fuse_conv_bn(model) > 0
        assert_close(model(x), expected, atol=1e-5, rtol=1e-4)


def test_frozen_parts_get_no_gradient() -> None:
    model, x = small(), torch.randn(2, 1, 9, 17, 3)
    for parameter in model.gcn[1].parameters():
        parameter.requires_grad_(False)
    model(x).sum().backward()
    frozen = set(model.gcn[1].parameters())
    assert all(
        (parameter.grad is None) == (parameter in frozen) for parameter in model.parameters()
    )
