"""Recognizers: the models as a whole."""

from __future__ import annotations

from pyskl.models.recognizers.gcn import RecognizerGCN

__all__ = ["RecognizerGCN"]
