"""What came out of comparing two runs, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pyskl.config.diff import Difference
from pyskl.evaluation.comparison import ClassComparison, PairedTest
from pyskl.text_table import text_table

_ALPHA = 0.05
_MOST_CLASSES, _MOST_EPOCHS, _LONGEST_VALUE = 15, 12, 48

Curve = Sequence[tuple[float, float]]


@dataclass
class Comparison:
    """How the second of two runs differs from the first.

    Attributes:
        a: The first, as it was given.
        b: The second.
        weights: Whose scores are compared: ``'best'`` or ``'last'``.
        differences: Of the configs; None where one of them has none.
        curves: By name, the first's and the second's (epoch, value).
        data: The test samples in words.
        samples: How many.
        figures: The first's and the second's; None where one was not tested.
        test: The paired test of top-1 accuracy.
        classes: The same of each class.
        only_a_right: Ids of samples that only the first got right.
        only_b_right: Ids of samples that only the second got right.
        not_tested: Why there are no figures.
    """

    a: str
    b: str
    weights: str
    differences: list[Difference] | None
    curves: Mapping[str, tuple[Curve, Curve]]
    data: str = ""
    samples: int = 0
    figures: tuple[dict[str, float], dict[str, float]] | None = None
    test: PairedTest | None = None
    classes: list[ClassComparison] = field(default_factory=list)
    only_a_right: list[str] = field(default_factory=list)
    only_b_right: list[str] = field(default_factory=list)
    not_tested: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        found = asdict(self)
        if self.test is not None:
            found["test"].update(_derived(self.test))
        for one, each in zip(found["classes"], self.classes):
            one["test"].update(_derived(each.test))
        return found

    def text(self) -> str:
        """Return what a person reads."""
        parts = [f"A: {self.a}\nB: {self.b}", self._config_text()]
        if self.figures is None or self.test is None:
            parts.append(f"predictions are not compared: {self.not_tested}")
        else:
            parts += [self._figures_text(*self.figures), _test_text(self.test)]
            parts.append(self._classes_text())
        parts.append(self._curves_text())
        return "\n\n".join(part for part in parts if part)

    def _config_text(self) -> str:
        if self.differences is None:
            return ""
        if not self.differences:
            return "configs: the same"
        rows = [["configs differ in", "A", "B"]]
        rows += [[one.key, _cut(one.a), _cut(one.b)] for one in self.differences]
        return text_table(rows, left=3)

    def _figures_text(self, a: Mapping[str, float], b: Mapping[str, float]) -> str:
        rows = [[f"{self.weights} weights on {self.samples} samples", "A", "B", "B - A"]]
        rows += [
            [name, f"{a[name]:.4f}", f"{b[name]:.4f}", f"{b[name] - a[name]:+.4f}"] for name in a
        ]
        return f"{self.data}\n{text_table(rows)}"

    def _classes_text(self) -> str:
        differing = [one for one in self.classes if one.test.only_a or one.test.only_b]
        differing.sort(key=lambda one: (-abs(one.test.difference), one.label))
        if not differing:
            return "classes: no sample is right with one and wrong with the other"
        rows = [["class", "samples", "A", "B", "B - A", "only A", "only B", "p", "p, Holm"]]
        for one in differing[:_MOST_CLASSES]:
            test = one.test
            rows.append(
                [
                    f"{one.label}",
                    f"{test.samples}",
                    f"{test.accuracy_a:.4f}",
                    f"{test.accuracy_b:.4f}",
                    f"{test.difference:+.4f}",
                    f"{test.only_a}",
                    f"{test.only_b}",
                    f"{test.p:.3g}",
                    f"{one.corrected:.3g}{' *' if one.corrected < _ALPHA else ''}",
                ]
            )
        more = len(differing) - _MOST_CLASSES
        lines = [text_table(rows)]
        if more > 0:
            lines.append(f"... and {more} more classes that differ (--json has all)")
        same = len(self.classes) - len(differing)
        lines.append(
            f"{same} of {len(self.classes)} classes: the same samples are right; p by Holm's "
            f"correction for {len(self.classes)} tests"
        )
        return "\n".join(lines)

    def _curves_text(self) -> str:
        columns = [
            (f"{name} {side}", dict(curve))
            for name, pair in self.curves.items()
            for side, curve in zip("AB", pair)
            if curve
        ]
        epochs = sorted({epoch for _, curve in columns for epoch in curve})
        if not epochs:
            return ""
        step = -(-len(epochs) // _MOST_EPOCHS)
        kept = [e for i, e in enumerate(epochs) if i % step == 0 or i == len(epochs) - 1]
        rows = [["epoch", *(name for name, _ in columns)]]
        for epoch in kept:
            values = [curve.get(epoch) for _, curve in columns]
            rows.append(
                [f"{epoch:g}", *("-" if value is None else f"{value:.4f}" for value in values)]
            )
        return text_table(rows)


def _test_text(test: PairedTest) -> str:
    low, high = test.interval()
    decided = test.only_a + test.only_b
    if not decided:
        return "McNemar: A and B get the same samples right"
    verdict = (
        "unlikely to be chance"
        if test.p < _ALPHA
        else "so large a difference is not unusual where there is none"
    )
    return (
        f"McNemar, exact: only A is right on {test.only_a}, only B on {test.only_b}; "
        f"p = {test.p:.3g}, {verdict}\n"
        f"B - A: {test.difference:+.4f}, 95 % interval {low:+.4f} to {high:+.4f} "
        "(of the test samples, not of training again)"
    )


def _derived(test: PairedTest) -> dict[str, Any]:
    return {
        "accuracy_a": test.accuracy_a,
        "accuracy_b": test.accuracy_b,
        "difference": test.difference,
        "interval_95": test.interval(),
    }


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."
