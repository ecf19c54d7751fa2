"""Communication between real processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from pyskl.distributed.collectives import (
    average_batchnorm,
    barrier,
    broadcast_object,
    check_same_on_all_ranks,
    data_parallel,
    gather_objects,
    is_distributed,
    is_main_process,
    mean_over_ranks,
    raise_on_all_ranks,
)
from pyskl.errors import InputError, WriteError

RunRanks = Callable[..., dict[int, Any]]


def test_a_single_process_exchanges_nothing() -> None:
    assert not is_distributed()
    assert is_main_process()
    barrier()
    assert broadcast_object("x") == "x"
    assert gather_objects("x") == ["x"]
    values = torch.arange(3.0)
    assert mean_over_ranks(values) is values
    norm = nn.BatchNorm1d(2)
    norm.running_mean.fill_(3)
    average_batchnorm(norm)
    assert norm.running_mean.tolist() == [3, 3]
    assert data_parallel(norm, torch.device("cpu")) is norm
    check_same_on_all_ranks({"config": "a = 1"})
    with pytest.raises(WriteError), raise_on_all_ranks():
        raise WriteError("disk full")


def test_values_of_several_processes(run_ranks: RunRanks) -> None:
    def exchange(rank: int, monitor: Any) -> tuple[Any, ...]:
        norm = nn.BatchNorm1d(1)
        norm.running_mean.fill_(rank)
        norm.running_var.fill_(2 * rank)
        average_batchnorm(norm)
        return (
            is_main_process(),
            broadcast_object({"rank": rank}),
            gather_objects(rank),
            mean_over_ranks(torch.tensor([float(rank), 1.0])).tolist(),
            [norm.running_mean.item(), norm.running_var.item()],
        )

    same = ({"rank": 0}, [0, 1, 2], [1.0, 1.0], [1.0, 2.0])
    assert run_ranks(exchange, 3) == {rank: (rank == 0, *same) for rank in range(3)}


def test_every_rank_raises_the_error_of_one(run_ranks: RunRanks) -> None:
    def fail(rank: int, monitor: Any) -> None:
        with raise_on_all_ranks():
            if rank == 1:
                raise WriteError("disk full", file="a.pth")

    found = run_ranks(fail)
    assert [(type(error), error.file) for error in found.values()] == [(WriteError, "a.pth")] * 2


def test_processes_with_different_configs(run_ranks: RunRanks) -> None:
    def compare(rank: int, monitor: Any) -> None:
        config = f"a = 1\nb = {2 if rank == 1 else 3}\n"
        check_same_on_all_ranks({"options": "same", "config": config})

    for error in run_ranks(compare, 3).values():
        assert isinstance(error, InputError)
        assert error.key == "config"
        assert "processes [0, 2] and [1]" in error.problem
        assert error.found == "'b = 3' and 'b = 2'"
