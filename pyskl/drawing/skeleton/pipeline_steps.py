"""What each transform of a pipeline does to one sample, as data and as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, cast

import numpy as np

from pyskl.datasets.pipelines import Compose, GenSkeFeat, PreNormalize3D
from pyskl.datasets.pipelines.compose import Transform
from pyskl.datasets.randomness import sample_randomness
from pyskl.drawing.page import Section, page, table
from pyskl.drawing.skeleton.clip import STREAM_NAMES, Clip, Stream, Up, with_arrows
from pyskl.drawing.skeleton.player import player_html, player_tag
from pyskl.errors import InputError
from pyskl.skeleton import SkeletonLayout

Sample = dict[str, Any]
Pipeline = Sequence[Mapping[str, Any] | Transform]

# Section headings already name the transforms.
_STYLE = """
.skeleton-player .title { display: none; }
#overview td:nth-child(2) { white-space: nowrap; }
"""


@dataclass(frozen=True)
class PipelineStep:
    """A sample after a transform.

    Attributes:
        name: Class of the transform; for the first step, a description of the input.
        arguments: As in the config.
        keys: The keys of the sample, with a description of each value.
        changed: Keys that the transform added or changed.
        removed: Keys that it removed.
        clips: One clip for each stream; none if the joints did not change.
        remark: Why there are no clips.
    """

    name: str
    arguments: Mapping[str, Any]
    keys: Mapping[str, str]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    clips: tuple[Clip, ...]
    remark: str = ""


def trace_pipeline(
    pipeline: Pipeline,
    sample: Mapping[str, Any],
    layout: SkeletonLayout,
    *,
    seed: int = 0,
    index: int = 0,
    fps: float = 30.0,
    up: Up | None = None,
) -> list[PipelineStep]:
    """Apply a pipeline to a sample and record the sample after every transform.

    Bones and motions have no position, so they are drawn as arrows on the joints that the same
    pipeline gives with ``feats=['j']``.

    Args:
        pipeline: As for :class:`pyskl.datasets.pipelines.Compose`.
        sample: As a data set passes it to its pipeline; it is not modified.
        layout: The skeleton.
        seed: Seeds random transforms, together with the index.
        index: Index of the sample.
        fps: Frames per second of the clips.
        up: The upward axis of 3D data before ``PreNormalize3D``, which turns it to z. By default
            guessed.

    Returns:
        The input, and one step for each transform.

    Raises:
        ConfigError: for an invalid pipeline.
        InputError: if a transform fails; ``key`` is the transform.
    """
    states = _apply(pipeline, sample, seed, index)
    joint_states = states
    if any(_streams(transform) not in (None, ("j",)) for transform, _ in states):
        joints_only: list[Transform] = [
            GenSkeFeat(transform.layout, ["j"]) if isinstance(transform, GenSkeFeat) else transform
            for transform in Compose(pipeline).transforms
        ]
        joint_states = _apply(joints_only, sample, seed, index)
    steps: list[PipelineStep] = []
    streams: tuple[Stream, ...] = ("j",)
    before: Sample = {}
    for number, ((transform, after), (_, joints)) in enumerate(zip(states, joint_states)):
        streams = _streams(transform) or streams
        if isinstance(transform, PreNormalize3D) and transform.align_spine:
            up = "z"
        clips: tuple[Clip, ...] = ()
        remark = "the joints are unchanged"
        if number == 0 or not all(
            _equal(_as_array(before.get(key)), _as_array(after.get(key)))
            for key in ("keypoint", "keypoint_score")
        ):
            title = f"{number} {_name(transform)}" if transform else "as it is"
            try:
                clips = _clips(after, joints, streams, layout, title)
                clips, remark = tuple(clip.replaced(fps=fps, up=up) for clip in clips), ""
            except InputError as error:
                remark = f"not drawn: {error}"
        changed = tuple(key for key in after if not _equal(before.get(key), after[key]))
        steps.append(
            PipelineStep(
                name=_name(transform) if transform else "the sample as it is",
                arguments=_arguments(pipeline, number - 1, transform),
                keys={str(key): describe_value(value) for key, value in after.items()},
                changed=changed if number else (),
                removed=tuple(str(key) for key in before if key not in after),
                clips=clips,
                remark=remark,
            )
        )
        before = after
    return steps


def steps_page(title: str, steps: Sequence[PipelineStep], layout: SkeletonLayout) -> str:
    """Return a self-contained page with a section for each transform.

    Args:
        title: Plain text.
        steps: From :func:`trace_pipeline`.
        layout: The skeleton.

    Raises:
        InputError: if the layout does not match.
    """
    clips = [clip for step in steps for clip in step.clips]
    # Transforms may rotate the axes, so the upward axis is guessed for each clip.
    _, scripts, styles, data = player_html(clips, layout, guess_together=False)
    rows = [
        [
            number,
            step.name,
            step.keys.get("keypoint"),
            ", ".join(step.changed) or None,
            ", ".join(step.removed) or None,
        ]
        for number, step in enumerate(steps)
    ]
    headers = ["", "transform", "keypoint after it", "added or changed", "removed"]
    sections = [Section("Overview", table(headers, rows))]
    index = 0
    for number, step in enumerate(steps):
        body = ""
        if step.arguments:
            arguments = ", ".join(f"{key}={value!r}" for key, value in step.arguments.items())
            body += f"<p><code>{escape(step.name)}({escape(arguments)})</code></p>"
        if step.remark:
            body += f'<p class="faint">{escape(step.remark)}</p>'
        players = ""
        for clip in step.clips:
            players += player_tag(index, clip.title)
            index += 1
        keys = [
            [key, words, "changed" if key in step.changed else ""]
            for key, words in step.keys.items()
        ]
        keys += [[key, "", "removed"] for key in step.removed]
        values = table(["key", "value", ""], keys)
        body += f'<div class="row">{players}<div>{values}</div></div>'
        heading = f"{number} {step.name}" if number else "0 As it is"
        sections.append(Section(heading, body, anchor=f"step-{number}"))
    return page(title, sections, scripts=scripts, styles=(*styles, _STYLE), data=data)


def describe_value(value: Any) -> str:
    """Return a short description: shape, dtype and range of arrays, ``repr`` of other values."""
    if hasattr(value, "numpy"):
        return f"tensor: {describe_value(_as_array(value))}"
    if isinstance(value, np.ndarray):
        text = f"{value.shape} {value.dtype}"
        if value.size == 0 or value.dtype.kind not in "iufb":
            return text
        with np.errstate(invalid="ignore"):
            low, high = np.nanmin(value), np.nanmax(value)
        return f"{text}, {float(low):.4g} to {float(high):.4g}"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _apply(
    pipeline: Pipeline, sample: Mapping[str, Any], seed: int, index: int
) -> list[tuple[Transform | None, Sample]]:
    """Return the input and the sample after each transform."""
    states: list[tuple[Transform | None, Sample]] = [(None, dict(sample))]
    transforms = Compose(pipeline).transforms
    for number, transform in enumerate(transforms, start=1):
        try:
            # Run from the start each time, so that random numbers are those of a whole run.
            with sample_randomness(seed, 0, index):
                found = Compose(transforms[:number])(dict(sample))
        except Exception as error:  # transforms may raise anything
            problem = str(error) if isinstance(error, ValueError) else repr(error)
            where = f"transform {number} of the pipeline, {_name(transform)}"
            raise InputError(problem, key=where) from error
        states.append((transform, found))
    return states


def _streams(transform: Transform | None) -> tuple[Stream, ...] | None:
    """Return the streams that a transform concatenates as channels, or None."""
    if isinstance(transform, GenSkeFeat):
        return cast("tuple[Stream, ...]", transform.feats)
    return None


def _clips(
    after: Sample,
    joints: Sample,
    streams: tuple[Stream, ...],
    layout: SkeletonLayout,
    title: str,
) -> tuple[Clip, ...]:
    """Return a clip for each stream in the keypoints; raises InputError if it can't be drawn."""
    keypoint, notes = _drawable(after)
    if streams == ("j",):
        clip = Clip(keypoint, score=after.get("keypoint_score"), title=title, notes=notes)
        clip.check_layout(layout)
        return (clip,)
    clip = Clip(_drawable(joints)[0], title=title, notes=notes)
    clip.check_layout(layout)
    return tuple(
        clip.replaced(notes=(*notes, STREAM_NAMES["j"]))
        if stream == "j"
        else with_arrows(clip, part, stream)
        for stream, part in zip(streams, np.split(keypoint, len(streams), axis=-1))
    )


def _drawable(sample: Sample) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return keypoints as (M, T, V, C), with a note if several clips were joined."""
    if sample.get("keypoint") is None:
        raise InputError("the sample has no keypoint")
    keypoint = np.asarray(_as_array(sample["keypoint"]))
    if keypoint.ndim != 5:
        return keypoint, ()
    N, M, T, V, C = keypoint.shape  # N clips
    note = f"{N} clips of {T} frames, one after the other"
    return keypoint.swapaxes(0, 1).reshape(M, N * T, V, C), (note,) if N > 1 else ()


def _as_array(value: Any) -> Any:
    return value.numpy() if hasattr(value, "numpy") else value


def _equal(before: Any, after: Any) -> bool:
    """Return whether a transform left a value unchanged."""
    if before is after:
        return True
    if type(before) is not type(after):
        return False
    before, after = _as_array(before), _as_array(after)
    if isinstance(before, np.ndarray):
        return before.dtype == after.dtype and bool(
            np.array_equal(before, after, equal_nan=before.dtype.kind == "f")
        )
    try:
        return bool(before == after)
    except ValueError:  # arrays inside containers
        return False


def _name(transform: Transform | None) -> str:
    return getattr(transform, "__name__", type(transform).__name__)


def _arguments(pipeline: Pipeline, number: int, transform: Transform | None) -> dict[str, Any]:
    """Return a transform's arguments in the config, or nothing if the pipeline is nested."""
    config = pipeline[number] if 0 <= number < len(pipeline) else None
    if not isinstance(config, Mapping):
        return {}
    kind = config.get("type")
    name = kind if isinstance(kind, str) else getattr(kind, "__name__", "")
    if name.removeprefix("pyskl.") != _name(transform):
        return {}
    return {
        # A layout that is spelled out is shown by its name.
        key: value.get("name", "custom layout")
        if isinstance(value, Mapping) and {"edges", "inward"} & set(value)
        else value
        for key, value in config.items()
        if key != "type"
    }
