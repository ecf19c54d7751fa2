"""The formats that recordings come in, and how a file's format is told from its looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pyskl.errors import did_you_mean
from pyskl.recordings import alphapose, arrays, coco, mediapipe, openpose, tables
from pyskl.recordings.json_file import read_json
from pyskl.recordings.mocap import amc, bvh, c3d_file
from pyskl.recordings.ntu import recording_from_skeleton
from pyskl.recordings.options import ReadOptions
from pyskl.recordings.recording import Recording, RecordingError
from pyskl.skeleton import resolve_layout


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        name: What ``--format`` calls it.
        suffixes: Of its files, in lower case; ``'/'`` for a folder.
        description: What is read, in one line.
        recognised: What ``'auto'`` knows it by.
        read: Reads all recordings of a file or folder.
    """

    name: str
    suffixes: tuple[str, ...]
    description: str
    recognised: str
    read: Callable[[Path, ReadOptions], list[Recording]]


def _skeleton(path: Path, options: ReadOptions) -> list[Recording]:
    return [recording_from_skeleton(path)]


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        format.name: format
        for format in (
            Format(
                "csv",
                (".csv", ".tsv"),
                "tables with a row for each joint, or a row for each frame",
                "suffix .csv or .tsv",
                tables.read,
            ),
            Format(
                "npy",
                (".npy",),
                "one array (T, V, C) or (M, T, V, C)",
                "suffix .npy",
                arrays.read_npy,
            ),
            Format(
                "npz",
                (".npz",),
                "arrays keypoint, and if there keypoint_score, img_shape, fps",
                "suffix .npz",
                arrays.read_npz,
            ),
            Format(
                "coco",
                (".json",),
                "COCO keypoints: an annotation file, or a list of results",
                "a dict with 'annotations', or a list of dicts with 'keypoints'",
                coco.read,
            ),
            Format(
                "alphapose",
                (".json",),
                "alphapose-results.json in its forms default, cmu and open",
                "as coco but with image names or 'idx'; or a dict by image name",
                alphapose.read,
            ),
            Format(
                "openpose",
                ("/",),
                "folder of OpenPose's NAME_000000000000_keypoints.json, one for each frame",
                "a folder with *_keypoints.json",
                openpose.read,
            ),
            Format(
                "mediapipe",
                (".json", ".jsonl"),
                "landmarks of MediaPipe (pose or hand), one entry for each frame",
                "dicts with x and y inside; suffix .jsonl",
                mediapipe.read,
            ),
            Format(
                "skeleton",
                (".skeleton",),
                "NTU RGB+D skeletons, 25 joints",
                "suffix .skeleton",
                _skeleton,
            ),
            Format(
                "bvh",
                (".bvh",),
                "Biovision hierarchy with motion; joint positions by forward kinematics",
                "suffix .bvh",
                bvh.read,
            ),
            Format(
                "amc",
                (".amc",),
                "Acclaim motion, with the .asf skeleton beside it",
                "suffix .amc",
                amc.read,
            ),
            Format(
                "c3d",
                (".c3d",),
                "optical markers (needs the package c3d)",
                "suffix .c3d",
                c3d_file.read,
            ),
        )
    }
)
"""The formats by name (read-only)."""

_JSON: Mapping[str, Callable[[Any, Path, ReadOptions], list[Recording]]] = {
    "coco": coco.parse,
    "alphapose": alphapose.parse,
    "mediapipe": mediapipe.parse,
}


def read_recording(path: str | Path, *, format: str = "auto", **options: Any) -> Recording:
    """Read the one recording that a file or folder holds.

    Args:
        path: The file; for OpenPose the folder of the video.
        format: A name of :data:`FORMATS`, or ``'auto'``.
        options: Fields of :class:`~pyskl.recordings.options.ReadOptions`, such as
            ``persons=2`` or ``image_size=(1080, 1920)``; ``layout`` may be given by name.

    Raises:
        RecordingError: if it can't be read, with the file, the place in it, what was found and
            what would do; or if it holds several recordings.

    Example:
        >>> read_recording('squat.bvh').keypoint.shape  # doctest: +SKIP
        (1, 120, 31, 3)
    """
    found = read_recordings(path, format=format, **options)
    if len(found) != 1:
        raise RecordingError(
            f"{path} holds {len(found)} recordings ({found[0].name}, {found[1].name} ...), one was "
            "asked for; read_recordings gives all of them"
        )
    return found[0]


def read_recordings(path: str | Path, *, format: str = "auto", **options: Any) -> list[Recording]:
    """Read all recordings that a file or folder holds, at least one.

    Tables may hold several (a column ``recording``), COCO annotations several videos (folders in
    ``file_name``); then their names are the file's and, after a slash, their own. Arguments and
    errors as of :func:`read_recording`.
    """
    path = Path(path)
    if options.get("layout") is not None:
        options["layout"] = resolve_layout(options["layout"])
    settings = ReadOptions(**options)
    if not path.exists():
        raise RecordingError(f"{path}: there is no such file (looked in {path.parent.resolve()})")
    if not path.is_file() and not path.is_dir():  # a pipe or device would never end
        raise RecordingError(f"{path} is not a regular file")
    try:
        if format == "auto":
            name = format_of(path)
            if name is None:
                content = read_json(path)
                return _JSON[_json_format(content, path)](content, path, settings)
            format = name
        if format not in FORMATS:
            raise RecordingError(f"there is no format {format!r}{did_you_mean(format, FORMATS)}")
        return FORMATS[format].read(path, settings)
    except OSError as error:
        raise RecordingError(f"{path}: it can't be read ({error})") from error


def format_of(path: Path) -> str | None:
    """Return the name of the format that a path looks like; None for JSON, whose content tells.

    Raises:
        RecordingError: if it looks like none.
    """
    if path.is_dir():
        if openpose.is_recording(path):
            return "openpose"
        raise RecordingError(
            f"{path}: this folder has no *_keypoints.json, so it is no recording of OpenPose; give "
            "the files in it"
        )
    suffix = path.suffix.lower()
    if suffix == ".json":
        return None
    for format in FORMATS.values():
        if suffix in format.suffixes:
            return format.name
    known = sorted({suffix for format in FORMATS.values() for suffix in format.suffixes} - {"/"})
    raise RecordingError(
        f"{path}: {f'the suffix {suffix}' if suffix else 'a name without suffix'} says nothing of "
        f"its format; known are {', '.join(known)} and folders of OpenPose, or give the format"
    )


def _json_format(content: Any, path: Path) -> str:
    for name, looks in (
        ("alphapose", alphapose.looks_like_it),
        ("coco", coco.looks_like_it),
        ("mediapipe", mediapipe.looks_like_it),
    ):
        if looks(content):
            return name
    raise RecordingError(
        f"{path}: this JSON looks like none of coco, alphapose and mediapipe (docs/convert.md has "
        "their forms); if it is one of them, say which with the format"
    )
