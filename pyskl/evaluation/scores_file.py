"""Read score files, of this toolbox and of the PYSKL family, without running anything.

A score file is a list with one vector per sample, in the order of the data set: a pickle of arrays,
or JSON or YAML of lists of numbers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pyskl.errors import InputError, did_you_mean
from pyskl.evaluation.results import SUFFIXES
from pyskl.evaluation.score_origin import ScoreOrigin, read_origin
from pyskl.unpickling.load import load_plain_pickle

# A row that is named several times over takes its space each time once it is in a table.
_MEMORY_FACTOR, _MEMORY_FREE = 64, 64 << 20


@dataclass(frozen=True)
class ScoreFile:
    """The content of a score file.

    Attributes:
        path: Where it came from.
        scores: (N, L), float32 or float64 as in the file.
        origin: What they are scores of, where a file beside it says so.
        note: Why the file beside it was of no use, if it was not.
    """

    path: Path
    scores: np.ndarray
    origin: ScoreOrigin | None = None
    note: str | None = None

    def are_probabilities(self) -> bool:
        """Return whether each vector is from 0 up with the sum 1, as a mean of softmax is."""
        return bool(
            self.scores.min() >= 0 and np.allclose(self.scores.sum(axis=1), 1, rtol=0, atol=1e-3)
        )


def read_scores(path: str | Path, *, trusted: bool = False) -> ScoreFile:
    """Read a score file.

    Args:
        path: ``.pkl``, ``.json``, ``.yaml`` or ``.yml``, as ``tools/test.py --out`` writes them.
        trusted: Load a pickle with plain pickle, which runs whatever it says.

    Raises:
        InputError: if it can't be read, or holds something else than one vector per sample.
        UntrustedFileError: if a pickle asks for more than plain data.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise InputError(
            f"{path}: scores are read from {', '.join(SUFFIXES)}, not from {path.suffix!r}"
            f"{did_you_mean(path.suffix, SUFFIXES)}"
        )
    if not path.is_file():
        raise InputError(
            f"{path}: there is no such score file"
            + ("; it is a folder" if path.is_dir() else f" (looked in {path.parent.resolve()})")
        )
    try:
        content = _content(path, trusted=trusted)
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"{path}: the scores can't be read ({error})") from error
    scores = _table(path, content, _MEMORY_FACTOR * size + _MEMORY_FREE)
    origin, note = read_origin(path)
    if origin is not None and (origin.samples, origin.classes) != scores.shape:
        origin, note = None, f"{path}: the file beside it tells of another number of scores"
    return ScoreFile(path, scores, origin, note)


class _Numbers(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML's safe loader, in C where there is one, without merge keys."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Refuse mappings: there are none in a score file, and ``<<`` makes much of little."""
        raise yaml.constructor.ConstructorError(
            None, None, "score files hold lists of numbers, no mappings", node.start_mark
        )


def _content(path: Path, *, trusted: bool) -> Any:
    if path.suffix == ".pkl":
        return load_plain_pickle(path, trusted=trusted)
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            return json.loads(text)
        return yaml.load(text, _Numbers)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        what = str(error).replace("\n", " ")[:300]
        raise InputError(f"{path} is not readable {path.suffix[1:].upper()}: {what}") from error


def _table(path: Path, content: Any, limit: int) -> np.ndarray:
    """Return a score file's content as (N, L)."""
    if isinstance(content, np.ndarray):
        content = list(content) if content.ndim else content
    if not isinstance(content, (list, tuple)):
        found = type(content).__name__
        if isinstance(content, dict):
            found += f" with the keys {sorted(map(str, content))[:5]}"
        raise InputError(f"{path}: a score file holds a list of vectors, found {found}")
    if not content:
        raise InputError(f"{path}: the score file holds no samples")
    length = len(_vector(path, 0, content[0]))
    if len(content) * length * 8 > limit:
        raise InputError(
            f"{path}: its {len(content)} vectors of {length} numbers would take more than "
            f"{limit >> 20} MiB, which is more than such a file can hold honestly"
        )
    rows = []
    for index, entry in enumerate(content):
        row = _vector(path, index, entry)
        if len(row) != length:
            raise InputError(
                f"{path}: sample number {index} has {len(row)} scores, the first has {length}"
            )
        rows.append(row)
    table = np.stack(rows)
    if table.dtype not in (np.float32, np.float64):
        table = table.astype(np.float32 if table.dtype == np.float16 else np.float64)
    wrong = np.flatnonzero(~np.isfinite(table).all(axis=1))
    if len(wrong):
        raise InputError(
            f"{path}: the scores of {len(wrong)} samples are not finite, those of number "
            f"{wrong[0]} the first"
        )
    return table


def _vector(path: Path, index: int, entry: Any) -> np.ndarray:
    """Return the entry of a sample as a vector of numbers."""
    if isinstance(entry, (list, tuple)):
        inner = next((one for one in entry if isinstance(one, (list, tuple, np.ndarray))), None)
        if inner is not None:
            raise _kept_apart(path, index, (len(entry), len(inner)))
    try:
        row = np.asarray(entry)
    except (ValueError, OverflowError):
        row = np.empty(0)
    if row.ndim == 2 and row.dtype.kind in "iuf":
        raise _kept_apart(path, index, row.shape)
    if row.ndim != 1 or len(row) == 0 or row.dtype.kind not in "iuf":
        raise InputError(
            f"{path}: the scores of sample number {index} should be a vector of numbers, found "
            f"{type(entry).__name__} of the shape {row.shape}"
        )
    return row


def _kept_apart(path: Path, index: int, shape: tuple[int, ...]) -> InputError:
    return InputError(
        f"{path}: sample number {index} has scores of the shape {shape}: its clips were kept apart "
        "(average_clips=None); make the file again with --average-clips prob"
    )
