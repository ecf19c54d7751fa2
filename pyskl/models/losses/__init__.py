"""Losses."""

from __future__ import annotations

from pyskl.models.losses.cross_entropy import CrossEntropyLoss, is_soft

__all__ = ["CrossEntropyLoss", "is_soft"]
