"""What an exported model says of itself: skeleton, classes, pipeline, where it came from.

It is one JSON object inside the file, under the key :data:`KEY`. Whoever reads it did not write it,
so everything is checked: types, sizes, and that the numbers of the pipeline ask for no more memory
than a clip takes. Which transforms there are is checked when the pipeline is built.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyskl.errors import InputError
from pyskl.skeleton import SkeletonLayout, resolve_layout

KEY = "pyskl"
"""The name of the entry in a file's own table of metadata."""

FORMAT = 1
"""Raised when a reader of today would misread what is written tomorrow."""

INPUT, OUTPUT = "keypoint", "logits"
"""The names of the model's input, (N, M, T, V, C) float32, and output, (N, L) float32."""

LEGEND = "N clips, M persons, T frames, V joints, C channels, L classes"

PRECISIONS = ("fp32", "fp16", "int8")
AVERAGES = ("prob", "score", None)

# Far above what any model has, and far below what would hurt.
_MAX_BYTES = 4 << 20
_MAX_CLASSES = 100_000
_MAX_JOINTS = 10_000
_MAX_NUMBER = 1_000_000
_MAX_TRANSFORMS = 100
_MAX_PERSON_FRAMES = 1_000_000
_MAX_TEXT = 1_000


@dataclass(frozen=True)
class ModelMetadata:
    """What is needed besides the weights to recognise an action.

    Attributes:
        num_classes: Number of classes L.
        input_shape: (N, M, T, V, C): a number where the axis is fixed, its letter where it is not.
        pipeline: The configs of the transforms that make the model's input of a sample.
        average_clips: How the clips of a sample become one score vector: ``'prob'``, ``'score'``,
            or None, which keeps them apart; see :class:`pyskl.models.RecognizerGCN`.
        layout: The skeleton; None where the model does not say.
        labels: The classes' names, where known.
        streams: What the input is made of: ``'j'``, ``'b'``, ``'jm'``, ``'bm'``, concatenated.
        precision: ``'fp32'``, ``'fp16'`` or ``'int8'``: that of the weights.
        checkpoint_sha256: Of the checkpoint that the weights are from, in hex.
        toolbox: Who wrote it: name and version.
    """

    num_classes: int
    input_shape: tuple[int | str, ...]
    pipeline: tuple[Mapping[str, Any], ...]
    average_clips: str | None = "prob"
    layout: SkeletonLayout | None = None
    labels: tuple[str, ...] | None = None
    streams: tuple[str, ...] = ()
    precision: str = "fp32"
    checkpoint_sha256: str | None = None
    toolbox: str = ""

    def to_json(self) -> str:
        """Return it as text, to be written into a file."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        if self.layout is not None:
            fields["layout"] = layout_fields(self.layout)
        return json.dumps(
            {"format": FORMAT, **fields, "input": INPUT, "output": OUTPUT, "legend": LEGEND},
            ensure_ascii=False,
            allow_nan=False,
        )

    @classmethod
    def from_json(cls, text: str | None, source: str) -> ModelMetadata:
        """Read what :meth:`to_json` wrote, or somebody else.

        Args:
            text: The text; None where the file has none.
            source: The file, for messages.

        Raises:
            InputError: if it is not what :meth:`to_json` writes.
        """
        if text is None:
            raise InputError(
                f"{source}: has no metadata of this toolbox (the entry {KEY!r}): it is not a model "
                "that tools/export.py wrote"
            )
        try:
            return _checked(_parsed(text))
        except (ValueError, TypeError, RecursionError) as error:
            raise InputError(f"{source}: its metadata can't be used: {error}") from error


def layout_fields(layout: SkeletonLayout) -> dict[str, Any]:
    """Return the arguments that make a layout, all of them, as plain data."""
    return {field.name: getattr(layout, field.name) for field in dataclasses.fields(layout)}


# --- reading --------------------------------------------------------------------------------------


def _parsed(text: str) -> dict[str, Any]:
    if len(text) > _MAX_BYTES:
        raise ValueError(f"it has {len(text)} characters, more than {_MAX_BYTES}")
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ValueError(f"it is no JSON ({error})") from error
    if not isinstance(found, dict):
        raise ValueError(f"it should be an object, found {type(found).__name__}")
    version = found.get("format")
    if version != FORMAT or isinstance(version, bool):
        raise ValueError(
            f"it is of the format {version!r}, and this version of the toolbox reads {FORMAT}; "
            "export the model again, or update the toolbox"
        )
    return found


def _checked(found: Mapping[str, Any]) -> ModelMetadata:
    """Return the metadata that an object holds, every value checked; other keys are left out."""
    classes = _whole("num_classes", found.get("num_classes"), 1, _MAX_CLASSES)
    return ModelMetadata(
        num_classes=classes,
        input_shape=_shape(found.get("input_shape")),
        pipeline=_pipeline(found.get("pipeline")),
        average_clips=_one_of("average_clips", found.get("average_clips"), AVERAGES),
        layout=_layout(found.get("layout")),
        labels=_labels(found.get("labels"), classes),
        streams=tuple(_texts("streams", found.get("streams", []))),
        precision=_one_of("precision", found.get("precision"), PRECISIONS),
        checkpoint_sha256=_text_or_none("checkpoint_sha256", found.get("checkpoint_sha256")),
        toolbox=_text_or_none("toolbox", found.get("toolbox")) or "",
    )


def _whole(name: str, value: Any, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name} should be a whole number from {low} to {high}, found {value!r}")
    return value


def _one_of(name: str, value: Any, choices: Sequence[Any]) -> Any:
    if isinstance(value, (list, dict)) or value not in choices:
        raise ValueError(f"{name} should be one of {list(choices)}, found {value!r}")
    return value


def _text_or_none(name: str, value: Any) -> str | None:
    if value is not None and not (isinstance(value, str) and len(value) <= _MAX_TEXT):
        raise ValueError(f"{name} should be a short text or null, found {type(value).__name__}")
    return value


def _texts(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(
        isinstance(item, str) and len(item) <= _MAX_TEXT for item in value
    ):
        raise ValueError(f"{name} should be a list of short texts, found {type(value).__name__}")
    return value


def _labels(value: Any, classes: int) -> tuple[str, ...] | None:
    if value is None:
        return None
    names = _texts("labels", value)
    if len(names) != classes:
        raise ValueError(f"labels has {len(names)} names for {classes} classes")
    return tuple(names)


def _shape(value: Any) -> tuple[int | str, ...]:
    if not isinstance(value, list) or len(value) != 5:
        raise ValueError(f"input_shape should be (N, M, T, V, C), found {value!r}")
    for letter, size in zip("NMTVC", value):
        if size != letter or letter in "VC":
            _whole(f"input_shape, {letter},", size, 1, _MAX_JOINTS)
    return tuple(value)


def _layout(value: Any) -> SkeletonLayout | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ValueError(f"layout should be an object or null, found {type(value).__name__}")
    _whole("layout.num_joints", value.get("num_joints"), 1, _MAX_JOINTS)
    return resolve_layout(value)


def _pipeline(value: Any) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= _MAX_TRANSFORMS:
        raise ValueError(f"pipeline should be a list of 1 to {_MAX_TRANSFORMS} transforms")
    for number, transform in enumerate(value):
        if not isinstance(transform, dict) or not isinstance(transform.get("type"), str):
            raise ValueError(f"pipeline, entry {number}: should be an object with the key 'type'")
        for key, item in _values(transform):
            _check_value(f"pipeline, entry {number}, {key}", key, item)
    _check_size(value)
    return tuple(value)


def _values(value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what is inside nested lists and objects, each with the key that it is under."""
    waiting: list[tuple[str, Any]] = list(value.items())
    while waiting:
        key, item = waiting.pop()
        if isinstance(item, dict):
            waiting += item.items()
        elif isinstance(item, list):
            waiting += [(key, one) for one in item]
        else:
            yield key, item


def _check_value(where: str, key: str, value: Any) -> None:
    if isinstance(value, str):
        # A layout may be the path of a file, and files here are none of the model's business.
        if len(value) > _MAX_TEXT or value.lower().endswith(".json"):
            raise ValueError(f"{where}: no long text and no file is taken, found {value[:50]!r}")
    elif isinstance(value, (int, float)):
        most = 2**32 if key == "seed" else _MAX_NUMBER
        if not math.isfinite(value) or abs(value) > most:
            raise ValueError(f"{where}: should be a number up to {most}, found {value!r}")


def _check_size(pipeline: Sequence[Mapping[str, Any]]) -> None:
    """Check that the pipeline makes no more of a sequence than could be meant."""
    sizes = {}
    for key in ("clip_len", "num_clips", "length", "num_person"):
        given = [transform[key] for transform in pipeline if key in transform]
        for value in given:
            _whole(f"pipeline, {key},", value, 1, _MAX_NUMBER)
        sizes[key] = max(given, default=1)
    frames = max(sizes["clip_len"] * sizes["num_clips"], sizes["length"])
    if frames * sizes["num_person"] > _MAX_PERSON_FRAMES:
        raise ValueError(
            f"the pipeline makes {sizes['num_person']} persons x {frames} frames of a sample, more "
            f"than {_MAX_PERSON_FRAMES}"
        )
