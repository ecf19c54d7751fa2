"""Packs: the samples of an annotation file in a folder of flat files.

Unpickling gives each process a copy of all samples and takes seconds. A pack opens in milliseconds
at any size, and all processes share one copy, in the page cache.

=================== ===============================================================================
``meta.json``       format, origin of the pack, precomputed transforms, names, splits, problems,
                    the columns that are lists, shapes and types of the rest
``KEY.rows``        the rows of ``keypoint`` and ``keypoint_score``, C order, nothing else
``columns.npz``     persons, frames, splits and the columns that are arrays
=================== ===============================================================================

A pack contains no pickles: opening it runs no code.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.datasets.annotation import AnnotationFile
from pyskl.datasets.annotation_pickle import AnnotationContent, split_positions
from pyskl.datasets.precompute import flatten
from pyskl.datasets.sample_checks import FieldProblem
from pyskl.datasets.store import ABSENT, ROW_KEYS, RowStore
from pyskl.errors import AnnotationError
from pyskl.registry import TransformConfig

# Increment it with every change of the format, or of the result of a precomputed transform.
FORMAT = 3
_META = "meta.json"
_COLUMNS = "columns.npz"


class NotPackableError(Exception):
    """Samples contain something that a pack can't store; the message says what."""


def is_pack(path: Path) -> bool:
    """Return whether ``path`` is the folder of a pack."""
    return (path / _META).is_file()


def open_pack(folder: Path, source: Path | None = None) -> AnnotationFile:
    """Open a pack.

    Args:
        folder: The pack.
        source: The annotation file that the pack was made from, for messages.

    Raises:
        AnnotationError: if it has another format, or is damaged.
    """
    try:
        meta = json.loads((folder / _META).read_text(encoding="utf-8"))
        if meta["format"] != FORMAT:
            raise AnnotationError(
                "is a pack of another format",
                file=folder,
                key="format",
                found=meta["format"],
                expected=str(FORMAT),
                hint="make it again with tools/data/pack.py",
            )
        with zipfile.ZipFile(folder / _COLUMNS) as archive:
            # Compressed arrays could be far larger in memory than the file.
            if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
                raise ValueError(f"{_COLUMNS} is compressed")
        with np.load(folder / _COLUMNS, allow_pickle=False) as file:
            arrays = dict(file)
        size = len(arrays["persons"])
        columns: dict[str, np.ndarray | list[Any]] = {}
        for key, column in meta["columns"].items():
            columns[key] = arrays[f"column:{key}"] if column is None else _decoded(column)
            if len(columns[key]) != size:
                raise ValueError(f"column {key!r} has {len(columns[key])} values, not {size}")
        splits = meta["splits"]
        if splits is not None:
            for name, split in splits.items():
                if not isinstance(split, str):
                    splits[name] = arrays[f"split:{int(split)}"]
                    if (
                        len(splits[name])
                        and not 0 <= splits[name].min() <= splits[name].max() < size
                    ):
                        raise ValueError(f"split {name!r} lists samples that do not exist")
        return AnnotationFile(
            folder if source is None else source,
            RowStore(
                {key: _map_rows(folder, key, meta["rows"][key]) for key in meta["rows"]},
                arrays["persons"],
                arrays["frames"],
                columns,
            ),
            splits,
            {int(index): FieldProblem(*problem) for index, problem in meta["faults"].items()},
            tuple(meta["label_names"]) if meta["label_names"] else None,
            tuple(meta["joint_names"]) if meta["joint_names"] else None,
            tuple(meta["precomputed"]),
            folder,
            meta["source"].get("digest"),
        )
    except AnnotationError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise AnnotationError(
            f"this pack is damaged ({type(error).__name__}: {error})",
            file=folder,
            hint="delete the folder and make it again",
        ) from error


def _map_rows(folder: Path, key: str, spec: Mapping[str, Any]) -> np.ndarray:
    if key not in ROW_KEYS:
        raise ValueError(f"unknown rows {key!r}")
    dtype, shape = np.dtype(str(spec["dtype"])), tuple(map(int, spec["shape"]))
    if dtype.kind != "f" or min(shape) < 0:
        raise ValueError(f"{key} has type {dtype} and shape {shape}")
    path = folder / f"{key}.rows"
    expected = math.prod(shape) * dtype.itemsize
    if path.stat().st_size != expected:
        raise ValueError(f"{path.name} has {path.stat().st_size} bytes instead of {expected}")
    if expected == 0:
        return np.empty(shape, dtype)
    # A plain view: slicing np.memmap itself is several times slower.
    return np.memmap(path, dtype, mode="r", shape=shape).view(np.ndarray)


def write_pack(
    folder: Path,
    content: AnnotationContent,
    precompute: Sequence[TransformConfig] = (),
    source: Mapping[str, Any] | None = None,
) -> None:
    """Write a pack atomically.

    Args:
        folder: The pack. If another process has written it in the meantime, that one is kept.
        content: What to pack.
        precompute: Transforms to apply.
        source: Information about the origin, stored in ``meta.json``: ``digest`` is that of
            :class:`AnnotationFile`.

    Raises:
        NotPackableError: if the samples contain values that JSON and NumPy can't store.
        AnnotationError: if a transform fails on a sample.
        OSError: if the disk is full, or the folder can't be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _write_files(draft, content, precompute, source or {})
        mask = os.umask(0)  # mkdtemp ignores it
        os.umask(mask)
        draft.chmod(0o777 & ~mask)
        try:
            draft.rename(folder)
        except OSError:
            if not is_pack(folder):
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write_files(
    draft: Path,
    content: AnnotationContent,
    precompute: Sequence[TransformConfig],
    source: Mapping[str, Any],
) -> None:
    with ExitStack() as stack:
        files: dict[str, Any] = {}

        def write(key: str, rows: np.ndarray) -> None:
            if key not in files:
                files[key] = stack.enter_context((draft / f"{key}.rows").open("wb"))
            files[key].write(rows.data)

        flat = flatten(content.path, content.samples, precompute, write)
        for file in files.values():
            file.flush()
            os.fsync(file.fileno())

    arrays = {"persons": flat.persons, "frames": flat.frames}
    columns: dict[str, Any] = {}
    for key, column in flat.columns.items():
        columns[key] = None if isinstance(column, np.ndarray) else _encoded(key, column)
        if isinstance(column, np.ndarray):
            arrays[f"column:{key}"] = column
    splits: dict[str, Any] | None = split_positions(content)
    for number, (name, positions) in enumerate(list((splits or {}).items())):
        if splits is not None and not isinstance(positions, str):
            arrays[f"split:{number}"] = positions
            splits[name] = number
    np.savez(draft / _COLUMNS, **arrays)  # type: ignore[arg-type]
    total = int((flat.persons * flat.frames).sum())
    meta = {
        "format": FORMAT,
        "source": dict(source),
        "precomputed": [dict(transform) for transform in precompute],
        "rows": {
            key: {"dtype": flat.dtypes[key].str, "shape": [total, *shape]}
            for key, shape in flat.row_shapes.items()
        },
        "columns": columns,
        "splits": splits,
        "faults": flat.problems,
        "label_names": content.label_names,
        "joint_names": content.joint_names,
    }
    with (draft / _META).open("w", encoding="utf-8") as text:
        json.dump(meta, text)
        text.flush()
        os.fsync(text.fileno())


def _encoded(key: str, column: list[Any]) -> dict[str, Any]:
    """Return a column in a form that JSON preserves exactly."""
    absent = [position for position, value in enumerate(column) if value is ABSENT]
    values = [
        [item.item() if isinstance(item, np.generic) else item for item in value]
        if isinstance(value, (list, tuple))
        else value
        for value in (None if value is ABSENT else value for value in column)
    ]
    tuples = [position for position, value in enumerate(column) if isinstance(value, tuple)]
    try:
        if json.loads(json.dumps(values, allow_nan=False)) != values:
            raise ValueError
    except (TypeError, ValueError, RecursionError):
        raise NotPackableError(f"{key!r} has values that a pack can't store") from None
    return {
        "values": values,
        "absent": absent,
        "tuples": "all" if len(tuples) == len(column) else tuples,
    }


def _decoded(column: Mapping[str, Any]) -> list[Any]:
    values = list(column["values"])
    tuples = range(len(values)) if column["tuples"] == "all" else column["tuples"]
    for position in tuples:
        values[position] = tuple(values[position])
    for position in column["absent"]:
        values[position] = ABSENT
    return values
