"""Which of the two paths a unit takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

# One for all threads: scoring spreads a batch over several.
_plain_wanted = 0


@contextmanager
def plain_path() -> Iterator[None]:
    """Compute everything inside on the plain path, the reference.

    It is for comparisons, and for what only torch's own operations can do: a second derivative,
    forward-mode derivatives, ``torch.func``. It holds for all threads of the process; what was
    computed outside is differentiated as it was computed.

    Example:
        >>> from pyskl.models import STGCN
        >>> model = STGCN(dict(layout='coco', mode='stgcn_spatial'), base_channels=8).eval()
        >>> x = torch.rand(1, 1, 16, 17, 3)
        >>> with plain_path():
        ...     expected = model(x)
        >>> torch.allclose(model(x), expected, atol=1e-4)
        True
    """
    global _plain_wanted
    _plain_wanted += 1
    try:
        yield
    finally:
        _plain_wanted -= 1


def takes_fast_path(x: Tensor, *convs: nn.Module) -> bool:
    """Return whether a unit is computed on the fast path.

    It is on the CPU in float32 and float64. Under autocast, ``torch.compile`` (whose compiler
    arranges the computation itself), tracing and export it is not.

    Args:
        x: The unit's input.
        *convs: Its convolutions, whose weights the fast path uses without calling them. So they
            must be torch's own, without hooks, groups or another padding than zeros.
    """
    return (
        not _plain_wanted
        and type(x) in (Tensor, nn.Parameter)
        and x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
        and not torch.is_autocast_enabled("cpu")
        and all(_is_untouched(conv) and conv.weight.dtype == x.dtype for conv in convs)
    )


def _is_untouched(conv: nn.Module) -> bool:
    """Return whether calling ``conv`` is nothing but a convolution."""
    return (
        type(conv) is nn.Conv2d
        and conv.groups == 1
        and conv.padding_mode == "zeros"
        and not has_hooks(conv)
    )


def has_hooks(module: nn.Module) -> bool:
    """Return whether a function of the user's runs when ``module`` is called."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )
