"""Write score files."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pyskl.errors import InputError, did_you_mean
from pyskl.evaluation.score_origin import ScoreOrigin, encode_origin, origin_file
from pyskl.files.atomic import unwritable, write_bytes

SUFFIXES = (".pkl", ".json", ".yaml", ".yml")


def check_score_file(path: str | Path) -> Path:
    """Return the path of a score file to write.

    Raises:
        InputError: if its format is unknown, or nothing can be written there.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise InputError(
            f"{path}: scores are written as {', '.join(SUFFIXES)}, not as {path.suffix!r}"
            f"{did_you_mean(path.suffix, SUFFIXES)}"
        )
    reason = unwritable(path)
    if reason is not None:
        raise InputError(f"{path}: the scores can't be written there ({reason})")
    return path


def dump_scores(
    scores: np.ndarray | Sequence[np.ndarray],
    path: str | Path,
    origin: ScoreOrigin | None = None,
) -> None:
    """Write scores as a list with one vector per sample, in the format that the suffix names.

    Args:
        scores: (S, L), in the order of the data set.
        path: ``.pkl`` (vectors as float32 arrays), ``.json`` or ``.yaml`` (as lists).
        origin: What they are scores of; goes to a file beside, see
            :mod:`pyskl.evaluation.score_origin`.

    Raises:
        InputError: for another suffix, or where the file can't be written.
    """
    path = check_score_file(path)
    vectors = [np.asarray(row) for row in scores]
    content = _encoded(vectors, path.suffix)
    try:
        write_bytes(path, content)
        if origin is None:
            origin_file(path).unlink(missing_ok=True)  # it is of the scores that were there
        else:
            write_bytes(origin_file(path), encode_origin(origin, content))
    except OSError as error:
        raise InputError(f"{path}: the scores could not be written ({error})") from error


def _encoded(vectors: list[np.ndarray], suffix: str) -> bytes:
    if suffix == ".pkl":
        return pickle.dumps(vectors, protocol=4)
    lists: list[Any] = [vector.tolist() for vector in vectors]
    if suffix == ".json":
        return json.dumps(lists).encode()
    return yaml.safe_dump(lists).encode()
