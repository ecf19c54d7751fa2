"""The formats that a recognizer can be exported to."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyskl.errors import InputError, UntrustedFileError, did_you_mean
from pyskl.export.source import Source
from pyskl.runtime.recognizer import ExportedRecognizer

Write = Callable[[Source, Path], None]
Read = Callable[[Path], ExportedRecognizer]


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        name: As ``--format`` says it.
        suffix: Of its files.
        module: Where its ``write(source, path)`` and ``read(path)`` are.
        precisions: Those of the weights that it can hold.
        packages: What has to be installed to write and check it, besides torch.
        runs_code: Whether reading a file can run what its maker put in.
        whole: Whether a file holds the model itself, or only its weights.
        least_frames: Clips of fewer frames may be refused by what runs the file.
    """

    name: str
    suffix: str
    module: str
    precisions: tuple[str, ...]
    packages: tuple[str, ...] = ()
    runs_code: bool = False
    whole: bool = True
    least_frames: int = 1

    def check(self, precision: str) -> None:
        """Check that it can hold weights of a precision, and that its packages are there.

        Raises:
            InputError: saying what would do.
        """
        if precision not in self.precisions:
            others = [one.name for one in FORMATS.values() if precision in one.precisions]
            raise InputError(
                f"{self.name} is written as {', '.join(self.precisions)}, not as {precision}"
                + (f"; {precision} goes with --format {' or '.join(others)}" if others else "")
            )
        missing = [name for name in self.packages if importlib.util.find_spec(name) is None]
        if missing:
            raise InputError(
                f"--format {self.name} needs {', '.join(missing)}, which Python does not find: "
                f"pip install {' '.join(missing)}"
            )

    @property
    def write(self) -> Write:
        """The function that writes a model."""
        return self._part("write")

    @property
    def read(self) -> Read:
        """The function that reads a file of this format back."""
        return self._part("read")

    def _part(self, name: str) -> Any:
        return getattr(importlib.import_module(self.module), name)


FORMATS = {
    one.name: one
    for one in (
        Format(
            *("onnx", ".onnx", "pyskl.export.onnx"),
            precisions=("fp32", "fp16", "int8"),
            packages=("onnx", "onnxscript", "onnxruntime"),
        ),
        Format(
            *("torchscript", ".pt", "pyskl.export.torchscript"),
            precisions=("fp32", "fp16"),
            runs_code=True,
        ),
        Format(
            *("exported_program", ".pt2", "pyskl.export.program"),
            precisions=("fp32", "fp16"),
            runs_code=True,
            least_frames=16,
        ),
        Format(
            *("safetensors", ".safetensors", "pyskl.export.safetensors"),
            precisions=("fp32", "fp16"),
            packages=("safetensors",),
            whole=False,
        ),
    )
}
"""The formats by name."""


def find_format(name: str) -> Format:
    """Return the format of a name.

    Raises:
        InputError: if there is none.
    """
    if name not in FORMATS:
        raise InputError(f"there is no export format {name!r}{did_you_mean(name, FORMATS)}")
    return FORMATS[name]


def open_recognizer(path: str | Path, *, trusted: bool = False) -> ExportedRecognizer:
    """Open an exported model, to recognise actions with it.

    Args:
        path: A ``.onnx``, ``.pt`` (TorchScript) or ``.pt2`` (exported program) file.
        trusted: Needed for the latter two, which are programs: open them only from people whose
            programs you would run.

    Raises:
        InputError: if it is of another format, or not by this toolbox.
        UntrustedFileError: for a program that was not said to be trusted.
    """
    path = Path(path)
    suffixes = {one.suffix: one for one in FORMATS.values()}
    chosen = suffixes.get(path.suffix)
    if chosen is None or not chosen.whole:
        whole = [one.suffix for one in FORMATS.values() if one.whole]
        raise InputError(
            f"{path}: exported models are {', '.join(whole)} files"
            + (
                ""
                if chosen is None
                else f"; {path.suffix} holds weights only, and takes the place of a checkpoint "
                "beside its config"
            )
        )
    if not path.is_file():
        raise InputError(f"{path}: there is no such model")
    if chosen.runs_code and not trusted:
        raise UntrustedFileError(
            f"{path} was refused: a {chosen.suffix} file is a program. If you trust whoever made "
            "it, say so with --trust-files (trusted=True in Python); .onnx files run nothing"
        )
    return chosen.read(path)
