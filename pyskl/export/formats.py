"""Write and read the formats that recognizers are exported to."""

from __future__ import annotations

import copy
import importlib.util
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pyskl.checkpoints.checkpoint import read_safetensors
from pyskl.checkpoints.weights import load_weights
from pyskl.errors import InputError, RunError, UntrustedFileError
from pyskl.export.clip_model import ClipModel, example_input, exporting, free_axes
from pyskl.inference.torch_recognizer import TorchRecognizer
from pyskl.runtime.metadata import INPUT, KEY, LEGEND, OUTPUT, ModelMetadata
from pyskl.runtime.onnx import OnnxRecognizer, first_line
from pyskl.runtime.recognizer import Recognizer

OPSET = 18
"""Version of ONNX's operators: the lowest that torch's exporter writes, so the most portable."""


@dataclass(frozen=True)
class ExportedModel:
    """A recognizer to be written to a file.

    Attributes:
        recognizer: The recognizer, in evaluation mode on the CPU. It is not changed.
        metadata: The metadata for the file.
        fuse: Fold BatchNorm into convolutions.
        calibration: Clips (N, M, T, V, C) that set the scales of int8 weights and activations.
    """

    recognizer: nn.Module
    metadata: ModelMetadata
    fuse: bool = True
    calibration: Sequence[Tensor] = ()

    def clip_model(self) -> ClipModel:
        """Return the module to export, in the precision of the file."""
        return ClipModel(self.recognizer, fuse=self.fuse, half=self.metadata.precision == "fp16")


# --- ONNX -----------------------------------------------------------------------------------------


def _write_onnx(model: ExportedModel, path: Path) -> None:
    import onnx

    with exporting():
        program: Any = torch.onnx.export(
            model.clip_model(),
            (example_input(model.metadata),),
            dynamo=True,
            dynamic_shapes={INPUT: free_axes(model.metadata)},
            input_names=[INPUT],
            output_names=[OUTPUT],
            opset_version=OPSET,
            verbose=False,
        )
    proto: Any = program.model_proto
    graph = proto.graph
    # Remove torch's notes on each operator: stack traces with the paths of this machine.
    for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output):
        del part.metadata_props[:]
    for node in graph.node:
        node.doc_string = ""
    if model.metadata.precision == "int8":
        proto = _quantise(proto, model.calibration)
    proto.producer_name, _, proto.producer_version = model.metadata.toolbox.partition(" ")
    proto.doc_string = f"{INPUT} (N, M, T, V, C) → {OUTPUT} (N, L): {LEGEND}"
    onnx.helper.set_model_props(proto, {KEY: model.metadata.to_json()})
    onnx.checker.check_model(proto)
    path.write_bytes(proto.SerializeToString())


def _quantise(proto: Any, clips: Sequence[Tensor]) -> Any:
    """Return an ONNX model whose convolutions have weights and inputs of 8 bits.

    Weights have a scale per channel, activations one from the range that they take on the clips.
    Everything else stays in float32, including the head: it takes no time, and rounding its output
    would change predictions.
    """
    import onnx
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Clips(CalibrationDataReader):
        def __init__(self) -> None:
            self.rest: Iterator[Tensor] = iter(clips)

        def get_next(self) -> dict[str, Any] | None:
            clip = next(self.rest, None)
            return None if clip is None else {INPUT: clip.numpy()}

    with tempfile.TemporaryDirectory() as folder, exporting():
        path = Path(folder) / "int8.onnx"
        quantize_static(
            proto,
            path,
            Clips(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,  # the output of a ReLU is not negative
            weight_type=QuantType.QInt8,
            # 7 bits: x86 processors without VNNI add products in 16 bits, which 8 bits overflow.
            reduce_range=True,
            op_types_to_quantize=["Conv"],
        )
        return onnx.load(path)


# --- TorchScript ----------------------------------------------------------------------------------


def _write_torchscript(model: ExportedModel, path: Path) -> None:
    with exporting():
        example = example_input(model.metadata)
        traced = torch.jit.trace(model.clip_model(), example, check_trace=False)
        torch.jit.save(traced, str(path), _extra_files={KEY: model.metadata.to_json()})


def _read_torchscript(path: Path) -> TorchRecognizer:
    extra: dict[str, Any] = {KEY: ""}
    return _read_program(
        path, lambda: torch.jit.load(str(path), map_location="cpu", _extra_files=extra), extra
    )


# --- exported program -----------------------------------------------------------------------------


def _write_exported_program(model: ExportedModel, path: Path) -> None:
    # torch finds the smallest size of each axis itself. T must not become 1 inside the network, or
    # torch takes it for a constant.
    axes = dict.fromkeys(free_axes(model.metadata), torch.export.Dim.DYNAMIC)
    with exporting():
        program = torch.export.export(
            model.clip_model(), (example_input(model.metadata),), dynamic_shapes={INPUT: axes}
        )
        for node in program.graph.nodes:
            node.meta.pop("stack_trace", None)  # contains paths of this machine
        # An open file, as torch accepts only names that end in .pt2.
        with path.open("wb") as file:
            torch.export.save(program, file, extra_files={KEY: model.metadata.to_json()})


def _read_exported_program(path: Path) -> TorchRecognizer:
    extra: dict[str, Any] = {KEY: ""}

    def load() -> nn.Module:
        with path.open("rb") as file:
            return torch.export.load(file, extra_files=extra).module()

    return _read_program(path, load, extra)


def _read_program(
    path: Path, load: Callable[[], nn.Module], extra: dict[str, Any]
) -> TorchRecognizer:
    """Return the recognizer in a file that torch loads with its metadata in ``extra``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is deprecated
            program = load()
    except Exception as error:  # torch may raise any error for damaged files
        raise InputError(f"torch can't load it: {first_line(error)}", file=path) from error
    metadata = ModelMetadata.from_json(extra[KEY], str(path))
    return TorchRecognizer(str(path), program, **metadata.recognizer_arguments())


# --- safetensors ----------------------------------------------------------------------------------


def _write_safetensors(model: ExportedModel, path: Path) -> None:
    """Write the weights with the names of the checkpoint, not fused, to replace it."""
    from safetensors.torch import save

    half = model.metadata.precision == "fp16"
    tensors = {
        name: (value.half() if half and value.is_floating_point() else value).contiguous().clone()
        for name, value in model.recognizer.state_dict().items()
    }
    path.write_bytes(save(tensors, metadata={"format": "pt", KEY: model.metadata.to_json()}))


def _reload_weights(model: ExportedModel, path: Path) -> TorchRecognizer:
    """Return a recognizer of the same config with the weights in a file."""
    recognizer: Any = copy.deepcopy(model.recognizer)
    for value in recognizer.state_dict().values():
        value.zero_()  # so that a missing tensor makes a difference
    load_weights(recognizer, read_safetensors(path), str(path))
    return TorchRecognizer.of_model(recognizer, model.metadata.pipeline, name=str(path))


# --- all formats ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class ExportFormat:
    """One format.

    Attributes:
        name: The name for ``--format``.
        suffix: Of its files.
        write: Writes a model to a path.
        read: Opens a file; None for a file that has weights only.
        precisions: Precisions of the weights that it can hold.
        packages: Packages that it needs in addition to torch.
        runs_code: Whether opening a file can run code from the file.
        min_frames: Clips with fewer frames may be refused.
    """

    name: str
    suffix: str
    write: Callable[[ExportedModel, Path], None]
    read: Callable[[Path], Recognizer] | None
    precisions: tuple[str, ...] = ("fp32", "fp16")
    packages: tuple[str, ...] = ()
    runs_code: bool = False
    min_frames: int = 1

    def check(self, precision: str) -> None:
        """Check that the format can hold a precision, and that its packages are installed.

        Raises:
            InputError: if not.
        """
        if precision not in self.precisions:
            others = [one.name for one in FORMATS.values() if precision in one.precisions]
            raise InputError(
                f"{self.name} can't hold this precision",
                key="--precision",
                found=precision,
                expected=", ".join(self.precisions),
                hint=f"use --format {' or '.join(others)}" if others else None,
            )
        missing = [name for name in self.packages if importlib.util.find_spec(name) is None]
        if missing:
            raise InputError(
                f"packages are missing: {', '.join(missing)}",
                key=f"--format {self.name}",
                hint=f"pip install {' '.join(missing)}",
            )

    def write_and_read(self, model: ExportedModel, path: Path) -> Recognizer:
        """Write a model and open the file.

        Raises:
            InputError: if the exporter can't handle the model.
        """
        try:
            self.write(model, path)
        except (InputError, RunError, OSError):
            raise
        except Exception as error:  # exporters may raise any error for custom modules
            raise InputError(
                f"the model can't be exported ({type(error).__name__}: {first_line(error)})",
                key=f"--format {self.name}",
            ) from error
        return self.read(path) if self.read is not None else _reload_weights(model, path)


FORMATS = {
    one.name: one
    for one in (
        ExportFormat(
            "onnx",
            ".onnx",
            _write_onnx,
            OnnxRecognizer,
            precisions=("fp32", "fp16", "int8"),
            packages=("onnx", "onnxscript", "onnxruntime"),
        ),
        ExportFormat("torchscript", ".pt", _write_torchscript, _read_torchscript, runs_code=True),
        ExportFormat(
            "exported_program",
            ".pt2",
            _write_exported_program,
            _read_exported_program,
            runs_code=True,
            min_frames=16,
        ),
        ExportFormat(
            "safetensors", ".safetensors", _write_safetensors, None, packages=("safetensors",)
        ),
    )
}
"""The formats by name."""


def open_exported(path: str | Path, *, trusted: bool = False) -> Recognizer:
    """Open an exported model.

    Args:
        path: A ``.onnx``, ``.pt`` (TorchScript) or ``.pt2`` (exported program) file.
        trusted: Allow ``.pt`` and ``.pt2`` files, which are programs: open them only if you trust
            their source.

    Raises:
        InputError: if it is of another format, or not a model of this toolbox.
        UntrustedFileError: for a program without ``trusted``.
    """
    path = Path(path)
    suffixes = {one.suffix: one for one in FORMATS.values()}
    format = suffixes.get(path.suffix)
    if format is None or format.read is None:
        raise InputError(
            "not an exported model" if format is None else "the file has weights only",
            file=path,
            expected=", ".join(suffix for suffix, one in suffixes.items() if one.read),
            hint=None if format is None else "use it as a checkpoint, with its config",
        )
    if not path.is_file():
        raise InputError("there is no such model", file=path)
    if format.runs_code and not trusted:
        raise UntrustedFileError(
            f"a {format.suffix} file is a program, and was refused",
            file=path,
            hint="if you trust its source, pass trusted=True; .onnx files run no code",
        )
    return format.read(path)
