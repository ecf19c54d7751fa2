"""Findings about single samples: one small rule for each kind, and what is unlike the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from pyskl.health.measure import Body, Measured
from pyskl.health.report import Finding, Item

SHORT = 8
"""Frames that a sample should have at least."""

# Times as long as the median, or as short, that is called an outlier, unless lengths vary so much
# that this is within so many deviations (of the logarithm, from the median absolute deviation).
_LENGTH_FACTOR, _DEVIATIONS, _SIGMA_OF_MAD = 4.0, 4.0, 1.4826

# Times as large as the median person, or as small, that another unit is suspected.
_SCALE_FACTOR = 8.0

# Share of the joints outside of the image that is no longer a matter of a hand at its edge.
_OUTSIDE = 0.1

# Pixels are larger than what normalised coordinates reach: they lie within -1 to 1, or little more.
_NORMALISED = 2.0

_T = TypeVar("_T")


# --- rules: what to say of a sample, or None ------------------------------------------------------


def _all_zero(body: Body) -> str | None:
    return f"{body.shape[1]} frames" if body.rows == 0 else None


def _constant(body: Body) -> str | None:
    T = body.shape[1]
    return f"{T} frames" if body.rows and T > 1 and body.repeated == T - 1 else None


def _repeated(body: Body) -> str | None:
    T = body.shape[1]
    if T > 1 and 2 * body.repeated >= T - 1 and _constant(body) is None and body.rows:
        return f"{body.repeated} of {T} frames"
    return None


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
    return f"{body.persons} persons in {M} places" if body.rows and body.persons < M else None


def _short(body: Body) -> str | None:
    T = body.shape[1]
    return f"{T} frame{'s' * (T > 1)}" if T < SHORT else None


def _person_jumps(body: Body) -> str | None:
    return times(body.person_jumps) if body.person_jumps else None


def _joint_jumps(body: Body) -> str | None:
    return times(body.joint_jumps) if body.joint_jumps else None


_RULES: Mapping[str, Callable[[Body], str | None]] = {
    "all_zero": _all_zero,
    "constant": _constant,
    "repeated_frames": _repeated,
    "mostly_empty": _mostly_empty,
    "empty_ends": _empty_ends,
    "empty_frames": _empty_frames,
    "empty_slots": _empty_slots,
    "short": _short,
    "person_jumps": _person_jumps,
    "joint_jumps": _joint_jumps,
}


def sample_findings(measured: Sequence[Measured]) -> list[Finding]:
    """Return the findings about samples by themselves."""
    found = [
        Finding(
            kind,
            [
                Item(sample.name, detail)
                for sample in measured
                if sample.body is not None and (detail := rule(sample.body)) is not None
            ],
        )
        for kind, rule in _RULES.items()
    ]
    faults: dict[str, list[Item]] = {}
    for sample in measured:
        for fault in sample.faults:
            faults.setdefault(fault.kind, []).append(Item(sample.name, fault.text))
    return [*found, *(Finding(kind, items) for kind, items in faults.items())]


# --- what is unlike the rest ----------------------------------------------------------------------


def consistency_findings(measured: Sequence[Measured], dead: Sequence[int]) -> list[Finding]:
    """Return the findings about samples that are unlike the rest.

    Args:
        measured: All samples.
        dead: Joints that are zero in every frame of the file.
    """
    sound = [(sample, sample.body) for sample in measured if sample.body is not None]
    if not sound:
        return []
    return [
        Finding("joints_differ", _unlike(sound, lambda body: body.shape[2], "joints")),
        Finding("coordinates_differ", _unlike(sound, lambda body: body.shape[3], "coordinates")),
        Finding("dtype_differ", _unlike(sound, lambda body: body.dtype, "")),
        Finding("length", _length_outliers(sound)),
        Finding("mixed_scale", _scale_outliers(sound)),
        Finding("zero_joints", _zero_joints(sound, dead)),
    ]


def _unlike(
    sound: Iterable[tuple[Measured, Body]], value: Callable[[Body], object], what: str
) -> list[Item]:
    values = [(sample.name, value(body)) for sample, body in sound]
    usual = most_common(value for _, value in values)
    return [
        Item(name, f"{found} {what}".strip() + f", most have {usual}")
        for name, found in values
        if found != usual
    ]


def _length_outliers(sound: Sequence[tuple[Measured, Body]]) -> list[Item]:
    frames = np.log([body.shape[1] for _, body in sound])
    middle = np.median(frames)
    sigma = _SIGMA_OF_MAD * np.median(np.abs(frames - middle))
    limit = max(np.log(_LENGTH_FACTOR), _DEVIATIONS * sigma)
    return [
        Item(
            sample.name,
            f"{body.shape[1]} frame{'s' * (body.shape[1] > 1)}, the median is {np.exp(middle):.0f}",
        )
        for (sample, body), length in zip(sound, frames)
        if abs(length - middle) > limit
    ]


def _scale_outliers(sound: Sequence[tuple[Measured, Body]]) -> list[Item]:
    usual = most_common(body.shape[3] for _, body in sound)
    sized = [
        (sample.name, body.extent)
        for sample, body in sound
        if body.extent > 0 and body.shape[3] == usual
    ]
    if not sized:
        return []
    middle = float(np.median([extent for _, extent in sized]))
    return [
        Item(name, f"a person measures {extent:.3g}, in the median {middle:.3g}")
        for name, extent in sized
        if not middle / _SCALE_FACTOR <= extent <= middle * _SCALE_FACTOR
    ]


def _zero_joints(sound: Sequence[tuple[Measured, Body]], dead: Sequence[int]) -> list[Item]:
    items = []
    for sample, body in sound:
        zeros = body.rows - body.present  # (V,)
        zeros[[joint for joint in dead if joint < len(zeros)]] = 0
        if zeros.any():
            joints = np.flatnonzero(zeros).tolist()
            where = ", ".join(map(str, joints[:SHORT])) + ", ..." * (len(joints) > SHORT)
            items.append(Item(sample.name, f"{times(int(zeros.sum()))} at zero: joints {where}"))
    return items


# --- 2D -------------------------------------------------------------------------------------------


def flat_findings(measured: Sequence[Measured]) -> list[Finding]:
    """Return the findings about scores, and about 2D coordinates and their images."""
    sound = [(sample, sample.body) for sample in measured if sample.body is not None]
    usual = most_common(body.shape[3] for _, body in sound) if sound else 0
    flat = [(sample, body) for sample, body in sound if body.shape[3] == 2 == usual]
    scored = sum(sample.scores is not None for sample, _ in sound)
    found = {
        "scores_partial": [
            Item(sample.name) for sample, _ in sound if scored and sample.scores is None
        ],
        "no_scores": [Item(sample.name) for sample, _ in flat if not scored],
        "score_range": [
            Item(sample.name, f"from {sample.scores[0]:.4g} to {sample.scores[1]:.4g}")
            for sample, _ in sound
            if sample.scores is not None and not 0 <= sample.scores[0] <= sample.scores[1] <= 1
        ],
        "normalised": [
            Item(sample.name, f"within {min(body.low):.3g} and {max(body.high):.3g}")
            for sample, body in flat
            if _is_normalised(body)
        ],
        "no_img_shape": [
            Item(sample.name)
            for sample, body in flat
            if sample.img_shape is None and not _is_normalised(body)
        ],
        "outside_image": [
            Item(sample.name, _outside_text(sample))
            for sample, body in sound
            if sample.outside > _OUTSIDE and not (body.shape[3] == 2 and _is_normalised(body))
        ],
    }
    return [Finding(kind, items) for kind, items in found.items()]


def _is_normalised(body: Body) -> bool:
    return bool(body.rows) and max(map(abs, (*body.low, *body.high))) <= _NORMALISED


def _outside_text(sample: Measured) -> str:
    height, width = sample.img_shape or (0, 0)
    text = f"{sample.outside:.0%} of the joints outside of {height:.0f} x {width:.0f}"
    if sample.outside_swapped < _OUTSIDE:
        text += ": height and width look swapped"
    return text


def times(count: int) -> str:
    """Return how often something is the case, in words."""
    return "once" if count == 1 else f"{count} times"


def most_common(values: Iterable[_T]) -> _T:
    """Return the value that occurs most often, of several the first."""
    return Counter(values).most_common(1)[0][0]
