"""A pickle reader that builds plain data and runs nothing.

A pickle is a program for a stack machine. The standard library's :mod:`pickletools` knows the
operations and reads their arguments; the machine here runs the operations. It differs from
:class:`pickle.Unpickler` in three ways:

- a file can call only the functions of :mod:`pyskl.unpickling.allowed_names`;
- the result stays within :class:`pyskl.unpickling.limits.Limits`;
- announced sizes are compared with the rest of the file before memory is allocated.

An allow-list in ``find_class`` of :class:`pickle.Unpickler` is not enough, because it sees only
names: a 60-byte pickle makes it hash a tuple of 2**60 elements in C code that no signal interrupts;
others overflow its stack or announce 10 GB. A scan for such pickles would have to track the stack
at every operation, as this class does.
"""

from __future__ import annotations

import pickle
import pickletools
import reprlib
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

import numpy as np

from pyskl.errors import UntrustedFileError
from pyskl.unpickling.allowed_names import AllowedName, DtypeSpec, fill_array
from pyskl.unpickling.limits import (
    CALL_COST,
    CONTAINER_COST,
    CONTAINERS,
    MEMO_COST,
    OPERATION_COST,
    Limits,
    NotData,
)

_MAX_INTEGER_BITS = 512  # data have integers of 64 bits; long ones are slow to print
_TEXT_COST = 5  # per character: a byte in the file and up to 4 in memory

_DICTS = frozenset({dict, OrderedDict, defaultdict, Counter})


class _ShortRepr(reprlib.Repr):
    """Shows plain values, but only the type of others, whose ``repr`` may be long."""

    def repr_instance(self, x: Any, level: int) -> str:
        """Format anything but text, integers and containers."""
        if isinstance(x, (bool, float, complex, bytes, bytearray, type(None))):
            return super().repr_instance(x, level)
        return f"<{type(x).__name__}>"


def short_repr(value: Any) -> str:
    """Format a value from a file for a message, with limited length and depth."""
    short = _ShortRepr()
    short.maxstring = short.maxother = 80
    return short.repr(value)


class _BoundedFile:
    """A file that does not allocate memory for more bytes than it has left."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.plain, self._end = file, file.tell() + size
        self.readline = file.readline

    def read(self, count: int) -> bytes:
        if count > 4096:  # smaller reads are not worth the check
            count = min(count, max(0, self._end - self.plain.tell()))
        return self.plain.read(count)


class SafeUnpickler:
    """Loads pickles of plain data.

    Args:
        file: A seekable binary file, at the pickle's start.
        names: ``(module, name)`` → an :class:`AllowedName`, or the value itself.
        size: Bytes from the file's position to the end of its pickles; sets the limits.
        persistent_load: Returns the object of a persistent id; by default all are refused.
        ignore_attributes: Skip attributes of dicts instead of refusing them.
    """

    def __init__(
        self,
        file: IO[bytes],
        names: Mapping[tuple[str, str], Any],
        size: int,
        *,
        persistent_load: Callable[[Any], Any] | None = None,
        ignore_attributes: bool = False,
    ) -> None:
        self._file: Any = _BoundedFile(file, size)
        self._names = names
        self._limits = Limits(size)
        self._persistent_load = persistent_load
        self._ignore_attributes = ignore_attributes

    def load(self) -> Any:
        """Load one pickle. A file may hold several, which share its limits.

        Raises:
            UntrustedFileError: if it asks for more than plain data; the problem starts with "it".
            Exception: of any kind for damaged bytes.
        """
        self._stack: list[Any] = []
        self._outer_stacks: list[list[Any]] = []  # those below the marks
        self._memo: dict[int, Any] = {}
        self._empty_arrays: dict[int, np.ndarray] = {}  # id → array that still lacks its content
        # As pickletools.genops, which takes twice as long: it asks for the position each time.
        limits, bounded, plain = self._limits, self._file, self._file.plain
        code = b""
        while code != pickle.STOP:
            code = plain.read(1)
            try:
                operation, cost, read_argument, fixed_size = _OPERATIONS[code]
            except KeyError:
                raise ValueError(f"it has an unknown operation, or no end ({code!r})") from None
            limits.budget -= cost  # as limits.charge, for millions of operations
            if limits.budget < 0:
                limits.charge(0)
            if read_argument is None:
                operation(self, None)
            else:
                operation(self, read_argument(plain if fixed_size else bounded))
        if self._outer_stacks or len(self._stack) != 1:
            raise ValueError("it does not leave one object")
        result = self._stack.pop()
        self._limits.check_data(result)
        return result

    # --- the stack --------------------------------------------------------------------------------

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _push_integer(self, value: int) -> None:
        if value.bit_length() > _MAX_INTEGER_BITS:
            raise UntrustedFileError(f"it has an integer of {value.bit_length()} bits")
        self._stack.append(value)

    def _push_text(self, value: str) -> None:
        self._limits.charge(_TEXT_COST * len(value) + 80)
        self._stack.append(value)

    def _push_bytes(self, value: bytes | bytearray) -> None:
        self._limits.charge(len(value) + 64)
        self._stack.append(value)

    def _pop(self, _: None) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._pop_to_mark()

    def _pop_mark(self, _: None) -> None:
        self._pop_to_mark()

    def _pop_last(self, count: int) -> list[Any]:
        items = self._stack[-count:]
        if len(items) != count:
            raise IndexError("its stack is empty")
        del self._stack[-count:]
        return items

    def _mark(self, _: None) -> None:
        self._outer_stacks.append(self._stack)
        self._stack = []

    def _pop_to_mark(self) -> list[Any]:
        items = self._stack
        self._stack = self._outer_stacks.pop()
        self._limits.charge(-CONTAINER_COST)  # the mark is gone
        return items

    def _put(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    def _memoize(self, _: None) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _get(self, index: int) -> None:
        self._stack.append(self._memo[index])

    # --- containers -------------------------------------------------------------------------------

    def _new(self, container: Any, items: Sequence[Any] = ()) -> None:
        self._limits.register(container, items)
        self._stack.append(container)

    def _tuple(self, items: Sequence[Any]) -> None:
        made = tuple(items)
        self._limits.register(made, items, arguments=True)
        self._stack.append(made)

    def _append(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not list:
            raise UntrustedFileError(f"it appends to a {type(target).__name__}")
        self._limits.extend(target, items)
        target.extend(items)

    def _set_items(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) not in _DICTS:
            raise UntrustedFileError(f"it sets items of a {type(target).__name__}")
        if len(items) % 2:
            raise ValueError("it has a key without a value")
        self._limits.check_keys(items[::2])
        self._limits.extend(target, items)
        for key, value in zip(items[::2], items[1::2]):
            target[key] = value

    def _dict(self, _: None) -> None:
        items = self._pop_to_mark()
        self._new({})
        self._set_items(items)

    def _list(self, _: None) -> None:
        items = self._pop_to_mark()
        self._new(items, items)

    def _frozenset(self, _: None) -> None:
        items = self._pop_to_mark()
        self._limits.check_keys(items)
        self._new(frozenset(items), items)

    def _add_items(self, _: None) -> None:
        items = self._pop_to_mark()
        target = self._stack[-1]
        if type(target) is not set:
            raise UntrustedFileError(f"it adds items to a {type(target).__name__}")
        self._limits.check_keys(items)
        self._limits.extend(target, items)
        target.update(items)

    # --- names and calls --------------------------------------------------------------------------

    def _global(self, names: str) -> None:
        module, _, name = names.partition(" ")
        self._look_up(module, name)

    def _stack_global(self, _: None) -> None:
        module, name = self._pop_last(2)
        if type(module) is not str or type(name) is not str:
            raise ValueError("it uses a name that is not text")
        self._look_up(module, name)

    def _look_up(self, module: str, name: str) -> None:
        try:
            self._stack.append(self._names[module, name])
        except KeyError:
            full = f"{module[:100]}.{name[:100]}"
            full = full if full.isprintable() else ascii(full)
            raise UntrustedFileError(
                f"it asks for {full}, which is neither an array nor a plain container"
            ) from None

    def _reduce(self, _: None) -> None:
        function, arguments = self._pop_last(2)
        if type(arguments) is not tuple:
            raise UntrustedFileError("it makes a call without a tuple of arguments")
        self._call(function, arguments)

    def _obj(self, _: None) -> None:
        function, *arguments = self._pop_to_mark()
        self._call(function, tuple(arguments))

    def _inst(self, names: str) -> None:
        arguments = self._pop_to_mark()
        self._global(names)
        self._call(self._stack.pop(), tuple(arguments))

    def _call(self, function: Any, arguments: tuple[Any, ...]) -> None:
        if not isinstance(function, AllowedName) or function.make is None:
            named = function if isinstance(function, NotData) else f"a {type(function).__name__}"
            raise UntrustedFileError(f"it calls {named}")
        value = function.make(self._limits, *arguments)
        if type(value) in CONTAINERS:
            self._limits.register(value, arguments, arguments=True)
            if function.needs_state:
                self._empty_arrays[id(value)] = value
        self._stack.append(value)

    def _build(self, _: None) -> None:
        """Set the state of the object on top of the stack, if that is harmless."""
        state = self._stack.pop()
        target = self._stack[-1]
        if isinstance(target, DtypeSpec):
            target.set_state(state)
        elif self._empty_arrays.pop(id(target), None) is not None:
            self._limits.extend(target, fill_array(self._limits, target, state))
        elif not (self._ignore_attributes and type(target) in _DICTS):
            raise UntrustedFileError(f"it sets attributes of a {type(target).__name__}")

    def _persistent_id(self, pid: Any) -> None:
        if self._persistent_load is None:
            raise UntrustedFileError(f"it refers to an object outside the file ({short_repr(pid)})")
        self._stack.append(self._persistent_load(pid))

    def _protocol(self, version: int) -> None:
        if version > 5:
            raise ValueError(f"it is of pickle protocol {version}; 0 to 5 are known")


def _refuse(what: str) -> Callable[[SafeUnpickler, Any], None]:
    def refuse(_: SafeUnpickler, argument: Any) -> None:
        raise UntrustedFileError(f"it {what}")

    return refuse


def _operations() -> dict[bytes, tuple[Callable[[SafeUnpickler, Any], None], int, Any, bool]]:
    """Return by the code of an operation: what it does, its cost, how its argument is read.

    The last two are the reader of :mod:`pickletools`, if any, and whether it reads a fixed number
    of bytes.
    """
    machine = SafeUnpickler
    groups: list[tuple[str, Callable[[SafeUnpickler, Any], None], int]] = [
        ("STOP FRAME", lambda m, _: None, 0),
        ("PROTO", machine._protocol, 0),
        ("NONE", lambda m, _: m._push(None), 0),
        ("NEWTRUE", lambda m, _: m._push(True), 0),
        ("NEWFALSE", lambda m, _: m._push(False), 0),
        ("BININT BININT1 BININT2 FLOAT BINFLOAT", machine._push, 0),
        ("INT LONG LONG1 LONG4", machine._push_integer, 0),
        ("STRING BINSTRING SHORT_BINSTRING", machine._push_text, 0),
        ("UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8", machine._push_text, 0),
        ("BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8", machine._push_bytes, 0),
        ("POP", machine._pop, 0),
        ("DUP", lambda m, _: m._push(m._stack[-1]), 0),
        ("MARK", machine._mark, CONTAINER_COST),
        ("POP_MARK", machine._pop_mark, 0),
        ("PUT BINPUT LONG_BINPUT", machine._put, MEMO_COST),
        ("MEMOIZE", machine._memoize, MEMO_COST),
        ("GET BINGET LONG_BINGET", machine._get, 0),
        ("EMPTY_TUPLE", lambda m, _: m._tuple(()), CONTAINER_COST),
        ("TUPLE1", lambda m, _: m._tuple(m._pop_last(1)), CONTAINER_COST),
        ("TUPLE2", lambda m, _: m._tuple(m._pop_last(2)), CONTAINER_COST),
        ("TUPLE3", lambda m, _: m._tuple(m._pop_last(3)), CONTAINER_COST),
        ("TUPLE", lambda m, _: m._tuple(m._pop_to_mark()), CONTAINER_COST),
        ("EMPTY_LIST", lambda m, _: m._new([]), CONTAINER_COST),
        ("LIST", machine._list, CONTAINER_COST),
        ("APPEND", lambda m, _: m._append(m._pop_last(1)), 0),
        ("APPENDS", lambda m, _: m._append(m._pop_to_mark()), 0),
        ("EMPTY_DICT", lambda m, _: m._new({}), CONTAINER_COST),
        ("DICT", machine._dict, CONTAINER_COST),
        ("SETITEM", lambda m, _: m._set_items(m._pop_last(2)), 0),
        ("SETITEMS", lambda m, _: m._set_items(m._pop_to_mark()), 0),
        ("EMPTY_SET", lambda m, _: m._new(set()), CONTAINER_COST),
        ("ADDITEMS", machine._add_items, 0),
        ("FROZENSET", machine._frozenset, CONTAINER_COST),
        ("GLOBAL", machine._global, 0),
        ("STACK_GLOBAL", machine._stack_global, 0),
        ("REDUCE NEWOBJ", machine._reduce, CALL_COST),  # NEWOBJ: a class is called like any other
        ("OBJ", machine._obj, CALL_COST),
        ("INST", machine._inst, CALL_COST),
        ("BUILD", machine._build, 0),
        ("PERSID", machine._persistent_id, CALL_COST),
        ("BINPERSID", lambda m, _: m._persistent_id(m._stack.pop()), CALL_COST),
        ("NEWOBJ_EX", _refuse("makes an object with keywords"), 0),
        ("EXT1 EXT2 EXT4", _refuse("asks for a pickle extension"), 0),
        ("NEXT_BUFFER READONLY_BUFFER", _refuse("refers to a buffer outside the file"), 0),
    ]
    known = {opcode.name: opcode for opcode in pickletools.opcodes}
    return {
        known[name].code.encode("latin-1"): (
            operation,
            cost + OPERATION_COST,
            getattr(known[name].arg, "reader", None),
            getattr(known[name].arg, "n", -1) >= 0,
        )
        for names, operation, cost in groups
        for name in names.split()
    }


_OPERATIONS = _operations()
