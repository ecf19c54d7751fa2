"""Recognise actions with an exported model, without torch.

``tools/export.py`` writes the models. This package needs NumPy, onnxruntime and the transforms of
:mod:`pyskl.datasets`, and never imports torch.

Example::

    from pyskl.runtime import OnnxRecognizer

    recognizer = OnnxRecognizer('stgcn.onnx')
    for label, score in recognizer.predict(keypoint, topk=3):  # (M, T, V, C)
        print(recognizer.label_name(label), score)
"""

from pyskl.runtime.metadata import ModelMetadata
from pyskl.runtime.onnx import OnnxRecognizer
from pyskl.runtime.recognizer import Recognizer, complete_sample

__all__ = ["ModelMetadata", "OnnxRecognizer", "Recognizer", "complete_sample"]
