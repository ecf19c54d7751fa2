"""The ways to compute a training step that are compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from pyskl.benchmark.precision import PRECISIONS, tf32_as
from pyskl.errors import InputError, did_you_mean

REFERENCE = "reference"
_COMPILED, _GRAPHED = "compiled", "graph"


@dataclass(frozen=True)
class Variant:
    """One way to compute a training step.

    Attributes:
        precision: See :data:`pyskl.benchmark.precision.PRECISIONS`.
        plain: By the plain formulation of the layers, which is kept as the reference.
        compiled: With ``torch.compile`` on the backbone.
        graphed: Recorded once as a CUDA graph, and replayed.
    """

    precision: str = "fp32"
    plain: bool = False
    compiled: bool = False
    graphed: bool = False

    @property
    def name(self) -> str:
        """What the command line and the tables call it, such as ``'bf16-compiled'``."""
        if self.plain:
            return REFERENCE
        parts = [self.precision, _COMPILED * self.compiled, _GRAPHED * self.graphed]
        return "-".join(filter(None, parts))

    @contextmanager
    def switched_on(self) -> Iterator[None]:
        """Set the switches that hold for forward and backward pass; autocast is not among them."""
        with tf32_as(self.precision):
            yield


def all_variants(device: torch.device) -> dict[str, Variant]:
    """Return the variants that a device can compute, by name, the reference first."""
    on_gpu = device.type == "cuda"
    found = [Variant(plain=True)] + [
        Variant(precision, compiled=compiled, graphed=graphed)
        for precision in PRECISIONS
        if on_gpu or precision != "tf32"
        for compiled in (False, True)
        for graphed in ((False, True) if on_gpu else (False,))
    ]
    return {variant.name: variant for variant in found}


def choose_variants(
    device: torch.device, names: Sequence[str], *, compiled: bool = False
) -> list[Variant]:
    """Return the variants to measure, the reference first.

    Args:
        device: Where to compute.
        names: The names that were asked for; if none, those are chosen that suit the device: on
            the CPU single precision, on a GPU all.
        compiled: Whether compiled ones are among those chosen.

    Raises:
        InputError: for a name that there is not, or not on this device.
    """
    known = all_variants(device)
    for name in names:
        if name not in known:
            raise InputError(
                f"--variants: there is no {name!r} on {device.type}{did_you_mean(name, known)}"
            )
    if names:
        return [known[name] for name in dict.fromkeys([REFERENCE, *names])]
    wanted = PRECISIONS if device.type == "cuda" else ("fp32",)
    return [
        variant
        for variant in known.values()
        if variant.precision in wanted and (compiled or not variant.compiled)
    ]
