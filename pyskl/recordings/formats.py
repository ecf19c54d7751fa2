"""The registry of formats, and functions that read a recording in any of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pyskl.errors import did_you_mean
from pyskl.recordings import (
    alphapose,
    arrays,
    coco,
    mediapipe,
    mmpose,
    openpose,
    skeleton_json,
    tables,
)
from pyskl.recordings.input_file import InputFile
from pyskl.recordings.mocap import amc, bvh, c3d_file
from pyskl.recordings.ntu import skeleton_file
from pyskl.recordings.numbers import brief, listed
from pyskl.recordings.reader import Reader, ReadOptions
from pyskl.recordings.recording import Recording, RecordingError
from pyskl.skeleton import LayoutError, resolve_layout

FORMATS: Mapping[str, Reader] = MappingProxyType(
    {
        reader.name: reader
        for reader in (
            tables.READER,
            arrays.NPY_READER,
            arrays.NPZ_READER,
            coco.READER,
            alphapose.READER,
            openpose.READER,
            skeleton_json.KINETICS_READER,
            skeleton_json.NWUCLA_READER,
            mmpose.READER,
            mediapipe.READER,
            skeleton_file.READER,
            bvh.READER,
            amc.READER,
            c3d_file.READER,
        )
    }
)
"""The readers by the name of their format (read-only)."""


def read_recording(path: str | Path, *, format: str = "auto", **options: Any) -> Recording:
    """Read a file or folder with one recording.

    Args:
        path: The file; for OpenPose the folder of the video.
        format: A name of :data:`FORMATS`, or ``'auto'``.
        options: Fields of :class:`~pyskl.recordings.ReadOptions`, such as ``persons=2`` or
            ``image_size=(1080, 1920)``; ``layout`` may be given by name.

    Raises:
        RecordingError: if it can't be read, with the file, the place in it, what was found and
            what was expected; or if it holds several recordings.

    Example:
        >>> read_recording('squat.bvh').keypoint.shape  # doctest: +SKIP
        (1, 120, 31, 3)
    """
    found = read_recordings(path, format=format, **options)
    if len(found) != 1:
        raise RecordingError(
            "the file holds several recordings",
            file=path,
            found=len(found),
            expected="one",
            hint="read_recordings returns all of them",
        )
    return found[0]


def read_recordings(path: str | Path, *, format: str = "auto", **options: Any) -> list[Recording]:
    """Read all recordings in a file or folder, at least one.

    Tables may hold several (a column ``recording``), COCO annotations several videos (folders in
    ``file_name``); their names are then the file's stem, a slash, and their own. Arguments and
    errors are those of :func:`read_recording`.
    """
    path = Path(path)
    if options.get("layout") is not None:
        options["layout"] = resolve_layout(options["layout"])
    settings = ReadOptions(**options)
    if not path.exists():
        raise RecordingError(
            "there is no such file", file=path, hint=f"looked in {path.parent.resolve()}"
        )
    if not path.is_file() and not path.is_dir():  # reading a pipe or a device would never end
        raise RecordingError("this is not a regular file", file=path)
    file = InputFile(path)
    try:
        if format == "auto":
            reader = _detect(file)
        elif format in FORMATS:
            reader = FORMATS[format]
        else:
            raise RecordingError(f"there is no format {format!r}{did_you_mean(format, FORMATS)}")
        return reader.read(file, settings)
    except RecordingError as error:
        raise error.in_file(path) from error
    except LayoutError as error:
        raise RecordingError("wrong skeleton", file=path, found=str(error)) from error
    except OSError as error:
        raise RecordingError("the file can't be read", file=path, found=str(error)) from error


def _detect(file: InputFile) -> Reader:
    """Return the reader of a file by its suffix, and by its content if several share the suffix."""
    suffix = "/" if file.path.is_dir() else file.path.suffix.lower()
    candidates = [reader for reader in FORMATS.values() if suffix in reader.suffixes]
    if len(candidates) == 1 and suffix != "/":
        return candidates[0]
    for reader in candidates:
        if reader.sniff(file):
            return reader
    if suffix == "/":
        raise RecordingError(
            "this folder is not a recording",
            expected="the frames of OpenPose (*_keypoints.json) in it",
            hint="give the files in it instead",
        )
    if candidates:
        raise RecordingError(
            "the content matches no known format",
            found=_outline(file) if suffix == ".json" else None,
            expected=f"one of {', '.join(reader.name for reader in candidates)}",
            hint="docs/convert.md describes them; or give the format (format, --format)",
        )
    known = sorted({suffix for reader in FORMATS.values() for suffix in reader.suffixes} - {"/"})
    raise RecordingError(
        "the format is unknown",
        found=suffix or "a name without suffix",
        expected=f"{', '.join(known)} or a folder of OpenPose",
        hint="give the format (format, --format)",
    )


def _outline(file: InputFile) -> str:
    """Return what a JSON file holds, with the keys of its first dict."""
    content, outer = file.json, ""
    while isinstance(content, list) and content:
        content, outer = content[0], f"{outer}a list of "
    if isinstance(content, dict):
        return f"{outer}{'dicts' if outer else 'a dict'} with the keys {listed(list(content))}"
    return f"{outer}{brief(content)}"
