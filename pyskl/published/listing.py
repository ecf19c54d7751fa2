"""The published files and what is there of them, as lines for people."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from pyskl.files.transfer import readable_size
from pyskl.published.fetch import OnDisk
from pyskl.text_table import table_lines

_HEAD = ("name", "size", "here", "goes to", "what it is")


def listing(files: Iterable[OnDisk]) -> list[str]:
    """Return a line for each annotation pickle, and one for the weights of all streams of a model.

    The names of the latter are written as a shell takes them: ``.../{j,b,jm,bm}``.

    Args:
        files: In the order of the catalogue; see :func:`pyskl.published.fetch.on_disk`.
    """
    rows = [_HEAD, *(_row(list(group)) for _, group in groupby(files, key=_shared_name))]
    return table_lines(rows, left=len(_HEAD))


def _shared_name(one: OnDisk) -> str:
    """Return the name that files which share a line have in common."""
    return one.file.name if one.file.is_annotations else one.file.name.rpartition("/")[0]


def _row(group: list[OnDisk]) -> tuple[str, ...]:
    first = group[0]
    if len(group) == 1:
        here = first.state if first.state != "in part" else f"{readable_size(first.size)} of it"
        place = first.target
        return (first.file.name, _size(first), here, str(place), first.file.what)
    streams = ",".join(one.file.name.rpartition("/")[2] for one in group)
    here = f"{sum(one.state == 'here' for one in group)} of {len(group)}"
    sizes = {_size(one) for one in group}
    return (
        f"{_shared_name(first)}/{{{streams}}}",
        sizes.pop() if len(sizes) == 1 else "?",
        here,
        f"{first.target.parent}/",
        first.file.what.rpartition(":")[0],
    )


def _size(one: OnDisk) -> str:
    """Return the size that a file has, or is known to have."""
    size = one.size if one.state == "here" else one.file.size
    return "?" if size is None else readable_size(size)
