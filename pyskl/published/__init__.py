"""Files published with PYSKL: a catalogue, and downloads by name."""

from __future__ import annotations

from pyskl.published.catalog import BASE_URL, CATALOG, Published, find_published
from pyskl.published.fetch import check_files, fetch_files

__all__ = ["BASE_URL", "CATALOG", "Published", "check_files", "fetch_files", "find_published"]
