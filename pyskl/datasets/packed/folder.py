"""A pack on the disk: a folder of flat files.

=================== ===============================================================================
``meta.json``       format, where the pack came from, what its samples went through, and the
                    shapes and types of the rest
``KEY.rows``        the rows of ``keypoint`` and ``keypoint_score``, C order, nothing else
``columns.npz``     persons, frames, splits and the columns of the other keys
=================== ===============================================================================

Nothing in it is a pickle: opening a pack runs nothing.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.datasets.packed.columns import Column
from pyskl.datasets.packed.store import (
    ROW_KEYS,
    PackedSamples,
    PackedStore,
    RowLayout,
    columns_of,
    shapes_of,
)
from pyskl.datasets.sample_checks import (
    classes_needed,
    content_fault,
    label_fault,
    of_split,
    raise_faults,
)
from pyskl.errors import AnnotationError
from pyskl.registry import PIPELINES, TransformConfig

# Raised with every change of what a pack holds, or of what a transform that is applied ahead gives.
FORMAT = 1
_META = "meta.json"
_COLUMNS = "columns.npz"


def is_pack(path: Path) -> bool:
    """Return whether ``path`` is the folder of a pack."""
    return (path / _META).is_file()


# --- opening --------------------------------------------------------------------------------------


@dataclass
class PackedAnnotations:
    """The content of a pack; see :class:`pyskl.datasets.annotation.AnnotationFile`.

    Attributes:
        path: The annotation file, or the pack itself where it was opened as one; for messages.
        folder: The pack.
        store: All samples.
        splits: Indices (len,) into the store of each split, or what is wrong with the split; None
            where the samples come without splits.
        faults: What is wrong with samples, apart from labels, by index.
        applied: The transforms that the samples have gone through.
    """

    path: Path
    folder: Path
    store: PackedStore
    splits: dict[str, np.ndarray | str] | None
    faults: dict[int, str]
    applied: tuple[TransformConfig, ...]
    _healthy: set[tuple[str | None, int | None, bool]] = field(default_factory=set, repr=False)

    def split_names(self) -> list[str]:
        """Return the names of the splits, or an empty list where there are none."""
        return list(self.splits or {})

    def select(self, split: str | None) -> PackedSamples:
        """Return the samples of ``split`` in the order of the file, or all for None.

        Raises:
            AnnotationError: if there is no such split, or it lists unknown ids.
        """
        if split is None:
            return PackedSamples(self.store)
        indices = of_split(self.path, self.splits, split)
        if isinstance(indices, str):
            raise AnnotationError(f"{self.path}: {indices}")
        return PackedSamples(self.store, indices)

    def check(
        self, split: str | None, *, num_classes: int | None = None, multi_class: bool = False
    ) -> None:
        """Check the samples of a split.

        Raises:
            AnnotationError: listing the faulty samples by id, with what is wrong.
        """
        key = (split, num_classes, multi_class)
        if key in self._healthy:
            return
        samples = self.select(split)
        faults = []
        labels = samples.values("label")
        # Most files have few different labels: each is looked at once.
        verdicts: dict[Any, str | None] = {}
        for position, (index, label) in enumerate(zip(samples.indices.tolist(), labels)):
            fault = self.faults.get(index)
            if fault is None:
                known = label if isinstance(label, int) else repr(label)
                if known not in verdicts:
                    verdicts[known] = label_fault(label, num_classes, multi_class)
                fault = verdicts[known]
            if fault is not None:
                faults.append((position, _id_of(self.store, index), fault))
        if faults:
            labels = PackedSamples(self.store).values("label")
            raise_faults(self.path, split, faults, classes=classes_needed(labels, num_classes))
        self._healthy.add(key)


def _id_of(store: PackedStore, index: int) -> str | None:
    for key in ("frame_dir", "filename"):
        if key in store.columns and store.columns[key].has(index):
            return str(store.columns[key].get(index))
    return None


def open_pack(folder: Path, source: Path | None = None) -> PackedAnnotations:
    """Open a pack.

    Args:
        folder: The pack.
        source: The annotation file that it stands for; used in messages.

    Raises:
        AnnotationError: if it is of another format, or damaged.
    """
    path = folder if source is None else source
    try:
        meta = json.loads((folder / _META).read_text(encoding="utf-8"))
        if meta["format"] != FORMAT:
            raise AnnotationError(
                f"{folder}: this is a pack of format {meta['format']!r}, this version reads "
                f"{FORMAT}; make it anew with tools/data/pack.py"
            )
        _refuse_compression(folder / _COLUMNS)
        with np.load(folder / _COLUMNS, allow_pickle=False) as arrays:
            store = PackedStore(
                {key: _map_rows(folder, key, meta["rows"][key]) for key in meta["rows"]},
                arrays["persons"],
                arrays["frames"],
                {
                    key: _column(key, spec, arrays, len(arrays["persons"]))
                    for key, spec in meta["columns"].items()
                },
            )
            splits = None
            if meta["splits"] is not None:
                splits = {
                    name: what if isinstance(what, str) else _indices(arrays, what, len(store))
                    for name, what in meta["splits"].items()
                }
        faults = {int(index): str(fault) for index, fault in meta["faults"].items()}
        return PackedAnnotations(path, folder, store, splits, faults, tuple(meta["applied"]))
    except AnnotationError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise AnnotationError(
            f"{folder}: this pack is damaged ({type(error).__name__}: {error}); delete the folder "
            "and make it anew"
        ) from error


def _refuse_compression(path: Path) -> None:
    """Refuse arrays that would be larger in memory than they are in the file."""
    with zipfile.ZipFile(path) as archive:
        if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
            raise ValueError(f"{path.name} is compressed")


def _map_rows(folder: Path, key: str, spec: Mapping[str, Any]) -> np.ndarray:
    if key not in ROW_KEYS:
        raise ValueError(f"unknown rows {key!r}")
    dtype, shape = np.dtype(str(spec["dtype"])), tuple(map(int, spec["shape"]))
    if dtype.kind != "f" or min(shape) < 0:
        raise ValueError(f"{key} of type {dtype} and shape {shape}")
    path = folder / f"{key}.rows"
    expected = math.prod(shape) * dtype.itemsize
    if path.stat().st_size != expected:
        raise ValueError(f"{path.name} has {path.stat().st_size} bytes instead of {expected}")
    if expected == 0:
        return np.empty(shape, dtype)
    # A plain view: slicing np.memmap itself is several times slower.
    return np.memmap(path, dtype, mode="r", shape=shape).view(np.ndarray)


def _column(key: str, spec: Mapping[str, Any], arrays: Any, length: int) -> Column:
    values = spec["values"] if spec["kind"] == "json" else arrays[f"column:{key}"]
    present = arrays[f"present:{key}"] if spec["partial"] else None
    if len(values) != length or (present is not None and len(present) != length):
        raise ValueError(f"column {key!r} has {len(values)} values for {length} samples")
    return Column(spec["kind"], values, present)


def _indices(arrays: Any, number: int, length: int) -> np.ndarray:
    indices = arrays[f"split:{int(number)}"]
    if len(indices) and not 0 <= indices.min() <= indices.max() < length:
        raise ValueError(f"split number {number} refers to samples that are not there")
    return indices


# --- writing --------------------------------------------------------------------------------------


def write_pack(
    folder: Path,
    samples: Sequence[Mapping[str, Any]],
    splits: Mapping[str, np.ndarray | str] | None,
    *,
    path: Path,
    ahead: Sequence[TransformConfig] = (),
    source: Mapping[str, Any] | None = None,
) -> None:
    """Write a pack; it is at its place either whole or not at all.

    Args:
        folder: The pack; one that another process has put there meanwhile is left as it is.
        samples: All samples.
        splits: See :class:`PackedAnnotations`.
        path: The annotation file; used in messages.
        ahead: Transforms to apply.
        source: What to note about the origin.

    Raises:
        NotPackableError: if the samples differ in what they hold, or hold what is not plain.
        AnnotationError: if a transform fails on a sample.
        OSError: if the disk is full, or the folder can't be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _write_files(draft, samples, splits, path, ahead, source or {})
        draft.chmod(0o777 & ~_umask())
        try:
            draft.rename(folder)
        except OSError:
            if not is_pack(folder):
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write_files(
    draft: Path,
    samples: Sequence[Mapping[str, Any]],
    splits: Mapping[str, np.ndarray | str] | None,
    path: Path,
    ahead: Sequence[TransformConfig],
    source: Mapping[str, Any],
) -> None:
    transforms = [PIPELINES.build(transform) for transform in ahead]
    faults, rest, layout, files = {}, [], None, {}
    try:
        for index, sample in enumerate(samples):
            fault = content_fault(sample)
            if fault is not None:
                faults[index] = fault
            prepared = sample if not transforms else _apply(transforms, sample, path, index)
            if layout is None:
                layout = RowLayout.of([prepared])
                files = {key: (draft / f"{key}.rows").open("wb") for key in layout.keys}
            for key, file in files.items():
                file.write(np.ascontiguousarray(layout.rows_of(prepared, key)).data)
            # The rest of the sample, with the shape of what was written in place of it.
            shape = np.shape(prepared["keypoint"])[:2]
            others = {key: value for key, value in prepared.items() if key not in ROW_KEYS}
            rest.append({**others, "keypoint": np.broadcast_to(np.int8(0), shape)})
        for file in files.values():
            file.flush()
            os.fsync(file.fileno())
    finally:
        for file in files.values():
            file.close()

    persons, frames = shapes_of(rest)
    columns = columns_of(rest)
    arrays = {"persons": persons, "frames": frames}
    for key, column in columns.items():
        if isinstance(column.values, np.ndarray):
            arrays[f"column:{key}"] = column.values
        if column.present is not None:
            arrays[f"present:{key}"] = column.present
    numbered = {}
    for number, (name, what) in enumerate((splits or {}).items()):
        numbered[name] = what if isinstance(what, str) else number
        if not isinstance(what, str):
            arrays[f"split:{number}"] = what
    np.savez(draft / _COLUMNS, **arrays)  # type: ignore[arg-type]
    total = int((persons * frames).sum())
    shapes, dtypes = (layout.shapes, layout.dtypes) if layout else ({}, {})
    meta = {
        "format": FORMAT,
        "source": dict(source),
        "applied": [dict(transform) for transform in ahead],
        "rows": {key: {"dtype": dtypes[key].str, "shape": [total, *shapes[key]]} for key in shapes},
        "columns": {
            key: {
                "kind": column.kind,
                "partial": column.present is not None,
                **({"values": column.values} if column.kind == "json" else {}),
            }
            for key, column in columns.items()
        },
        "splits": None if splits is None else numbered,
        "faults": faults,
    }
    with (draft / _META).open("w", encoding="utf-8") as text:
        json.dump(meta, text)
        text.flush()
        os.fsync(text.fileno())


def _apply(
    transforms: Sequence[Any], sample: Mapping[str, Any], path: Path, index: int
) -> dict[str, Any]:
    """Return a sample after ``transforms``, with keypoints of one type whatever it held."""
    prepared = dict(sample)
    try:
        for transform in transforms:
            prepared = transform(prepared)
    except ValueError as error:
        identity = sample.get("frame_dir", sample.get("filename"))
        raise AnnotationError(f"{path}, sample {identity!r} (number {index}): {error}") from error
    # Samples without any person pass PreNormalize3D as they are, in the type of the file.
    prepared["keypoint"] = prepared["keypoint"].astype(np.float32, copy=False)
    return prepared


def _umask() -> int:
    """Return the process's file mode mask, which mkdtemp does not heed."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
