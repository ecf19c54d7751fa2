"""The units of the family's networks as the papers write them, as references for the faster ones.

They have the parameters of the package's units: :func:`make_naive` replaces the forward passes of a
copy of a network.

Shapes: N batch, T frames, V joints, C channels, K scales or subsets, w frames per window.
"""

from __future__ import annotations

import copy
from types import MethodType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pyskl.models.backbones.aagcn import UnitAAGCN
from pyskl.models.backbones.ctrgcn import UnitCTRGCN
from pyskl.models.backbones.dgstgcn import DynamicGCN
from pyskl.models.backbones.msg3d import MultiScaleGCN, WindowUnit
from pyskl.models.backbones.temporal import DilatedTCN


def make_naive(model: nn.Module) -> nn.Module:
    """Return a copy of a network with the same weights that computes as the papers write."""
    model = copy.deepcopy(model)
    for module in model.modules():
        if type(module) in FORWARDS:
            module.forward = MethodType(FORWARDS[type(module)], module)
    return model


def multi_scale(self: MultiScaleGCN, x: Tensor) -> Tensor:
    """All scales side by side, then one 1x1 convolution."""
    y = torch.einsum("kuv,nctu->nkctv", self.A + self.PA, x)  # N, K, C, T, V
    return self.mlp.layers(y.flatten(1, 2))


def window_unit(self: WindowUnit, x: Tensor) -> Tensor:
    """The joints of each window copied out, a graph convolution on them, a 3D convolution."""
    gcn = self.gcn3d["1"]
    x = x.transpose(2, 3)  # N, C, T, V
    N, C, _, V = x.shape
    w = gcn.window
    x = F.unfold(x, (w, 1), padding=(w // 2, 0), stride=(gcn.stride, 1))
    x = x.view(N, C, w, -1, V).transpose(2, 3).flatten(3)  # N, C, T', w·V
    y = multi_scale(gcn, x).unflatten(3, (w, V))  # N, C', T', w, V
    y = self.out_bn(self.out_conv(y)).squeeze(3)  # N, C', T', V
    return y.transpose(2, 3)


def adaptive(self: UnitAAGCN, x: Tensor) -> Tensor:
    """One subset after the other, one gate after the other."""
    N, C, T, V = x.shape
    y = torch.zeros(())
    for k, conv in enumerate(self.conv_d):
        A = self.A[k]
        if self.adaptive:
            query = self.conv_a[k](x).permute(0, 3, 1, 2).reshape(N, V, -1)
            key = self.conv_b[k](x).reshape(N, -1, V)
            A = A + torch.tanh(query @ key / (self.width * T)) * self.alpha
        y = y + conv((x.reshape(N, C * T, V) @ A).view(N, C, T, V))
    y = torch.relu(self.bn(y) + self.down(x))
    if self.attention:
        y = y * torch.sigmoid(self.conv_sa(y.mean(2))).unsqueeze(2) + y
        y = y * torch.sigmoid(self.conv_ta(y.mean(3))).unsqueeze(3) + y
        gate = torch.sigmoid(self.fc2c(torch.relu(self.fc1c(y.mean((2, 3))))))
        y = y * gate[:, :, None, None] + y
    return y


def refined(self: UnitCTRGCN, x: Tensor) -> Tensor:
    """The graph of each channel from all frames, one subset after the other."""
    y = torch.zeros(())
    for subset, A in zip(self.convs, self.A):
        first, second = subset.conv1(x).mean(2), subset.conv2(x).mean(2)  # N, r, V
        refinement = subset.conv4(torch.tanh(first.unsqueeze(3) - second.unsqueeze(2)))
        y = y + torch.einsum("nctv,ncvw->nctw", subset.conv3(x), A + self.alpha * refinement)
    return torch.relu(self.bn(y) + self.down(x))


def branches(self: DilatedTCN, x: Tensor) -> Tensor:
    """One branch after the other."""
    y = torch.cat([branch(x) for branch in self.branches], dim=1)
    if self.residual is not None:
        y = y + self.residual(x)
    return self.drop(self.act(y))


def dynamic_gcn(self: DynamicGCN, x: Tensor) -> Tensor:
    """One subset after the other, with the adjacencies of all frames at once."""
    K = len(self.A)
    pre = self.pre(x).unflatten(1, (K, -1))  # N, K, R, T, V
    both = {per: pair(self, x, per) for per in (self.ctr, self.ada) if per}
    subsets = []
    for k in range(K):
        factor = k if self.subset_wise else 0
        A = self.A[k]  # V, V; then N, R or 1, T or 1, V, V
        if self.ctr:
            x1, x2 = (value[:, k] for value in both[self.ctr])
            A = A + self.alpha[factor] * self.ctr_act(x1[..., :, None] - x2[..., None, :])
        if self.ada:
            x1, x2 = (value[:, k] for value in both[self.ada])
            scores = torch.einsum("nctu,nctv->ntuv", x1, x2).unsqueeze(1)
            A = A + self.beta[factor] * self.ada_act(scores)
        if A.dim() == 2:
            subsets.append(torch.einsum("nctu,uv->nctv", pre[:, k], A))
        else:
            subsets.append(torch.einsum("nctu,nctuv->nctv", pre[:, k], A))
    y = self.post(torch.cat(subsets, dim=1))
    return self.act(self.bn(y) + self.down(x))


def pair(self: DynamicGCN, x: Tensor, per: str) -> list[Tensor]:
    """x1 and x2: (N, K, R, T or 1, V)."""
    if per == "T":
        x = x.mean(dim=2, keepdim=True)
    return [conv(x).unflatten(1, (len(self.A), -1)) for conv in (self.conv1, self.conv2)]


FORWARDS = {
    MultiScaleGCN: multi_scale,
    WindowUnit: window_unit,
    DynamicGCN: dynamic_gcn,
    UnitAAGCN: adaptive,
    UnitCTRGCN: refined,
    DilatedTCN: branches,
}
