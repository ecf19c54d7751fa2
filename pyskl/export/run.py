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

from pyskl.apis.inference import init_recognizer
from pyskl.benchmark.timing import Spread
from pyskl.config import load_config
from pyskl.datasets.label_names import read_label_file
from pyskl.errors import InputError, RunError, WriteError
from pyskl.export.check import Comparison, check_export, logits_of, random_inputs
from pyskl.export.data import accuracies, random_clips, sample_clips
from pyskl.export.formats import Format, find_format
from pyskl.export.metadata import describe
from pyskl.export.source import Source
from pyskl.export.speed import milliseconds_per_clip
from pyskl.files.atomic import replace_with
from pyskl.files.download import local_checkpoint
from pyskl.logging.log import get_logger
from pyskl.runtime.metadata import PRECISIONS, ModelMetadata
from pyskl.runtime.recognizer import ExportedRecognizer

# Frames of a clip where the pipeline does not say.
_USUAL_FRAMES = 100


@dataclass(frozen=True)
class ExportSettings:
    """What the command line decides about an export.

    Attributes:
        format: A name of :data:`pyskl.export.FORMATS`.
        precision: ``'fp32'``, ``'fp16'`` or ``'int8'``: that of the weights.
        fuse: Fold BatchNorm into convolutions.
        labels: A text file with the name of a class in each line; None takes the names that the
            test annotations have, if any.
        tolerance: See :attr:`pyskl.export.check.Comparison.tolerance`; None for the precision's.
        calibrate: What int8 is scaled by: ``'data'``, samples of ``data.train``, or ``'random'``.
        samples: How many clips int8 is calibrated with, and as many others compared on.
        evaluate: Measure the accuracy of both models on ``data.test``.
        time: Time both models, where the file holds a model and not weights alone.
        trusted: Load files with plain pickle, which runs what they say.

    Raises:
        InputError: for an unknown format or precision, or a number out of range.
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
        """Check what needs no config."""
        if self.precision not in PRECISIONS:
            raise InputError(
                f"precision is one of {', '.join(PRECISIONS)}, found {self.precision!r}"
            )
        if self.calibrate not in ("data", "random"):
            raise InputError(f"calibrate is 'data' or 'random', found {self.calibrate!r}")
        if self.samples < 1:
            raise InputError(f"samples is 1 or more, found {self.samples}")
        if self.tolerance is not None and not self.tolerance > 0:
            raise InputError(f"tolerance is above 0, found {self.tolerance}")
        self.chosen.check(self.precision)

    @property
    def chosen(self) -> Format:
        """The format."""
        return find_format(self.format)


@dataclass(frozen=True)
class ExportReport:
    """What came of an export.

    Attributes:
        path: The file.
        metadata: What it says of itself.
        comparison: How far it is from the original.
        milliseconds: ``'exported'`` and ``'torch'`` → time of one clip, where asked for.
        accuracies: Metric → value of the original and of the exported model, where asked for.
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
    """Do what ``tools/export.py`` does.

    Args:
        config: The config, or its path; ``data.test.pipeline`` goes into the file.
        checkpoint: Path or URL of the weights.
        out: Where to write; by default beside the checkpoint (a downloaded one's: here), with the
            format's suffix.
        settings: What the command line decides.
        cfg_options: ``key=value`` overrides.

    Returns:
        What was written, and how far it is from the original.

    Raises:
        InputError: for faults of the config, the checkpoint or the settings.
        DisparityError: if the exported model differs from the original by more than it may; then
            there is no file.
        WriteError: if the file can't be written.

    Example::

        report = export_model('j.py', 'best.pth', 'stgcn.onnx')
        print(report.comparison.difference)
    """
    settings = settings or ExportSettings()
    cfg = load_config(config, cfg_options)
    path = Path(out) if out is not None else _beside(checkpoint, settings)
    weights = local_checkpoint(checkpoint, trusted=settings.trusted)
    _check_place(path, weights, settings.chosen)
    recognizer = init_recognizer(cfg, weights, trusted=settings.trusted)
    metadata = describe(
        cfg,
        recognizer,
        weights,
        precision=settings.precision,
        labels=None if settings.labels is None else read_label_file(settings.labels),
    )
    calibration, inputs = _clips(cfg, metadata, settings)
    source = Source(recognizer, metadata, settings.fuse, tuple(calibration))
    found: dict[str, Any] = {}

    def write(partial: Path) -> None:
        _write(source, settings.chosen, partial)
        exported = _read(source, settings.chosen, partial)
        found["comparison"] = check_export(recognizer, exported, inputs, settings.tolerance)
        if settings.time and settings.chosen.whole:
            found["milliseconds"] = milliseconds_per_clip(
                {"exported": exported.logits, "torch": logits_of(recognizer)}, inputs[0]
            )
        if settings.evaluate:
            found["accuracies"] = accuracies(cfg, recognizer, exported, trusted=settings.trusted)

    try:
        replace_with(path, write)
    except OSError as error:
        raise WriteError(f"{path} could not be written ({error})") from error
    return ExportReport(path, metadata, **found)


def _beside(checkpoint: str | Path, settings: ExportSettings) -> Path:
    """Return where the file goes by default."""
    remote = urlsplit(str(checkpoint)).scheme in ("http", "https", "file")
    place = Path(Path(urlsplit(str(checkpoint)).path).name) if remote else Path(checkpoint)
    precision = "" if settings.precision == "fp32" else f"_{settings.precision}"
    return place.with_name(place.stem + precision + settings.chosen.suffix)


def _check_place(path: Path, checkpoint: Path, chosen: Format) -> None:
    if path.suffix != chosen.suffix:
        raise InputError(
            f"{path}: files of --format {chosen.name} end in {chosen.suffix}, by which they are "
            "known again"
        )
    if path.is_dir():
        raise InputError(f"{path} is a folder; --out takes the name of a file")
    if path.resolve() == checkpoint.resolve():
        raise InputError(f"{path} is the checkpoint itself: give another name with --out")


def _clips(
    cfg: Config, metadata: ModelMetadata, settings: ExportSettings
) -> tuple[list[torch.Tensor], list[np.ndarray]]:
    """Return what int8 is calibrated with, and what both models are given to compare them.

    Weights of 8 bits are scaled by what the network meets, so that they are compared on that, too,
    and not on noise; every second sample is for either use.
    """
    persons, frames = _usual_size(metadata)
    inputs = random_inputs(metadata, (persons, frames), settings.chosen.least_frames)
    if metadata.precision != "int8":
        return [], inputs
    _, _, _, joints, channels = metadata.input_shape
    if settings.calibrate == "random":
        get_logger().warning(
            "int8 is calibrated on noise, and compared on noise: see with --eval what it costs"
        )
        shape = (persons, frames, int(joints), int(channels))
        clips = random_clips(shape, 2 * settings.samples)
    else:
        try:
            clips = sample_clips(cfg, 2 * settings.samples, trusted=settings.trusted)
        except InputError as error:
            raise InputError(
                f"int8 is calibrated with samples of data.train, but: {error}\nWithout data there "
                "is --calibrate random, which costs accuracy"
            ) from error
    held_out = clips[1::2] or clips
    return clips[::2], [clip.numpy() for clip in held_out]


def _usual_size(metadata: ModelMetadata) -> tuple[int, int]:
    """Return the persons and frames of the clips that the pipeline makes."""
    found: dict[str, Any] = {}
    for transform in metadata.pipeline:
        found.update(transform)
    persons = metadata.input_shape[1]
    if isinstance(persons, str):
        persons = int(found.get("num_person", 2))
    return persons, int(found.get("clip_len", found.get("length", _USUAL_FRAMES)))


def _write(source: Source, chosen: Format, path: Path) -> None:
    try:
        chosen.write(source, path)
    except (InputError, RunError, OSError):
        raise
    except Exception as error:  # exporters raise what they like at modules of users' own
        first = (str(error).splitlines() or [""])[0]
        raise InputError(
            f"the model can't be exported as {chosen.name} ({type(error).__name__}: {first[:300]})"
        ) from error


def _read(source: Source, chosen: Format, path: Path) -> ExportedRecognizer:
    if chosen.whole:
        return chosen.read(path)
    from pyskl.export.safetensors import reread

    return reread(source, path)
