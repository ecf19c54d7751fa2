"""Variants of a step, and the loop over it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

from pyskl.benchmark import step as step_module
from pyskl.benchmark.flops import training_flops
from pyskl.benchmark.loop import _Feed
from pyskl.benchmark.precision import computing_in
from pyskl.benchmark.settings import BenchmarkSettings
from pyskl.benchmark.step import measure_step
from pyskl.benchmark.training_step import TrainingStep
from pyskl.benchmark.variants import REFERENCE, Variant, all_variants, choose_variants
from pyskl.benchmark.workload import open_workload
from pyskl.errors import InputError

CPU, GPU = torch.device("cpu"), torch.device("cuda")
TinyConfig = Callable[..., dict[str, Any]]
QUICK = BenchmarkSettings(seconds=0.01, repeats=2, device="cpu")


def test_names_and_variants_belong_together() -> None:
    for device in (CPU, GPU):
        for name, variant in all_variants(device).items():
            assert variant.name == name
    assert all_variants(CPU).keys() < all_variants(GPU).keys()
    assert all_variants(GPU)["bf16-compiled-graph"] == Variant("bf16", False, True, True)
    assert not {"tf32", "fp32-graph"} & all_variants(CPU).keys()


def test_the_reference_comes_first_whatever_is_asked_for() -> None:
    for device in (CPU, GPU):
        for names in ([], ["bf16"], ["bf16", REFERENCE]):
            for compiled in (False, True):
                assert choose_variants(device, names, compiled=compiled)[0] == Variant(plain=True)
    assert [one.name for one in choose_variants(CPU, [])] == [REFERENCE, "fp32"]
    assert any(one.compiled for one in choose_variants(CPU, [], compiled=True))


@pytest.mark.parametrize("name", ["tf32", "bf16-graph", "fast"])
def test_a_variant_that_the_device_lacks_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"there is no '{name}' on cpu"):
        choose_variants(CPU, [name])


def test_switches_are_put_back() -> None:
    def state() -> tuple[bool, bool]:
        return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32

    before = state()
    ones = torch.ones(2, 2)
    with computing_in("fp32", CPU):
        assert state() == (False, False)
        assert (ones @ ones).dtype == torch.float32
    with computing_in("bf16", CPU):
        assert state() == (True, True)
        assert (ones @ ones).dtype == torch.bfloat16
    with pytest.raises(KeyError), computing_in("fp32", CPU):
        raise KeyError
    assert state() == before


def test_a_step_trains_all_weights(tiny_config: TinyConfig) -> None:
    with open_workload(tiny_config(), QUICK, uses=["train"]) as workload:
        model = workload.build_model()
        step = TrainingStep(
            model, {"type": "SGD", "lr": 1.0}, *workload.random_batch(6, "train"), Variant()
        )
        assert step() == 6
        assert model.training
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
        # Weights stay where they are, however many steps are taken.
        assert {group["lr"] for group in step.optimizer.param_groups} == {1e-7}


def test_operations_are_those_of_the_layers(tiny_config: TinyConfig) -> None:
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
        # Backward is twice forward: with respect to the input, and to the weights; the first
        # convolution has an input to differentiate, too, as the data's norm comes before it.
        assert training_flops(workload) == pytest.approx(3 * forward, rel=0.25)


def test_a_variant_that_fails_leaves_the_others(
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
        assert [figure.name for figure in table.figures] == [REFERENCE, "fp32"]
        assert table.figures[0].notes["ratio"] == 1
        assert all(len(figure.values) == 2 for figure in table.figures)
    assert all(value > 0 for value in limits.values())


class _Loader:
    """Batches of two that come without end; the first six are there at once, the others late."""

    dataset = None
    num_workers = 3

    def __iter__(self) -> Any:
        for number in range(100):
            if number >= 6:
                time.sleep(0.02)
            yield {"keypoint": torch.zeros(2), "number": number}


def test_a_feed_leaves_out_what_was_read_ahead() -> None:
    waits = []
    feed = _Feed(_Loader(), 2, 5, lambda: waits.append(time.perf_counter()))  # type: ignore[arg-type]
    assert len(feed) == 5
    assert [batch["number"] for batch in feed] == [6, 7, 8, 9, 10]
    assert feed.clips == 10
    assert 0.1 <= feed.seconds <= waits[1] - waits[0] + 0.01
    assert len(waits) == 2
    assert [batch["number"] for batch in feed] == [17, 18, 19, 20, 21]
    assert feed.clips == 10
