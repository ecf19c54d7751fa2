"""Figures of a data set, added up sample by sample.

Shapes: S samples, R rows (a person in a frame), V joints, C coordinates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from pyskl.health.measure import Body, Measured, bone_lengths
from pyskl.health.report import Axis, Facts
from pyskl.health.samples import most_common
from pyskl.health.splits import Splits, overlap_matrix
from pyskl.health.units import AXES, guess_unit, guess_up
from pyskl.skeleton import LAYOUTS, SkeletonLayout

# Positions that the distribution of coordinates is taken from, of all samples together, and the
# fewest positions or frames that are looked at in each sample.
_POSITIONS, _LEAST = 200_000, 8

_BINS = 40

# Steps of float16 at the usual coordinates, as a share of a person's size, that are too coarse.
_COARSE = 0.01


class Collected:
    """What is added up over the samples, beside their measures.

    Args:
        samples: How many there are going to be.
        layout: The skeleton, where it is known.
    """

    def __init__(self, samples: int, layout: SkeletonLayout | None) -> None:
        self.layout = layout
        self._quota = max(_LEAST, _POSITIONS // max(samples, 1))
        self._positions: dict[int, list[np.ndarray]] = {}
        self._bones: list[np.ndarray] = []
        self._spines: list[np.ndarray] = []

    def add(self, rows: np.ndarray) -> None:
        """Add the rows (R, V, C) of a sample, float32."""
        V, C = rows.shape[1:]
        flat = rows.reshape(-1, C)
        # Not a multiple of V, which would always take the same joints.
        step = max(1, len(flat) // self._quota) | 1
        step += 2 * (step > 1 and step % V == 0)
        chosen = flat[::step]
        chosen = chosen[chosen.any(axis=1)]
        if not len(chosen):  # few joints are there
            chosen = flat[flat.any(axis=1)][: self._quota]
        self._positions.setdefault(C, []).append(chosen)
        layout = self._layout_of(V, C)
        if layout is not None:
            some = rows[:: max(1, len(rows) // _LEAST)]
            hip, neck = layout.spine
            self._spines.append((some[:, neck] - some[:, hip]).mean(axis=0))
            self._bones.append(bone_lengths(some, layout))

    def _layout_of(self, joints: int, coordinates: int) -> SkeletonLayout | None:
        """Return the layout of 3D rows: the one that is known, or that of 25 Kinect joints."""
        layout = self.layout or LAYOUTS["nturgb+d"]
        fits = layout.num_joints == joints and layout.dim == coordinates == 3
        return layout if fits else None

    def bones(self) -> np.ndarray | None:
        """Return the mean length of each joint's bone (V,); None where no layout fits."""
        return np.mean(self._bones, axis=0) if self._bones else None

    def spines(self) -> np.ndarray | None:
        """Return a vector along the spine for each sample (S, 3); None where no layout fits."""
        return np.array(self._spines) if self._spines else None

    def positions(self, coordinates: int) -> np.ndarray:
        """Return some of the positions (P, C) of joints that are there."""
        return np.concatenate(self._positions.get(coordinates, [np.empty((0, coordinates))]))


def find_facts(
    measured: Sequence[Measured],
    splits: Splits,
    collected: Collected,
    label_names: Sequence[str] = (),
) -> Facts:
    """Return the figures of a data set."""
    bodies = [sample.body for sample in measured if sample.body is not None]
    facts = Facts(
        samples=len(measured),
        scores=sum(sample.scores is not None for sample in measured),
        splits={name: len(members) for name, members in splits.members.items()},
        overlap=overlap_matrix(splits),
        classes=_classes(measured, splits),
        label_names=list(label_names),
    )
    if not bodies:
        return facts
    facts.joints = most_common(body.shape[2] for body in bodies)
    facts.coordinates = most_common(body.shape[3] for body in bodies)
    facts.dtypes = dict(Counter(body.dtype for body in bodies))
    facts.slots = dict(sorted(Counter(body.shape[0] for body in bodies).items()))
    facts.persons = dict(sorted(Counter(body.persons for body in bodies).items()))
    frames = np.array([body.shape[1] for body in bodies])
    facts.frames = int(frames.min()), float(np.median(frames)), int(frames.max())
    counts, edges = np.histogram(frames, bins=_length_edges(facts.frames[0], facts.frames[2]))
    facts.length_counts, facts.length_edges = counts.tolist(), edges.tolist()
    usual = [
        body for body in bodies if body.rows and body.shape[2:] == (facts.joints, facts.coordinates)
    ]
    if usual:
        _add_sizes(facts, usual, collected)
    layout = collected.layout
    if layout is not None and len(layout.joint_names) == facts.joints:
        facts.joint_names = list(layout.joint_names)
    return facts


def dead_joints(facts: Facts) -> list[int]:
    """Return the joints that are zero in every frame."""
    return [joint for joint, share in enumerate(facts.presence) if share == 0]


def too_coarse(facts: Facts, bodies: Sequence[Body]) -> str | None:
    """Return why float16 is too coarse for the coordinates; None where it is not, or not used."""
    usual = [axis for axis in facts.axes if axis.high99 > axis.low1]
    if not facts.extent or not usual or not any(body.dtype == "float16" for body in bodies):
        return None
    far = max(max(abs(axis.low1), abs(axis.high99)) for axis in usual)
    step = float(np.spacing(np.float16(min(far, np.finfo(np.float16).max))))
    if step <= _COARSE * facts.extent:
        return None
    return f"steps of {step:.3g} at {far:.4g}, while a person measures {facts.extent:.3g}"


def _add_sizes(facts: Facts, usual: Sequence[Body], collected: Collected) -> None:
    rows = sum(body.rows for body in usual)
    facts.presence = (np.sum([body.present for body in usual], axis=0) / rows).tolist()
    facts.extent = float(np.median([body.extent for body in usual]))
    positions = collected.positions(facts.coordinates)
    low = np.min([body.low for body in usual], axis=0)
    high = np.max([body.high for body in usual], axis=0)
    facts.axes = [
        _axis(AXES[c], float(low[c]), float(high[c]), positions[:, c])
        for c in range(facts.coordinates)
    ]
    if facts.coordinates == 3 and not facts.scores:
        facts.unit = guess_unit(facts.extent)
        facts.up = guess_up(np.array([body.box for body in usual]), collected.spines())


def _axis(name: str, low: float, high: float, values: np.ndarray) -> Axis:
    low1, high99 = (float(one) for one in np.percentile(values, [1, 99]))
    counts, edges = np.histogram(values, bins=_BINS, range=(low1, high99))
    return Axis(name, low, high, low1, high99, edges.tolist(), counts.tolist())


def _classes(measured: Sequence[Measured], splits: Splits) -> dict[str, dict[int, int]]:
    members = {"": range(len(measured)), **splits.members}
    return {
        split: dict(sorted(Counter(label for i in indices for label in measured[i].labels).items()))
        for split, indices in members.items()
    }


def _length_edges(low: int, high: int) -> np.ndarray:
    """Return the edges of about 40 bins of whole numbers of frames."""
    width = max(1, -(-(high - low + 1) // _BINS))
    return np.arange(low, high + width + 1, width)
