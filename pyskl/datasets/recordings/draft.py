"""Files that are at their place whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path


class Draft:
    """A file that is written beside its place and moved there in the end.

    Args:
        path: The place; its folder is made where there is none.

    Raises:
        OSError: if the folder can't be made or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = self.partial.open("wb")

    def keep(self) -> None:
        """Move the file to its place; raises OSError where the disk is full."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        os.replace(self.partial, self.path)

    def discard(self) -> None:
        """Delete what was written, unless it was kept."""
        self.file.close()
        self.partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file; raises OSError where it can't be, and leaves what was there."""
    draft = Draft(path)
    try:
        draft.file.write(text.encode("utf-8"))
        draft.keep()
    finally:
        draft.discard()
