"""What training and tests need of a data set, checked before the first step.

A training, its dry run, a test and ``tools/data/check.py --config`` use the same checks. Labels are
compared for all samples at once, and the samples of a file that differ from the rest are found when
it is opened. The pipeline then runs on one sample of each kind.

Shapes: M persons, T frames, V joints, C channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pyskl.config.error_collector import ErrorCollector
from pyskl.datasets.batch import ABSENT
from pyskl.datasets.randomness import keyed
from pyskl.datasets.store import Samples
from pyskl.errors import InputError
from pyskl.evaluation.evaluate import check_metrics

Shape = tuple[int, ...]

# How many samples go through a pipeline at most; a file with more sets of keys is no usual one.
_MAX_KINDS = 100


def check_samples(
    where: str, dataset: Any, use: str, model: Any, errors: ErrorCollector
) -> dict[Shape, str]:
    """Let a sample of each kind go through the pipeline, and compare the results with the model.

    Args:
        where: Key of the data set.
        dataset: A data set that does not wrap others.
        use: ``'train'``, ``'val'`` or ``'test'``.
        model: The recognizer, if known.
        errors: Collects the errors; the first sample that fails is reported.

    Returns:
        The shapes of ``keypoint`` after the pipeline, and the id of a sample of each.
    """
    shapes: dict[Shape, str] = {}
    before = len(errors.found)
    for index in one_of_each_kind(dataset):
        with errors.collecting(where), keyed(index):  # does not change the run's random state
            sample = dataset[index]
            if model is not None:
                _check_sample(where, sample, use, model, errors)
            shape = tuple(np.shape(sample.get("keypoint", ())))
            if shape not in shapes:
                shapes[shape] = str(dataset.sample_ids[index])
        if len(errors.found) > before:
            break
    return shapes


def one_of_each_kind(dataset: Any) -> list[int]:
    """Return the positions of samples that differ in what a pipeline depends on.

    They are the first sample, those with the most and the fewest frames and persons, and one of
    each set of keys; the first and the last sample of a data set of another class.
    """
    samples = getattr(dataset, "samples", None)
    if not len(dataset):
        return []
    if not isinstance(samples, Samples) or len(samples) != len(dataset):
        return sorted({0, len(dataset) - 1})
    axis = samples.store.axis
    chosen = [0]
    for counts in (axis.frames[samples.indices], axis.persons[samples.indices]):
        chosen += [int(counts.argmax()), int(counts.argmin())]
    kinds = np.zeros(len(samples), dtype=np.int64)
    positions = samples.indices.tolist()
    for column in samples.store.columns.values():
        if isinstance(column, list):  # every sample has the keys of the others
            values = map(column.__getitem__, positions)
            lacks = [value is ABSENT or value is None for value in values]
            if any(lacks):
                _, kinds = np.unique(2 * kinds + lacks, return_inverse=True)
    _, first = np.unique(kinds, return_index=True)
    return list(dict.fromkeys([*chosen, *first[:_MAX_KINDS].tolist()]))


def check_batches(
    key: str, shapes: Mapping[Shape, str], videos_per_gpu: int, errors: ErrorCollector
) -> None:
    """Check that samples of these shapes can be batched."""
    if videos_per_gpu > 1 and len(shapes) > 1:
        errors.add(
            key,
            "the samples of a batch differ in shape after the pipeline",
            found=", ".join(f"{shape} of sample {name!r}" for shape, name in shapes.items()),
            expected="one shape",
            hint="sample or pad frames (UniformSample, PadTo), or use batches of one sample",
        )


def check_several_classes(labels: np.ndarray, classes: int | None) -> None:
    """Check that there is something to learn: labels of several classes.

    A single sample is enough for measurements and trials.

    Raises:
        InputError: if not.
    """
    if labels.ndim == 1 and len(labels) > 1 and len(np.unique(labels)) == 1 and classes != 1:
        raise InputError(
            f"all {len(labels)} samples of the training set have the label {labels[0]}",
            expected="samples of several classes",
            hint="look at its split and the labels of its ann_file",
        )


def check_measurable(metrics: Sequence[str], model: Any, labels: np.ndarray) -> None:
    """Check before scoring that metrics fit the model's outputs and the labels.

    Raises:
        InputError: for the first metric that does not fit.
    """
    check_metrics(metrics)
    if metrics and getattr(model, "average_clips", "prob") is None:
        raise InputError(
            "average_clips=None (--average-clips none) keeps the clips of a sample apart, which "
            "no metric supports",
            found=f"the metrics {', '.join(metrics)}",
            hint="average them ('prob' or 'score'), or use --out without --eval",
        )
    for metric in metrics:
        if labels.ndim > 1 and metric != "mean_average_precision":
            raise InputError(
                f"{metric} needs one label per sample, but the samples have several",
                hint="use mean_average_precision",
            )


def _check_sample(
    where: str, sample: Mapping[str, Any], use: str, model: Any, errors: ErrorCollector
) -> None:
    """Check the shape of a sample that went through the pipeline."""
    for name in ("keypoint", "label"):
        if name not in sample:
            errors.add(where, f"the model needs {name!r}", found=f"samples of {sorted(sample)}")
            return
    shape = tuple(np.shape(sample["keypoint"]))
    if len(shape) != 5:
        errors.add(
            where,
            "wrong shape of keypoint after the pipeline",
            found=shape,
            expected="(clips, M, T, V, C)",
            hint="does it end with FormatGCNInput?",
        )
        return
    clips, persons, _, joints, channels = shape
    backbone = model.backbone
    graph = getattr(backbone, "graph", None)
    facts = [("clips in training", clips, 1 if use == "train" else clips, "")]
    if graph is not None:
        facts.append(("joints", joints, graph.num_node, f"as in the layout {graph.layout.name!r}"))
    if hasattr(backbone, "in_channels"):
        facts.append(
            ("channels", channels, backbone.in_channels, "the in_channels of the backbone")
        )
    if getattr(backbone, "data_bn_type", None) == "MVC":
        expected_persons = getattr(backbone, "num_person", persons)
        facts.append(("persons", persons, expected_persons, "with data_bn_type='MVC'"))
    for what, found, expected, why in facts:
        if found != expected:
            errors.add(
                where,
                f"wrong number of {what} after the pipeline",
                found=found,
                expected=f"{expected}{f', {why}' if why else ''}",
            )
            return
