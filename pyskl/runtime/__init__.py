"""Recognise actions with an exported model, without torch.

``tools/export.py`` writes the models. What is imported here needs numpy, onnxruntime and the
transforms of this package, and nothing that imports torch; a test holds it to that.

Example::

    from pyskl.runtime import OnnxRecognizer

    recognizer = OnnxRecognizer('stgcn.onnx')
    for label, score in recognizer.predict(keypoint, topk=3):  # (M, T, V, C)
        print(recognizer.label_name(label), score)
"""

from pyskl.runtime.metadata import ModelMetadata
from pyskl.runtime.onnx import OnnxRecognizer
from pyskl.runtime.recognizer import ExportedRecognizer
from pyskl.runtime.sample import complete_sample

__all__ = ["ExportedRecognizer", "ModelMetadata", "OnnxRecognizer", "complete_sample"]
