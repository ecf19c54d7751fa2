"""Measure the family's networks next to the papers' formulas: time, and memory for the backward.

    python tests/models/measure_networks.py --clips 4 --repeats 7

Each network runs at its published size, in turn with its naive form, which has the same weights.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from naive_networks import make_naive
from torch import nn

from pyskl.models import build_model

NETWORKS = {
    "AAGCN": ({"mode": "spatial"}, {}, 256),
    "CTRGCN": ({"mode": "spatial"}, {}, 256),
    "MSG3D": ({"mode": "binary_adj"}, {}, 384),
    "DGSTGCN": (
        {"mode": "random", "num_filter": 8, "init_off": 0.04, "init_std": 0.02},
        {"gcn_ratio": 0.125, "gcn_ctr": "T", "gcn_ada": "T"},
        256,
    ),
}


def kept_mb(step: Callable[[], object]) -> float:
    """Return the MiB that a forward pass keeps for the backward pass."""
    kept: dict[int, int] = {}

    def pack(value: torch.Tensor) -> torch.Tensor:
        kept[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
        return value

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        result = step()
    del result
    return sum(kept.values()) / 2**20


def seconds(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def measure(name: str, clips: int, repeats: int) -> None:
    graph, options, width = NETWORKS[name]
    torch.manual_seed(0)
    backbone = {"type": name, "graph_cfg": {"layout": "nturgb+d", **graph}, **options}
    head = {"type": "GCNHead", "num_classes": 60, "in_channels": width}
    fast = build_model({"type": "RecognizerGCN", "backbone": backbone, "cls_head": head})
    models: dict[str, nn.Module] = {"here": fast, "naive": make_naive(fast)}
    x, y = torch.randn(clips, 2, 100, 25, 3), torch.arange(clips)
    steps: dict[str, list[float]] = {key: [] for key in models}
    scores: dict[str, list[float]] = {key: [] for key in models}
    kept = {key: kept_mb(lambda m=model: m.train().loss(x, y)) for key, model in models.items()}
    for _ in range(repeats):
        for key, model in models.items():
            model.train()
            steps[key].append(seconds(lambda m=model: m.loss(x, y)["loss"].backward()))
            model.eval()
            scores[key].append(seconds(lambda m=model: m.predict(x)))
    for what, times in (("step", steps), ("scores", scores)):
        ratio = statistics.median(n / h for n, h in zip(times["naive"], times["here"]))
        shown = ", ".join(
            f"{key} {statistics.median(t):.3f} s ({min(t):.3f} to {max(t):.3f})"
            for key, t in times.items()
        )
        print(f"{name} {what}: {shown}; naive / here {ratio:.2f}", flush=True)
    share = kept["here"] / kept["naive"]
    print(f"{name} kept: here {kept['here']:.0f}, naive {kept['naive']:.0f} MiB; share {share:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=4, help="clips in a batch (default: 4)")
    parser.add_argument("--repeats", type=int, default=7, help="rounds (default: 7)")
    parser.add_argument("networks", nargs="*", default=list(NETWORKS))
    arguments = parser.parse_args()
    print(f"{torch.get_num_threads()} threads, {arguments.clips} clips of 2 x 100 x 25 x 3")
    for name in arguments.networks:
        measure(name, arguments.clips, arguments.repeats)


if __name__ == "__main__":
    main()
