from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from pyskl.errors import ConfigError
from pyskl.models import GCNHead, RecognizerGCN, build_model

L = 7


def config(**arguments: Any) -> dict[str, Any]:
    return {
        "type": "RecognizerGCN",
        "backbone": {
            "type": "STGCN",
            "graph_cfg": {"layout": "coco", "mode": "stgcn_spatial"},
            "base_channels": 4,
            "num_stages": 2,
        },
        "cls_head": {"type": "GCNHead", "num_classes": L, "in_channels": 4, "init_std": 1.0},
        **arguments,
    }


def build(**arguments: Any) -> RecognizerGCN:
    model = build_model(config(**arguments))
    assert isinstance(model, RecognizerGCN)
    return model


def keypoints(clips: int = 1, N: int = 3) -> Tensor:
    return torch.randn(N, clips, 2, 8, 17, 3)


def test_loss_is_the_sum_of_the_losses() -> None:
    model = build()
    x, y = keypoints(), torch.tensor([0, 1, 2])
    losses = model.loss(x, y)
    assert list(losses) == ["loss_cls", "top1_acc", "top5_acc", "loss"]
    assert losses["loss"] == losses["loss_cls"]
    assert all(value.shape == () for value in losses.values())

    class TwoLosses(GCNHead):
        def loss(self, scores: Tensor, labels: Tensor) -> dict[str, Tensor]:
            return {
                "loss_a": torch.tensor(1.0),
                "loss_b": torch.tensor(2.0),
                "x": torch.tensor(4.0),
            }

    assert build(cls_head=TwoLosses(L, 4)).loss(x, y)["loss"] == 3


def test_labels_of_all_kinds_make_the_same_loss() -> None:
    model = build().eval()
    x, y = keypoints(), torch.tensor([0, 6, 2])
    expected = model.loss(x, y)
    for labels in (y[:, None], nn.functional.one_hot(y, L).float()):
        assert_close(model.loss(x, labels), expected)
    assert_close(model.loss(x[:, 0], y), expected)


def test_average_of_the_clips() -> None:
    x = keypoints(clips=4)
    model = build().eval()
    logits = model.logits(x)
    assert logits.shape == (3, 4, L)
    assert model.average_clips == "prob"
    assert_close(model.predict(x), logits.softmax(2).mean(1).detach())
    model.average_clips = "score"
    assert_close(model.predict(x), logits.mean(1).detach())
    model.average_clips = None
    assert_close(model.predict(x), logits.detach())


def test_clips_are_scored_apart() -> None:
    x = keypoints(clips=3)
    model = build(test_cfg={"average_clips": None}).eval()
    together = model.predict(x)
    for clip in range(3):
        assert_close(model.predict(x[:, [clip]])[:, 0], together[:, clip])
        assert_close(model.predict(x[:, clip])[:, 0], together[:, clip])


def test_the_call_of_the_family() -> None:
    model = build().eval()
    x, y = keypoints(), torch.tensor([0, 1, 2])
    assert_close(model(keypoint=x, label=y, return_loss=True), model.loss(x, y))
    scores = model(keypoint=x, return_loss=False)
    assert isinstance(scores, np.ndarray)
    assert scores.dtype == np.float32
    assert_close(torch.from_numpy(scores), model.predict(x))
    with pytest.raises(ValueError, match="return_loss=False"):
        model(keypoint=x)


def test_prediction_leaves_no_graph_and_logits_do() -> None:
    model = build().eval()
    assert not model.predict(keypoints()).requires_grad
    assert model.logits(keypoints()).requires_grad
    assert model.extract_feat(keypoints()[:, 0]).shape == (3, 2, 4, 8, 17)


def test_half_precision_is_averaged_in_float32() -> None:
    model = build().eval()
    x = keypoints(clips=2)
    with torch.autocast("cpu", torch.bfloat16):
        scores = model.predict(x)
        loss = model.loss(x[:, :1], torch.tensor([0, 1, 2]))["loss"]
    assert scores.dtype == loss.dtype == torch.float32
    assert_close(scores.sum(1), torch.ones(3))
    assert_close(scores, model.predict(x), rtol=0, atol=0.05)


def test_training_takes_one_clip() -> None:
    with pytest.raises(ValueError, match="one clip of each sample, found 2"):
        build().loss(keypoints(clips=2), torch.tensor([0, 1, 2]))


def test_refuses_other_ranks() -> None:
    with pytest.raises(ValueError, match=r"found the shape \(3, 8, 17, 3\)"):
        build().predict(torch.randn(3, 8, 17, 3))


def test_modules_need_no_config() -> None:
    model = build()
    again = RecognizerGCN(model.backbone, model.cls_head, test_cfg={"average_clips": "score"})
    assert again.backbone is model.backbone
    assert list(again.state_dict()) == list(model.state_dict())
    assert build_model(model) is model


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"test_cfg": {"average_clips": "probs"}}, "average_clips"),
        ({"test_cfg": {"average_clip": "prob"}}, "test_cfg.average_clip"),
        ({"train_cfg": {"aux": 1}}, "train_cfg.aux"),
    ],
)
def test_refuses(arguments: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as error:
        build(**arguments)
    assert error.value.key == key


def test_average_clips_is_checked_when_set() -> None:
    model = build()
    with pytest.raises(ConfigError):
        model.average_clips = "mean"
    assert model.average_clips == "prob"
