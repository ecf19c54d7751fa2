"""What a report of runs shows.

Shapes: N samples, L classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from pyskl.drawing.skeleton import Clip
from pyskl.evaluation.calibration import Reliability, reliability
from pyskl.skeleton import SkeletonLayout

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Missing:
    """Something that a report would show and can't.

    Attributes:
        what: What is missing, and why.
        command: What makes it, where a command does.
    """

    what: str
    command: str = ""


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run.

    Attributes:
        name: Short, and different from those of the other runs.
        work_dir: The folder.
        epochs: How far it is, in words.
        weights: Which of its weights the scores are of; empty where there are none.
        figures: Of its scores; see :func:`pyskl.evaluation.evaluate.evaluate`.
        calibration_error: See :attr:`pyskl.evaluation.calibration.Reliability.expected_error`.
        class_accuracy: Share of hits of each class (L,), nan where it has no samples; None where
            the run was not tested, or not on the samples of the first run.
        curves: By what is measured, such as ``('train', 'loss')``: points (epoch, value).
        facts: Further lines, by name.
        config: The config as text; empty if there is none.
        differences: (key, the first run's value, this one's) where its config differs.
        missing: What a report would show.
    """

    name: str
    work_dir: str
    epochs: str = ""
    weights: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    calibration_error: float | None = None
    class_accuracy: np.ndarray | None = None
    curves: Mapping[tuple[str, str], Points] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    config: str = ""
    differences: Sequence[tuple[str, str, str]] = ()
    missing: Sequence[Missing] = ()


@dataclass(frozen=True)
class Predictions:
    """Scores of a run and what they are held against.

    Attributes:
        probabilities: (N, L), float.
        labels: True classes (N,).
        sample_ids: N of them.
        class_names: L of them.
        note: How the probabilities came about, if not from the file as it is.
    """

    probabilities: np.ndarray
    labels: np.ndarray
    sample_ids: Sequence[str]
    class_names: Sequence[str]
    note: str = ""

    @cached_property
    def predicted(self) -> np.ndarray:
        """Predicted classes (N,)."""
        return self.probabilities.argmax(axis=1)

    @cached_property
    def confidence(self) -> np.ndarray:
        """Probabilities of the predicted classes (N,)."""
        own = np.take_along_axis(self.probabilities, self.predicted[:, None], axis=1)[:, 0]
        return own.astype(np.float64).clip(0, 1)

    @cached_property
    def hits(self) -> np.ndarray:
        """Whether each prediction is right (N,)."""
        return self.predicted == self.labels

    @cached_property
    def counts(self) -> np.ndarray:
        """Confusion matrix over all classes, (L, L): rows true, columns predicted."""
        size = len(self.class_names)
        pairs = self.labels * size + self.predicted
        return np.bincount(pairs, minlength=size * size).reshape(size, size)

    @cached_property
    def class_accuracy(self) -> np.ndarray:
        """Share of hits of each class (L,); nan where it has no samples."""
        totals = self.counts.sum(axis=1)
        with np.errstate(invalid="ignore"):
            return np.diag(self.counts) / np.where(totals > 0, totals, np.nan)

    @cached_property
    def reliability(self) -> Reliability:
        """The reliability diagram."""
        return reliability(self.confidence, self.hits)

    def mistakes(self) -> np.ndarray:
        """Return the numbers of wrongly predicted samples, those of high confidence first."""
        wrong = np.flatnonzero(~self.hits)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")]


@dataclass(frozen=True)
class Example:
    """A sample of the gallery.

    Attributes:
        kind: Whether it was predicted wrong or right.
        index: Its number among the samples.
        clip: What is played; title and notes are made by the gallery.
    """

    kind: Literal["mistake", "hit"]
    index: int
    clip: Clip


@dataclass(frozen=True)
class ReportFacts:
    """All of a report.

    Attributes:
        title: Plain text.
        runs: At least one. What is shown of single samples and classes is of the first.
        predictions: Of the first run; None where it was not tested.
        examples: The gallery, in its order.
        layout: Of the clips; None where there are none.
    """

    title: str
    runs: Sequence[RunFacts]
    predictions: Predictions | None = None
    examples: Sequence[Example] = ()
    layout: SkeletonLayout | None = None
