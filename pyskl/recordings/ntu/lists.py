"""The list of missing skeletons that the authors of NTU RGB+D give."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def missing_skeletons() -> frozenset[str]:
    """Return the samples whose skeletons are missing or incomplete.

    They are 535, of which the 302 with an action up to 60 are of NTU RGB+D 60.
    """
    return frozenset(_lines("missing_skeletons.txt"))


def _lines(name: str) -> list[str]:
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]
