"""Recognise the actions in files, streams of frames and videos; one line of JSON for each.

Only :mod:`pyskl.inference.torch_recognizer` imports torch: with exported models the rest runs
without it.

Example::

    from pyskl.inference import Ensemble, InferSettings, infer_files
    from pyskl.runtime import OnnxRecognizer

    ensemble = Ensemble([OnnxRecognizer('stgcn.onnx')])
    infer_files(['clips/'], ensemble, InferSettings(topk=3), write=print)
"""

from __future__ import annotations

import importlib
from typing import Any

_MODULES = {
    "Ensemble": "pyskl.inference.ensemble",
    "InferReport": "pyskl.inference.infer",
    "InferSettings": "pyskl.inference.infer",
    "InputSequence": "pyskl.inference.sources",
    "LiveReport": "pyskl.inference.live",
    "LiveSettings": "pyskl.inference.live",
    "ReadSettings": "pyskl.inference.sources",
    "Recognizer": "pyskl.runtime.recognizer",
    "Segment": "pyskl.inference.windows",
    "Span": "pyskl.inference.windows",
    "TorchRecognizer": "pyskl.inference.torch_recognizer",
    "WindowSettings": "pyskl.inference.windows",
    "find_segments": "pyskl.inference.windows",
    "inference_recognizer": "pyskl.inference.torch_recognizer",
    "infer_files": "pyskl.inference.infer",
    "open_recognizer": "pyskl.inference.torch_recognizer",
    "read_sequences": "pyskl.inference.sources",
    "run_live": "pyskl.inference.live",
}

__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
