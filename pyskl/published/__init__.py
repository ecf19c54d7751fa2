"""What was published with PYSKL: results, a catalogue of files, and downloads by name."""

from __future__ import annotations

from pyskl.published.catalog import BASE_URL, CATALOG, Published, find_published
from pyskl.published.fetch import check_files, fetch_files
from pyskl.published.results import RESULTS, PublishedResult

__all__ = [
    "BASE_URL",
    "CATALOG",
    "RESULTS",
    "Published",
    "PublishedResult",
    "check_files",
    "fetch_files",
    "find_published",
]
