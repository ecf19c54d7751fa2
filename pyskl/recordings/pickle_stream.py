"""Annotation pickles, written sample by sample: only one is in memory at a time."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import IO, Any

# Of this protocol pickles can be put together: what an object is remembered by has its number
# beside it, so the next object may use the numbers again. Every Python 3 reads it.
_PROTOCOL = 3


class PickleStream:
    """Writes the pickle of ``dict(annotations=[sample, ...], **rest)``.

    Args:
        file: Open for writing, in binary.

    Example:
        >>> stream = PickleStream(open('mine.pkl', 'wb'))  # doctest: +SKIP
        >>> stream.add(dict(frame_dir='a', label=0))  # doctest: +SKIP
        >>> stream.finish(dict(split=dict(train=['a'])))  # doctest: +SKIP
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        file.write(pickle.PROTO + bytes([_PROTOCOL]) + pickle.EMPTY_DICT)
        file.write(_bare("annotations") + pickle.EMPTY_LIST)

    def add(self, sample: Mapping[str, Any]) -> None:
        """Write the next sample."""
        self.file.write(_bare(dict(sample)) + pickle.APPEND)

    def finish(self, rest: Mapping[str, Any]) -> None:
        """Write the other keys, and the end."""
        self.file.write(pickle.SETITEM)
        for key, value in rest.items():
            self.file.write(_bare(key) + _bare(value) + pickle.SETITEM)
        self.file.write(pickle.STOP)


def _bare(value: Any) -> bytes:
    """Return the pickle of a value without its frame: the protocol and the end."""
    whole = pickle.dumps(value, protocol=_PROTOCOL)
    return whole[2:-1]
