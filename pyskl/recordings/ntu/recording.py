"""One ``.skeleton`` file as a recording, for recognising it or converting it by itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pyskl.recordings.ntu.skeleton_file import SkeletonFileError, read_skeleton_file
from pyskl.recordings.ntu.tracks import NoBodyError, tracks_of

if TYPE_CHECKING:
    from pyskl.recordings.recording import Recording

# Of Kinect v2's depth camera, which the skeletons come from.
FRAMES_PER_SECOND = 30.0


def recording_from_skeleton(path: str | Path) -> Recording:
    """Read a ``.skeleton`` file into the one or two tracks that the annotation files have of it.

    Args:
        path: The file, of any name.

    Returns:
        ``keypoint`` (M, T, V, C) in metres, float32, M 1 or 2, V 25, C 3; the name is the file's
        stem. What the annotation files store is the same, rounded to float16.

    Raises:
        SkeletonFileError: if the file can't be read, is malformed or has no body that can be a
            person.

    Example:
        >>> recording_from_skeleton('S001C001P001R001A001.skeleton').keypoint.shape
        (1, 103, 25, 3)
    """
    # The package of all formats has this one among them.
    from pyskl.recordings.recording import Recording

    path = Path(path)
    try:
        keypoint = tracks_of(read_skeleton_file(path))
    except NoBodyError as error:
        raise SkeletonFileError(f"{path}: {error}") from error
    except OSError as error:
        raise SkeletonFileError(f"{path}: it can't be read ({error.strerror or error})") from error
    return Recording(path.stem, keypoint, fps=FRAMES_PER_SECOND, layout="nturgb+d")
