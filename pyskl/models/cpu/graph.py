"""The graph convolution as products of matrices, the sum over joints first.

A 1x1 convolution acts on channels and an adjacency on joints, so that they commute:

    y_w = Σ_k Σ_v A_k[v,w] (W_k x_v + b_k) = Σ_k W_k (Σ_v A_k[v,w] x_v) + Σ_k b_k Σ_v A_k[v,w].

With the joints summed first, the adjacency is multiplied with C channels instead of C' (C ≤ C' in
every block), and what is between the two products, z_k = x A_k, is cheap to compute again from x:
the backward pass needs nothing else. The convolution after the adjacency (``conv_pos='post'``) is
the same without the factor of the bias.

    dz_k = W_kᵀ dy,   dx_v = Σ_k Σ_w A_k[v,w] dz_kw,
    dW_k = Σ dy z_kᵀ,   dA_k[v,w] = Σ x_v · dz_kw.

Shapes: N batch (persons folded in), T frames, V joints, C channels, C' output channels, K subsets.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

# Bytes of z for some frames: it is to stay in the cache between the two products.
_CHUNK_BYTES = 4 << 20


def graph_conv(x: Tensor, A: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Sum over joints and subsets: y_w = Σ_k W_k Σ_v A_k[v,w] x_v + bias_w.

    Args:
        x: (T, V, N, C), contiguous.
        A: (K, V, V).
        weight: (K, C', C).
        bias: (V, C').

    Returns:
        (T, V, N, C'), contiguous.
    """
    return _GraphConv.apply(x, A, weight, bias)


class _GraphConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, A: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, A, weight)
        (T, V, N, C), (K, D) = x.shape, weight.shape[:2]
        sums = _sums_over_joints(A)
        y = x.new_empty(T, V * N, D)
        for part in _chunks(x, K):
            z = torch.bmm(sums.expand(len(x[part]), -1, -1), x[part].flatten(2))  # t, K·V, N·C
            z = z.view(-1, K, V * N, C)
            out = y[part]
            out.view(-1, V, N, D).copy_(bias[:, None])
            for k in range(K):
                out.baddbmm_(z[:, k], weight[k].t().expand(len(out), -1, -1))
        return y.view(T, V, N, D)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, A, weight = ctx.saved_tensors  # type: ignore[attr-defined]
        needs_x, needs_A, needs_weight, needs_bias = ctx.needs_input_grad  # type: ignore[attr-defined]
        (T, V, N, C), (K, D) = x.shape, weight.shape[:2]
        sums = _sums_over_joints(A)
        dy = dy.contiguous().view(T, V * N, D)
        dx = torch.empty_like(x) if needs_x else None
        dsums = torch.zeros_like(sums)
        dweight = weight.new_zeros(K, D, C)
        weights, dweights = weight.unbind(), dweight.unbind()
        for part in _chunks(x, K):
            frames = len(x[part])
            z = x.new_empty(frames, K * V, N * C)
            products = [  # of each frame and subset; lists, as indexing tensors takes time
                (dy_t, subset, z_tk)
                for dy_t, z_t in zip(dy[part].unbind(), z.view(frames, K, V * N, C).unbind())
                for subset, z_tk in enumerate(z_t.unbind())
            ]
            if needs_weight:
                torch.bmm(sums.expand(frames, -1, -1), x[part].flatten(2), out=z)
                for dy_t, k, z_tk in products:
                    dweights[k].addmm_(dy_t.t(), z_tk)
            if needs_x or needs_A:
                for dy_t, k, z_tk in products:
                    torch.mm(dy_t, weights[k], out=z_tk)
            if dx is not None:
                torch.bmm(sums.t().expand(frames, -1, -1), z, out=dx[part].flatten(2))
            if needs_A:
                dsums += torch.bmm(z, x[part].flatten(2).transpose(1, 2)).sum(0)
        return (
            dx,
            dsums.view(K, V, V).transpose(1, 2) if needs_A else None,
            dweight if needs_weight else None,
            dy.view(T, V, N, D).sum((0, 2)) if needs_bias else None,
        )


def _sums_over_joints(A: Tensor) -> Tensor:
    """Return the transposed adjacencies below each other, (K·V, V); times x they make all z_k."""
    return A.transpose(1, 2).flatten(0, 1)


def _chunks(x: Tensor, K: int) -> Iterator[slice]:
    """Cut the frames of ``x`` (T, V, N, C) into stretches whose z is below the limit."""
    frames = max(1, _CHUNK_BYTES // (K * x[0].numel() * x.element_size()))
    for start in range(0, len(x), frames):
        yield slice(start, min(start + frames, len(x)))
