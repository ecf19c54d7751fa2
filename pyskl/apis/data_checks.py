"""What is wrong with a training set as a whole, found before the first step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from torch import nn

from pyskl.errors import InputError
from pyskl.logging.log import get_logger

# How many samples a message names.
_NAMED = 3


def check_training_set(dataset: Any, model: nn.Module) -> None:
    """Check that there is something to learn, and that the model can.

    Args:
        dataset: The training set.
        model: The recognizer.

    Raises:
        InputError: for a set of one class, or a label that the model has no class for.
    """
    labels = np.asarray(dataset.labels)
    classes = getattr(getattr(model, "cls_head", None), "num_classes", None)
    present = np.unique(labels) if labels.ndim == 1 else np.flatnonzero(labels.any(axis=0))
    if labels.ndim == 1 and len(present) == 1 and classes != 1:
        raise InputError(
            f"all {len(labels)} samples of the training set have the label {present[0]}: there is "
            "nothing to tell apart; look at data.train.split and the labels of its ann_file"
        )
    if classes is not None and labels.ndim == 1 and len(present):
        low, high = int(present[0]), int(present[-1])
        if low < 0 or high >= classes:
            wrong = high if high >= classes else low
            raise InputError(
                f"the training set has the label {wrong}, but the model's {classes} classes are 0 "
                f"to {classes - 1}: set model.cls_head.num_classes to at least {high + 1}"
            )


def warn_of_shared_samples(dataset: Any, tests: Mapping[str, Any]) -> None:
    """Warn if samples to measure on are in the training set, too; a published split may have such.

    Args:
        dataset: The training set.
        tests: The sets to measure on, ``'val'`` and ``'test'``, as far as there are any.
    """
    train = set(_ids(dataset))
    for use, other in tests.items():
        shared = sorted(train & set(_ids(other)))
        if shared:
            more = ", ..." if len(shared) > _NAMED else ""
            get_logger().warning(
                "%d of the %d samples of data.%s are in data.train, too (%s%s): what is measured "
                "on them tells nothing of other samples",
                len(shared),
                len(other),
                use,
                ", ".join(shared[:_NAMED]),
                more,
            )


def _ids(dataset: Any) -> Iterator[str]:
    """Yield the ids of the samples that have one."""
    if hasattr(dataset, "datasets"):
        for inner in dataset.datasets:
            yield from _ids(inner)
    elif hasattr(dataset, "dataset"):
        yield from _ids(dataset.dataset)
    else:
        # The position stands for the id of a sample that has none.
        yield from (name for i, name in enumerate(dataset.sample_ids) if name != str(i))
