"""What the training promises for ST-GCN, it keeps for each network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pyskl.apis import TrainSettings, train_from_config
from pyskl.errors import InputError
from pyskl.models import build_model
from pyskl.reports.joint_importance import joint_importance

pytestmark = pytest.mark.slow

BLOCKS = dict(base_channels=8, num_stages=3, inflate_stages=[2], down_stages=[3])
NTU = "nturgb+d"
NETWORKS: dict[str, dict[str, Any]] = {
    "AAGCN": dict(BLOCKS, num_person=1, graph_cfg=dict(layout=NTU, mode="spatial")),
    "CTRGCN": dict(BLOCKS, num_person=1, graph_cfg=dict(layout=NTU, mode="spatial")),
    "MSG3D": dict(
        base_channels=6,
        num_gcn_scales=3,
        num_g3d_scales=2,
        num_person=1,
        graph_cfg=dict(layout=NTU, mode="binary_adj"),
    ),
    "DGSTGCN": dict(BLOCKS, gcn_ctr="NA", graph_cfg=dict(layout=NTU, mode="random", num_filter=3)),
}


@pytest.fixture(params=NETWORKS)
def config(request: pytest.FixtureRequest, tiny_config: Callable[..., dict]) -> Any:
    """A function that makes a tiny config of one network, with dropout."""
    name = request.param
    backbone = dict(type=name, tcn_dropout=0.2, **NETWORKS[name])
    head = dict(type="GCNHead", num_classes=3, in_channels=24 if name == "MSG3D" else 16)

    def make(backbone_options: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
        network = {**backbone, **(backbone_options or {})}
        return tiny_config(model__backbone=network, model__cls_head=head, **changes)

    return make


def weights(folder: Path, epoch: int = 2) -> dict[str, torch.Tensor]:
    return torch.load(folder / f"epoch_{epoch}.pth", weights_only=True)["state_dict"]


def assert_equal(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert list(found) == list(expected)
    assert [name for name in found if not torch.equal(found[name], expected[name])] == []


def test_a_resumed_training_ends_in_the_same_bits(config: Any, tmp_path: Path) -> None:
    train_from_config(config(), work_dir=tmp_path / "whole")
    train_from_config(config(total_epochs=1), work_dir=tmp_path / "resumed")
    train_from_config(config(), TrainSettings(resume=True), work_dir=tmp_path / "resumed")
    assert_equal(weights(tmp_path / "resumed"), weights(tmp_path / "whole"))


def test_checkpointing_and_the_device_path_end_in_the_same_bits(
    config: Any, tmp_path: Path
) -> None:
    train_from_config(config(total_epochs=1), work_dir=tmp_path / "plain")
    train_from_config(config({"with_cp": True}, total_epochs=1), work_dir=tmp_path / "with_cp")
    train_from_config(config(total_epochs=1, data__device="cpu"), work_dir=tmp_path / "device")
    plain = weights(tmp_path / "plain", 1)
    assert_equal(weights(tmp_path / "with_cp", 1), plain)
    assert_equal(weights(tmp_path / "device", 1), plain)


def test_checkpointing_and_a_compiler_exclude_each_other(config: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        train_from_config(config({"with_cp": True}), TrainSettings(compile=True), work_dir=tmp_path)
    assert error.value.key == "model.backbone.with_cp"


def test_bfloat16_trains(config: Any, tmp_path: Path) -> None:
    settings = TrainSettings(amp="bf16", validate=True, test_last=True)
    results = train_from_config(config(), settings, work_dir=tmp_path)
    assert 0 <= results["last"]["top1_acc"] <= 1


def test_every_joint_can_be_important(config: Any) -> None:
    model = build_model(config()["model"]).eval()
    importance = joint_importance(model, torch.rand(2, 1, 16, 25, 3) + 1, label=1)
    assert importance.shape == (25,)
    assert importance.max() == 1
