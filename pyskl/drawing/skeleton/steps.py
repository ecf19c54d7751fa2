"""What each transform of a pipeline does to one sample."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from pyskl.datasets.pipelines import Compose, GenSkeFeat, PreNormalize3D
from pyskl.datasets.pipelines.compose import Transform
from pyskl.datasets.randomness import KeyedRandomness, seeded_globals
from pyskl.drawing.skeleton.clip import Clip, Up
from pyskl.drawing.skeleton.streams import STREAM_NAMES, Stream, with_arrows
from pyskl.errors import InputError
from pyskl.skeleton import SkeletonLayout

Sample = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """A sample after a transform.

    Attributes:
        name: The transform's class, or how the sample was before the first.
        arguments: As the config gives them.
        keys: What the sample holds: its keys, and each value in words.
        changed: The keys that the transform added or changed.
        removed: Those that it took away.
        clips: What to draw: a clip for each stream, none where the joints are as before.
        remark: Why there is nothing to draw, where there is nothing.
    """

    name: str
    arguments: Mapping[str, Any]
    keys: Mapping[str, str]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    clips: tuple[Clip, ...]
    remark: str = ""


def trace(
    pipeline: Sequence[Mapping[str, Any] | Transform],
    sample: Mapping[str, Any],
    layout: SkeletonLayout,
    *,
    seed: int = 0,
    index: int = 0,
    fps: float = 30.0,
    up: Up | None = None,
) -> list[Step]:
    """Send a sample through a pipeline and look at it after every transform.

    Args:
        pipeline: As of :class:`pyskl.datasets.pipelines.Compose`.
        sample: As a data set hands it to its pipeline; it is left as it is.
        layout: Of its joints.
        seed: Of the transforms that draw at random; with the index it decides what they draw.
        index: Number of the sample.
        fps: Frames per second of the clips.
        up: The axis of 3D data that points upward, up to ``PreNormalize3D``, after which it is z;
            by default guessed.

    Returns:
        The sample as it is, and one step for each transform.

    Raises:
        ConfigError: for a faulty pipeline.
        InputError: if a transform fails; the message names it.

    Bones and motions say nothing of where the body is, so they are drawn on the joints that the
    same pipeline gives with ``feats=['j']``.
    """
    states = _states(pipeline, sample, seed, index)
    joints = states
    if any(_streams(transform) not in (None, ("j",)) for transform, _ in states):
        joints = _states(_of_joints(pipeline), sample, seed, index)
    steps: list[Step] = []
    streams: tuple[Stream, ...] = ("j",)
    before: Sample = {}
    for number, ((transform, after), (_, joints_after)) in enumerate(zip(states, joints)):
        streams = _streams(transform) or streams
        if isinstance(transform, PreNormalize3D) and transform.align_spine:
            up = "z"
        changed = tuple(key for key in after if not _same(before.get(key), after[key]))
        clips: tuple[Clip, ...] = ()
        remark = "the joints are as before"
        if number == 0 or not _same_joints(before, after):
            title = f"{number} {_name(transform)}" if transform else "as it is"
            try:
                clips = _clips(after, joints_after, streams, layout, title)
                clips, remark = tuple(clip.replaced(fps=fps, up=up) for clip in clips), ""
            except InputError as error:
                remark = f"not drawn: {error}"
        steps.append(
            Step(
                name=_name(transform) if transform else "the sample as it is",
                arguments=_arguments(pipeline, number - 1, transform),
                keys={str(key): in_words(value) for key, value in after.items()},
                changed=changed if number else (),
                removed=tuple(str(key) for key in before if key not in after),
                clips=clips,
                remark=remark,
            )
        )
        before = after
    return steps


def in_words(value: Any) -> str:
    """Return a value in a few words: shape, type and range of arrays, the others as text."""
    if hasattr(value, "numpy"):
        return f"tensor: {in_words(_as_array(value))}"
    if isinstance(value, np.ndarray):
        text = f"{value.shape} {value.dtype}"
        if value.size == 0 or value.dtype.kind not in "iufb":
            return text
        with np.errstate(invalid="ignore"):
            low, high = np.nanmin(value), np.nanmax(value)
        return f"{text}, {float(low):.4g} to {float(high):.4g}"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _states(
    pipeline: Sequence[Mapping[str, Any] | Transform],
    sample: Mapping[str, Any],
    seed: int,
    index: int,
) -> list[tuple[Transform | None, Sample]]:
    """Return the sample before the first transform and after each."""
    states: list[tuple[Transform | None, Sample]] = [(None, dict(sample))]
    with KeyedRandomness(seed, 0, index):
        for number, transform in enumerate(Compose(pipeline).transforms):
            given = dict(states[-1][1])
            try:
                if type(transform).__module__.startswith("pyskl."):
                    found = transform(given)
                else:  # may write into arrays, and draw from the global generators
                    with seeded_globals():
                        found = transform(copy.deepcopy(given))
            except Exception as error:  # whatever a transform may raise
                what = str(error) if isinstance(error, ValueError) else repr(error)
                raise InputError(
                    f"transform {number + 1} of the pipeline, {_name(transform)}: {what}"
                ) from error
            if not isinstance(found, Mapping):
                raise InputError(
                    f"transform {number + 1} of the pipeline, {_name(transform)}, returned "
                    f"{type(found).__name__} instead of the sample"
                )
            states.append((transform, dict(found)))
    return states


def _streams(transform: Transform | None) -> tuple[Stream, ...] | None:
    if isinstance(transform, GenSkeFeat) and transform.axis in (-1, 3):
        return cast("tuple[Stream, ...]", transform.feats)
    return None


def _of_joints(
    pipeline: Sequence[Mapping[str, Any] | Transform],
) -> list[Mapping[str, Any] | Transform]:
    """Return the same pipeline with GenSkeFeat giving the joints."""
    return [
        GenSkeFeat(transform.layout, ["j"]) if isinstance(transform, GenSkeFeat) else transform
        for transform in Compose(pipeline).transforms
    ]


def _clips(
    after: Sample,
    joints: Sample,
    streams: tuple[Stream, ...],
    layout: SkeletonLayout,
    title: str,
) -> tuple[Clip, ...]:
    """Return a clip for each stream that the keypoints hold.

    Raises:
        InputError: if they are nothing that can be drawn.
    """
    keypoint, notes = _drawable(after)
    parts = np.split(keypoint, len(streams), axis=-1)
    if streams == ("j",):
        score = after.get("keypoint_score")
        clip = Clip(keypoint, score=score, title=title, notes=notes)
        clip.check_layout(layout)
        return (clip,)
    places, _ = _drawable(joints)
    clips = []
    for stream, part in zip(streams, parts):
        clip = Clip(places, title=title, notes=notes)
        clip.check_layout(layout)
        if stream == "j":
            clips.append(clip.replaced(notes=(*notes, STREAM_NAMES["j"])))
        else:
            clips.append(with_arrows(clip, part, stream))
    return tuple(clips)


def _drawable(sample: Sample) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return keypoints as (M, T, V, C), with a note where they came in several clips."""
    found = sample.get("keypoint")
    if found is None:
        raise InputError("the sample has no 'keypoint'")
    keypoint = np.asarray(_as_array(found))
    if keypoint.ndim == 5:
        number, persons, frames, joints, coordinates = keypoint.shape
        # (clips, M, T, V, C) → (M, clips*T, V, C)
        joined = keypoint.swapaxes(0, 1).reshape(persons, number * frames, joints, coordinates)
        note = f"{number} clips of {frames} frames, one after the other"
        return joined, (note,) if number > 1 else ()
    if keypoint.ndim != 4:
        raise InputError(f"'keypoint' has the shape {keypoint.shape}")
    return keypoint, ()


def _same_joints(before: Sample, after: Sample) -> bool:
    """Return whether the keypoints are the same numbers, be it as arrays or as tensors."""
    pairs = [(before.get(key), after.get(key)) for key in ("keypoint", "keypoint_score")]
    return all(_same(_as_array(one), _as_array(other)) for one, other in pairs)


def _as_array(value: Any) -> Any:
    return value.numpy() if hasattr(value, "numpy") else value


def _same(before: Any, after: Any) -> bool:
    """Return whether a transform left a value as it was."""
    if before is after:
        return True
    if type(before) is not type(after):
        return False
    before, after = _as_array(before), _as_array(after)
    if isinstance(before, np.ndarray):
        return (
            before.dtype == after.dtype
            and before.shape == after.shape
            and bool(np.array_equal(before, after, equal_nan=before.dtype.kind == "f"))
        )
    try:
        return bool(before == after)
    except ValueError:  # of arrays within containers
        return False


def _name(transform: Transform | None) -> str:
    return getattr(transform, "__name__", type(transform).__name__)


def _arguments(
    pipeline: Sequence[Mapping[str, Any] | Transform], number: int, transform: Transform | None
) -> dict[str, Any]:
    """Return what the config gives a transform; nothing where the pipeline nests."""
    if transform is None or not 0 <= number < len(pipeline):
        return {}
    config = pipeline[number]
    if not isinstance(config, Mapping):
        return {}
    kind = config.get("type")
    name = kind if isinstance(kind, str) else getattr(kind, "__name__", "")
    if name.removeprefix("pyskl.") != _name(transform):
        return {}
    return {key: _short(value) for key, value in config.items() if key != "type"}


def _short(value: Any) -> Any:
    """Return the name of a layout that is spelled out, and other values as they are."""
    if isinstance(value, Mapping) and {"edges", "inward"} & set(value):
        return value.get("name", "layout of its own")
    return value
