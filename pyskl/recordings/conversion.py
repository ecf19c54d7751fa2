"""Convert folders of recordings to one annotation file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pyskl.errors import ConfigError, InputError, did_you_mean
from pyskl.files.atomic import unwritable, write_text
from pyskl.recordings.annotation_writer import AnnotationWriter
from pyskl.recordings.conversion_report import ConversionReport
from pyskl.recordings.discovery import RecordingPath, find_recordings
from pyskl.recordings.formats import FORMATS, read_recordings
from pyskl.recordings.labelled_arrays import convert_labelled_arrays, labelled_parts
from pyskl.recordings.labels import Labels, SampleInfo
from pyskl.recordings.numbers import listed
from pyskl.recordings.recording import Recording, RecordingError
from pyskl.recordings.splits import SplitPlan, make_splits
from pyskl.skeleton import SkeletonLayout, layout_to_json, layout_with, resolve_layout
from pyskl.skeleton.joint_names import as_in_layout


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
    progress: Callable[[list[RecordingPath]], Iterable[RecordingPath]] = iter,
    **options: Any,
) -> ConversionReport:
    """Convert recordings, as ``tools/data/convert.py`` does.

    Arrays of whole data sets (:mod:`pyskl.recordings.labelled_arrays`) have their own labels and
    splits.

    Args:
        sources: Files and folders of recordings.
        out: The annotation file to write.
        format: A name of :data:`~pyskl.recordings.FORMATS`, or ``'auto'``.
        labels: ``'folders'``: the folder of a recording is its class; or a table with the columns
            name, label, and optionally subject, camera, split.
        label_from: A regular expression that finds the label in the id of a recording.
        name_pattern: A regular expression with named groups ``label``, ``subject``, ``camera``.
        split: How to split; by default by the table's column ``split`` if it has no empty cells,
            else 80 % of each class for training and the rest for validation.
        layout: The skeleton; joints with names are put in its order.
        layout_out: Where to write ``layout``, or else the skeleton in motion capture files, as
            ``.json``.
        frame_step: Keep every ``frame_step``-th frame.
        to_fps: Keep every k-th frame, with the k that gives about this frame rate.
        scale: Factor for all coordinates.
        strict: Raise an error for a recording that can't be used, instead of leaving it out.
        progress: Wraps the loop over the files, like ``tqdm``.
        options: Fields of :class:`~pyskl.recordings.ReadOptions`.

    Raises:
        InputError: for invalid options, if no recording can be used or, with ``strict``, if one
            can't. No file is written then.
        WriteError: if the file can't be written.
    """
    out = Path(out)
    _check_options(out, format, frame_step, to_fps, scale)
    parts = labelled_parts(sources) if format == "auto" else []
    if parts:
        given = {
            "labels": labels != "folders",
            "label_from": label_from,
            "name_pattern": name_pattern,
            "split": split,
            "frame_step": frame_step != 1,
            "to_fps": to_fps,
            "layout_out": layout_out,
        }
        for key, value in given.items():
            if value:
                raise ConfigError(
                    "does not apply to arrays that have their labels and splits",
                    file=parts[0].file,
                    key=key,
                )
        return convert_labelled_arrays(parts, sources, out, layout, scale)
    skeleton = None if layout is None else resolve_layout(layout)
    table = None if labels == "folders" else Path(labels)
    no_recordings = [out, *(split.lists if split else ()), *([table] if table else [])]
    found = find_recordings(sources, format=format, without=no_recordings)
    if any(path.path.resolve() == out.resolve() for path in found.paths):
        raise ConfigError("this is one of the recordings; write to another file", file=out)
    known = Labels(found.paths, table=table, label_from=label_from, name_pattern=name_pattern)
    report = ConversionReport(out, ignored=found.ignored)
    infos: dict[str, SampleInfo] = {}
    first: Recording | None = None
    sizes: set[tuple[int, int] | None] = set()
    not_read: dict[str, None] = {}  # columns, in order

    def leave_out(what: str, error: InputError) -> None:
        if strict:
            raise error
        report.failures.append((what, error))

    with AnnotationWriter(out, known.names) as writer:
        for path in progress(found.paths):
            try:
                recordings = read_recordings(path.path, format=format, layout=skeleton, **options)
            except InputError as error:
                leave_out(str(path.path), error)
                continue
            for recording in recordings:
                recording = replace(recording, name=path.name_of(recording))
                info = known.info(path, recording.name)
                try:
                    recording = _subsampled(recording, frame_step, to_fps).scaled(scale)
                    if info.label is None:
                        raise RecordingError(
                            "there is no row for it in the table"
                            if table
                            else "the regular expression finds no label in its id",
                            sample=recording.name,
                        )
                    label = int(info.label) if known.names is None else info.label
                    sample = writer.add(_with_layout(recording, skeleton), label)
                except InputError as error:
                    leave_out(recording.name, error)
                    continue
                first = first or replace(recording, keypoint=recording.keypoint[:1, :1], score=None)
                infos[recording.name] = info
                sizes.add(sample.get("img_shape"))
                not_read.update(dict.fromkeys(recording.left_out))
                report.frames.append(sample["total_frames"])
                report.persons[len(recording.keypoint)] += 1
        if first is None:
            head = f"none of the {len(found.paths)} recordings can be used:"
            raise RecordingError("\n  ".join([head, *report.reasons()]))
        report.joints, report.dim = first.keypoint.shape[2:]
        if split is None:
            in_table = table is not None and all(info.split for info in infos.values())
            split = SplitPlan(by="table" if in_table else "ratio")
        try:
            splits = make_splits(infos, split)
        except RecordingError as error:
            raise error.in_file(out) from error
        writer.assign(splits)
        report.splits = {name: len(ids) for name, ids in splits.items()}
        counts = Counter(writer.ids.values())
        names = known.names or tuple(map(str, range(max(counts) + 1)))
        report.classes = {name: counts[label] for label, name in enumerate(names)}
        _report_layout(report, first, skeleton, layout, layout_out)
    _add_notes(report, known, infos, splits, sizes)
    if not_read:
        report.notes.append(f"columns that are not read: {listed(list(not_read))}")
    return report


def _check_options(
    out: Path, format: str, frame_step: int, to_fps: float | None, scale: float
) -> None:
    if format != "auto" and format not in FORMATS:
        raise ConfigError(f"there is no format {format!r}{did_you_mean(format, FORMATS)}")
    if out.suffix.lower() not in (".pkl", ".pickle"):
        raise ConfigError("an annotation file ends in .pkl", file=out)
    reason = unwritable(out)
    if reason is not None:
        raise ConfigError(f"the file can't be written ({reason})", file=out)
    if frame_step < 1:
        raise ConfigError("invalid step", key="frame_step", found=frame_step, expected="1 or more")
    if to_fps is not None and frame_step != 1:
        raise ConfigError("give to_fps or frame_step, not both", key="to_fps")
    if to_fps is not None and not 0 < to_fps < 1e6:
        raise ConfigError("invalid frame rate", key="to_fps", found=to_fps, expected="above 0")
    if not 0 < abs(scale) < 1e9:
        raise ConfigError("invalid factor", key="scale", found=scale, expected="other than 0")


def _subsampled(recording: Recording, frame_step: int, to_fps: float | None) -> Recording:
    if to_fps is None:
        return recording.subsampled(frame_step)
    if recording.fps is None:
        raise RecordingError(
            "the frames per second are unknown",
            sample=recording.name,
            hint="give them (fps, --fps)",
        )
    return recording.subsampled(max(1, round(recording.fps / to_fps)))


def _with_layout(recording: Recording, layout: SkeletonLayout | None) -> Recording:
    """Return a recording in the layout that the user gave, if any.

    Joints with the layout's names are put in its order; others are taken to be in it already.
    """
    if layout is None:
        return recording
    joints = recording.keypoint.shape[2]
    if joints != layout.num_joints:
        raise RecordingError(
            "wrong number of joints",
            sample=recording.name,
            found=joints,
            expected=f"{layout.num_joints} of the layout {layout.name!r}",
        )
    names = layout.joint_names
    recording = replace(recording, joint_names=as_in_layout(recording.joint_names, layout))
    if names and set(recording.joint_names) == set(names):
        recording = recording.reordered(names)
    return replace(recording, layout=layout.name, joint_names=names or recording.joint_names)


def _report_layout(
    report: ConversionReport,
    first: Recording,
    skeleton: SkeletonLayout | None,
    given: str | SkeletonLayout | None,
    layout_out: str | Path | None,
) -> None:
    """Write ``layout_out``, and report the layout of the joints."""
    report.layout = first.layout
    if skeleton is not None:
        report.layout = given if isinstance(given, str) else skeleton.name
    if layout_out is not None:
        path, own = Path(layout_out), skeleton or first.own_layout
        if own is None:
            raise ConfigError(
                "the recordings describe no skeleton that could be written",
                key="layout_out",
                hint=f"it is the built-in layout {first.layout!r}" if first.layout else None,
            )
        try:
            write_text(path, layout_to_json(replace(own, name=path.stem)))
        except OSError as error:
            raise ConfigError("it can't be written", file=path, found=str(error)) from error
        report.layout = str(path)
    elif first.own_layout is not None and skeleton is None:
        report.notes.append(
            "the files describe their skeleton; --layout-out FILE.json writes it as a layout for "
            "configs"
        )
    if report.layout is not None:
        return
    same = layout_with(first.joint_names)
    if same is not None:
        names = as_in_layout(first.joint_names, same)
        order = "in the same order" if names == same.joint_names else "IN ANOTHER ORDER"
        report.notes.append(
            f"the joints have the names of {same.name!r}, {order}; use --layout {same.name}"
        )
    elif not report.notes:
        report.notes.append(
            "no layout is known for these joints; a config needs one (docs/data.md)"
        )


def _add_notes(
    report: ConversionReport,
    known: Labels,
    infos: dict[str, SampleInfo],
    splits: dict[str, list[str]],
    sizes: set[tuple[int, int] | None],
) -> None:
    """Add what is worth knowing before training."""
    notes = report.notes
    if report.dim == 2 and None in sizes:
        notes.append(
            "some samples have no image size, so PreNormalize2D takes 1080 x 1920; give it with "
            "--img-shape HEIGHT WIDTH"
        )
    if (1, 1) in sizes:
        notes.append(
            "coordinates go from 0 to 1, so the aspect ratio of the image is lost; --img-shape "
            "HEIGHT WIDTH converts them to pixels"
        )
    empty = [name for name, count in report.classes.items() if not count]
    if empty:
        notes.append(f"no sample has the class {listed(empty)}")
    if len(report.classes) < 2:
        notes.append("there is only one class; --labels and --label-from define the classes")
    unused = known.unused(set(infos))
    if unused:
        notes.append(f"{len(unused)} rows of the table have no recording: {listed(unused, 4)}")
    trained = {infos[name].label for name in splits.get("train", ())}
    for split, ids in splits.items():
        unseen = sorted({infos[name].label or "" for name in ids} - trained)
        if unseen and "train" in splits:
            notes.append(f"split {split} has classes that train lacks: {listed(unseen)}")
