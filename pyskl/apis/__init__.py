"""Train, test and use recognizers. Names are imported on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyskl.apis.inference import init_recognizer
    from pyskl.apis.settings import TestSettings, TrainSettings
    from pyskl.apis.test import test_from_config, test_model
    from pyskl.apis.train import train_from_config, train_model
    from pyskl.inference.torch_recognizer import inference_recognizer
    from pyskl.training.seeding import init_random_seed

_MODULES = {
    "TestSettings": "pyskl.apis.settings",
    "TrainSettings": "pyskl.apis.settings",
    "inference_recognizer": "pyskl.inference.torch_recognizer",
    "init_random_seed": "pyskl.training.seeding",
    "init_recognizer": "pyskl.apis.inference",
    "test_from_config": "pyskl.apis.test",
    "test_model": "pyskl.apis.test",
    "train_from_config": "pyskl.apis.train",
    "train_model": "pyskl.apis.train",
}

__all__ = [
    "TestSettings",
    "TrainSettings",
    "inference_recognizer",
    "init_random_seed",
    "init_recognizer",
    "test_from_config",
    "test_model",
    "train_from_config",
    "train_model",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
