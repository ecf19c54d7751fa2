"""Variants of a training step, and the training loop over it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from pyskl.benchmark import step as step_module
from pyskl.benchmark.loader import LoopFeed
from pyskl.benchmark.step import measure_step, training_flops
from pyskl.benchmark.variants import (
    TrainingStep,
    Variant,
    all_variants,
    allow_tf32,
    select_variants,
)
from pyskl.benchmark.workload import BenchmarkSettings, open_workload
from pyskl.errors import InputError

CPU, GPU = torch.device("cpu"), torch.device("cuda")
TinyConfig = Callable[..., dict[str, Any]]
QUICK = BenchmarkSettings(seconds=0.01, repeats=2, device="cpu")


def test_names_of_variants() -> None:
    for device in (CPU, GPU):
        for name, variant in all_variants(device).items():
            assert variant.name == name
    assert all_variants(CPU).keys() < all_variants(GPU).keys()
    assert all_variants(GPU)["bf16-compiled-graph"] == Variant("bf16", True, True)
    assert not {"tf32", "fp32-graph"} & all_variants(CPU).keys()


@pytest.mark.parametrize("device", [CPU, GPU])
@pytest.mark.parametrize("names", [[], ["bf16"], ["bf16", "fp32"]])
def test_the_reference_comes_first(device: torch.device, names: list[str]) -> None:
    assert select_variants(device, names)[0] == Variant("fp32")


def test_default_variants() -> None:
    assert [one.name for one in select_variants(CPU, [])] == ["fp32"]
    assert [one.name for one in select_variants(CPU, [], compiled=True)] == [
        *("fp32", "fp32-compiled")
    ]
    on_gpu = [one.name for one in select_variants(GPU, [])]
    assert on_gpu == ["fp32", "fp32-graph", "tf32", "tf32-graph", "bf16", "bf16-graph"]


@pytest.mark.parametrize("name", ["tf32", "bf16-graph", "fast"])
def test_a_variant_that_the_device_lacks_is_refused(name: str) -> None:
    with pytest.raises(InputError) as error:
        select_variants(CPU, [name])
    assert (error.value.key, error.value.found) == ("--variants", name)


def test_tf32_is_switched_back() -> None:
    def state() -> tuple[bool, bool]:
        return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32

    before = state()
    for allowed in (True, False):
        with allow_tf32(allowed):
            assert state() == (allowed, allowed)
        assert state() == before


def test_a_step_computes_all_gradients(tiny_config: TinyConfig) -> None:
    with open_workload(tiny_config(), QUICK, uses=["train"]) as workload:
        model = workload.build_model()
        step = TrainingStep(
            model, {"type": "SGD", "lr": 1.0}, *workload.random_batch(6, "train"), Variant()
        )
        assert step() == 6
        assert model.training
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
        # Weights stay the same over any number of steps.
        assert {group["lr"] for group in step.optimizer.param_groups} == {1e-7}


def test_flops_of_a_step(tiny_config: TinyConfig) -> None:
    changes = dict(
        model__backbone__num_stages=1,
        model__backbone__inflate_stages=[],
        model__backbone__down_stages=[],
        model__cls_head__in_channels=4,
    )
    with open_workload(tiny_config(**changes), QUICK, uses=["train"]) as workload:
        T, V, K, classes = 8, 25, 3, 3
        conv, product, temporal = T * V * 3 * (K * 4), K * 4 * T * V * V, T * V * 4 * 4 * 9
        forward = 2 * (conv + product + temporal + 4 * classes)
        # The backward pass takes twice as many: the gradients of the input and of the weights.
        assert training_flops(workload) == pytest.approx(3 * forward, rel=0.25)


@pytest.mark.slow
def test_a_variant_that_fails_does_not_affect_the_others(
    tiny_config: TinyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(TrainingStep):
        def __call__(self) -> int:
            if self.variant.precision == "bf16":
                raise RuntimeError("out of memory: no 3 GB\nsecond line")
            return super().__call__()

    monkeypatch.setattr(step_module, "TrainingStep", Failing)
    settings = BenchmarkSettings(
        seconds=0.01, repeats=2, device="cpu", batch=[2, 3], variants=["bf16", "fp32"]
    )
    with open_workload(tiny_config(), settings, uses=["train"]) as workload:
        tables, limits = measure_step(workload)
    assert [table.title for table in tables] == ["training step, 2 clips", "training step, 3 clips"]
    for table in tables:
        assert table.failed == {"bf16": "out of memory: no 3 GB"}
        (figure,) = table.figures
        assert (figure.name, figure.notes["ratio"], len(figure.values)) == ("fp32", 1, 2)
    assert all(value > 0 for value in limits.values())


class SlowLoader:
    """Batches of two; the first six are there at once, the others take time."""

    dataset = batch_sampler = None
    num_workers = 3

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for number in range(100):
            if number >= 6:
                time.sleep(0.02)
            yield {"keypoint": torch.zeros(2), "number": number}


def test_prefetched_batches_are_skipped() -> None:
    waits = []
    feed = LoopFeed(SlowLoader(), 2, 5, lambda: waits.append(time.perf_counter()))  # type: ignore[arg-type]
    assert len(feed) == 5
    assert [batch["number"] for batch in feed] == [6, 7, 8, 9, 10]
    assert feed.clips == 10
    assert 0.1 <= feed.seconds <= waits[1] - waits[0] + 0.01
    assert len(waits) == 2
    assert [batch["number"] for batch in feed] == [17, 18, 19, 20, 21]
    assert feed.clips == 10
