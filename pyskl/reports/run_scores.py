"""Read the scores of runs with their labels, and measure them.

Shapes: N samples, L classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.apis.test_data import TestData, data_leaves, data_of_config
from pyskl.errors import InputError
from pyskl.evaluation.evaluate import evaluate
from pyskl.evaluation.scores import ScoreFile, read_scores


def measure(scores: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return the metrics that reports show.

    Args:
        scores: (N, L).
        labels: Classes (N,), for top-1, top-5 and mean class accuracy, or 0/1 (N, L) if samples
            have several labels, for mean average precision.
    """
    if labels.ndim > 1:
        return evaluate(scores, labels, ["mean_average_precision"])
    return evaluate(scores, labels, ["top_k_accuracy", "mean_class_accuracy"])


class ScoreReader:
    """Reads the scores of runs and their test data, each test set only once.

    Args:
        trusted: Load files with plain pickle, which runs any code in them.
    """

    def __init__(self, *, trusted: bool = False) -> None:
        self._trusted = trusted
        self._data: dict[str, TestData | InputError] = {}

    def test_data(self, config: Mapping[str, Any]) -> TestData:
        """Return the test data of a config.

        Raises:
            InputError: if they can't be read.
        """
        key = repr(list(data_leaves(config.get("data", {}).get("test"))))
        if key not in self._data:
            try:
                self._data[key] = data_of_config(config, trusted=self._trusted)
            except InputError as error:
                self._data[key] = error
        found = self._data[key]
        if isinstance(found, InputError):
            raise found
        return found

    def read(self, path: Path, config: Mapping[str, Any]) -> tuple[ScoreFile, TestData]:
        """Return the content of a score file and the test data of its run's config.

        Raises:
            InputError: if one of them can't be read, or they don't belong together.
        """
        file = read_scores(path, trusted=self._trusted)
        data = self.test_data(config)
        data.check_scores(file)
        return file, data
