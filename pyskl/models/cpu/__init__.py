"""The fast path on the CPU: the same numbers as the plain modules, in less time.

The plain path, the modules' own calls of torch one after the other, is the reference: it computes
wherever :func:`takes_fast_path` says no, and everywhere inside ``with plain_path():``.

``layout`` is the order of values in memory, ``graph`` and ``temporal`` are the two convolutions,
``toom_cook`` is what saves multiplications in the latter, ``parts`` holds the small rest.
"""

from __future__ import annotations

from pyskl.models.cpu.path import plain_path, takes_fast_path

__all__ = ["plain_path", "takes_fast_path"]
