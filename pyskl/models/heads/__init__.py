"""Heads: features → scores of the classes."""

from __future__ import annotations

from pyskl.models.heads.gcn_head import GCNHead

__all__ = ["GCNHead"]
