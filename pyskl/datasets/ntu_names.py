"""Parse the names of NTU RGB+D samples, such as ``S001C002P003R001A004``."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from pyskl.errors import InputError

_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})", re.ASCII)

# Numbers of actions in NTU RGB+D and NTU RGB+D 120, which includes the former.
NTU60_ACTIONS, NTU120_ACTIONS = 60, 120


class SampleName(NamedTuple):
    """The parts of a sample's name, counted from 1 as the data set does.

    Attributes:
        setup: Of cameras, and with it the place; 1 to 17 in NTU RGB+D, to 32 in the 120.
        camera: 1 to 3.
        subject: Who performs; 1 to 40 in NTU RGB+D, to 106 in the 120.
        replication: 1 or 2.
        action: 1 to 60 in NTU RGB+D, to 120 in the 120.
    """

    setup: int
    camera: int
    subject: int
    replication: int
    action: int

    @property
    def label(self) -> int:
        """The class, from 0."""
        return self.action - 1


def parse_name(stem: str) -> SampleName:
    """Parse a sample's name.

    Args:
        stem: The file's name without ``.skeleton``.

    Raises:
        InputError: if it is not such a name, or its action is not one of the 120.

    Example:
        >>> parse_name('S001C002P003R001A004')
        SampleName(setup=1, camera=2, subject=3, replication=1, action=4)
    """
    found = _NAME.fullmatch(stem)
    if found is None:
        raise InputError(f"{stem!r} is not a name of NTU RGB+D, such as S001C002P003R001A004")
    name = SampleName(*map(int, found.groups()))
    if not 1 <= name.action <= NTU120_ACTIONS:
        raise InputError(f"{stem!r}: action {name.action} is not one of 1 to {NTU120_ACTIONS}")
    return name


@lru_cache(maxsize=1)
def action_names() -> tuple[str, ...]:
    """Return the names of the 120 actions, in the order of the labels.

    Example:
        >>> action_names()[0]
        'drink water'
    """
    text = Path(__file__).with_name("ntu_action_names.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))
