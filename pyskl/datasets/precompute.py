"""Compute deterministic transforms once instead of in every epoch.

If the first transforms of a pipeline depend only on the sample, they are applied when an annotation
file is opened or packed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.datasets.batch import Sample
from pyskl.datasets.sample_checks import FieldProblem, content_problem, sample_id
from pyskl.datasets.store import ROW_KEYS, columns_of
from pyskl.errors import AnnotationError, ConfigError, InputError
from pyskl.registry import PIPELINES, TransformConfig
from pyskl.skeleton import inlined


def deterministic_prefix(pipeline: Sequence[TransformConfig | Callable[..., Any]]) -> list[Any]:
    """Return the configs of the first transforms of a pipeline that can be computed once.

    They are transforms of this package whose class has ``deterministic = True``. The path of a
    layout file is replaced by its content, so that packs are made again when the file changes.
    """
    prefix: list[Any] = []
    for transform in pipeline if isinstance(pipeline, (list, tuple)) else ():
        if not isinstance(transform, Mapping) or not isinstance(transform.get("type"), str):
            break
        try:
            cls = PIPELINES.get(transform["type"])
            resolved = {
                key: inlined(value) if key == "layout" else value
                for key, value in transform.items()
            }
        except ConfigError:
            break  # reported when the pipeline is built
        # Not inherited: a user's subclass may not be deterministic.
        promised = cls.__module__.startswith("pyskl.") and vars(cls).get("deterministic", False)
        if not promised or canonical([resolved]) is None:
            break
        prefix.append(resolved)
    return prefix


def canonical(transforms: Sequence[TransformConfig]) -> str | None:
    """Return a canonical JSON text of transforms, or None if JSON can't represent them."""
    try:
        return json.dumps(list(transforms), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError):
        return None


@dataclass
class FlatSamples:
    """What :func:`flatten` returns in addition to the rows.

    Attributes:
        row_shapes: Shape of a row by key: ``keypoint`` (V, C), ``keypoint_score`` (V,).
        dtypes: Type of the rows by key.
        persons: M of each sample, (S,) int64; 0 for samples that can't be flattened.
        frames: T of each sample, (S,) int64.
        columns: See :class:`pyskl.datasets.store.RowStore`.
        problems: What is wrong with samples, apart from their labels, by position.
    """

    row_shapes: dict[str, tuple[int, ...]]
    dtypes: dict[str, np.dtype[Any]]
    persons: np.ndarray
    frames: np.ndarray
    columns: dict[str, np.ndarray | list[Any]]
    problems: dict[int, FieldProblem]


def count_rows(samples: Sequence[Mapping[str, Any]]) -> int:
    """Return how many rows :func:`flatten` writes for each key without transforms."""
    kinds = [_row_kind(sample) for sample in samples]
    kind = next((kind for kind in kinds if kind is not None), None)
    return sum(
        sample["keypoint"].shape[0] * sample["keypoint"].shape[1]
        for sample, own in zip(samples, kinds)
        if own is not None and own == kind
    )


def flatten(
    path: Path,
    samples: list[Sample],
    transforms: Sequence[TransformConfig],
    write: Callable[[str, np.ndarray], None],
    *,
    release: bool = False,
) -> FlatSamples:
    """Turn samples into rows and columns.

    Args:
        path: The annotation file, for messages.
        samples: All samples of it.
        transforms: To apply to each.
        write: Called with a key and the rows of one sample, in order.
        release: Empty the list on the way, so that the arrays of a sample can be freed once its
            rows are written.

    Raises:
        AnnotationError: if a transform fails on a sample, or no sample has usable keypoints.
    """
    kinds = [_row_kind(sample) for sample in samples]
    first = next((sample for sample, own in zip(samples, kinds) if own is not None), None)
    if first is None:
        problem = content_problem(samples[0]) or FieldProblem("keypoint", "can't be used")
        identity = sample_id(samples[0])
        raise AnnotationError(
            problem.text, file=path, sample=0 if identity is None else identity, key=problem.key
        )
    kind, described = _row_kind(first), _described(first)
    dtypes = {
        key: np.result_type(
            *{sample[key].dtype for sample, own in zip(samples, kinds) if own and key in sample}
        )
        for key in ROW_KEYS
        if key in first
    }
    del first  # holds its arrays
    steps = [PIPELINES.build(transform) for transform in transforms]
    problems: dict[int, FieldProblem] = {}
    others: list[dict[str, Any]] = []
    row_shapes: dict[str, tuple[int, ...]] = {}
    persons, frames = np.zeros((2, len(samples)), dtype=np.int64)
    for index, sample in enumerate(samples):
        if release:
            samples[index] = {}
        found = content_problem(sample)
        if found is None and kinds[index] != kind:
            text = f"has {_described(sample)}, but the first sample has {described}"
            found = FieldProblem("keypoint", text)
        if found is not None:
            problems[index] = found
        result: Sample = dict(sample)
        flat = kinds[index] == kind
        if flat:
            try:
                result = _apply(steps, result, path, index)
            except Exception as error:  # a transform may raise anything on an invalid sample
                if found is None and isinstance(error, AnnotationError) and error.key is not None:
                    found = FieldProblem(error.key, error.problem)
                if found is None:
                    raise
                # Reported when its split is selected.
                flat, problems[index] = False, found
        if flat:
            persons[index], frames[index] = result["keypoint"].shape[:2]
            for key in ROW_KEYS:
                if key in result:
                    dtype = np.float32 if steps else dtypes[key]
                    rows = result[key].reshape(-1, *result[key].shape[2:])
                    write(key, np.ascontiguousarray(rows, dtype=dtype))
                    row_shapes[key] = rows.shape[1:]
        others.append({key: value for key, value in result.items() if key not in ROW_KEYS})
    if release:
        samples.clear()
    written = {key: np.dtype(np.float32) if steps else dtypes[key] for key in row_shapes}
    return FlatSamples(row_shapes, written, persons, frames, columns_of(others), problems)


def _row_kind(sample: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """Return what all samples of a file must share, or None for unusable keypoints."""
    keypoint, score = sample.get("keypoint"), sample.get("keypoint_score")
    if not isinstance(keypoint, np.ndarray) or keypoint.ndim != 4 or keypoint.dtype.kind != "f":
        return None
    if score is not None and (
        not isinstance(score, np.ndarray)
        or score.shape != keypoint.shape[:3]
        or score.dtype.kind != "f"
    ):
        return None
    return (*keypoint.shape[2:], score is not None)


def _described(sample: Mapping[str, Any]) -> str:
    kind = _row_kind(sample)
    if kind is None:
        return "no usable keypoints"
    return f"{kind[0]} joints of {kind[1]} coordinates {'with' if kind[2] else 'without'} scores"


def _apply(steps: Sequence[Any], sample: Sample, path: Path, index: int) -> Sample:
    try:
        # Some invalid samples get here, too; they are reported when their split is selected.
        with np.errstate(invalid="ignore", over="ignore"):
            for step in steps:
                sample = step(sample)
    except ValueError as error:
        problem: Any = error
        key = None
        if isinstance(error, InputError):
            key = error.key  # the message names it
            problem = InputError(
                error.problem, found=error.found, expected=error.expected, hint=error.hint
            )
        identity = sample_id(sample)
        raise AnnotationError(
            str(problem), file=path, sample=index if identity is None else identity, key=key
        ) from error
    return sample
