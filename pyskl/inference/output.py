"""The lines of JSON that results are told in.

========================= =====================================================================
key                       meaning
========================= =====================================================================
``name``, ``source``      id of the sequence, and the file it is in (``-``: standard input)
``frames``, ``fps``       its length, and its frames per second where known
``topk``                  the best classes: ``[{"class": 3, "label": "clap", "score": 0.93}, ...]``
``truth``                 the label that the annotation file has
``segments``              of untrimmed sequences: one after the other, ``class`` null is background
``windows``               with ``--per-window``: what each window scores
``start``, ``end``        first frame of a segment or window, and the frame after its last
``start_s``, ``end_s``    the same in seconds, where the frames per second are known
``error``                 what is wrong with the input, in place of all results
========================= =====================================================================
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np

from pyskl.errors import InputError, WriteError
from pyskl.files.atomic import replace_with
from pyskl.inference.ensemble import Ensemble
from pyskl.inference.windows import Segment

Line = dict[str, Any]

_T = TypeVar("_T")


def best(ensemble: Ensemble, scores: np.ndarray, topk: int) -> list[Line]:
    """Return the ``topk`` best classes of scores (L,), the best first."""
    order = np.argsort(-scores, kind="stable")[:topk]
    return [_named(ensemble, int(label), float(scores[label])) for label in order]


def error_line(name: str, source: str, error: InputError) -> Line:
    """Return the line of what could not be recognised."""
    return {"name": name, "source": source, "error": str(error)}


def segment_line(ensemble: Ensemble, segment: Segment, fps: float | None) -> Line:
    """Return a segment as it stands in a line."""
    where = when(segment.start, segment.end, fps)
    if segment.label is None:
        return {**where, "class": None, "label": "background", "score": None}
    return {**where, **_named(ensemble, segment.label, segment.score or 0.0)}


def window_lines(
    ensemble: Ensemble,
    scores: np.ndarray,
    starts: Sequence[int],
    ends: Sequence[int],
    fps: float | None,
    topk: int,
) -> list[Line]:
    """Return what windows score: (W, L)."""
    return [
        {**when(start, end, fps), "topk": best(ensemble, row, topk) if row.any() else []}
        for start, end, row in zip(starts, ends, scores)
    ]


def when(start: int, end: int, fps: float | None) -> Line:
    """Return where frames are, in frames and if possible in seconds."""
    found: Line = {"start": start, "end": end}
    if fps is not None:
        found.update(start_s=_short(start / fps), end_s=_short(end / fps))
    return found


def write_line(line: Mapping[str, Any], stream: IO[str]) -> None:
    """Write a line, in characters that the stream has, and let it go at once."""
    text = json.dumps(line, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:  # names of files may be no text, and terminals of one alphabet
        text = json.dumps(line, allow_nan=False)
    stream.write(text + "\n")
    stream.flush()


def write_lines(path: str | Path, run: Callable[[Callable[[Line], None]], _T]) -> _T:
    """Let lines be written to a file, which is at its place whole in the end, or not at all.

    Args:
        path: The file.
        run: Is given what takes a line; what it returns is returned.

    Raises:
        WriteError: if the file can't be written.
    """
    path = Path(path)
    found: list[_T] = []

    def write(partial: Path) -> None:
        with partial.open("w", encoding="utf-8") as stream:
            found.append(run(lambda line: write_line(line, stream)))

    try:
        replace_with(path, write)
    except OSError as error:
        raise WriteError(f"{path} can't be written ({error})") from error
    return found[0]


def _named(ensemble: Ensemble, label: int, score: float) -> Line:
    return {"class": label, "label": ensemble.label_name(label), "score": _short(score)}


def _short(number: float) -> float:
    """Return a number as six digits tell it: a float32 has no more to tell of itself."""
    return float(f"{number:.6g}")
