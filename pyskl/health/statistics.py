"""Statistics of a data set, collected sample by sample, with guesses of unit and upward axis.

Shapes: S samples, R rows (a person in a frame), V joints, C coordinates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from pyskl.health.measure import Body, SampleMeasurements, bone_lengths
from pyskl.health.report import AxisStatistics, Statistics
from pyskl.health.rules import most_common
from pyskl.health.splits import Splits, overlap_matrix
from pyskl.skeleton import LAYOUTS, SkeletonLayout

# The distribution of coordinates is taken from about this many positions of all samples, with at
# least _MIN_POSITIONS of each sample. Bones are measured in about _MIN_POSITIONS rows of each
# sample.
_POSITIONS, _MIN_POSITIONS = 200_000, 8

_BINS = 40

# Steps of float16 at the usual coordinates that are too coarse, as a share of a person's size.
_COARSE = 0.01

_AXES = "xyz"

# The height is the longest side of the box if it is this many times longer than the others.
_CLEARLY_LONGER = 1.3

# Size of a person in each unit: the longer side of the box around the joints, which is 1.5 to 1.9 m
# standing and less sitting.
_UNITS = (
    ("metres", 0.5, 2.6),
    ("inches, or centimetres of half a body", 40.0, 90.0),
    ("centimetres", 90.0, 260.0),
    ("millimetres", 500.0, 2600.0),
)


class StatisticsCollector:
    """Positions, bones and spines of all samples.

    Args:
        samples: Number of samples.
        layout: The skeleton, if it is known.
    """

    def __init__(self, samples: int, layout: SkeletonLayout | None) -> None:
        self.layout = layout
        self._quota = max(_MIN_POSITIONS, _POSITIONS // max(samples, 1))
        self._positions: dict[int, list[np.ndarray]] = {}
        self._bones: list[np.ndarray] = []
        self._spines: list[np.ndarray] = []

    def add(self, rows: np.ndarray) -> None:
        """Add the rows (R, V, C) of a sample, float32."""
        V, C = rows.shape[1:]
        flat = rows.reshape(-1, C)
        # Not a multiple of V, which would always select the same joints.
        step = max(1, len(flat) // self._quota) | 1
        step += 2 * (step > 1 and step % V == 0)
        chosen = flat[::step]
        chosen = chosen[chosen.any(axis=1)]
        if not len(chosen):  # most joints are missing
            chosen = flat[flat.any(axis=1)][: self._quota]
        self._positions.setdefault(C, []).append(chosen)
        layout = self.layout or LAYOUTS["nturgb+d"]
        if layout.num_joints == V and layout.dim == C == 3:
            some = rows[:: max(1, len(rows) // _MIN_POSITIONS)]
            hip, neck = layout.spine
            if hip != neck:  # the layout states a spine
                self._spines.append((some[:, neck] - some[:, hip]).mean(axis=0))
            self._bones.append(bone_lengths(some, layout))

    def bones(self) -> np.ndarray | None:
        """Return the mean length of each joint's bone (V,); None if the layout does not match."""
        return np.mean(self._bones, axis=0) if self._bones else None

    def statistics(
        self,
        samples: Sequence[SampleMeasurements],
        splits: Splits,
        label_names: Sequence[str] = (),
    ) -> Statistics:
        """Return the statistics of the data set."""
        bodies = [sample.body for sample in samples if sample.body is not None]
        members = {"": range(len(samples)), **splits.members}
        classes = {
            split: Counter(label for index in indices for label in samples[index].labels)
            for split, indices in members.items()
        }
        found = Statistics(
            samples=len(samples),
            scores=sum(sample.scores is not None for sample in samples),
            splits={name: len(indices) for name, indices in splits.members.items()},
            overlap=overlap_matrix(splits),
            classes={split: dict(sorted(counts.items())) for split, counts in classes.items()},
            label_names=list(label_names),
        )
        if not bodies:
            return found
        found.joints = most_common(body.shape[2] for body in bodies)
        found.coordinates = most_common(body.shape[3] for body in bodies)
        found.dtypes = dict(Counter(body.dtype for body in bodies))
        found.slots = dict(sorted(Counter(body.shape[0] for body in bodies).items()))
        found.persons = dict(sorted(Counter(body.persons for body in bodies).items()))
        frames = np.array([body.shape[1] for body in bodies])
        low, high = int(frames.min()), int(frames.max())
        found.frames = low, float(np.median(frames)), high
        width = max(1, -(-(high - low + 1) // _BINS))  # whole frames, about _BINS bins
        counts, edges = np.histogram(frames, bins=np.arange(low, high + width + 1, width))
        found.length_counts, found.length_edges = counts.tolist(), edges.tolist()
        if self.layout is not None and len(self.layout.joint_names) == found.joints:
            found.joint_names = list(self.layout.joint_names)
        shape = (found.joints, found.coordinates)
        usual = [body for body in bodies if body.rows and body.shape[2:] == shape]
        if usual:
            self._add_sizes(found, usual)
        return found

    def _add_sizes(self, found: Statistics, bodies: Sequence[Body]) -> None:
        """Add the statistics of coordinates; ``bodies`` all have the usual V and C."""
        rows = sum(body.rows for body in bodies)
        found.presence = (np.sum([body.present for body in bodies], axis=0) / rows).tolist()
        found.extent = float(np.median([body.extent for body in bodies]))
        positions = np.concatenate(self._positions[found.coordinates])
        low = np.min([body.low for body in bodies], axis=0).tolist()
        high = np.max([body.high for body in bodies], axis=0).tolist()
        for c, values in enumerate(positions.T):
            low1, high99 = (float(one) for one in np.percentile(values, [1, 99]))
            counts, edges = np.histogram(values, bins=_BINS, range=(low1, high99))
            found.axes.append(
                AxisStatistics(
                    _AXES[c], low[c], high[c], low1, high99, edges.tolist(), counts.tolist()
                )
            )
        if found.coordinates == 3 and not found.scores:
            found.unit = guess_unit(found.extent)
            spines = np.array(self._spines) if self._spines else None
            found.up = guess_up_axis(np.array([body.box for body in bodies]), spines)


def dead_joints(statistics: Statistics) -> list[int]:
    """Return the joints that are zero in every frame."""
    return [joint for joint, share in enumerate(statistics.presence) if share == 0]


def float16_too_coarse(statistics: Statistics) -> str | None:
    """Return why float16 is too coarse for the coordinates; None if it is not, or not used."""
    axes = [axis for axis in statistics.axes if axis.high99 > axis.low1]
    if not statistics.extent or not axes or "float16" not in statistics.dtypes:
        return None
    far = max(max(abs(axis.low1), abs(axis.high99)) for axis in axes)
    step = float(np.spacing(np.float16(min(far, np.finfo(np.float16).max))))
    if step <= _COARSE * statistics.extent:
        return None
    return f"steps of {step:.3g} at {far:.4g}, while a person measures {statistics.extent:.3g}"


def guess_unit(extent: float) -> str:
    """Return the probable unit of 3D coordinates, from the size of a person.

    Example:
        >>> guess_unit(1.61)
        'probably metres: a person measures 1.61 in the median'
        >>> guess_unit(33.0)
        'unknown: a person measures 33 in the median, which fits no usual unit'
    """
    size = f"a person measures {extent:.3g} in the median"
    for unit, low, high in _UNITS:
        if low <= extent <= high:
            return f"probably {unit}: {size}"
    return f"unknown: {size}, which fits no usual unit"


def guess_up_axis(boxes: np.ndarray, spines: np.ndarray | None) -> str:
    """Return the probable upward axis.

    Args:
        boxes: Sides of a person's box, one row for each sample, (S, 3).
        spines: Vectors along the spine from the hip up, (S, 3); None if the layout is unknown.
    """
    if spines is not None and len(spines):
        lengths = np.linalg.norm(spines, axis=1)
        spines = spines[lengths > 0] / lengths[lengths > 0, None]
        mean = spines.mean(axis=0) if len(spines) else np.zeros(3)
        axis = int(np.abs(mean).argmax())
        if abs(mean[axis]) > 0.5:
            sign = "+" if mean[axis] > 0 else "-"
            return f"probably {sign}{_AXES[axis]}: the spine points there"
        return "unknown: spines point in all directions"
    sides = np.median(boxes, axis=0)
    axis = int(sides.argmax())
    if sides[axis] >= _CLEARLY_LONGER * np.delete(sides, axis).max():
        return f"probably along {_AXES[axis]}: persons are longest there"
    return "unknown: persons are about as long in two directions"
