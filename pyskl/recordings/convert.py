"""From folders of recordings to one annotation file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pyskl.errors import ConfigError, InputError, did_you_mean
from pyskl.files.atomic import unwritable, write_text
from pyskl.recordings.formats import FORMATS, read_recordings
from pyskl.recordings.labels import Facts, Labels
from pyskl.recordings.numbers import listed
from pyskl.recordings.recording import Recording, RecordingError
from pyskl.recordings.sources import Source, find_sources
from pyskl.recordings.splits import SplitPlan, make_splits
from pyskl.recordings.summary import Failure, Summary
from pyskl.recordings.writer import AnnotationWriter
from pyskl.skeleton import SkeletonLayout, layout_to_json, layout_with, resolve_layout


def convert(
    sources: Sequence[str | Path],
    out: str | Path,
    *,
    format: str = "auto",
    labels: str | Path = "folders",
    label_from: str | None = None,
    name_pattern: str | None = None,
    split: SplitPlan | None = None,
    layout: str | SkeletonLayout | None = None,
    layout_out: str | Path | None = None,
    frame_step: int = 1,
    to_fps: float | None = None,
    scale: float = 1.0,
    strict: bool = False,
    progress: Callable[[list[Source]], Iterable[Source]] = iter,
    **options: Any,
) -> Summary:
    """Do what ``tools/data/convert.py`` does.

    Args:
        sources: Files and folders of recordings.
        out: The annotation file to write.
        format: A name of :data:`~pyskl.recordings.FORMATS`, or ``'auto'``.
        labels: ``'folders'``, where each recording's folder is its class, or a table with the
            columns name, label, and subject, camera, split where known.
        label_from: A regular expression that finds the label in the id of a recording.
        name_pattern: One with named groups ``label``, ``subject``, ``camera``.
        split: How to split; by default 80 % of each class train, the others validate, or where the
            table has a column ``split``, as it says.
        layout: The skeleton; puts joints with names into its order.
        layout_out: Where to write the skeleton that mocap files describe, as ``.json``.
        frame_step: Keep every ``frame_step``-th frame.
        to_fps: Keep every k-th frame so that about as many are left per second.
        scale: Times all coordinates.
        strict: Refuse to leave out recordings that can't be read.
        progress: Goes through the sources, and may show how far it is.
        options: See :class:`~pyskl.recordings.options.ReadOptions`.

    Raises:
        InputError: if nothing can be read, or with ``strict`` if something can't, or the options
            don't go together. The file is not written then.
    """
    out = Path(out)
    _check_options(out, format, frame_step, to_fps, scale)
    skeleton = None if layout is None else resolve_layout(layout)
    table = None if labels == "folders" else Path(labels)
    beside = [out, *(split.lists if split else ()), *([table] if table else [])]
    found = find_sources(sources, format=format, without=beside)
    if any(source.path.resolve() == out.resolve() for source in found.sources):
        raise ConfigError(f"{out} is one of the recordings; write to another file")
    known = Labels(found.sources, table=table, label_from=label_from, name_pattern=name_pattern)
    summary = Summary(out, ignored=found.ignored)
    facts: dict[str, Facts] = {}
    kept: Recording | None = None
    sizes: set[tuple[int, int] | None] = set()
    with AnnotationWriter(out, known.names) as writer:
        for source in progress(found.sources):
            try:
                recordings = read_recordings(source.path, format=format, layout=skeleton, **options)
            except InputError as error:
                _fail(summary, str(source.path), error, strict)
                continue
            for recording in recordings:
                recording = replace(recording, name=source.name_of(recording))
                about = known.of(source, recording.name)
                try:
                    recording = _thinned(recording, frame_step, to_fps).scaled(scale)
                    if about.label is None:
                        raise RecordingError(f"{recording.name}: {known.why_not(source)}")
                    label = int(about.label) if known.names is None else about.label
                    sample = writer.add(_checked(recording, skeleton), label)
                except InputError as error:
                    _fail(summary, recording.name, error, strict)
                    continue
                kept = kept or replace(recording, keypoint=recording.keypoint[:1, :1], score=None)
                facts[recording.name] = about
                sizes.add(sample.get("img_shape"))
                summary.frames.append(sample["total_frames"])
                summary.persons[len(recording.keypoint)] += 1
        if kept is None:
            raise RecordingError(
                "\n  ".join(
                    [
                        f"none of the {len(found.sources)} recordings can be used:",
                        *summary.reasons(),
                    ]
                )
            )
        summary.joints, summary.dim = kept.keypoint.shape[2:]
        if split is None:
            in_table = table is not None and all(each.split for each in facts.values())
            split = SplitPlan(by="table" if in_table else "ratio")
        try:
            splits = make_splits(facts, split)
        except RecordingError as error:
            raise RecordingError(f"{out}: {error}") from error
        writer.assign(splits)
        summary.splits = {name: len(ids) for name, ids in splits.items()}
        summary.classes = _counted(writer)
        _write_layout(summary, kept, skeleton, layout, layout_out)
        _note_layout(summary, kept)
    _note(summary, known, facts, splits, sizes)
    return summary


def _check_options(
    out: Path, format: str, frame_step: int, to_fps: float | None, scale: float
) -> None:
    if format != "auto" and format not in FORMATS:
        raise ConfigError(f"there is no format {format!r}{did_you_mean(format, FORMATS)}")
    if out.suffix.lower() not in (".pkl", ".pickle"):
        raise ConfigError(f"{out}: an annotation file ends in .pkl")
    reason = unwritable(out)
    if reason is not None:
        raise ConfigError(f"{out} can't be written ({reason})")
    if frame_step < 1:
        raise ConfigError(f"frame_step is {frame_step}, expected 1 or more")
    if to_fps is not None and (frame_step != 1 or not 0 < to_fps < 1e6):
        raise ConfigError(
            f"to_fps is {to_fps:g}"
            + (" beside frame_step, give one of them" if frame_step != 1 else ", expected above 0")
        )
    if not 0 < abs(scale) < 1e9:
        raise ConfigError(f"scale is {scale:g}, expected a factor other than 0")


def _fail(summary: Summary, what: str, error: InputError, strict: bool) -> None:
    if strict:
        raise error
    summary.failures.append(Failure(what, str(error)))


def _thinned(recording: Recording, frame_step: int, to_fps: float | None) -> Recording:
    if to_fps is None:
        return recording.every(frame_step)
    if recording.fps is None:
        raise RecordingError(
            f"{recording.name}: its frames per second are not known; say them (fps, --fps)"
        )
    return recording.every(max(1, round(recording.fps / to_fps)))


def _checked(recording: Recording, layout: SkeletonLayout | None) -> Recording:
    """Return a recording whose layout is the one that was given, if one was.

    Joints with the layout's names are put in its order; others are in it, as that was said.
    """
    if layout is None:
        return recording
    joints = recording.keypoint.shape[2]
    if joints != layout.num_joints:
        raise RecordingError(
            f"{recording.name}: {joints} joints, but the layout {layout.name!r} has "
            f"{layout.num_joints}"
        )
    names = layout.joint_names
    if names and set(recording.joint_names) == set(names):
        recording = recording.in_order(names)
    return replace(recording, layout=layout.name, joint_names=names or recording.joint_names)


def _counted(writer: AnnotationWriter) -> dict[str, int]:
    """Return the samples of each class, those without any included."""
    counts = Counter(writer.ids.values())
    if writer.label_names is None:
        return {str(label): counts[label] for label in range(max(counts) + 1)}
    return {name: counts[label] for label, name in enumerate(writer.label_names)}


def _write_layout(
    summary: Summary,
    kept: Recording,
    skeleton: SkeletonLayout | None,
    given: str | SkeletonLayout | None,
    layout_out: str | Path | None,
) -> None:
    own = skeleton or kept.own_layout
    if skeleton is not None:
        summary.layout = given if isinstance(given, str) else skeleton.name
    else:
        summary.layout = kept.layout
    if layout_out is None:
        if kept.own_layout is not None and skeleton is None:
            summary.notes.append(
                "the files describe a skeleton of their own; --layout-out FILE.json writes it, for "
                "configs to name as layout"
            )
        return
    path = Path(layout_out)
    if own is None:
        raise ConfigError(
            f"{path}: nothing to write, these recordings do not describe their skeleton"
            + (f"; it is the built-in layout {kept.layout!r}" if kept.layout else "")
        )
    try:
        write_text(path, layout_to_json(replace(own, name=path.stem)))
    except OSError as error:
        raise ConfigError(f"{path} can't be written ({error})") from error
    summary.layout = str(path)


def _note_layout(summary: Summary, kept: Recording) -> None:
    """Say which layout the names of the joints are of, where none was given."""
    if summary.layout is not None:
        return
    same = layout_with(kept.joint_names)
    if same is not None:
        order = "in that order" if kept.joint_names == same.joint_names else "IN ANOTHER ORDER"
        summary.notes.append(
            f"the joints have the names of {same.name!r}, {order}; say --layout {same.name}"
        )
    elif not summary.notes:
        summary.notes.append(
            "no layout is known for these joints; a config needs one (docs/data.md)"
        )


def _note(
    summary: Summary,
    known: Labels,
    facts: dict[str, Facts],
    splits: dict[str, list[str]],
    sizes: set[tuple[int, int] | None],
) -> None:
    """Say what is worth knowing before training."""
    notes = summary.notes
    if summary.dim == 2 and None in sizes:
        notes.append(
            "some samples have no image size, so PreNormalize2D takes 1080 x 1920 for it; say it "
            "with --img-shape HEIGHT WIDTH"
        )
    if (1, 1) in sizes:
        notes.append(
            "coordinates go from 0 to 1, so the shape of the image is lost; --img-shape HEIGHT "
            "WIDTH makes pixels of them"
        )
    empty = [name for name, count in summary.classes.items() if not count]
    if empty:
        notes.append(f"no sample has the class {listed(empty)}")
    if len(summary.classes) < 2:
        notes.append("there is one class only; --labels and --label-from say where classes are")
    unused = known.unused(set(facts))
    if unused:
        notes.append(f"{len(unused)} rows of the table have no recording: {listed(unused, 4)}")
    if "train" in splits:
        trained = {facts[name].label for name in splits["train"]}
        for split, ids in splits.items():
            unseen = sorted({facts[name].label or "" for name in ids} - trained)
            if unseen:
                notes.append(f"split {split} has classes that train has not: {listed(unseen)}")
