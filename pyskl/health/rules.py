"""Rules about single samples, and about samples that differ from the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from pyskl.health.measure import Body, SampleMeasurements
from pyskl.health.report import Finding, Item

_SHORT = 8  # frames
_JOINTS_NAMED = 8

# A length is an outlier if it differs from the median by this factor, and by this many deviations
# of the logarithm, estimated from the median absolute deviation.
_LENGTH_FACTOR, _DEVIATIONS, _SIGMA_OF_MAD = 4.0, 4.0, 1.4826

# A person this many times larger or smaller than the median suggests another unit.
_SCALE_FACTOR = 8.0

# More joints outside the image than this are not just a hand at its edge.
_OUTSIDE = 0.1

# Normalised coordinates lie within -1 to 1 or little more; pixels are larger.
_NORMALISED = 2.0

_H = TypeVar("_H", bound=Hashable)


# --- rules for one sample: return the detail of the finding, or None ------------------------------


def _all_zero(body: Body) -> str | None:
    return f"{body.shape[1]} frames" if body.rows == 0 else None


def _constant(body: Body) -> str | None:
    T = body.shape[1]
    return f"{T} frames" if body.rows and T > 1 and body.repeated == T - 1 else None


def _repeated_frames(body: Body) -> str | None:
    T = body.shape[1]
    half = body.rows and T > 1 and 2 * body.repeated >= T - 1
    return f"{body.repeated} of {T} frames" if half and _constant(body) is None else None


def _mostly_empty(body: Body) -> str | None:
    T = body.shape[1]
    return f"{body.empty} of {T} frames" if body.rows and 2 * body.empty >= T else None


def _empty_ends(body: Body) -> str | None:
    if not body.rows or not body.lead + body.trail:
        return None
    return f"{body.lead} frames at the beginning, {body.trail} at the end"


def _empty_frames(body: Body) -> str | None:
    if not body.rows or not body.longest_gap:
        return None
    inside = body.empty - body.lead - body.trail
    return f"{inside} of {body.shape[1]} frames, {body.longest_gap} in a row"


def _empty_slots(body: Body) -> str | None:
    M = body.shape[0]
    return f"{body.persons} persons in {M} slots" if body.rows and body.persons < M else None


def _short(body: Body) -> str | None:
    T = body.shape[1]
    return f"{T} frame{'s' * (T > 1)}" if T < _SHORT else None


def _person_jumps(body: Body) -> str | None:
    return _times(body.person_jumps) if body.person_jumps else None


def _joint_jumps(body: Body) -> str | None:
    return _times(body.joint_jumps) if body.joint_jumps else None


_RULES: Mapping[str, Callable[[Body], str | None]] = {
    "all_zero": _all_zero,
    "constant": _constant,
    "repeated_frames": _repeated_frames,
    "mostly_empty": _mostly_empty,
    "empty_ends": _empty_ends,
    "empty_frames": _empty_frames,
    "empty_slots": _empty_slots,
    "short": _short,
    "person_jumps": _person_jumps,
    "joint_jumps": _joint_jumps,
}


def sample_findings(samples: Sequence[SampleMeasurements]) -> list[Finding]:
    """Return the findings about single samples."""
    found: dict[str, list[Item]] = {kind: [] for kind in _RULES}
    for sample in samples:
        for problem in sample.problems:
            found.setdefault(problem.kind, []).append(Item(sample.name, problem.text))
        if sample.body is not None:
            for kind, rule in _RULES.items():
                detail = rule(sample.body)
                if detail is not None:
                    found[kind].append(Item(sample.name, detail))
    return [Finding(kind, items) for kind, items in found.items()]


# --- samples that differ from the rest ------------------------------------------------------------


def consistency_findings(
    samples: Sequence[SampleMeasurements], dead_joints: Sequence[int]
) -> list[Finding]:
    """Return the findings about samples that differ from the rest, and about 2D data.

    Args:
        samples: All samples.
        dead_joints: Joints that are zero in every frame of the file.
    """
    readable = [(sample, sample.body) for sample in samples if sample.body is not None]
    if not readable:
        return []
    dim = most_common(body.shape[3] for _, body in readable)
    sized = [(s.name, body.extent) for s, body in readable if body.extent and body.shape[3] == dim]
    found = {
        "joints_differ": _unlike(
            [(s.name, body.shape[2]) for s, body in readable], "{} joints, most have {}"
        ),
        "coordinates_differ": _unlike(
            [(s.name, body.shape[3]) for s, body in readable], "{} coordinates, most have {}"
        ),
        "dtype_differ": _unlike([(s.name, body.dtype) for s, body in readable], "{}, most have {}"),
        "length": _length_outliers([(s.name, body.shape[1]) for s, body in readable]),
        "mixed_scale": _scale_outliers(sized),
        "zero_joints": _zero_joints(readable, dead_joints),
        **_score_items(readable, dim),
        **_image_items(readable, dim),
    }
    return [Finding(kind, items) for kind, items in found.items()]


def _unlike(values: Sequence[tuple[str, Hashable]], detail: str) -> list[Item]:
    usual = most_common(value for _, value in values)
    return [Item(name, detail.format(value, usual)) for name, value in values if value != usual]


def _length_outliers(lengths: Sequence[tuple[str, int]]) -> list[Item]:
    logs = np.log([length for _, length in lengths])
    middle = np.median(logs)
    sigma = _SIGMA_OF_MAD * np.median(np.abs(logs - middle))
    limit = max(np.log(_LENGTH_FACTOR), _DEVIATIONS * sigma)
    return [
        Item(name, f"{T} frame{'s' * (T > 1)}, the median is {np.exp(middle):.0f}")
        for (name, T), log in zip(lengths, logs)
        if abs(log - middle) > limit
    ]


def _scale_outliers(extents: Sequence[tuple[str, float]]) -> list[Item]:
    middle = float(np.median([extent for _, extent in extents])) if extents else 0.0
    return [
        Item(name, f"a person measures {extent:.3g}, in the median {middle:.3g}")
        for name, extent in extents
        if not middle / _SCALE_FACTOR <= extent <= middle * _SCALE_FACTOR
    ]


def _zero_joints(
    readable: Sequence[tuple[SampleMeasurements, Body]], dead_joints: Sequence[int]
) -> list[Item]:
    items = []
    for sample, body in readable:
        zeros = body.rows - body.present  # (V,)
        zeros[[joint for joint in dead_joints if joint < len(zeros)]] = 0
        joints = np.flatnonzero(zeros).tolist()
        if joints:
            some = ", ".join(map(str, joints[:_JOINTS_NAMED]))
            some += ", ..." * (len(joints) > _JOINTS_NAMED)
            items.append(Item(sample.name, f"{_times(int(zeros.sum()))} at zero: joints {some}"))
    return items


def _score_items(
    readable: Sequence[tuple[SampleMeasurements, Body]], dim: int
) -> dict[str, list[Item]]:
    scored = any(sample.scores is not None for sample, _ in readable)
    unscored = [(s.name, body.shape[3]) for s, body in readable if s.scores is None]
    return {
        "scores_partial": [Item(name) for name, _ in unscored if scored],
        "no_scores": [Item(name) for name, C in unscored if C == 2 == dim and not scored],
        "score_range": [
            Item(sample.name, f"from {sample.scores[0]:.4g} to {sample.scores[1]:.4g}")
            for sample, _ in readable
            if sample.scores is not None and not 0 <= sample.scores[0] <= sample.scores[1] <= 1
        ],
    }


def _image_items(
    readable: Sequence[tuple[SampleMeasurements, Body]], dim: int
) -> dict[str, list[Item]]:
    normalised, no_shape, outside, shares = [], [], [], []
    for sample, body in readable:
        is_2d = body.shape[3] == 2
        if not is_2d and body.rows and min(body.low[:2]) >= 0 and max(body.high[:2]) <= 1:
            shares.append(Item(sample.name, f"x up to {body.high[0]:.3g}, y {body.high[1]:.3g}"))
        is_normalised = (
            is_2d and body.rows > 0 and max(map(abs, (*body.low, *body.high))) <= _NORMALISED
        )
        if is_normalised and dim == 2:
            detail = f"within {min(body.low):.3g} and {max(body.high):.3g}"
            normalised.append(Item(sample.name, detail))
        elif is_2d and dim == 2 and sample.img_shape is None:
            no_shape.append(Item(sample.name))
        if sample.img_shape is not None and sample.outside > _OUTSIDE and not is_normalised:
            height, width = sample.img_shape
            detail = f"{sample.outside:.0%} of the joints outside of {height:.0f} x {width:.0f}"
            if sample.outside_swapped < _OUTSIDE:
                detail += ": height and width look swapped"
            outside.append(Item(sample.name, detail))
    return {
        "normalised": normalised,
        "image_shares": shares,
        "no_img_shape": no_shape,
        "outside_image": outside,
    }


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def most_common(values: Iterable[_H]) -> _H:
    """Return the most frequent value, the first of several."""
    return Counter(values).most_common(1)[0][0]
