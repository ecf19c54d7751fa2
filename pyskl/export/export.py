"""Export a recognizer: write the file, read it back, compare it, and only then give it its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from pyskl.apis.inference import init_recognizer
from pyskl.benchmark.timing import Spread
from pyskl.config import load_config
from pyskl.datasets import build_dataset
from pyskl.datasets.dataset_tree import first_with
from pyskl.datasets.label_names import read_label_file
from pyskl.errors import ConfigError, InputError, WriteError, did_you_mean
from pyskl.export.compare import (
    TOLERANCES,
    Comparison,
    accuracies,
    compare,
    milliseconds_per_clip,
    random_inputs,
)
from pyskl.export.describe import describe
from pyskl.export.formats import FORMATS, ExportedModel, ExportFormat
from pyskl.files.atomic import replace_with
from pyskl.files.download import local_checkpoint
from pyskl.inference.torch_recognizer import TorchRecognizer
from pyskl.logging.log import get_logger
from pyskl.runtime.metadata import PRECISIONS, ModelMetadata

# Frames of a clip if the pipeline does not define them.
_DEFAULT_FRAMES = 100


@dataclass(frozen=True)
class ExportSettings:
    """The options of ``tools/export.py``.

    Attributes:
        format: A name of :data:`pyskl.export.FORMATS`.
        precision: Precision of the weights: ``'fp32'``, ``'fp16'`` or ``'int8'``.
        fuse: Fold BatchNorm into convolutions.
        labels: A text file with the name of a class in each line; None takes the names of the test
            annotations, if they have any.
        tolerance: See :class:`pyskl.export.compare.Comparison`; None for the precision's default.
        calibrate: What int8 is calibrated with: ``'data'``, samples of ``data.train``, or
            ``'random'``.
        samples: Number of clips to calibrate int8 with; as many others are compared.
        evaluate: Measure the accuracy of both models on ``data.test``.
        time: Time both models, unless the file has weights only.
        trusted: Load files with plain pickle, which can run code.

    Raises:
        InputError: for an unknown value, or a number out of range.
    """

    format: str = "onnx"
    precision: str = "fp32"
    fuse: bool = True
    labels: str | Path | None = None
    tolerance: float | None = None
    calibrate: str = "data"
    samples: int = 128
    evaluate: bool = False
    time: bool = False
    trusted: bool = False

    def __post_init__(self) -> None:
        for name, choices in (
            ("format", FORMATS),
            ("precision", PRECISIONS),
            ("calibrate", ("data", "random")),
        ):
            value = getattr(self, name)
            if value not in choices:
                problem = f"unknown value{did_you_mean(value, choices)}"
                raise InputError(problem, key=f"--{name}", found=value)
        if self.samples < 1:
            raise InputError("below 1", key="--samples", found=self.samples)
        if self.tolerance is not None and not self.tolerance > 0:
            raise InputError("not above 0", key="--tolerance", found=self.tolerance)
        FORMATS[self.format].check(self.precision)


@dataclass(frozen=True)
class ExportReport:
    """The outcome of :func:`export_model`.

    Attributes:
        path: The file.
        metadata: The metadata in the file.
        comparison: How much it differs from the original.
        milliseconds: ``'exported'`` and ``'torch'`` → time of one clip, if asked for.
        accuracies: Metric → value of the original and of the exported model, if asked for.
    """

    path: Path
    metadata: ModelMetadata
    comparison: Comparison
    milliseconds: Mapping[str, Spread] = field(default_factory=dict)
    accuracies: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def export_model(
    config: str | Path | Mapping[str, Any] | Config,
    checkpoint: str | Path,
    out: str | Path | None = None,
    settings: ExportSettings | None = None,
    *,
    cfg_options: Sequence[str] = (),
) -> ExportReport:
    """Export a recognizer, as ``tools/export.py`` does.

    Args:
        config: The config, or its path; ``data.test.pipeline`` is stored in the file.
        checkpoint: Path or URL of the weights.
        out: Where to write; by default next to the checkpoint (for a URL: in the current folder),
            with the suffix of the format.
        settings: The options.
        cfg_options: ``key=value`` overrides.

    Raises:
        InputError: for errors in the config, the checkpoint or the settings.
        DisparityError: if the exported model differs too much from the original. No file is
            written, and an existing one is kept.
        WriteError: if the file can't be written.

    Example::

        report = export_model('j.py', 'best.pth', 'stgcn.onnx')
        print(report.comparison.difference)
    """
    settings = settings or ExportSettings()
    format = FORMATS[settings.format]
    cfg = load_config(config, cfg_options)
    path = Path(out) if out is not None else _default_path(checkpoint, settings)
    weights = local_checkpoint(checkpoint, trusted=settings.trusted)
    _check_path(path, weights, format)
    model = init_recognizer(cfg, weights, trusted=settings.trusted)
    labels = None if settings.labels is None else read_label_file(settings.labels)
    metadata = describe(cfg, model, weights, precision=settings.precision, labels=labels)
    calibration, inputs = _clips(cfg, metadata, settings)
    exported_model = ExportedModel(model, metadata, settings.fuse, calibration)
    original = TorchRecognizer.of_model(model, metadata.pipeline)
    tolerance = settings.tolerance or TOLERANCES[settings.precision]
    results: dict[str, Any] = {}

    def write(partial: Path) -> None:
        exported = format.write_and_read(exported_model, partial)
        results["comparison"] = compare(original.logits, exported.logits, inputs, tolerance)
        results["comparison"].check()
        if settings.time and format.read is not None:
            results["milliseconds"] = milliseconds_per_clip(
                {"exported": exported.logits, "torch": original.logits}, inputs[0]
            )
        if settings.evaluate:
            results["accuracies"] = accuracies(cfg, model, exported, trusted=settings.trusted)

    try:
        replace_with(path, write)
    except OSError as error:
        raise WriteError(f"it can't be written ({error})", file=path) from error
    return ExportReport(path, metadata, **results)


def _default_path(checkpoint: str | Path, settings: ExportSettings) -> Path:
    url = urlsplit(str(checkpoint))
    is_url = url.scheme in ("http", "https", "file")
    place = Path(Path(url.path).name) if is_url else Path(checkpoint)
    precision = "" if settings.precision == "fp32" else f"_{settings.precision}"
    return place.with_name(place.stem + precision + FORMATS[settings.format].suffix)


def _check_path(path: Path, checkpoint: Path, format: ExportFormat) -> None:
    if path.suffix != format.suffix:
        raise InputError(
            f"wrong suffix for --format {format.name}",
            file=path,
            found=path.suffix,
            expected=format.suffix,
        )
    if path.is_dir():
        raise InputError("it is a folder", file=path, hint="--out takes the name of a file")
    if path.resolve() == checkpoint.resolve():
        raise InputError("it is the checkpoint itself", file=path, hint="use another --out")


def _clips(
    cfg: Config, metadata: ModelMetadata, settings: ExportSettings
) -> tuple[list[Tensor], list[np.ndarray]]:
    """Return the clips to calibrate int8 with, and the inputs to compare both models on.

    int8 is scaled for real inputs, so it is also compared on real clips, not on noise. Clips are
    used for calibration and comparison in turn.
    """
    arguments: dict[str, Any] = {}
    for transform in metadata.pipeline:
        arguments.update(transform)
    _, fixed_persons, _, joints, channels = metadata.input_shape
    persons = fixed_persons if isinstance(fixed_persons, int) else arguments.get("num_person", 2)
    frames = arguments.get("clip_len", arguments.get("length", _DEFAULT_FRAMES))
    if metadata.precision != "int8":
        min_frames = FORMATS[settings.format].min_frames
        return [], random_inputs(metadata, (persons, frames), min_frames)
    count = 2 * settings.samples
    if settings.calibrate == "random":
        get_logger().warning(
            "int8 is calibrated and compared on random clips: --eval measures the loss of accuracy"
        )
        generator = torch.Generator().manual_seed(1)
        shape = (1, persons, frames, joints, channels)
        clips = [torch.randn(shape, generator=generator) for _ in range(count)]
    else:
        try:
            clips = sample_clips(cfg, count, trusted=settings.trusted)
        except InputError as error:
            raise InputError(
                f"int8 is calibrated with samples of data.train: {error}",
                hint="without data use --calibrate random, which costs accuracy",
            ) from error
    return clips[::2], [clip.numpy() for clip in clips[1::2] or clips]


def sample_clips(cfg: Mapping[str, Any], count: int, *, trusted: bool = False) -> list[Tensor]:
    """Return clips of training samples, prepared as for testing.

    Args:
        cfg: The config. Samples are evenly spread over ``data.train`` (``data.test`` if there is
            none); the pipeline is that of ``data.test``.
        count: Number of samples at most. The first clip of each is returned.
        trusted: Load annotations with plain pickle, which can run code.

    Returns:
        Tensors (1, M, T, V, C) float32.

    Raises:
        InputError: if the data can't be read.
    """
    test = first_with(cfg, "test")
    try:
        leaf = dict(first_with(cfg, "train"))
    except ConfigError:  # a config without training
        leaf = dict(test)
    leaf.update(pipeline=test["pipeline"], test_mode=True)
    if trusted:
        leaf["trusted"] = True
    dataset = build_dataset(leaf)
    chosen = np.unique(np.linspace(0, len(dataset) - 1, min(count, len(dataset))).astype(int))
    return [torch.as_tensor(dataset[int(index)]["keypoint"])[:1].float() for index in chosen]
