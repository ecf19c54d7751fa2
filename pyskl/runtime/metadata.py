"""The metadata of an exported model: its input, classes, skeleton, test pipeline and origin.

It is one JSON object inside the file, under the key :data:`KEY`. The file may come from an
untrusted source, so all types and sizes are checked, including the memory that the test pipeline
needs. Unknown transforms are found when the pipeline is built.
"""

from __future__ import annotations

import dataclasses
import json
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    JsonValue,
    ValidationError,
    field_validator,
    model_validator,
)

from pyskl.errors import NOT_GIVEN, InputError
from pyskl.skeleton import SkeletonLayout, resolve_layout

KEY = "pyskl"
"""The key of the JSON in the file's own metadata."""

INPUT: Literal["keypoint"] = "keypoint"
OUTPUT: Literal["logits"] = "logits"
"""Names of the model's input (N, M, T, V, C) and output (N, L), both float32."""

LEGEND = "N clips, M persons, T frames, V joints, C channels, L classes"

Precision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[str, ...] = get_args(Precision)

# Limits far above what any real model has.
_MAX_CHARACTERS = 4 << 20
_MAX_JOINTS = 10_000
_MAX_NUMBER = 1_000_000
_MAX_PERSON_FRAMES = 1_000_000
_MAX_TEXT = 1_000

_Size = Annotated[int, Field(ge=1, le=_MAX_JOINTS)]
_Text = Annotated[str, Field(max_length=_MAX_TEXT)]


def layout_fields(layout: SkeletonLayout) -> dict[str, Any]:
    """Return the arguments that rebuild a layout, as plain data."""
    return {field.name: getattr(layout, field.name) for field in dataclasses.fields(layout)}


def streams_of(pipeline: Sequence[Any]) -> tuple[str, ...]:
    """Return the streams that a pipeline computes, such as ``('j',)`` or ``('j', 'b')``.

    Args:
        pipeline: The configs of its transforms; callables among them are skipped.

    Returns:
        Some of j, b, jm and bm; none without ``GenSkeFeat``.

    Example:
        >>> streams_of([dict(type='GenSkeFeat', dataset='coco', feats=['b'])])
        ('b',)
    """
    for transform in pipeline:
        if isinstance(transform, Mapping) and _type_name(transform) == "GenSkeFeat":
            return tuple(transform.get("feats", ("j",)))
    return ()


def _type_name(transform: Mapping[str, Any]) -> str:
    return str(transform.get("type")).removeprefix("pyskl.")


def _to_layout(value: Any) -> Any:
    """Build the layout that a JSON object describes."""
    if not isinstance(value, Mapping):
        return value
    joints = value.get("num_joints")
    if not isinstance(joints, int) or joints > _MAX_JOINTS:
        raise ValueError(f"num_joints should be an integer up to {_MAX_JOINTS}, found {joints!r}")
    return resolve_layout(dict(value))


class ModelMetadata(BaseModel):
    """What is needed in addition to the weights to recognise an action.

    Attributes:
        format: Version of this description. Readers refuse unknown versions.
        num_classes: Number of classes L.
        input_shape: (N, M, T, V, C); a number for a fixed axis, its letter for a free one.
        pipeline: Configs of the transforms that turn a sample into the model's input.
        average_clips: How to combine the clips of a sample: ``'prob'``, ``'score'`` or None (keep
            them apart); see :class:`pyskl.models.RecognizerGCN`.
        layout: The skeleton, if known.
        labels: The names of the classes, if known.
        streams: What the input consists of: ``'j'``, ``'b'``, ``'jm'``, ``'bm'``.
        precision: Precision of the weights.
        checkpoint_sha256: SHA-256 of the checkpoint, in hex.
        toolbox: Name and version of the program that wrote the file.

    Raises:
        pydantic.ValidationError: for invalid values.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    format: Annotated[int, Field(ge=1, le=1)] = 1
    num_classes: Annotated[int, Field(ge=1, le=100_000)]
    input_shape: tuple[
        Literal["N"] | _Size, Literal["M"] | _Size, Literal["T"] | _Size, _Size, _Size
    ]
    pipeline: Annotated[tuple[dict[str, JsonValue], ...], Field(min_length=1, max_length=100)]
    average_clips: Literal["prob", "score"] | None = "prob"
    layout: Annotated[InstanceOf[SkeletonLayout] | None, BeforeValidator(_to_layout)] = None
    labels: tuple[_Text, ...] | None = None
    streams: tuple[_Text, ...] = ()
    precision: Precision = "fp32"
    checkpoint_sha256: _Text | None = None
    toolbox: _Text = ""
    input: Literal["keypoint"] = INPUT
    output: Literal["logits"] = OUTPUT
    legend: str = LEGEND

    @field_validator("pipeline")
    @classmethod
    def _check_pipeline(cls, pipeline: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        sizes = dict.fromkeys(("clip_len", "num_clips", "length", "num_person"), 1)
        for number, transform in enumerate(pipeline):
            if not isinstance(transform.get("type"), str):
                raise ValueError(f"entry {number} needs a key 'type' that names a transform")
            for key, value in _leaves(transform, ""):
                limit = 2**32 if key == "seed" else _MAX_NUMBER
                if isinstance(value, str):
                    # A layout may be given as the path of a file, which a model must not read.
                    if len(value) > _MAX_TEXT or value.lower().endswith(".json"):
                        raise ValueError(f"entry {number}, {key}: no long text or file is allowed")
                elif isinstance(value, (int, float)) and not abs(value) <= limit:  # NaN, too
                    raise ValueError(f"entry {number}, {key}: {value!r} is beyond {limit}")
            for key in sizes.keys() & transform.keys():
                size = transform[key]
                if type(size) is not int or size < 1:
                    raise ValueError(f"entry {number}, {key}: {size!r} is not a positive integer")
                sizes[key] = max(sizes[key], size)
        frames = max(sizes["clip_len"] * sizes["num_clips"], sizes["length"])
        if frames * sizes["num_person"] > _MAX_PERSON_FRAMES:
            raise ValueError(
                f"it makes {sizes['num_person']} persons x {frames} frames of a sample, more than "
                f"{_MAX_PERSON_FRAMES}"
            )
        return pipeline

    @model_validator(mode="after")
    def _check_labels(self) -> ModelMetadata:
        if self.labels is not None and len(self.labels) != self.num_classes:
            raise ValueError(f"there are {len(self.labels)} labels for {self.num_classes} classes")
        return self

    def recognizer_arguments(self) -> dict[str, Any]:
        """Return the arguments of :class:`pyskl.runtime.Recognizer`, apart from its name."""
        names = ("pipeline", "num_classes", "average_clips", "labels", "layout", "input_shape")
        return {name: getattr(self, name) for name in names}

    def to_json(self) -> str:
        """Return the text to store in a file."""
        fields = self.model_dump()
        fields["layout"] = None if self.layout is None else layout_fields(self.layout)
        return json.dumps(fields, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes | None, file: str) -> ModelMetadata:
        """Read what :meth:`to_json` wrote. Unknown keys are ignored.

        Args:
            text: The text; None or empty if the file has none.
            file: The file, for messages.

        Raises:
            InputError: if the text is missing or a value is not acceptable; ``errors`` has one
                entry for each invalid key.
        """
        if not text:
            raise InputError(
                f"the file has no metadata under {KEY!r}",
                file=file,
                expected="a model that tools/export.py wrote",
            )
        if len(text) > _MAX_CHARACTERS:
            raise InputError("its metadata is too long", file=file, found=f"{len(text)} characters")
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise InputError(
                "its metadata can't be used", file=file, errors=field_errors(error)
            ) from error


def field_errors(error: ValidationError) -> list[InputError]:
    """Return one error for each invalid field of :class:`ModelMetadata`."""
    return [
        InputError(
            one["msg"],
            key=".".join(map(str, one["loc"])) or None,
            found=NOT_GIVEN if one["type"] == "missing" else reprlib.repr(one["input"]),
        )
        for one in error.errors()
    ]


def _leaves(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Yield the values inside nested objects and lists, each with the key that it belongs to."""
    if isinstance(value, dict):
        for inner, one in value.items():
            yield from _leaves(one, inner)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one, key)
    else:
        yield key, value
