"""Read ``.npy`` files of joints, and ``.npz`` files with further arrays. Pickles are refused.

Shapes: M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from typing import Any

import numpy as np

from pyskl.datasets.sample_fields import AXES, as_text, crowded
from pyskl.recordings.input_file import InputFile
from pyskl.recordings.numbers import (
    MAX_JOINTS,
    frame_rate,
    image_size,
    listed,
    seen_joints,
    unexpected,
)
from pyskl.recordings.persons import most_active
from pyskl.recordings.reader import CHANNELS, Reader, ReadOptions
from pyskl.recordings.recording import Recording, RecordingError

# Bytes of an unpacked array. Compressed zeros take a thousandth of their size.
_MAX_UNPACKED = 1 << 30

# Orders of axes that people use.
_ORDERS = ("MTVC", "TMVC", "CTVM", "MCTV", "TVMC", "TVCM")

_USED = ("keypoint", "keypoint_score", "img_shape", "fps")

# What NumPy and zipfile raise for damaged files.
_DAMAGED = (
    *(ValueError, EOFError, KeyError, TypeError, SyntaxError, MemoryError, OverflowError),
    *(RecursionError, NotImplementedError, zipfile.BadZipFile, zlib.error, tokenize.TokenError),
)


def _read(file: InputFile, options: ReadOptions) -> list[Recording]:
    arrays = _load(file)
    size, fps = options.image_size, options.fps
    if "img_shape" in arrays:
        numbers = arrays["img_shape"].reshape(-1)
        if len(numbers) != 2:
            raise RecordingError("wrong size", key="img_shape", expected="(height, width)")
        height, width = np.trunc(numbers.astype(np.float64)).tolist()
        size = image_size(height, width, "img_shape, ")
    if "fps" in arrays:
        if arrays["fps"].size != 1:
            raise RecordingError("not a frame rate", key="fps", expected="one number")
        fps = frame_rate(float(arrays["fps"].reshape(-1)[0]), "fps")

    if options.axes is None:
        _check_order(arrays["keypoint"].shape, options.channels)
    keypoint = _with_axes(arrays["keypoint"], options.axes)
    shape = f"(M, T, V, C) = {keypoint.shape}"
    score = arrays.get("keypoint_score")
    channels = options.channels or {2: "xy", 3: "xyz"}.get(keypoint.shape[3])
    if channels is None or CHANNELS[channels] != keypoint.shape[3]:
        raise RecordingError(
            "unclear meaning of the last axis",
            key="keypoint",
            found=shape,
            expected=f"the channels {channels}" if channels else "2 or 3 channels",
            hint="name them (channels, --channels), or the axes (axes, --axes, such as CTVM)",
        )
    if keypoint.shape[2] > MAX_JOINTS:
        raise RecordingError(
            "there are too many joints",
            key="keypoint",
            found=shape,
            expected=f"at most {MAX_JOINTS}",
            hint="name the axes (axes, --axes, such as CTVM)",
        )
    if channels.endswith("s"):
        if score is not None:
            raise RecordingError("scores are in a channel, too", key="keypoint_score")
        score, keypoint = keypoint[..., -1], keypoint[..., :-1]
    elif score is not None:
        score = score[None] if score.ndim == 2 else score
        if score.shape != keypoint.shape[:3]:
            raise unexpected(
                "keypoint_score",
                score.shape,
                f"(M, T, V) = {keypoint.shape[:3]}",
                problem="wrong shape",
            )
    keypoint, score = most_active(*seen_joints(keypoint, score), options.persons)
    return [
        Recording(
            file.path.stem,
            np.ascontiguousarray(keypoint),
            None if score is None else np.ascontiguousarray(score),
            size,
            fps,
        )
    ]


NPY_READER = Reader("npy", (".npy",), _read)
NPZ_READER = Reader("npz", (".npz",), _read)


def _load(file: InputFile) -> dict[str, np.ndarray]:
    """Return the arrays that are used; an ``.npy`` file is the array ``keypoint``."""
    try:
        with file.path.open("rb") as content:
            loaded = np.load(content, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                found = {"keypoint": loaded}
            else:
                found = {name: _member(loaded, name) for name in _USED if name in loaded.files}
                if "keypoint" not in found:
                    raise RecordingError(
                        "there is no array 'keypoint' (M, T, V, C)",
                        found=listed(loaded.files) or "nothing",
                    )
    except _DAMAGED as error:
        if isinstance(error, RecordingError):
            raise
        raise RecordingError(
            "not a readable NumPy file, or one with pickled objects",
            found=f"{type(error).__name__}: {error}",
            hint="write it again with numpy.save or numpy.savez",
        ) from error
    for name, array in found.items():
        if array.dtype.kind not in "fiu" or array.size == 0:
            raise RecordingError(
                "wrong array",
                key=name,
                found=f"{array.dtype}{list(array.shape)}",
                expected="numbers, at least one",
            )
    return found


def _member(archive: Any, name: str) -> np.ndarray:
    """Return an array of an ``.npz`` file; raise an error if it is too large unpacked."""
    info = archive.zip.getinfo(f"{name}.npy")
    if info.file_size > _MAX_UNPACKED:
        raise RecordingError(
            "the array is too large",
            key=info.filename,
            found=f"{info.file_size >> 20} MB",
            expected=f"at most {_MAX_UNPACKED >> 20} MB",
        )
    if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile(f"{info.filename} is encrypted, or compressed by another method")
    array: np.ndarray = archive[name]
    return array


def _check_order(shape: tuple[int, ...], channels: str | None) -> None:
    """Check that an array of four axes is (M, T, V, C), as far as its shape tells.

    Raises:
        RecordingError: if another order fits and this one does not, or if it may as well be the
            (C, T, V, M) of 2s-AGCN.
    """
    if len(shape) != 4:
        return
    sizes = (2, 3) if channels is None else (CHANNELS[channels],)
    fitting = []
    for order in _ORDERS:
        M, T, V, C = (shape[order.index(axis)] for axis in AXES)
        if C in sizes and V > M and not crowded(M, T):
            fitting.append(order)
    ctvm = "CTVM" in fitting and (shape[0], shape[3]) == (3, 2)
    if fitting and ("MTVC" not in fitting or ctvm):
        raise RecordingError(
            "the order of the axes is not clear",
            key="keypoint",
            found=shape,
            expected=f"the axes {as_text('MTVC')}",
            hint=f"name them (axes, --axes): {' or '.join(fitting)} would fit",
        )


def _with_axes(array: np.ndarray, axes: str | None) -> np.ndarray:
    """Return an array as (M, T, V, C), float64."""
    letters = (axes or {3: "TVC", 4: "MTVC"}.get(array.ndim, "")).upper()
    if len(letters) != array.ndim:
        raise RecordingError(
            "wrong number of axes",
            key="keypoint",
            found=array.shape,
            expected=axes or "(T, V, C) or (M, T, V, C)",
            hint="name other orders (axes, --axes, such as CTVM)",
        )
    ordered = array.transpose([letters.index(letter) for letter in "MTVC" if letter in letters])
    with np.errstate(invalid="ignore", over="ignore"):  # invalid numbers are reported later
        return (ordered if "M" in letters else ordered[None]).astype(np.float64)
