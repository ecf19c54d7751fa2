"""Limits on what an untrusted pickle may build: memory, nesting, repetition and keys.

An allow-list of names is not enough. Without calling anything, a pickle can

- announce a string of 2**60 bytes, or fill the memory with millions of empty sets;
- nest tuples a million deep, which overflows the stack when they are hashed or freed;
- double a tuple 60 times, which takes 60 bytes in the file and forever to print or hash;
- use keys that all have the same hash, so that filling a dict takes quadratic time.

Every container is registered with its depth and its weight, the number of its elements when written
out as a tree. A container inside another one must not change any more (pickles of plain data never
do that), so both numbers stay correct.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from pyskl.errors import UntrustedFileError

# A file of n bytes may take MEMORY_FACTOR * n + MEMORY_CONSTANT bytes of memory. Plain data take at
# most about 40 bytes for each byte of the file (a list of small dicts); arrays take 2.
MEMORY_FACTOR = 64
MEMORY_CONSTANT = 64 << 20

# How deep containers may nest; annotations and checkpoints reach about 8.
MAX_DEPTH = 64

# How large the data may be as a tree, in which shared parts count each time.
TREE_FACTOR = 64
TREE_CONSTANT = 1 << 20

# How many keys may be tuples, frozensets or NumPy scalars, whose hashes a file can choose.
MAX_COMPLEX_KEYS = 4096

# Upper bounds for memory in bytes, for CPython 3.10 to 3.13.
OPERATION_COST = 48  # a number, its place on the stack and in a list
CONTAINER_COST = 450  # an empty set and its registration
CALL_COST = 550
MEMO_COST = 160
_ITEM_COST = 110  # of a dict or set

_NUMBERS = frozenset({int, float, bool, type(None), complex})
_SIMPLE_KEYS = frozenset({str, bytes, int, float, bool, type(None)})
CONTAINERS = frozenset(
    {list, tuple, dict, set, frozenset, OrderedDict, defaultdict, Counter, np.ndarray}
)


class NotData:
    """Replaces a function or dtype; the data must not contain it."""


class _Registration:
    """The depth and weight of a container, and whether it is part of another one."""

    __slots__ = ("depth", "is_part", "weight")

    def __init__(self, depth: int, weight: int) -> None:
        self.depth, self.weight, self.is_part = depth, weight, False


class Limits:
    """Counts what one file uses, and raises an error beyond the limits.

    Args:
        size: Size of the file in bytes.
    """

    def __init__(self, size: int) -> None:
        self.budget = MEMORY_FACTOR * size + MEMORY_CONSTANT
        self._max_weight = TREE_FACTOR * size + TREE_CONSTANT
        self._complex_keys = 0
        self._containers: dict[int, _Registration] = {}

    def charge(self, cost: int) -> None:
        """Take bytes from the memory budget; a negative cost gives them back."""
        self.budget -= cost
        if self.budget < 0:
            raise UntrustedFileError(
                f"it takes more memory than plain data of its size would ({MEMORY_FACTOR} times "
                f"its size and {MEMORY_CONSTANT >> 20} MiB)"
            )

    def check_data(self, value: Any) -> None:
        """Check that the result of a pickle is data."""
        self._measure((value,), False)

    def register(
        self, container: Any, items: Sequence[Any] = (), *, arguments: bool = False
    ) -> None:
        """Register a new container.

        Args:
            container: The container.
            items: What it holds.
            arguments: Whether it may be the arguments of a call, and so hold :class:`NotData`.
        """
        depth, weight = self._measure(items, arguments)
        if depth >= MAX_DEPTH or weight > self._max_weight:
            self._raise(depth)
        self._containers[id(container)] = _Registration(depth + 1, weight + 1)

    def extend(self, container: Any, items: Sequence[Any]) -> None:
        """Record that items are added to a container."""
        registration = self._containers[id(container)]
        if registration.is_part:
            raise UntrustedFileError(
                f"it changes a {type(container).__name__} that is part of another container, which "
                "plain data never need"
            )
        depth, weight = self._measure(items, False)
        if depth >= registration.depth:
            registration.depth = depth + 1
        registration.weight += weight
        if registration.depth > MAX_DEPTH or registration.weight > self._max_weight:
            self._raise(registration.depth - 1)
        if registration.is_part:  # it was among the items
            raise UntrustedFileError(f"it puts a {type(container).__name__} into itself")

    def _measure(self, items: Sequence[Any], arguments: bool) -> tuple[int, int]:
        """Return the depth and weight of items, and mark them as parts of a container."""
        depth, weight = 0, len(items)
        for item in items:
            kind = type(item)
            if kind in _NUMBERS:
                continue
            if kind is str or kind is bytes:
                weight += len(item)
            elif kind in CONTAINERS:
                registration = self._containers[id(item)]
                registration.is_part = True
                weight += registration.weight
                if registration.depth > depth:
                    depth = registration.depth
            elif isinstance(item, (str, bytes, bytearray)):
                weight += len(item)
            elif isinstance(item, NotData) and not arguments:
                raise UntrustedFileError(f"it has {item} among its data")
        return depth, weight

    def _raise(self, depth: int) -> NoReturn:
        if depth >= MAX_DEPTH:
            raise UntrustedFileError(f"it nests containers more than {MAX_DEPTH} deep")
        raise UntrustedFileError(f"it repeats its parts to more than {TREE_FACTOR} times its size")

    def check_keys(self, keys: Sequence[Any]) -> None:
        """Check that hashing the keys of a dict or the members of a set is safe and fast."""
        self.charge(_ITEM_COST * len(keys))
        for key in keys:
            kind = type(key)
            if kind in _SIMPLE_KEYS:
                continue
            if kind in (tuple, frozenset):
                registration = self._containers[id(key)]
                if registration.depth > 4 or registration.weight > 4096:
                    raise UntrustedFileError(
                        f"it uses a {kind.__name__} as a key that is too large"
                    )
            elif not isinstance(key, (np.number, np.bool_, np.str_, np.bytes_)):
                raise UntrustedFileError(f"it uses a {kind.__name__} as a key")
            self._complex_keys += 1
            if self._complex_keys > MAX_COMPLEX_KEYS:
                raise UntrustedFileError(
                    f"it has more than {MAX_COMPLEX_KEYS} keys that are neither text nor plain "
                    "numbers"
                )
