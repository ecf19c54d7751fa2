"""NumPy files: ``.npy`` with the joints, ``.npz`` with more beside them. Never pickles.

Shapes: M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from pyskl.recordings.numbers import MAX_JOINTS, listed, seen_joints
from pyskl.recordings.options import CHANNELS, ReadOptions
from pyskl.recordings.persons import most_active, seen_mask
from pyskl.recordings.recording import Recording, RecordingError

# What an archive may unpack to: compressed zeros take a thousandth of it.
_MAX_UNPACKED = 1 << 30


def read_npy(path: Path, options: ReadOptions) -> list[Recording]:
    """Read an array (T, V, C) or (M, T, V, C), or of the axes that the options name."""
    with path.open("rb") as file:
        array = _read_array(file, path.stat().st_size, str(path))
    return [_recording(path, options, array, None, options.image_size, options.fps)]


def read_npz(path: Path, options: ReadOptions) -> list[Recording]:
    """Read ``keypoint``, and if there ``keypoint_score`` (M, T, V), ``img_shape`` and ``fps``."""
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = {
                info.filename.removesuffix(".npy"): _member(archive, info, path)
                for info in archive.infolist()
                if info.filename.removesuffix(".npy")
                in ("keypoint", "keypoint_score", "img_shape", "fps")
            }
            names = [info.filename.removesuffix(".npy") for info in archive.infolist()]
    except RecordingError:
        raise
    except OSError as error:
        raise RecordingError(f"{path}: it can't be read ({error})") from error
    except Exception as error:  # a damaged archive fails in any way that its bytes can spell
        raise RecordingError(
            f"{path}: this .npz is damaged ({type(error).__name__}: {error}); write it again with "
            "numpy.savez"
        ) from error
    if "keypoint" not in arrays:
        raise RecordingError(
            f"{path}: it has no array 'keypoint' (M, T, V, C), but {listed(names) or 'nothing'}"
        )
    image_size, fps = options.image_size, options.fps
    if "img_shape" in arrays:
        image_size = _image_size(arrays["img_shape"], path)
    if "fps" in arrays:
        fps = _fps(arrays["fps"], path)
    return [
        _recording(path, options, arrays["keypoint"], arrays.get("keypoint_score"), image_size, fps)
    ]


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> np.ndarray:
    where = f"{path}, {info.filename}"
    if info.file_size > _MAX_UNPACKED:
        raise RecordingError(
            f"{where}: it unpacks to {info.file_size >> 20} MB, at most {_MAX_UNPACKED >> 20} MB "
            "are read"
        )
    with archive.open(info) as file:
        return _read_array(file, info.file_size, where)


def _read_array(file: IO[bytes], size: int, where: str) -> np.ndarray:
    """Read one array of numbers; what its header announces is held against what there is."""
    start = io.BytesIO(file.read(min(size, 16_384)))
    try:
        version = np.lib.format.read_magic(start)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(start)
        elif version == (2, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(start)
        else:
            raise ValueError(f"version {version} of the format is not known")
    except Exception as error:  # the header is a text that NumPy parses as Python literals
        raise RecordingError(
            f"{where}: this is no array of NumPy ({type(error).__name__}: {error})"
        ) from error
    if dtype.kind not in "fiu":
        raise RecordingError(
            f"{where}: expected an array of numbers, found the type {dtype}"
            + ("; objects are pickles, which are not read" if dtype.hasobject else "")
        )
    if 0 in shape:
        raise RecordingError(f"{where}: the array is empty: {list(shape)}")
    need, have = math.prod(shape) * dtype.itemsize, size - start.tell()
    if need > have or min(shape, default=0) < 0:
        raise RecordingError(
            f"{where}: the header announces {dtype}{list(shape)}, which takes {need} bytes, but "
            f"{have} follow; the file is cut short or damaged"
        )
    content = start.read() + file.read(max(0, need - (start.getbuffer().nbytes - start.tell())))
    array = np.frombuffer(content, dtype=dtype, count=math.prod(shape))
    return array.reshape(shape, order="F" if fortran else "C")


def _recording(
    path: Path,
    options: ReadOptions,
    array: np.ndarray,
    score: np.ndarray | None,
    image_size: tuple[int, int] | None,
    fps: float | None,
) -> Recording:
    keypoint = _in_order(array, options.axes, path)
    channels = options.channels or {2: "xy", 3: "xyz"}.get(keypoint.shape[3])
    if channels is None or CHANNELS[channels] != keypoint.shape[3]:
        raise RecordingError(
            f"{path}: the array has {keypoint.shape[3]} channels, (M, T, V, C) = {keypoint.shape}; "
            f"they are {f'said to be {channels}' if channels else 'not known'}: say what they are "
            "(channels, --channels: xy, xyz, xys, xyzs with s for the score), or which axis is "
            "which (axes, --axes, such as CTVM)"
        )
    if keypoint.shape[2] > MAX_JOINTS:
        raise RecordingError(
            f"{path}: the array has {keypoint.shape[2]} joints, (M, T, V, C) = {keypoint.shape}; "
            "say which axis is which (axes, --axes, such as CTVM)"
        )
    if channels.endswith("s"):
        if score is not None:
            raise RecordingError(f"{path}: scores are both in a channel and in keypoint_score")
        score, keypoint = keypoint[..., -1], keypoint[..., :-1]
    elif score is not None:
        score = score[None] if score.ndim == 2 else score
        if score.shape != keypoint.shape[:3]:
            raise RecordingError(
                f"{path}: keypoint_score should be (M, T, V) = {keypoint.shape[:3]} as keypoint "
                f"is, found {score.shape}"
            )
    keypoint, score = seen_joints(keypoint, score, str(path))
    if not seen_mask(keypoint, score).any():
        raise RecordingError(f"{path}: nobody was seen in any frame; no joint has a position")
    keypoint, score = most_active(keypoint, score, options.persons)
    return Recording(
        path.stem,
        np.ascontiguousarray(keypoint),
        None if score is None else np.ascontiguousarray(score),
        image_size,
        fps,
    )


def _in_order(array: np.ndarray, axes: str | None, path: Path) -> np.ndarray:
    """Return an array with its axes as (M, T, V, C)."""
    letters = (axes or {3: "TVC", 4: "MTVC"}.get(array.ndim, "")).upper()
    if len(letters) != array.ndim or sorted(letters) not in (sorted("TVC"), sorted("MTVC")):
        raise RecordingError(
            f"{path}: the array has the shape {array.shape}, expected (T, V, C) or (M, T, V, C)"
            + (
                f" in the order {axes}"
                if axes
                else "; other orders are given as axes, such as CTVM"
            )
        )
    ordered = array.transpose([letters.index(letter) for letter in "MTVC" if letter in letters])
    with np.errstate(invalid="ignore", over="ignore"):  # of damaged numbers, told later
        return (ordered if "M" in letters else ordered[None]).astype(np.float64)


def _image_size(value: np.ndarray, path: Path) -> tuple[int, int]:
    size = value.reshape(-1).astype(np.float64)
    if len(size) != 2 or not (np.isfinite(size).all() and (size >= 1).all() and (size < 1e6).all()):
        raise RecordingError(
            f"{path}: img_shape should be (height, width) in pixels, found {value.tolist()!r:.80}"
        )
    return int(size[0]), int(size[1])


def _fps(value: np.ndarray, path: Path) -> float:
    if value.size != 1 or not 0 < float(value.reshape(-1)[0]) < 1e6:
        raise RecordingError(
            f"{path}: fps should be one number above 0, found {value.reshape(-1)[:3].tolist()}"
        )
    return float(value.reshape(-1)[0])
