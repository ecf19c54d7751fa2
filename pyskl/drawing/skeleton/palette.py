"""The colours of pages, for pictures: read off ``page.css``, where they are written down."""

from __future__ import annotations

import re
from functools import cache

from pyskl.drawing.page import asset


@cache
def palette(*, dark: bool = False) -> dict[str, str]:
    """Return the colour of each role as ``#rrggbb``.

    Example:
        >>> palette()['ground'], palette(dark=True)['ground']
        ('#ffffff', '#15181c')
    """
    style = asset("page.css")
    selector = r":root\[data-theme='dark'\]" if dark else ":root"
    found = re.search(selector + r" \{(.*?)\}", style, flags=re.DOTALL)
    block = found[1] if found else ""
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))


def rgb(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue of ``#rrggbb``."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
