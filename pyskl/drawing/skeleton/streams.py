"""Bones and motions as arrows, where they belong on the body."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from pyskl.datasets.pipelines.coordinates import with_score
from pyskl.datasets.pipelines.streams import bones, motion
from pyskl.drawing.skeleton.clip import Clip
from pyskl.skeleton import SkeletonLayout

Stream = Literal["j", "b", "jm", "bm"]
STREAM_NAMES: dict[Stream, str] = {
    "j": "joints",
    "b": "bones",
    "jm": "motion of the joints",
    "bm": "motion of the bones",
}

# The longer motions of a clip are drawn about this long, in heights of the body.
_READABLE = 0.12

_MOST_GAIN = 50


def stream_clip(clip: Clip, layout: SkeletonLayout, stream: Stream) -> Clip:
    """Return a clip of joints with what another stream makes of them, as arrows.

    Args:
        clip: The joints.
        layout: Whose bones to take.
        stream: Which of :class:`pyskl.datasets.pipelines.GenSkeFeat`'s streams.

    Raises:
        InputError: if the layout has another number of joints.
    """
    clip.check_layout(layout)
    if stream == "j":
        return clip
    if clip.score is not None and clip.keypoint.shape[3] == 2:
        clip = clip.replaced(keypoint=with_score(clip.keypoint, clip.score), score=None)
    positions = np.asarray(clip.keypoint, dtype=np.float32)
    vectors = positions if stream == "jm" else bones(positions, layout)
    if stream in ("jm", "bm"):
        vectors = motion(vectors, layout)
    return with_arrows(clip, vectors, stream)


def with_arrows(clip: Clip, vectors: np.ndarray, stream: Stream) -> Clip:
    """Return a clip of joints with the vectors of a stream as arrows, and a note on them.

    Args:
        clip: The joints, in the frames of the vectors.
        vectors: (M, T, V, C) as the clip's joints. Bones are drawn as long as they are, motions,
            which are short, longer by a round number that suits the clip.
        stream: Which stream.
    """
    gain = 1 if stream == "b" else _gain(clip.keypoint, vectors)
    note = STREAM_NAMES[stream] + (f", drawn {gain} times as long" if gain != 1 else "")
    return clip.replaced(
        arrows=vectors,
        arrows_from="parent" if stream == "b" else "joint",
        arrow_gain=float(gain),
        notes=(*clip.notes, note),
    )


def _gain(keypoint: np.ndarray, vectors: np.ndarray) -> int:
    """Return a round number that makes motions as long as one can see."""
    body = np.where(keypoint[..., :2].any(axis=-1, keepdims=True), keypoint[..., :2], np.nan)
    present = np.isfinite(body).any(axis=(2, 3))  # (M, T)
    if not present.any():
        return 1
    shown = body[present]  # (some, V, 2)
    size = float(np.median(np.nanmax(shown, axis=1) - np.nanmin(shown, axis=1), axis=0).max())
    lengths = np.linalg.norm(vectors[..., :2], axis=-1)
    lengths = lengths[np.isfinite(lengths) & (lengths > 0)]
    if not len(lengths) or not size > 0:
        return 1
    wanted = _READABLE * size / float(np.percentile(lengths, 95))
    if wanted <= 1:
        return 1
    power = 10 ** math.floor(math.log10(wanted))
    return min(int(max(step * power for step in (1, 2, 5) if step * power <= wanted)), _MOST_GAIN)
