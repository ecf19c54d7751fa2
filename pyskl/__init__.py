"""Skeleton-based action recognition: data sets, pipelines, ST-GCN and its training loop."""

__version__ = "0.1.0"
