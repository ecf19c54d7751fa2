"""Train, test and use recognizers."""

from __future__ import annotations

import importlib
from typing import Any

# Imported on first use: importing this package stays cheap, and it does not depend on
# pyskl.inference, which builds on it.
_MODULES = {
    "TestSettings": "pyskl.apis.test",
    "TrainSettings": "pyskl.apis.settings",
    "inference_recognizer": "pyskl.inference.torch_recognizer",
    "init_random_seed": "pyskl.training.seeding",
    "init_recognizer": "pyskl.apis.inference",
    "test_from_config": "pyskl.apis.test",
    "test_model": "pyskl.apis.test",
    "train_from_config": "pyskl.apis.train",
    "train_model": "pyskl.apis.train",
}

__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
