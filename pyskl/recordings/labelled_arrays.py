"""Convert whole data sets in NumPy arrays, as CTR-GCN, 2s-AGCN and MS-G3D store them.

=========================== ======================================================================
files                       content
=========================== ======================================================================
``NAME.npz``                ``x_train`` (N, T, M * V * C) and ``y_train``, the classes (N,) or 0/1
                            (N, classes); the same for ``test``, or any other split
``train_data.npy``,         (N, C, T, V, M), for any split; also ``train_data_joint.npy``
``train_label.pkl``         (names, labels), lists of length N
=========================== ======================================================================

Arrays are read clip by clip, so they may be larger than the memory. Clips are padded: frames at the
end and persons that are zero throughout are removed.

Shapes: N clips, M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

import math
import re
import tokenize
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from pyskl.errors import ConfigError, InputError
from pyskl.recordings.annotation_writer import AnnotationWriter
from pyskl.recordings.conversion_report import ConversionReport
from pyskl.recordings.recording import Recording, RecordingError
from pyskl.skeleton import SkeletonLayout, resolve_layout
from pyskl.unpickling.load import load_plain_pickle

# What NumPy and zipfile raise for damaged files.
_DAMAGED = (
    *(ValueError, EOFError, KeyError, TypeError, SyntaxError, OverflowError, RecursionError),
    *(NotImplementedError, zipfile.BadZipFile, zlib.error, tokenize.TokenError),
)
_MAX_PERSONS = 2  # in flat rows (M * V * C,), where nothing else tells M
_MAX_CLIP = 1 << 28  # bytes of one clip
_MAX_LABELS = 1 << 28  # bytes of the labels of a split
_DATA_FILE = re.compile(r"(.+?)_data(_joint)?\.npy")


@dataclass(frozen=True)
class _Part:
    """The clips of one split.

    Attributes:
        split: Its name.
        file: The file with the clips.
        member: Their array in an ``.npz`` file.
        labels: The ``.pkl`` file with the labels, or their array in the ``.npz`` file.
    """

    split: str
    file: Path
    member: str | None
    labels: Path | str


def labelled_parts(sources: Sequence[str | Path]) -> list[_Part]:
    """Return the splits in files and folders, or an empty list if they are something else."""
    parts: list[_Part] = []
    for source in map(Path, sources):
        for file in sorted(source.iterdir()) if source.is_dir() else [source]:
            named = _DATA_FILE.fullmatch(file.name)
            if named is not None:
                labels = file.with_name(f"{named[1]}_label.pkl")
                if labels.is_file() and labels not in [part.labels for part in parts]:
                    parts.append(_Part(named[1], file, None, labels))
            elif file.suffix == ".npz" and file.is_file():
                names: set[str] = set()
                with suppress(*_DAMAGED), zipfile.ZipFile(file) as archive:
                    names = {name.removesuffix(".npy") for name in archive.namelist()}
                parts += [
                    _Part(name[2:], file, name, f"y_{name[2:]}")
                    for name in sorted(names, reverse=True)  # train before test
                    if name.startswith("x_") and f"y_{name[2:]}" in names
                ]
    return parts


def convert_labelled_arrays(
    parts: Sequence[_Part],
    sources: Sequence[str | Path],
    out: Path,
    layout: str | SkeletonLayout | None,
    scale: float = 1.0,
) -> ConversionReport:
    """Convert the splits to one annotation file.

    Args:
        parts: See :func:`labelled_parts`.
        sources: The files and folders that they were found in; other files in them are counted.
        out: The annotation file to write.
        layout: The skeleton; by default that of NTU RGB+D if there are 25 joints.
        scale: Factor for all coordinates.

    Raises:
        InputError: if a file is damaged or no clip can be used; no file is written then.
    """
    skeleton = None if layout is None else resolve_layout(layout)
    used = {part.file for part in parts} | {part.labels for part in parts}
    others = [
        file
        for source in map(Path, sources)
        for file in (source.iterdir() if source.is_dir() else [source])
        if file not in used
    ]
    report = ConversionReport(out, ignored=Counter(file.suffix or "/" for file in others))
    counts: Counter[int] = Counter()
    several = len({part.split for part in parts}) < len(parts)
    with AnnotationWriter(out) as writer:
        for part in parts:
            split = f"{part.file.stem}_{part.split}" if several else part.split
            names, labels = _labels(part)
            with _clips(part) as (size, clips):
                if len(labels) != size:
                    raise RecordingError(
                        "there are not as many labels as clips",
                        file=part.file,
                        key=str(part.labels),
                        found=len(labels),
                        expected=str(size),
                    )
                for index, (label, clip) in enumerate(zip(labels.tolist(), clips)):
                    name = names[index] if names else f"{split}_{index:06d}"
                    try:
                        keypoint = _unpadded(_mtvc(clip, skeleton, part))
                        recording = Recording(name, keypoint, layout=_layout(keypoint, skeleton))
                        sample = writer.add(recording.scaled(scale), int(label), split)
                    except RecordingError as error:
                        report.failures.append((name, error))
                        continue
                    counts[int(label)] += 1
                    report.frames.append(sample["total_frames"])
                    report.persons[len(keypoint)] += 1
                    report.joints, report.dim = keypoint.shape[2:]
                    report.layout = recording.layout
        if not report.frames:
            raise RecordingError("\n  ".join(["no clip can be used:", *report.reasons()]))
        report.splits = {name: len(ids) for name, ids in writer.splits.items()}
    report.classes = {str(label): counts[label] for label in range(max(counts) + 1)}
    empty = [label for label, count in report.classes.items() if not count]
    if empty:
        report.notes.append(f"no sample has {len(empty)} of the classes 0 to {max(counts)}")
    return report


def _labels(part: _Part) -> tuple[list[str] | None, np.ndarray]:
    """Return the names of the clips, if there are any, and their classes (N,)."""
    names: list[str] | None = None
    found: Any
    if isinstance(part.labels, Path):
        content = load_plain_pickle(part.labels)
        if not isinstance(content, (tuple, list)) or len(content) != 2:
            raise RecordingError(
                "is not a pair", file=part.labels, expected="(names, labels) of the clips"
            )
        names, found = [str(name) for name in content[0]], content[1]
        if len(names) != len(found) or len(set(names)) != len(names):
            raise RecordingError(
                "the names of the clips are not as many as the labels, or not different",
                file=part.labels,
            )
    else:
        with _member(part.file, part.labels) as file:
            shape, dtype = _header(file)
            _check_size(part.file, part.labels, shape, dtype, _MAX_LABELS)
            size = math.prod(shape) * dtype.itemsize
            found = np.frombuffer(_exactly(file, size), dtype).reshape(shape)
    labels = np.asarray(found)
    whole = labels.dtype.kind in "biuf" and bool((labels == np.trunc(labels)).all())
    if whole and labels.ndim == 2 and bool((labels.sum(1) == 1).all()) and labels.min() >= 0:
        labels = labels.argmax(1)
    if not whole or labels.ndim != 1 or not len(labels) or labels.min() < 0 or labels.max() > 10**6:
        raise RecordingError(
            "these are no labels",
            file=part.file if isinstance(part.labels, str) else part.labels,
            key=part.labels if isinstance(part.labels, str) else None,
            found=f"{labels.dtype}{list(labels.shape)}",
            expected="a class from 0 for each clip, or one 1 in each row",
        )
    return names, labels.astype(np.int64)


@contextmanager
def _clips(part: _Part) -> Iterator[tuple[int, Iterator[np.ndarray]]]:
    """Give N and the clips of a split, (T, M * V * C) or (C, T, V, M) each."""
    with _member(part.file, part.member) as file:
        shape, dtype = _header(file)
        if len(shape) not in (3, 5):
            raise RecordingError(
                "wrong number of axes",
                file=part.file,
                key=part.member,
                found=shape,
                expected="(N, T, M * V * C) or (N, C, T, V, M)",
            )
        _check_size(part.file, part.member, shape[1:], dtype, _MAX_CLIP)
        size = math.prod(shape[1:]) * dtype.itemsize
        yield (
            shape[0],
            (
                np.frombuffer(_exactly(file, size), dtype).reshape(shape[1:])
                for _ in range(shape[0])
            ),
        )


@contextmanager
def _member(path: Path, member: str | None) -> Iterator[IO[bytes]]:
    """Open an array's file, or the member of an ``.npz`` file.

    Raises:
        RecordingError: if the file turns out to be damaged while it is read.
    """
    try:
        if member is None:
            with path.open("rb") as file:
                yield file
        else:
            with zipfile.ZipFile(path) as archive, archive.open(f"{member}.npy") as inside:
                yield inside
    except InputError:
        raise
    except _DAMAGED as error:
        raise RecordingError(
            "not a readable NumPy file, or one with pickled objects",
            file=path,
            key=member,
            found=f"{type(error).__name__}: {error}",
        ) from error


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
    if fortran and len(shape) > 1:
        raise ValueError("the array is in Fortran order; save it in C order")
    if dtype.hasobject or dtype.kind not in "biuf":
        raise ValueError(f"an array of {dtype}, not of numbers")
    if any(isinstance(side, bool) or side < 1 for side in shape):
        raise ValueError(f"an array of shape {shape}")
    return shape, dtype


def _check_size(
    path: Path, key: str | None, shape: tuple[int, ...], dtype: np.dtype[Any], most: int
) -> None:
    if math.prod(shape) * dtype.itemsize > most:
        raise RecordingError(
            "the array is too large",
            file=path,
            key=key,
            found=f"{dtype}{list(shape)}",
            expected=f"at most {most >> 20} MB for each clip, and for all labels",
        )


def _exactly(file: IO[bytes], size: int) -> bytes:
    content = file.read(size)
    if len(content) != size:
        raise EOFError("the file is cut short")
    return content


def _mtvc(clip: np.ndarray, layout: SkeletonLayout | None, part: _Part) -> np.ndarray:
    """Return a clip as (M, T, V, C), float32."""
    if clip.ndim == 4:
        C, _, V, M = clip.shape
        if C in (2, 3) and V > M and (layout is None or layout.num_joints == V):
            return np.ascontiguousarray(clip.transpose(3, 1, 2, 0), dtype=np.float32)
        found: Any = f"(C, T, V, M) = {clip.shape}"
    else:
        T, width = clip.shape
        joints = 25 if layout is None else layout.num_joints
        dims = (layout.dim,) if layout is not None and layout.dim else (3, 2)
        for C in dims if layout is not None else (3,):
            M, rest = divmod(width, joints * C)
            if rest == 0 and 1 <= M <= _MAX_PERSONS:
                people = clip.reshape(T, M, joints, C).transpose(1, 0, 2, 3)
                return np.ascontiguousarray(people, dtype=np.float32)
        found = f"rows of {width} numbers"
    raise ConfigError(
        "the clips don't fit the layout",
        file=part.file,
        key=part.member,
        found=found,
        expected=f"1 or 2 persons of {25 if layout is None else layout.num_joints} joints",
        hint="name the layout (--layout)",
    )


def _unpadded(keypoint: np.ndarray) -> np.ndarray:
    """Remove the frames at the end and the persons that are zero throughout.

    Raises:
        RecordingError: if nothing is left.
    """
    seen: np.ndarray = (keypoint != 0).any(axis=(2, 3))  # (M, T)
    if not seen.any():
        raise RecordingError("all joints are zero")
    last = int(np.flatnonzero(seen.any(axis=0))[-1])
    return np.ascontiguousarray(keypoint[seen.any(axis=1)][:, : last + 1])


def _layout(keypoint: np.ndarray, layout: SkeletonLayout | None) -> str | None:
    if layout is not None:
        return layout.name
    return "nturgb+d" if keypoint.shape[2:] == (25, 3) else None
