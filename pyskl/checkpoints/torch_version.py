"""Known flaws of the installed torch's weights-only loader."""

from __future__ import annotations

import functools
import re

import torch

from pyskl.logging.log import get_logger

# From the advisories of pytorch/pytorch: CVE, version that fixes it, what a file can do before.
_FLAWS = (
    ("CVE-2025-32434", (2, 6, 0), "run a program"),
    ("CVE-2026-24747", (2, 10, 0), "corrupt the memory and so run a program"),
)


def loader_flaws(version: str) -> list[str]:
    """Return the known flaws of ``torch.load(weights_only=True)`` in a version of torch.

    Args:
        version: Such as ``'2.5.1+cu121'``. Builds before a release (``'2.6.0a0+git'``) count as
            older than it.

    Example:
        >>> loader_flaws('2.13.0+cpu')
        []
        >>> loader_flaws('2.6.0')
        ['CVE-2026-24747 (a file can corrupt the memory and so run a program; fixed in 2.10.0)']
    """
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?(a|b|rc|\.?dev)?", version)
    if found is None:
        return []
    number = tuple(int(part or 0) for part in found.groups()[:3])
    return [
        f"{cve} (a file can {harm}; fixed in {'.'.join(map(str, fixed))})"
        for cve, fixed, harm in _FLAWS
        if number < fixed or (number == fixed and found[4])
    ]


@functools.cache
def warn_of_loader_flaws(version: str = torch.__version__) -> None:
    """Warn if the installed torch has a flawed loader; once per process."""
    flaws = loader_flaws(version)
    if flaws:
        get_logger().warning(
            "torch %s has known flaws in torch.load(weights_only=True): %s. This package reads "
            "checkpoints without that function, but other programs that use this torch are "
            "vulnerable: upgrade torch",
            version,
            "; ".join(flaws),
        )
