"""Score files: the scores of a data set, and the metadata that says what they belong to.

A score file is PYSKL's: a list with one vector per sample, in the order of the data set, as a
pickle of arrays or as JSON or YAML lists. It says neither which samples these are nor how the
scores were made. ``best_pred.pkl.meta.json`` next to ``best_pred.pkl`` does. It is optional, and
contains the SHA-256 of its score file, so that one left behind by replaced scores is recognised.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pyskl.errors import InputError, did_you_mean
from pyskl.files.atomic import unwritable, write_bytes
from pyskl.unpickling.load import load_plain_pickle

SUFFIXES = (".pkl", ".json", ".yaml", ".yml")
VERSION = 1

_MAX_METADATA_BYTES = 1 << 20

# A file can refer to one row many times over, and the table takes space for each time.
_MEMORY_FACTOR, _MEMORY_FREE = 64, 64 << 20


@dataclass(frozen=True)
class ScoreOrigin:
    """What scores belong to.

    Attributes:
        samples: Number of samples.
        classes: Number of classes.
        sample_ids_sha256: See :func:`digest_of_ids`.
        data: ``{'ann_file': ..., 'split': ...}`` of each data set that was scored.
        config: Path of the config, if it has one.
        checkpoint: Path of the weights.
        average_clips: ``'prob'`` or ``'score'``; None if the clips were not averaged, or if
            unknown.
        num_clips: Clips per sample, if known.
        fused: ``{'file': ..., 'weight': ...}`` of each score file that was fused into this one.
    """

    samples: int
    classes: int
    sample_ids_sha256: str
    data: Sequence[Mapping[str, Any]] = ()
    config: str | None = None
    checkpoint: str | None = None
    average_clips: str | None = None
    num_clips: int | None = None
    fused: Sequence[Mapping[str, Any]] | None = None

    def where(self) -> str:
        """Return the data sets in words, such as ``ntu60.pkl, split 'xsub_val'``."""
        names = [
            f"{one.get('ann_file') or one.get('type')}"
            + (f", split {one['split']!r}" if one.get("split") is not None else "")
            for one in self.data
        ]
        return " and ".join(names) or "an unnamed data set"


@dataclass(frozen=True)
class ScoreFile:
    """The content of a score file.

    Attributes:
        path: The file.
        scores: (N, L), float32 or float64 as in the file.
        origin: What the scores belong to, if the metadata file says so.
        note: Why the metadata file was ignored, if it was.
    """

    path: Path
    scores: np.ndarray
    origin: ScoreOrigin | None = None
    note: str | None = None

    def are_probabilities(self) -> bool:
        """Return whether the scores are 0 or more and sum to 1, as a mean of softmax does."""
        sums = self.scores.sum(axis=1)
        return bool(self.scores.min() >= 0 and np.allclose(sums, 1, rtol=0, atol=1e-3))


def digest_of_ids(ids: Sequence[str]) -> str:
    """Return the SHA-256 of sample ids in their order, as hexadecimal digits."""
    return hashlib.sha256(json.dumps(list(map(str, ids))).encode()).hexdigest()


def origin_file(scores: str | Path) -> Path:
    """Return the path of a score file's metadata."""
    scores = Path(scores)
    return scores.with_name(f"{scores.name}.meta.json")


# --- writing --------------------------------------------------------------------------------------


def check_score_file(path: str | Path) -> Path:
    """Return the path of a score file to write.

    Raises:
        InputError: if its format is unknown, or nothing can be written there.
    """
    path = _with_known_suffix(path)
    reason = unwritable(path)
    if reason is not None:
        raise InputError(f"the scores can't be written there ({reason})", file=path)
    return path


def dump_scores(
    scores: np.ndarray | Sequence[np.ndarray], path: str | Path, origin: ScoreOrigin | None = None
) -> None:
    """Write scores as a list with one vector per sample, in the format that the suffix names.

    Args:
        scores: (N, L), in the order of the data set.
        path: ``.pkl`` (vectors as arrays), ``.json`` or ``.yaml`` (as lists).
        origin: What they belong to, written to the metadata file. Without it a metadata file that
            exists is removed, as it belongs to the scores that are replaced.

    Raises:
        InputError: for another suffix, or if the file can't be written.
    """
    path = check_score_file(path)
    vectors = [np.asarray(row) for row in scores]
    if path.suffix == ".pkl":
        content = pickle.dumps(vectors, protocol=4)
    else:
        dump = json.dumps if path.suffix == ".json" else yaml.safe_dump
        content = dump([vector.tolist() for vector in vectors]).encode()
    try:
        write_bytes(path, content)
        if origin is None:
            origin_file(path).unlink(missing_ok=True)
        else:
            head = {"version": VERSION, "scores_sha256": hashlib.sha256(content).hexdigest()}
            text = json.dumps({**head, **asdict(origin)}, indent=2) + "\n"
            write_bytes(origin_file(path), text.encode())
    except OSError as error:
        raise InputError(f"the scores can't be written there ({error})", file=path) from error


# --- reading --------------------------------------------------------------------------------------


def read_scores(path: str | Path, *, trusted: bool = False) -> ScoreFile:
    """Read a score file of this toolbox or of PYSKL.

    Args:
        path: ``.pkl``, ``.json``, ``.yaml`` or ``.yml``, as written by ``tools/test.py --out``.
        trusted: Load a pickle with plain pickle, which runs any code in it.

    Raises:
        InputError: if it can't be read, or does not contain one vector per sample.
        UntrustedFileError: if a pickle asks for more than plain data.
    """
    path = _with_known_suffix(path)
    if not path.is_file():
        hint = "it is a folder" if path.is_dir() else f"looked in {path.parent.resolve()}"
        raise InputError("there is no such score file", file=path, hint=hint)
    try:
        if path.suffix == ".pkl":
            content = load_plain_pickle(path, trusted=trusted)
        else:
            text = path.read_text(encoding="utf-8")
            content = json.loads(text) if path.suffix == ".json" else yaml.load(text, _ListLoader)
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"the scores can't be read ({error})", file=path) from error
    except InputError:
        raise
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        reason = str(error).replace("\n", " ")[:300]
        raise InputError(
            f"it is not valid {path.suffix[1:].upper()}: {reason}", file=path
        ) from error
    scores = _table(path, content, _MEMORY_FACTOR * size + _MEMORY_FREE)
    origin, note = read_origin(path)
    if origin is not None and (origin.samples, origin.classes) != scores.shape:
        origin, note = None, f"{origin_file(path)} is ignored: its number of scores differs"
    return ScoreFile(path, scores, origin, note)


def read_origin(scores: str | Path) -> tuple[ScoreOrigin | None, str | None]:
    """Read the metadata of a score file.

    Args:
        scores: The score file.

    Returns:
        The metadata, or None if there is no such file or it can't be used; in the latter case also
        the reason.
    """
    path = origin_file(scores)
    try:
        if not path.is_file():
            return None, None
        if path.stat().st_size > _MAX_METADATA_BYTES:
            raise ValueError(f"it is larger than {_MAX_METADATA_BYTES} bytes")
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict) or content.get("version") != VERSION:
            raise ValueError("another version wrote it")
        if content.get("scores_sha256") != hashlib.sha256(Path(scores).read_bytes()).hexdigest():
            raise ValueError("it belongs to scores that have been replaced")
        return _origin_from(content), None
    except (OSError, ValueError, RecursionError) as error:
        return None, f"{path} is ignored: {str(error)[:200]}"


_ORIGIN_TYPES: dict[str, Any] = {
    "samples": int,
    "classes": int,
    "sample_ids_sha256": str,
    "data": list,
    "config": str | None,
    "checkpoint": str | None,
    "average_clips": str | None,
    "num_clips": int | None,
    "fused": list | None,
}


def _origin_from(content: Mapping[str, Any]) -> ScoreOrigin:
    values: dict[str, Any] = {name: content.get(name) for name in _ORIGIN_TYPES}
    for name, kind in _ORIGIN_TYPES.items():
        if not isinstance(values[name], kind):
            raise ValueError(f"{name} is missing or of the wrong type")
    if not all(isinstance(one, dict) for one in [*values["data"], *(values["fused"] or ())]):
        raise ValueError("data or fused is of the wrong type")
    return ScoreOrigin(**values)


def _with_known_suffix(path: str | Path) -> Path:
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise InputError(
            f"unknown format of a score file{did_you_mean(path.suffix, SUFFIXES)}",
            file=path,
            found=path.suffix,
            expected=", ".join(SUFFIXES),
        )
    return path


class _ListLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML's safe loader without mappings, whose merge keys let a small file fill the memory."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Refuse a mapping."""
        raise yaml.constructor.ConstructorError(
            None, None, "score files contain lists of numbers, not mappings", node.start_mark
        )


def _table(path: Path, content: Any, max_bytes: int) -> np.ndarray:
    """Return a score file's content as (N, L)."""
    if isinstance(content, np.ndarray) and content.ndim:
        content = list(content)
    if not isinstance(content, (list, tuple)) or not content:
        raise InputError(
            "a score file contains a list of vectors",
            file=path,
            found="no samples" if isinstance(content, (list, tuple)) else type(content).__name__,
        )
    length = len(_vector(path, 0, content[0]))
    if len(content) * length * 8 > max_bytes:
        raise InputError(
            "the scores would take far more memory than the file is large",
            file=path,
            found=f"{len(content)} vectors of {length} numbers",
            expected=f"{max_bytes >> 20} MiB or less",
        )
    rows = [_vector(path, index, entry) for index, entry in enumerate(content)]
    for index, row in enumerate(rows):
        if len(row) != length:
            raise InputError(
                "the vectors have different lengths",
                file=path,
                sample=index,
                found=len(row),
                expected=f"{length} scores, as the first sample has",
            )
    table = np.stack(rows)
    if table.dtype not in (np.float32, np.float64):
        table = table.astype(np.float32 if table.dtype == np.float16 else np.float64)
    not_finite = np.flatnonzero(~np.isfinite(table).all(axis=1))
    if len(not_finite):
        raise InputError(
            f"the scores of {len(not_finite)} samples are not finite",
            file=path,
            sample=int(not_finite[0]),
        )
    return table


def _vector(path: Path, index: int, entry: Any) -> np.ndarray:
    """Return the entry of a sample as a vector of numbers."""
    # Nested lists are not converted: a small pickle can nest one list so that it fills the memory.
    nested = isinstance(entry, (list, tuple)) and any(
        isinstance(one, (list, tuple, np.ndarray)) for one in entry
    )
    try:
        row = np.empty(0) if nested else np.asarray(entry)
    except (ValueError, OverflowError):
        row = np.empty(0)
    if nested or (row.ndim == 2 and row.dtype.kind in "iuf"):
        raise InputError(
            "the scores of its clips are not averaged (average_clips=None)",
            file=path,
            sample=index,
            hint="make the file again with --average-clips prob",
        )
    if row.ndim != 1 or len(row) == 0 or row.dtype.kind not in "iuf":
        raise InputError(
            "its scores are not a vector of numbers",
            file=path,
            sample=index,
            found=f"{type(entry).__name__} of shape {row.shape}",
        )
    return row
