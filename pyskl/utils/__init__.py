"""The place where code of the PYSKL family looks for :class:`Graph`."""

from __future__ import annotations

from pyskl.skeleton.graph import Graph

__all__ = ["Graph"]
