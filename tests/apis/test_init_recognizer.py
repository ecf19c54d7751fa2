"""Building recognizers for inference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from pyskl.apis import init_recognizer
from pyskl.errors import CheckpointError, DeviceError


def test_a_config_may_be_a_path_a_dict_or_an_object(
    tiny_config: Callable[..., dict], write_tiny_config: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_tiny_config(tmp_path / "tiny.py")
    for config in (path, str(path), tiny_config(), Config(tiny_config())):
        model = init_recognizer(config)
        assert not model.training
        assert model.cfg.model.cls_head.num_classes == 3


def test_a_device_that_is_not_there_is_refused(tiny_config: Callable[..., dict]) -> None:
    devices = ["gpu", f"cuda:{torch.cuda.device_count()}"]
    for device in devices:
        with pytest.raises(DeviceError) as caught:
            init_recognizer(tiny_config(), device=device)
        assert (caught.value.key, caught.value.found) == ("device", device)


def test_weights_are_loaded(tiny_config: Callable[..., dict], tmp_path: Path) -> None:
    model = init_recognizer(tiny_config())
    path = tmp_path / "weights.pth"
    torch.save({"state_dict": model.state_dict(), "meta": {}}, path)
    loaded = init_recognizer(tiny_config(), path)
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    with pytest.raises(CheckpointError):
        init_recognizer(tiny_config(model__cls_head__num_classes=4), path)
