"""Writing an annotation pickle sample by sample, so that it never has to be in memory as a whole.

``pickle.dump`` takes the finished list, and remembers every object in it. A pickle is a sequence of
instructions, though: the list's are put together here from those that make each sample.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any

# The last one without frames, which would have to be cut apart; Python 3 reads it.
_PROTOCOL = 3

# Samples that are put on the unpickler's stack before they go to the list.
_BATCH = 100


def write_annotations(
    file: IO[bytes],
    split: Mapping[str, Sequence[str]],
    samples: Iterable[Mapping[str, Any]],
) -> None:
    """Write ``dict(split=split, annotations=[*samples])`` as a pickle.

    Args:
        file: To write to.
        split: The ids of each split.
        samples: As :mod:`pyskl.datasets.annotation` has them; gone through once.

    Example:
        >>> file = io.BytesIO()
        >>> write_annotations(file, {'train': ['a']}, iter([{'frame_dir': 'a', 'label': 0}]))
        >>> pickle.loads(file.getvalue())
        {'split': {'train': ['a']}, 'annotations': [{'frame_dir': 'a', 'label': 0}]}
    """
    file.write(pickle.PROTO + bytes([_PROTOCOL]) + pickle.EMPTY_DICT + pickle.MARK)
    file.write(_instructions("split") + _instructions(dict(split)))
    file.write(_instructions("annotations") + pickle.EMPTY_LIST)
    batch: list[bytes] = []
    for sample in samples:
        batch.append(_instructions(sample))
        if len(batch) == _BATCH:
            file.write(pickle.MARK + b"".join(batch) + pickle.APPENDS)
            batch.clear()
    file.write(pickle.MARK + b"".join(batch) + pickle.APPENDS + pickle.SETITEMS + pickle.STOP)


def _instructions(value: Any) -> bytes:
    """Return what makes a value, without a pickle's head and end and without its memory."""
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, _PROTOCOL)
    pickler.fast = True
    pickler.dump(value)
    return buffer.getvalue()[2:-1]
