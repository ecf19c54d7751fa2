"""Bring the fields of a sample into one form, wherever samples enter: training, check, inference.

Pickles of other programs hold the same facts in other types: ``None`` for what is absent, nested
lists, whole-number scores, ``frame.shape`` as image size. What has one meaning is taken;
everything else is left as it is, and :mod:`pyskl.datasets.sample_checks` refuses it.

Shapes: M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import Any

import numpy as np

AXES = "MTVC"

# Fields that a sample may lack, where None and '' stand for nothing.
_OPTIONAL = ("keypoint_score", "img_shape", "original_shape")
# Marks that transforms leave, which no file can set.
_MARKS = ("scored", "normalized")
_CHANNELS = (1, 3, 4)  # of an image


def with_plain_fields(sample: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a sample whose fields have the types that the table of annotation files names.

    ========================================= ====================================================
    field                                     what is taken
    ========================================= ====================================================
    ``keypoint_score``, ``img_shape``,        None and ``''`` count as absent
    ``original_shape``
    ``keypoint``                              nested lists, integers; (T, V, C) of one person, if
                                              ``total_frames`` is T
    ``keypoint_score``                        nested lists, integers, booleans; (M, T, V, 1)
    ``img_shape``, ``original_shape``         arrays; (height, width, channels)
    ``total_frames``                          arrays of one number, floats such as 40.0
    ``label``, ids                            arrays without axes
    ========================================= ====================================================

    Tensors count as arrays. Fields with another content stay as they are. The marks that transforms
    leave in a sample are removed.

    Returns:
        ``sample`` itself if there is nothing to change, which is fast.
    """
    changes = field_changes(sample)
    if not changes:
        return sample
    changed = {**sample, **changes}
    return {key: value for key, value in changed.items() if not (key in changes and value is None)}


def field_changes(sample: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that :func:`with_plain_fields` changes; None for those it removes."""
    changes: dict[str, Any] = {}
    for key in _OPTIONAL:
        if key in sample and _is_absent(sample[key]):
            changes[key] = None
    for key in _MARKS:
        if key in sample:
            changes[key] = None
    for key in ("frame_dir", "filename"):
        if key in sample and not isinstance(sample[key], (str, int)):
            identity = _without_axes(sample[key])
            if identity is not sample[key]:
                changes[key] = identity
            elif identity is None:
                changes[key] = None
    if "label" in sample:
        label = _without_axes(sample["label"])
        if label is not sample["label"]:
            changes["label"] = label
    if "total_frames" in sample and not isinstance(sample["total_frames"], (int, np.integer)):
        frames = _whole(sample["total_frames"])
        if frames is not None:
            changes["total_frames"] = frames
    for key in ("img_shape", "original_shape"):
        if sample.get(key) is not None and key not in changes:
            size = _size(sample[key])
            if size is not sample[key]:
                changes[key] = size
    _change_arrays(sample, changes)
    return changes


def _change_arrays(sample: Mapping[str, Any], changes: dict[str, Any]) -> None:
    keypoint: Any = sample.get("keypoint")
    plain = keypoint if _is_plain(keypoint) else _float_array(keypoint, "iuf")
    if plain is None:
        return
    frames = changes.get("total_frames", sample.get("total_frames"))
    single = plain.ndim == 3 and not isinstance(frames, bool) and _equal(len(plain), frames)
    if single:
        plain = plain[None]
    if plain is not keypoint:
        changes["keypoint"] = plain
    score = sample.get("keypoint_score")
    if score is None or "keypoint_score" in changes:
        return
    found = score if _is_plain(score) else _float_array(score, "biuf")
    if found is None:
        return
    if single and found.shape[:2] == plain.shape[1:3]:
        found = found[None]
    if found.ndim == 4 and found.shape == (*plain.shape[:3], 1):
        found = found[..., 0]
    if found is not score:
        changes["keypoint_score"] = found


def _is_plain(value: Any) -> bool:
    """Return whether a value is a float array in the byte order and types of the machine."""
    return type(value) is np.ndarray and value.dtype.char in "efd" and value.dtype.isnative


def _float_array(value: Any, kinds: str) -> np.ndarray | None:
    """Return numbers as a float array, None if they are not; ``kinds`` are those of dtypes."""
    array = _array(value)
    if array is None or array.ndim == 0:
        return None
    if array.dtype.kind == "O":
        array = _array(array.tolist())
    if array is None or array.dtype.kind not in kinds:
        return None
    if array.dtype.kind == "f" and not isinstance(value, (list, tuple)):
        kind = "f8" if array.dtype.itemsize > 8 else array.dtype.newbyteorder("=")
    else:
        kind = "f4"
    with np.errstate(over="ignore"):  # what is infinite then is reported
        return array.astype(kind)


def _array(value: Any) -> np.ndarray | None:
    if hasattr(value, "detach") and hasattr(value, "numpy"):  # a tensor
        value = value.detach().cpu()
        value = (value.float() if "bfloat16" in str(value.dtype) else value).numpy()
    if isinstance(value, np.ma.MaskedArray):
        return None  # a mask may mean anything
    if isinstance(value, np.ndarray):
        return np.asarray(value)
    if not isinstance(value, (list, tuple)):
        return None
    try:
        return np.asarray([_array(one) if hasattr(one, "detach") else one for one in value])
    except (TypeError, ValueError, OverflowError, MemoryError):  # ragged, say
        return None


def _without_axes(value: Any) -> Any:
    """Return the item of an array without axes, and other values as they are."""
    if isinstance(value, (str, int, float, np.generic)) or value is None:
        return value
    array = (
        value if isinstance(value, np.ndarray) or not hasattr(value, "detach") else _array(value)
    )
    return array.item() if isinstance(array, np.ndarray) and array.ndim == 0 else value


def _whole(value: Any) -> int | None:
    array = _array(value)
    if array is not None:
        value = array.reshape(()).item() if array.size == 1 and array.ndim < 2 else None
    if isinstance(value, bool):
        return None
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return int(value)
    return int(value) if isinstance(value, (int, np.integer)) else None


def _equal(number: int, other: Any) -> bool:
    return isinstance(other, (int, np.integer)) and number == other


def _is_absent(value: Any) -> bool:
    if type(value) is tuple:
        return not value
    return value is None or (isinstance(value, (str, bytes, list)) and not value)


def _size(value: Any) -> Any:
    """Return an image size as (height, width), or the value as it is."""
    if isinstance(value, (list, tuple)) and len(value) == 2:
        return value
    array = _array(value)
    if array is None or array.dtype.kind not in "iuf" or array.ndim != 1:
        return value
    if len(array) == 3 and array[2] in _CHANNELS:
        array = array[:2]
    if len(array) != 2 or not np.isfinite(array).all():
        return value
    return tuple(int(side) if float(side).is_integer() else float(side) for side in array)


# --- the order of the axes ------------------------------------------------------------------------


def fitting_orders(shape: tuple[int, ...], frames: int) -> list[str]:
    """Return the orders of axes, such as ``'TMVC'``, that give keypoints their meaning.

    Args:
        shape: Of keypoints that are not (M, T, V, C) with T = ``frames``.
        frames: The number of frames.

    Returns:
        Orders in which T has that length, C is 2 or 3, and there are more joints than persons and
        not far more persons than frames. Orders that nobody uses count only where no other fits.

    Example:
        >>> fitting_orders((40, 2, 25, 3), 40)
        ['TMVC']
        >>> fitting_orders((3, 40, 25, 1), 40)
        ['CTVM']
        >>> fitting_orders((40, 3, 25, 2), 40)  # three persons in 2D, or two in 3D
        ['TMVC', 'TCVM']
        >>> fitting_orders((1, 40, 25, 3), 39)
        []
    """
    if len(shape) != 4:
        return []
    orders, usual = [], []
    for order in map("".join, permutations(AXES)):
        M, T, V, C = (shape[order.index(axis)] for axis in AXES)
        if frames == T and C in (2, 3) and V > M > 0 and not crowded(M, T):
            orders.append(order)
            usual += [order] * (M <= C and order in _UNUSUAL.values())
    orders = [one for one in orders if _UNUSUAL.get(one) not in usual]
    return [one for one in orders if one.index("T") < one.index("V")] or orders


# Orders that nobody uses, each with the one that has the same shape if M and C are 2 or 3.
_UNUSUAL = {"TCVM": "TMVC", "CMTV": "MCTV", "CTMV": "MTCV", "CVTM": "MVTC"}


def crowded(persons: int, frames: int) -> bool:
    """Return whether there are more persons than frames, and more than a few."""
    return persons >= 8 and persons > frames


def as_text(order: str) -> str:
    """Return ``'(T, M, V, C)'`` for ``'TMVC'``."""
    return f"({', '.join(order)})"


def reordered(sample: Mapping[str, Any], order: str) -> dict[str, Any]:
    """Return a sample whose keypoints have the axes ``order`` with the axes (M, T, V, C).

    Scores follow, unless they are (M, T, V) already.
    """
    keypoint = sample["keypoint"].transpose([order.index(axis) for axis in AXES])
    changed = {**sample, "keypoint": np.ascontiguousarray(keypoint)}
    score, rest = sample.get("keypoint_score"), order.replace("C", "")
    if isinstance(score, np.ndarray) and score.ndim == 4 and score.shape[order.index("C")] == 1:
        score = score.squeeze(order.index("C"))
    if isinstance(score, np.ndarray) and score.ndim == 3 and score.shape != keypoint.shape[:3]:
        turned = score.transpose([rest.index(axis) for axis in AXES[:3]])
        changed["keypoint_score"] = np.ascontiguousarray(turned)
    return changed
