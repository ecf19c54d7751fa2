"""What a run says about its data before it uses them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pyskl.datasets.wrappers import wrapped_datasets
from pyskl.logging.log import get_logger

# How many sample ids or classes a warning lists.
_LISTED = 3


def warn_of_assumptions(datasets: Mapping[str, Any]) -> None:
    """Say what the pipelines of a run's data sets assume about the data.

    Args:
        datasets: The data sets by use.
    """
    said = set()
    for use, dataset in datasets.items():
        for leaf in wrapped_datasets(dataset):
            for text in getattr(leaf, "assumptions", ()):
                split = "" if leaf.split is None else f", split {leaf.split!r}"
                where = f"{leaf.ann_file}{split}"
                if (where, text) not in said:
                    said.add((where, text))
                    get_logger().warning("data.%s (%s): %s", use, where, text)


def warn_of_shared_samples(datasets: Mapping[str, Any]) -> None:
    """Warn if samples of val or test are also in train, which occurs in published splits."""

    def ids(dataset: Any) -> list[str]:
        # A sample without an id has its position as id.
        pairs = (pair for leaf in wrapped_datasets(dataset) for pair in enumerate(leaf.sample_ids))
        return [name for position, name in pairs if name != str(position)]

    train = set(ids(datasets["train"]))
    for use in ("val", "test"):
        both = [name for name in ids(datasets[use]) if name in train] if use in datasets else []
        shared = sorted(set(both))
        if shared:
            get_logger().warning(
                "%d of the %d samples of data.%s are in data.train, too (%s%s): metrics on them "
                "do not show how the model performs on other samples",
                len(both),
                len(datasets[use]),
                use,
                ", ".join(shared[:_LISTED]),
                ", ..." if len(shared) > _LISTED else "",
            )


def warn_of_unused_classes(datasets: Mapping[str, Any], model: Any) -> None:
    """Warn if the model has more classes than the data of the run."""
    classes = getattr(getattr(model, "cls_head", None), "num_classes", None)
    if classes is None:
        return
    used: set[int] = set()
    for dataset in datasets.values():
        labels = np.asarray(dataset.labels)
        used.update(np.flatnonzero(labels.any(axis=0)) if labels.ndim > 1 else np.unique(labels))
    unused = [label for label in range(classes) if label not in used]
    if unused:
        get_logger().warning(
            "the model has %d classes, but no sample has label %s%s: if there are fewer classes, "
            "set model.cls_head.num_classes",
            classes,
            ", ".join(map(str, unused[:_LISTED])),
            f" or {len(unused) - _LISTED} others" if len(unused) > _LISTED else "",
        )
