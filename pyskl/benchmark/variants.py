"""Variants of a training step, and measuring them.

Shapes: N batch, M persons, T frames, V joints, C channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pyskl.benchmark.timing import Timed, alternate, synchronizer
from pyskl.errors import InputError, did_you_mean
from pyskl.models.precision import autocast
from pyskl.training.memory import peak_memory
from pyskl.training.optimizer import build_optimizer

# "fp32" disables TF32, which torch allows in convolutions by default; "tf32" allows it wherever a
# GPU has it; "bf16" is autocast, with TF32 for what stays in single precision.
PRECISIONS = ("fp32", "tf32", "bf16")

# A learning rate so low that the weights hardly change.
LEARNING_RATE = 1e-7

# Warm-up steps for the lazy initialisation of torch, which a CUDA graph must not record.
_STEPS_BEFORE_GRAPH = 3


@dataclass(frozen=True)
class Variant:
    """A way to compute a training step.

    Attributes:
        precision: One of :data:`PRECISIONS`.
        compiled: With ``torch.compile`` on the backbone.
        graph: Recorded once as a CUDA graph, and replayed.
    """

    precision: str = "fp32"
    compiled: bool = False
    graph: bool = False

    @property
    def name(self) -> str:
        """The name on the command line and in the tables, for example ``'bf16-compiled'``."""
        return self.precision + "-compiled" * self.compiled + "-graph" * self.graph

    @property
    def amp(self) -> str | None:
        """The ``amp`` argument of :func:`pyskl.models.precision.autocast`."""
        return "bf16" if self.precision == "bf16" else None

    def prepare(self, model: nn.Module) -> nn.Module:
        """Compile the backbone if the variant says so; return the model."""
        if self.compiled:
            model.get_submodule("backbone").compile(dynamic=False)
        return model


def all_variants(device: torch.device) -> dict[str, Variant]:
    """Return the variants that a device can compute by name, ``'fp32'`` first."""
    on_gpu = device.type == "cuda"
    variants = [
        Variant(precision, compiled, graph)
        for precision in PRECISIONS
        if on_gpu or precision != "tf32"
        for compiled in (False, True)
        for graph in ((False, True) if on_gpu else (False,))
    ]
    return {variant.name: variant for variant in variants}


def select_variants(
    device: torch.device, names: Sequence[str], *, compiled: bool = False
) -> list[Variant]:
    """Return the variants to measure, ``'fp32'`` first: it is the reference.

    Args:
        device: Where to compute.
        names: The names to select; if empty, all on a GPU and single precision on the CPU.
        compiled: Whether to include compiled variants if ``names`` is empty.

    Raises:
        InputError: for a variant that is unknown or that the device can't compute.
    """
    known = all_variants(device)
    for name in names:
        if name not in known:
            raise InputError(
                f"unknown variant on {device.type}",
                key="--variants",
                found=name,
                hint=did_you_mean(name, known).removeprefix("; "),
            )
    if names:
        return [known[name] for name in dict.fromkeys(["fp32", *names])]
    return [
        variant
        for variant in known.values()
        if (device.type == "cuda" or variant.precision == "fp32")
        and (compiled or not variant.compiled)
    ]


@contextmanager
def allow_tf32(allowed: bool) -> Iterator[None]:
    """Enable or disable TF32 within the block."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


class TrainingStep:
    """Forward pass, backward pass and optimizer on a fixed batch.

    Args:
        model: The recognizer, on its device. It is put into training mode and compiled if the
            variant says so.
        optimizer_cfg: The config of its optimizer; the rate is replaced by :data:`LEARNING_RATE`.
        keypoint: (N, 1, M, T, V, C) float32, on the device.
        label: (N,) int64, on the device.
        variant: How to compute.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer_cfg: Mapping[str, Any],
        keypoint: Tensor,
        label: Tensor,
        variant: Variant,
    ) -> None:
        self.model = variant.prepare(model.train())
        self.optimizer = build_optimizer(model, {**optimizer_cfg, "lr": LEARNING_RATE})
        self.keypoint = keypoint
        self.label = label
        self.variant = variant
        self._run: Callable[[], None] = self._record_graph() if variant.graph else self._step

    def __call__(self) -> int:
        """Take a step; return the number of clips N."""
        self._run()
        return len(self.keypoint)

    def _step(self) -> None:
        with allow_tf32(self.variant.precision != "fp32"):
            with autocast(self.keypoint.device, self.variant.amp):
                losses = self.model(keypoint=self.keypoint, label=self.label, return_loss=True)
            self.optimizer.zero_grad(set_to_none=True)
            losses["loss"].backward()
            self.optimizer.step()

    def _record_graph(self) -> Callable[[], None]:
        """Record a step as a CUDA graph; return the function that replays it."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_STEPS_BEFORE_GRAPH):
                self._step()
        torch.cuda.current_stream().wait_stream(stream)
        # Gradients have to be allocated within the graph.
        self.optimizer.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._step()
        return graph.replay


def measure_variants(
    builders: Mapping[str, Callable[[], Callable[[], int]]],
    device: torch.device,
    *,
    seconds: float,
    repeats: int,
) -> tuple[dict[str, tuple[float, ...]], dict[str, float | None], dict[str, str]]:
    """Build variants and measure them in turn. One that fails does not affect the others.

    Args:
        builders: Name → a function that builds the work of a variant; see
            :class:`pyskl.benchmark.timing.Timed`.
        device: Where they compute.
        seconds: Duration of one measurement.
        repeats: Measurements of each.

    Returns:
        Name → samples/s; name → peak memory in MB, None if the system does not report it; name →
        the reason why a variant failed.
    """
    timed: dict[str, Timed] = {}
    peaks: dict[str, float | None] = {}
    failed: dict[str, str] = {}
    torch.compiler.reset()  # torch limits the number of variants of a function that it compiles
    for name, build in builders.items():
        try:
            with peak_memory(device) as peak:
                one = Timed(build(), synchronizer(device))
                one.prepare(seconds)
        except RuntimeError as error:  # out of memory, no compiler, an unsupported operation
            failed[name] = str(error).strip().partition("\n")[0]
            continue
        timed[name] = one
        peaks[name] = None if peak.bytes is None else peak.bytes / 1e6
    return alternate({name: one.rate for name, one in timed.items()}, repeats), peaks, failed
