"""Reading ``.skeleton`` files, the text that NTU RGB+D's Kinect recorder wrote.

==================== ===========================================================================
lines                content
==================== ===========================================================================
first                number of frames
of a frame           number of bodies, then those bodies
of a body            ten numbers, the first of which is its id; the number of joints, 25; a line
                     for each joint, of which the first three numbers are x, y and z in metres
==================== ===========================================================================

Joint lines have twelve numbers in the data set; any other width from three on will do, if all
joint lines of the file have it. Numbers other than ids, counts and coordinates are only looked at
for being there: they may be NaN or infinite. Blank lines may stand at the end.

A plain file takes the quick way, which either finds nothing unusual or finds nothing at all; the
careful way reads whatever is allowed and says exactly where a file goes wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pyskl.recordings.ntu.careful_reader import SkeletonFileError, read_carefully
from pyskl.recordings.ntu.quick_reader import read_quickly

# The largest of the data set have some megabytes.
MAX_BYTES = 1 << 26


@dataclass(frozen=True, eq=False)
class Body:
    """What a file has of one body id.

    Attributes:
        id: The id.
        start: The number of its first frame, from 0, where frames without bodies do not count.
        keypoint: (T, V, C), float32, metres. Its frames as they come: one that leaves and returns
            has no gap, and so ends earlier than it was seen last.
    """

    id: int
    start: int
    keypoint: np.ndarray

    @property
    def stop(self) -> int:
        """The number of the frame after its last."""
        return self.start + len(self.keypoint)


def read_skeleton_file(source: str | Path | bytes, name: str | None = None) -> list[Body]:
    """Read a ``.skeleton`` file.

    Args:
        source: The file's path, or its content.
        name: What messages call it; by default the path.

    Returns:
        The bodies in the order in which they appear; none where no frame has one.

    Raises:
        SkeletonFileError: if the content is malformed, naming the line; or the file is too large
            to be one.
        OSError: if the file can't be read.

    Example:
        >>> read_skeleton_file(b'2\\n0\\n0\\n')
        []
    """
    if isinstance(source, bytes):
        name, content = name or "skeleton file", source
    else:
        name = name or str(source)
        with open(source, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise SkeletonFileError(
            f"{name}: more than {MAX_BYTES >> 20} MiB, which no recording of the data set has"
        )
    found = read_quickly(content)
    if found is None:
        found = read_carefully(name, content)
    return [Body(id, start, values.astype(np.float32)) for id, start, values in found]
