"""The convolution over time as products of matrices, with a third of the multiplications.

The outputs are cut into tiles of 9 frames, and each tile is computed by the short convolution of
:mod:`pyskl.models.cpu.toom_cook`; its three sums over frames and its products over channels are
matrix products. A stride s splits the input into s phases (frames p, p + s, ...), each convolved
with every s-th tap. Tiles, and columns of them, are taken one after the other, so that what is
between the products stays in the cache: nothing but the input is kept for the backward pass.

Shapes: T frames, T' = ⌈T / stride⌉, R = V·N rows of a frame, C channels, C' output channels,
P products of the short convolution.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from pyskl.models.cpu.toom_cook import MAX_TAPS, ShortConvolution, short_convolution

# Bytes of the products between two multiplications: the two arrays that a step reads and writes
# fit into a last-level cache of 8 MB and above.
_CHUNK_BYTES = 3 << 20


def temporal_conv(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int
) -> Tensor:
    """Convolve over frames.

    Args:
        x: (T, V, N, C), contiguous.
        weight: (C', C, taps, 1).
        bias: (C',), or None.
        stride: Step in frames.
        padding: Frames of zeros before the first and after the last one.

    Returns:
        (T', V, N, C'), contiguous.
    """
    y = _TemporalConv.apply(x.flatten(1, 2), weight[..., 0], bias, stride, padding)
    return y.unflatten(1, x.shape[1:3])


def takes_taps(taps: int, stride: int) -> bool:
    """Return whether a filter of ``taps`` taps is short enough for :func:`temporal_conv`."""
    return -(-taps // stride) <= MAX_TAPS


@dataclass(frozen=True)
class _Window:
    """The inputs of a tile's outputs in one phase.

    Attributes:
        phase: The phase.
        frames: The input frames (a slice with the stride as its step) that exist.
        columns: Their places in the short convolution's window.
    """

    phase: int
    frames: slice
    columns: slice


@dataclass(frozen=True)
class _Plan:
    """How a convolution is cut into tiles.

    Attributes:
        frames: Input frames T.
        taps: Taps of the filter.
        stride: Step in frames.
        padding: Frames of zeros at either end.
        short: The short convolution of each tile and phase.
    """

    frames: int
    taps: int
    stride: int
    padding: int
    short: ShortConvolution

    @property
    def outputs(self) -> int:
        """Output frames T'."""
        return (self.frames + 2 * self.padding - self.taps) // self.stride + 1

    def tiles(self) -> Iterator[tuple[slice, list[_Window]]]:
        """Yield the output frames of each tile, and the inputs that they depend on."""
        for start in range(0, self.outputs, self.short.outputs):
            windows = [self._window(start, phase) for phase in range(self._phases)]
            stop = min(start + self.short.outputs, self.outputs)
            yield slice(start, stop), [window for window in windows if window is not None]

    def _window(self, start: int, phase: int) -> _Window | None:
        # Place a of the window is frame `first + a * stride`.
        first = start * self.stride + phase - self.padding
        low = max(0, -(first // self.stride))
        high = min(self.short.window, -((first - self.frames) // self.stride))
        if low >= high:
            return None
        frames = slice(first + low * self.stride, self.frames, self.stride)
        frames = slice(frames.start, frames.start + (high - low - 1) * self.stride + 1, self.stride)
        return _Window(phase, frames, slice(low, high))

    @property
    def _phases(self) -> int:
        return min(self.stride, self.taps)

    def filters(self, weight: Tensor) -> list[Tensor]:
        """Return G g of each phase, (P, C', C), of the weight (C', C, taps)."""
        filters = []
        for phase in range(self._phases):
            taps = weight[..., phase :: self.stride].flatten(0, 1).t()  # taps, C'·C
            filters.append(torch.mm(self._from_taps(phase), taps).unflatten(1, weight.shape[:2]))
        return filters

    def weight_gradient(self, gradients: list[Tensor]) -> Tensor:
        """Return the gradient (C', C, taps) of the weight from those of :meth:`filters`."""
        shape = gradients[0].shape[1:]
        total = gradients[0].new_empty(*shape, self.taps)
        for phase, gradient in enumerate(gradients):
            taps = torch.mm(self._from_taps(phase).t(), gradient.flatten(1))  # taps, C'·C
            total[..., phase :: self.stride] = taps.t().unflatten(0, shape)
        return total

    def _from_taps(self, phase: int) -> Tensor:
        return self.short.from_taps[:, : len(range(phase, self.taps, self.stride))]


class _TemporalConv(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: int,
        padding: int,
    ) -> Tensor:
        taps = weight.shape[2]
        short = short_convolution(-(-taps // stride), x.dtype)
        plan = _Plan(x.shape[0], taps, stride, padding, short)
        ctx.save_for_backward(x, weight)
        ctx.plan = plan  # type: ignore[attr-defined]

        (_, rows, C), D, P = x.shape, weight.shape[0], short.products
        filters = [f.transpose(1, 2) for f in plan.filters(weight)]  # P, C, C'
        y = x.new_empty(plan.outputs, rows, D)
        for part in _chunks(rows, P * max(C, D) * x.element_size()):
            x_part, y_part = _columns(x, part), _columns(y, part)
            inputs = x.new_empty(P, part.stop - part.start, C)
            products = x.new_empty(P, part.stop - part.start, D)
            for frames, windows in plan.tiles():
                if not windows:
                    products.zero_()
                for number, window in enumerate(windows):
                    torch.mm(
                        short.from_window[:, window.columns],
                        x_part[window.frames],
                        out=inputs.flatten(1),
                    )
                    _add_product(products, inputs, filters[window.phase], first=number == 0)
                out = y_part[frames]
                torch.mm(short.to_outputs[: len(out)], products.flatten(1), out=out)
                if bias is not None:
                    out.unflatten(1, (-1, D)).add_(bias)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors  # type: ignore[attr-defined]
        plan: _Plan = ctx.plan  # type: ignore[attr-defined]
        short = plan.short
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad[:3]  # type: ignore[attr-defined]

        (_, rows, C), D, P = x.shape, weight.shape[0], short.products
        dy = dy.contiguous()
        filters = plan.filters(weight)  # P, C', C
        dx = torch.zeros_like(x) if needs_x else None
        dfilters = [torch.zeros_like(f) for f in filters] if needs_weight else []
        for part in _chunks(rows, P * max(C, D) * x.element_size()):
            x_part, dy_part = _columns(x, part), _columns(dy, part)
            inputs = x.new_empty(P, part.stop - part.start, C)
            products = x.new_empty(P, part.stop - part.start, D)
            for frames, windows in plan.tiles():
                out = dy_part[frames]
                torch.mm(short.to_outputs[: len(out)].t(), out, out=products.flatten(1))
                for window in windows:
                    from_window = short.from_window[:, window.columns]
                    if dx is not None:
                        torch.bmm(products, filters[window.phase], out=inputs)
                        _columns(dx, part)[window.frames].addmm_(from_window.t(), inputs.flatten(1))
                    if needs_weight:
                        torch.mm(from_window, x_part[window.frames], out=inputs.flatten(1))
                        dfilters[window.phase].baddbmm_(products.transpose(1, 2), inputs)
        dweight = plan.weight_gradient(dfilters) if needs_weight else None
        return dx, dweight, dy.sum((0, 1)) if needs_bias else None, None, None


def _add_product(total: Tensor, a: Tensor, b: Tensor, *, first: bool) -> None:
    """Add the batched product a · b to ``total``, or set it, if it is the first one."""
    torch.baddbmm(total, a, b, beta=0.0 if first else 1.0, out=total)


def _columns(x: Tensor, part: slice) -> Tensor:
    """Return a stretch of rows of each frame: of (T, R, C), the view (T, part·C)."""
    C = x.shape[2]
    return x.flatten(1)[:, part.start * C : part.stop * C]


def _chunks(rows: int, bytes_per_row: int) -> Iterator[slice]:
    """Cut ``rows`` into the fewest even stretches of at most :data:`_CHUNK_BYTES`."""
    most = max(1, _CHUNK_BYTES // bytes_per_row)
    count = -(-rows // most)
    for number in range(count):
        yield slice(rows * number // count, rows * (number + 1) // count)
