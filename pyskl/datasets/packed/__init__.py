"""The packed store: annotations as flat arrays that every process maps read-only.

Unpickling gives each process a copy of all samples and takes seconds; a pack is opened in
milliseconds at any size, and its one copy lives in the page cache of the machine.
"""

from pyskl.datasets.packed.store import PackedSamples, PackedStore

__all__ = ["PackedSamples", "PackedStore"]
