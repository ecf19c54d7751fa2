"""How long a clip takes, before and after."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pyskl.benchmark.timing import Spread, Timed, alternate, spread
from pyskl.export.check import Logits

_SECONDS = 0.1
_REPEATS = 5


def milliseconds_per_clip(ways: Mapping[str, Logits], clip: np.ndarray) -> dict[str, Spread]:
    """Time models on one clip, in turn.

    Args:
        ways: Name → what maps clips to logits.
        clip: (1, M, T, V, C).

    Returns:
        Name → milliseconds of one call: the middle of five measurements, and how far they lie
        apart. They hold for this machine and what else it was doing.
    """

    def timed(logits: Logits) -> Timed:
        def work() -> int:
            logits(clip)
            return 1

        one = Timed(work)
        one.prepare(_SECONDS)
        return one

    rates = {name: timed(logits).rate for name, logits in ways.items()}
    found = alternate(rates, _REPEATS)
    return {name: spread([1000 / rate for rate in values]) for name, values in found.items()}
