"""What a score file holds the scores of, written beside it.

A score file is a bare list of vectors, as the family's tools write and read it: it says neither of
which samples nor in which order. ``best_pred.pkl.meta.json`` beside ``best_pred.pkl`` does. It is
optional; files of other toolboxes have none. It holds the SHA-256 of its score file, so one that
was left behind when the scores were replaced is known for what it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

VERSION = 1

# Of a file beside the scores: it has some hundred bytes, and is read by whoever reads the scores.
_MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class ScoreOrigin:
    """What scores are scores of.

    Attributes:
        samples: How many.
        classes: How many.
        sample_ids_sha256: See :func:`digest_of_ids`.
        data: ``{'ann_file': ..., 'split': ...}`` of each data set that was scored.
        config: Path of the config, if it has one.
        checkpoint: The weights.
        average_clips: ``'prob'`` or ``'score'``; None where the clips were kept apart, or where
            nothing is known of it.
        num_clips: Clips of each sample, if the pipeline says so.
        fused: ``{'file': ..., 'weight': ...}`` of what was fused, where the scores are of several.
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
        named = [
            f"{one.get('ann_file') or one.get('type')}"
            + (f", split {one['split']!r}" if one.get("split") is not None else "")
            for one in self.data
        ]
        return " and ".join(named) or "a data set without a name"


def digest_of_ids(ids: Sequence[str]) -> str:
    """Return the SHA-256 of the ids of samples in their order, as hexadecimal digits."""
    return hashlib.sha256(json.dumps(list(map(str, ids))).encode()).hexdigest()


def origin_file(scores: str | Path) -> Path:
    """Return the path of the file beside a score file."""
    scores = Path(scores)
    return scores.with_name(f"{scores.name}.meta.json")


def encode_origin(origin: ScoreOrigin, scores: bytes) -> bytes:
    """Return the content of the file beside a score file.

    Args:
        origin: What it says.
        scores: The score file's content.
    """
    content = {
        "version": VERSION,
        "scores_sha256": hashlib.sha256(scores).hexdigest(),
        **asdict(origin),
    }
    return (json.dumps(content, indent=2) + "\n").encode()


def read_origin(scores: str | Path) -> tuple[ScoreOrigin | None, str | None]:
    """Read the file beside a score file.

    Args:
        scores: The score file.

    Returns:
        What it says, or None where there is no such file or it is of no use; and in the latter
        case why.
    """
    path = origin_file(scores)
    try:
        if not path.is_file():
            return None, None
        if path.stat().st_size > _MAX_BYTES:
            return None, f"{path} is passed over: it has more than {_MAX_BYTES} bytes"
        content = json.loads(path.read_bytes())
        own_digest = hashlib.sha256(Path(scores).read_bytes()).hexdigest()
    except (OSError, ValueError, RecursionError) as error:
        return None, f"{path} is passed over: it can't be read ({str(error)[:200]})"
    if not isinstance(content, dict) or content.get("version") != VERSION:
        return None, f"{path} is passed over: it is not of the form that this version writes"
    if content.get("scores_sha256") != own_digest:
        return None, f"{path} is passed over: it was written for other scores than are there now"
    try:
        return _checked(content), None
    except (KeyError, TypeError) as error:
        return None, f"{path} is passed over: {error!r} is missing or of another type"


def _checked(content: Mapping[str, Any]) -> ScoreOrigin:
    for name, kind in (("samples", int), ("classes", int), ("sample_ids_sha256", str)):
        if not isinstance(content[name], kind):
            raise TypeError(name)
    for name in ("data", "fused"):
        entries = content.get(name) or []
        if not (isinstance(entries, list) and all(isinstance(one, dict) for one in entries)):
            raise TypeError(name)
    for name in ("config", "checkpoint", "average_clips"):
        if not isinstance(content.get(name), (str, type(None))):
            raise TypeError(name)
    if not isinstance(content.get("num_clips"), (int, type(None))):
        raise TypeError("num_clips")
    names = ScoreOrigin.__dataclass_fields__
    return ScoreOrigin(**{name: value for name, value in content.items() if name in names})
