"""The key ``data.device`` of a config."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from pyskl.apis.data import build_data, build_loader, loader_settings
from pyskl.apis.prepare import prepare
from pyskl.datasets.device import DeviceLoader
from pyskl.errors import ConfigError


def mirror(sample: dict[str, Any]) -> dict[str, Any]:
    """A transform of the user's."""
    return sample


TinyConfig = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("word", ["auto", "cpu", "cuda", "cuda:3", None])
def test_the_words_that_it_takes(tiny_config: TinyConfig, word: str | None) -> None:
    prepare(tiny_config(data__device="cpu", data__train_dataloader=dict(device=word)), ["train"])


@pytest.mark.parametrize("word", ["gpu", 3])
def test_other_words_are_faults(tiny_config: TinyConfig, word: Any) -> None:
    config = tiny_config(data__device=word, data__val_dataloader=dict(device=word))
    with pytest.raises(ConfigError) as caught:
        prepare(config, ["train", "val"])
    keys = [fault.key for fault in caught.value.errors]
    assert keys == ["data.device", "data.val_dataloader.device"]


def test_a_transform_without_a_batch_form_is_a_fault(tiny_config: TinyConfig) -> None:
    crop = {"type": "PoseCompact"}
    config = tiny_config(data__device="cpu")
    config["data"]["train"]["pipeline"].insert(1, crop)
    with pytest.raises(ConfigError, match=r"train\.pipeline\[1\]: .*PoseCompact has no batch form"):
        prepare(config, ["train"])
    config["data"]["train_dataloader"] = {"device": None}
    with pytest.raises(ConfigError) as caught:  # the tiny samples have no image to crop
        prepare(config, ["train"])
    assert "batch form" not in str(caught.value)


def test_each_use_may_have_its_own(tiny_config: TinyConfig) -> None:
    config = tiny_config(
        data__device="auto", data__workers_per_gpu=2, data__val_dataloader=dict(device=None)
    )
    assert loader_settings(config, "train")["data_device"] == "auto"
    assert loader_settings(config, "val")["data_device"] is None
    assert loader_settings({"data": {}}, "train")["data_device"] is None
    loaders = {
        use: build_loader(
            build_data(config, use),
            device=torch.device("cpu"),
            shuffle=use == "train",
            **loader_settings(config, use),
        )
        for use in ("train", "val")
    }
    assert isinstance(loaders["train"], DeviceLoader)
    assert not isinstance(loaders["val"], DeviceLoader)
    assert loaders["val"].num_workers == 2
