"""Weights and optimizer states fit or are refused."""

from __future__ import annotations

import copy
import logging
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pyskl.checkpoints.checkpoint import OpenedCheckpoint, open_checkpoint
from pyskl.checkpoints.weights import load_optimizer, load_weights
from pyskl.errors import CheckpointError
from pyskl.models import STGCN, GCNHead, RecognizerGCN


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


# --- variants of files that people bring ----------------------------------------------------------


def _recognizer(seed: int = 0) -> RecognizerGCN:
    if seed not in _RECOGNIZERS:
        _RECOGNIZERS[seed] = _new_recognizer(seed)
    return copy.deepcopy(_RECOGNIZERS[seed])


_RECOGNIZERS: dict[int, RecognizerGCN] = {}


def _new_recognizer(seed: int) -> RecognizerGCN:
    torch.manual_seed(seed)
    backbone = STGCN(
        dict(layout="coco", mode="stgcn_spatial"), base_channels=8, num_stages=3, down_stages=[3]
    )
    model = RecognizerGCN(backbone, GCNHead(3, backbone.out_channels))
    for buffer in model.buffers():  # as after a training
        if buffer.is_floating_point() and buffer.dim() == 1:
            buffer.uniform_(0.5, 2)
    return model


NAMES = list(_recognizer().state_dict())
COUNTERS = {name for name in NAMES if name.endswith("num_batches_tracked")}
WRAPPERS = st.lists(st.sampled_from(["module.", "_orig_mod."]), max_size=4).map("".join)


def _same(model: nn.Module, expected: dict[str, Tensor]) -> None:
    found = model.state_dict()
    assert [name for name in expected if not torch.equal(found[name], expected[name])] == []


@settings(max_examples=30)
@given(prefix=WRAPPERS, inner=st.booleans(), counters=st.booleans(), fine_tuning=st.booleans())
def test_wrapping_modules_and_missing_counters_make_no_difference(
    prefix: str, inner: bool, counters: bool, fine_tuning: bool
) -> None:
    source, model = _recognizer(0), _recognizer(1)
    weights = {
        prefix + (name.replace("backbone.", "backbone._orig_mod.") if inner else name): value
        for name, value in source.state_dict().items()
        if counters or name not in COUNTERS
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pyskl.checkpoints.weights.get_logger", lambda: pytest.fail("warned"))
        load_weights(model, weights, "a.pth", new_head=fine_tuning)
    _same(model, source.state_dict())


def test_wrapped_models_take_plain_weights_and_files_have_plain_names(tmp_path: Path) -> None:
    source = _recognizer(0)
    model = _recognizer(1)
    load_weights(nn.DataParallel(model), source.state_dict(), "a.pth")
    _same(model, source.state_dict())
    wrapped = nn.DataParallel(nn.DataParallel(source))
    torch.save({"state_dict": wrapped.state_dict()}, tmp_path / "a.pth")
    assert list(open_checkpoint(tmp_path / "a.pth").state_dict) == NAMES


def test_a_weight_that_is_there_twice_is_refused() -> None:
    weights = _recognizer().state_dict()
    weights["module." + NAMES[0]] = torch.zeros_like(weights[NAMES[0]])
    for fine_tuning in (False, True):
        with pytest.raises(CheckpointError) as error:
            load_weights(_recognizer(), weights, "a.pth", new_head=fine_tuning)
        assert (error.value.file, error.value.key) == ("a.pth", NAMES[0])


@settings(max_examples=40)
@given(
    prefix=WRAPPERS,
    missing=st.sets(st.sampled_from(NAMES), max_size=5),
    reshaped=st.sets(st.sampled_from(sorted(set(NAMES) - COUNTERS)), max_size=5),
    extra=st.sets(st.sampled_from(["ema.x", "n_averaged", "cls_head.aux.weight"]), max_size=3),
)
def test_fine_tuning_takes_what_fits_and_lists_the_rest_and_testing_refuses(
    prefix: str, missing: set[str], reshaped: set[str], extra: set[str]
) -> None:
    source, model, strict = _recognizer(0), _recognizer(1), _recognizer(1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    reshaped -= missing
    weights = {
        **{
            prefix + name: torch.cat([value, value]) if name in reshaped else value
            for name, value in source.state_dict().items()
            if name not in missing
        },
        **{prefix + name: torch.zeros(1) for name in extra},
    }
    wrong = (missing - COUNTERS) | reshaped | extra
    messages: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        logger = logging.Logger("test")
        logger.addFilter(lambda record: bool(messages.append(record.getMessage())))
        patch.setattr("pyskl.checkpoints.weights.get_logger", lambda: logger)
        load_weights(model, weights, "a.pth", new_head=True)
    taken = set(NAMES) - missing - reshaped
    _same(model, {name: (source.state_dict() if name in taken else before)[name] for name in NAMES})
    assert len(messages) == bool(wrong)
    assert all(name in message for name in list(wrong)[:1] for message in messages if wrong)
    if wrong:
        with pytest.raises(CheckpointError) as error:
            load_weights(strict, weights, "a.pth")
        listed = {one.problem.partition(":")[0] for one in error.value.errors}
        assert wrong <= listed or len(wrong) > 12
        _same(strict, before)


def test_backbones_alone_are_taken_with_and_without_their_prefix(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = _recognizer(0)
    backbone = {
        name: value for name, value in source.state_dict().items() if "cls_head" not in name
    }
    for weights in (backbone, source.backbone.state_dict()):
        model = _recognizer(1)
        caplog.clear()
        load_weights(model, weights, "a.pth", new_head=True)
        _same(model, backbone)
        (record,) = caplog.records
        assert "cls_head.fc_cls.bias: missing" in record.message


@pytest.mark.parametrize("backbone", ["", "backbone."])
def test_names_of_the_first_stgcn_and_of_mmaction2_are_translated(
    backbone: str, caplog: pytest.LogCaptureFixture
) -> None:
    source, model = _recognizer(0), _recognizer(1)
    weights = source.state_dict()
    theirs = {f"{backbone}A": weights["backbone.gcn.0.gcn.A"]}
    for name, value in weights.items():
        part = name.removeprefix("backbone.")
        number, _, rest = part.removeprefix("gcn.").partition(".")
        block = f"{backbone}st_gcn_networks.{number}."
        if part.startswith("data_bn"):
            theirs[backbone + part] = value
        elif rest == "gcn.PA":
            theirs[f"{backbone}edge_importance.{number}"] = value
        elif name.startswith("cls_head.fc_cls."):
            head = "cls_head.fc." if backbone else "fcn."
            is_weight = name.endswith("weight")
            theirs[head + rest.rpartition(".")[2]] = value[..., None, None] if is_weight else value
        elif rest != "gcn.A":
            for ours, other in (
                *(("gcn.conv", "gcn.conv"), ("gcn.bn", "tcn.0"), ("tcn.conv", "tcn.2")),
                *(("tcn.bn", "tcn.3"), ("residual.conv", "residual.0")),
                ("residual.bn", "residual.1"),
            ):
                if rest.startswith(f"{ours}."):
                    theirs[block + other + rest.removeprefix(ours)] = value
    load_weights(model, theirs, "a.pth", new_head=True)
    _same(model, weights)
    assert caplog.records == []
    with pytest.raises(CheckpointError):
        load_weights(_recognizer(1), theirs, "a.pth")


def test_the_head_of_mmaction2_1_is_translated(caplog: pytest.LogCaptureFixture) -> None:
    source, model = _recognizer(0), _recognizer(1)
    theirs = {name.replace("fc_cls", "fc"): value for name, value in source.state_dict().items()}
    load_weights(model, theirs, "a.pth", new_head=True)
    _same(model, source.state_dict())
    assert caplog.records == []


def test_weights_of_another_network_are_refused() -> None:
    for weights in (
        {"conv1.weight": torch.zeros(3)},
        {name: value[None] for name, value in _recognizer().state_dict().items()},
        {name: value for name, value in _recognizer().state_dict().items() if ".A" in name},
    ):
        model = _recognizer(1)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        with pytest.raises(CheckpointError) as error:
            load_weights(model, weights, "a.pth", new_head=True)
        assert error.value.file == "a.pth"
        _same(model, before)


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
