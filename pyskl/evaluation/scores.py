"""Read and write score files: the scores of a data set, and their metadata.

A score file has PYSKL's format: a list with one vector per sample, in the order of the data set, as
a pickle of arrays or as JSON or YAML lists. The optional ``best_pred.pkl.meta.json`` next to
``best_pred.pkl`` describes the samples and how the scores were made. It contains the SHA-256 of its
score file, so that outdated metadata are recognised.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pyskl.errors import InputError, did_you_mean
from pyskl.evaluation.metrics import check_finite_scores
from pyskl.files.atomic import unwritable, write_bytes
from pyskl.files.pickling import dump_pickle
from pyskl.logging.log import get_logger
from pyskl.unpickling.load import load_plain_pickle

SUFFIXES = (".pkl", ".json", ".yaml", ".yml")
VERSION = 1

_MAX_METADATA_BYTES = 1 << 20

# A pickle can refer to one row many times; the table has a copy for each.
_MEMORY_FACTOR, _MEMORY_FREE = 64, 64 << 20

# Lists of numbers as YAML writes them: no aliases, which make a small file large, and no tags.
_YAML_NUMBERS = re.compile(r"[\s\[\],.+\-0-9eEinfaNIF]*")


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
        epoch: The epoch after which they were saved, if known.
        checkpoint_sha256: Hash of the file of the weights, if known.
        stream: The stream that the samples were, such as ``'j'``, if they were just one.
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
    epoch: int | None = None
    checkpoint_sha256: str | None = None
    stream: str | None = None
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
    """

    path: Path
    scores: np.ndarray
    origin: ScoreOrigin | None = None

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
        InputError: if its format is unknown, or it can't be written.
    """
    path = _with_known_suffix(path)
    reason = unwritable(path)
    if reason is not None:
        raise InputError(f"the scores can't be written ({reason})", file=path)
    return path


def dump_scores(
    scores: np.ndarray | Sequence[np.ndarray], path: str | Path, origin: ScoreOrigin | None = None
) -> None:
    """Write scores as a list with one vector per sample, in the format that the suffix names.

    Args:
        scores: (N, L), in the order of the data set.
        path: ``.pkl`` (vectors as arrays), ``.json`` or ``.yaml`` (as lists).
        origin: Written to the metadata file. Without it, an existing metadata file is removed,
            because it belongs to the replaced scores.

    Raises:
        InputError: for another suffix, scores that are not finite, or if the file can't be written.
    """
    path = check_score_file(path)
    vectors = [np.asarray(row) for row in scores]
    check_finite_scores(vectors)
    if path.suffix == ".pkl":
        content = dump_pickle(vectors)
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
        raise InputError(f"the scores can't be written ({error})", file=path) from error


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
        max_bytes = _MEMORY_FACTOR * path.stat().st_size + _MEMORY_FREE
        if path.suffix == ".pkl":
            content = load_plain_pickle(path, trusted=trusted)
        else:
            content = _parse(path.read_text(encoding="utf-8"), path.suffix)
    except InputError:
        raise
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        reason = str(error).replace("\n", " ")[:300]
        raise InputError(f"the scores can't be read ({reason})", file=path) from error
    scores = _table(path, content, max_bytes)
    origin = read_origin(path)
    if origin is not None and (origin.samples, origin.classes) != scores.shape:
        get_logger().warning("%s is ignored: its number of scores differs", origin_file(path))
        origin = None
    return ScoreFile(path, scores, origin)


def _parse(text: str, suffix: str) -> Any:
    if suffix == ".json":
        return json.loads(text)
    if not _YAML_NUMBERS.fullmatch(text):
        raise ValueError("it contains something other than lists of numbers")
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _table(path: Path, content: Any, max_bytes: int) -> np.ndarray:
    """Return a score file's content as (N, L)."""
    if isinstance(content, np.ndarray) and content.ndim:
        content = list(content)
    if not isinstance(content, (list, tuple)) or not content:
        raise InputError(
            "this is not a list of vectors", file=path, found=f"{type(content).__name__}"
        )
    rows: list[np.ndarray] = []
    for index, entry in enumerate(content):
        # Nested lists are not converted: a small file can nest one list until it fills the memory.
        nested = isinstance(entry, (list, tuple)) and any(
            isinstance(one, (list, tuple, np.ndarray)) for one in entry
        )
        try:
            row = np.empty(0) if nested else np.asarray(entry)
        except (ValueError, OverflowError):
            row = np.empty(0)
        is_numeric = row.dtype.kind in "iuf" and row.size > 0
        if nested or (row.ndim == 2 and is_numeric):
            raise InputError(
                "the scores of its clips are not averaged (average_clips=None)",
                file=path,
                sample=index,
                hint="make the file again with --average-clips prob",
            )
        length = rows[0].size if rows else row.size
        if row.shape != (length,) or not is_numeric:
            raise InputError(
                "its scores are not a vector of numbers",
                file=path,
                sample=index,
                found=f"{type(entry).__name__} of shape {row.shape}",
                expected=f"shape ({length},)" if rows else None,
            )
        if len(content) * length * 8 > max_bytes:
            raise InputError("its rows are repeated so often that they fill the memory", file=path)
        rows.append(row)
    table = np.stack(rows)
    check_finite_scores(table, source=str(path))
    if table.dtype in (np.float32, np.float64):
        return table
    return table.astype(np.float32 if table.dtype == np.float16 else np.float64)


def read_origin(scores: str | Path) -> ScoreOrigin | None:
    """Read the metadata of a score file.

    Args:
        scores: The score file.

    Returns:
        The metadata; None if there is no such file, or, with a warning, if it can't be used.
    """
    path = origin_file(scores)
    if not path.is_file():
        return None
    try:
        if path.stat().st_size > _MAX_METADATA_BYTES:
            raise ValueError(f"it is larger than {_MAX_METADATA_BYTES} bytes")
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict) or content.get("version") != VERSION:
            raise ValueError("another version wrote it")
        if content.get("scores_sha256") != hashlib.sha256(Path(scores).read_bytes()).hexdigest():
            raise ValueError("it belongs to scores that have been replaced")
        values: dict[str, Any] = {name: content.get(name) for name in _ORIGIN_TYPES}
        for name, kind in _ORIGIN_TYPES.items():
            if not isinstance(values[name], kind):
                raise ValueError(f"{name} is missing or of the wrong type")
        if not all(isinstance(one, dict) for one in [*values["data"], *(values["fused"] or ())]):
            raise ValueError("data or fused is of the wrong type")
        return ScoreOrigin(**values)
    except (OSError, ValueError, RecursionError) as error:
        get_logger().warning("%s is ignored: %s", path, str(error)[:200])
        return None


_ORIGIN_TYPES: dict[str, Any] = {
    "samples": int,
    "classes": int,
    "sample_ids_sha256": str,
    "data": list,
    "config": str | None,
    "checkpoint": str | None,
    "epoch": int | None,
    "checkpoint_sha256": str | None,
    "stream": str | None,
    "average_clips": str | None,
    "num_clips": int | None,
    "fused": list | None,
}


def _with_known_suffix(path: str | Path) -> Path:
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise InputError(
            f"unknown format of a score file{did_you_mean(path.suffix, SUFFIXES)}",
            file=path,
            found=path.suffix,
        )
    return path
