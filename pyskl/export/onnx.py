"""ONNX: the graph in the format that most runtimes read.

The exporter is torch's, by way of ``torch.export``; it keeps the axes N, M and T free. Weights stay
inside the file.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch

from pyskl.export.source import Source, exporting
from pyskl.runtime.metadata import INPUT, KEY, LEGEND, OUTPUT
from pyskl.runtime.onnx import OnnxRecognizer

OPSET = 18
"""The version of ONNX's operators: the lowest that torch's exporter writes, so the widest read."""


def write(source: Source, path: Path) -> None:
    """Write a model."""
    import onnx

    with exporting():
        program: Any = torch.onnx.export(
            source.clip_model,
            (source.example,),
            dynamo=True,
            dynamic_shapes={INPUT: source.dynamic},
            input_names=[INPUT],
            output_names=[OUTPUT],
            opset_version=OPSET,
            verbose=False,
        )
    model: Any = program.model_proto
    _remove_traces(model.graph)
    if source.metadata.precision == "int8":
        from pyskl.export.quantise import quantised

        with tempfile.TemporaryDirectory() as folder:
            model = quantised(model, source.calibration, Path(folder))
    model.producer_name, _, model.producer_version = source.metadata.toolbox.partition(" ")
    model.doc_string = f"{INPUT} (N, M, T, V, C) → {OUTPUT} (N, L): {LEGEND}"
    onnx.helper.set_model_props(model, {KEY: source.metadata.to_json()})
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def read(path: Path) -> OnnxRecognizer:
    """Read a model back."""
    return OnnxRecognizer(path)


def _remove_traces(graph: Any) -> None:
    """Remove what torch notes of each operator: lines of code, with the paths of this machine."""
    for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output):
        del part.metadata_props[:]
    for node in graph.node:
        node.doc_string = ""
