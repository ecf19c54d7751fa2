"""Weights and optimizer states fit or are refused."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pyskl.checkpoints.checkpoint import OpenedCheckpoint
from pyskl.checkpoints.weights import load_optimizer, load_weights
from pyskl.errors import CheckpointError


class _Model(nn.Module):
    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.body = nn.Linear(2, 4)
        self.cls_head = nn.ModuleDict({"fc_cls": nn.Linear(4, classes)})


def test_weights_that_fit() -> None:
    source, target = _Model(), _Model()
    load_weights(target, source.state_dict(), "a.pth")
    torch.testing.assert_close(target.state_dict(), source.state_dict())


def test_all_misfits_are_listed_and_nothing_is_loaded() -> None:
    model = _Model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    given = _Model(classes=5).state_dict()
    del given["body.bias"]
    given["neck.weight"] = torch.ones(1)
    with pytest.raises(CheckpointError) as error:
        load_weights(model, given, "a.pth")
    assert str(error.value).splitlines() == [
        "a.pth: does not fit the model that the config describes (1 missing, 1 not in the model, 2 "
        "of another shape):",
        "  body.bias: missing in the file",
        "  neck.weight: not in the model",
        "  cls_head.fc_cls.bias: shape (5,) for the model's (3,)",
        "  cls_head.fc_cls.weight: shape (5, 4) for the model's (3, 4)",
    ]
    torch.testing.assert_close(dict(model.state_dict()), before)


def test_long_lists_are_cut() -> None:
    given = {f"extra{number}": torch.ones(1) for number in range(20)}
    with pytest.raises(CheckpointError) as error:
        load_weights(nn.Identity(), given, "a.pth")
    assert [one.problem for one in error.value.errors][-1] == "and 8 more"


def test_a_new_head_starts_untrained_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    model, source = _Model(classes=3), _Model(classes=5)
    head = model.cls_head["fc_cls"].weight.clone()
    load_weights(model, source.state_dict(), "a.pth", new_head=True)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "cls_head.fc_cls.weight: shape (5, 4) for the model's (3, 4)" in record.message
    torch.testing.assert_close(model.body.weight, source.body.weight)
    torch.testing.assert_close(model.cls_head["fc_cls"].weight, head)


@pytest.mark.parametrize("change", [{"body.weight": torch.ones(1)}, {"cls_head.fc_cls.bias": None}])
def test_a_new_head_excuses_nothing_else(
    change: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    given = _Model().state_dict()
    load_weights(_Model(), given, "a.pth", new_head=True)
    assert caplog.records == []
    changed = {name: value for name, value in {**given, **change}.items() if value is not None}
    with pytest.raises(CheckpointError, match=next(iter(change))):
        load_weights(_Model(), changed, "a.pth", new_head=True)


def test_the_state_of_another_optimizer_is_refused() -> None:
    model = nn.Linear(2, 2)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    adam = torch.optim.AdamW(model.parameters(), lr=0.1)

    def checkpoint(optimizer: torch.optim.Optimizer) -> OpenedCheckpoint:
        state = optimizer.state_dict()
        return OpenedCheckpoint(Path("a.pth"), "a.pth", "", OrderedDict(), {}, state)

    with pytest.raises(CheckpointError, match="betas") as error:
        load_optimizer(adam, checkpoint(sgd))
    assert (error.value.file, error.value.key) == ("a.pth", "optimizer")
    load_optimizer(sgd, checkpoint(torch.optim.SGD(model.parameters(), lr=0.3)))
    assert sgd.param_groups[0]["lr"] == 0.3
