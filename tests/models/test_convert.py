"""Changes to the layers of a built model."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from pyskl.models import STGCN
from pyskl.models.convert import fuse_conv_bn, replace_sync_batchnorm


def test_local_batchnorm_computes_the_same() -> None:
    model = nn.Sequential(
        nn.Sequential(nn.SyncBatchNorm(3)), nn.Flatten(2), nn.SyncBatchNorm(3, eps=0.1)
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(0.5, 1.5)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    local = nn.Sequential(nn.Sequential(nn.BatchNorm2d(3)), nn.Flatten(2), nn.BatchNorm1d(3, 0.1))
    local.load_state_dict(before)
    x = torch.rand(4, 3, 6, 5)
    assert replace_sync_batchnorm(model) is model
    assert not any(isinstance(module, nn.SyncBatchNorm) for module in model.modules())
    assert list(model.state_dict()) == list(before)
    assert_close(model(x), local(x))
    assert_close(model.state_dict(), local.state_dict())
    assert replace_sync_batchnorm(nn.SyncBatchNorm(3).eval()).training is False


@pytest.mark.parametrize(
    "options", [{}, {"gcn_adaptive": "init", "gcn_with_res": True, "tcn_type": "mstcn"}]
)
def test_folded_norms_compute_the_same(options: dict[str, object]) -> None:
    graph = {"layout": "coco", "mode": "stgcn_spatial"}
    model = STGCN(
        graph, base_channels=8, num_stages=3, inflate_stages=[2], down_stages=[2], **options
    )
    x = torch.randn(2, 2, 9, 17, 3)
    model(x)  # gives the norms statistics that differ from their start
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-1, 1)
        expected = model.eval()(x)
        assert fuse_conv_bn(model) > 0
        assert fuse_conv_bn(model) == 0
        assert_close(model(x), expected, atol=1e-5, rtol=1e-4)
