"""The pickle machine, reduced to plain data.

A pickle is a program for a stack machine. The one here runs that program with only the names it
is given, each of which stands for a function of ours, so a file can't call anything else. It also
holds what it builds within bounds, because names alone do not stop a file from

- announcing a string of 2**60 bytes, or filling the memory with millions of empty sets: what is
  read is checked against what is left of the file, and every object is charged to a budget of
  ``MEMORY_FACTOR`` times the file's size plus ``MEMORY_CONSTANT``;
- nesting tuples a million deep, which overflows the stack of whoever hashes or frees them, or
  putting a container into itself: containers nest to ``MAX_DEPTH``, and one that was put into
  another does not change any more, as no pickler of plain data would have it;
- doubling a tuple 60 times, which takes 60 bytes and is endless to print: the data, written out as
  a tree, stay within ``TREE_FACTOR`` times the file's size;
- keys that all have one hash, which makes a dict take the square of its size in time.
"""

from __future__ import annotations

import codecs
import reprlib
import struct
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

import numpy as np

from pyskl.errors import UntrustedFileError
from pyskl.unpickling.allowed_names import Dtype, Name

# What a file of n bytes may take: MEMORY_FACTOR * n + MEMORY_CONSTANT bytes. The worst that plain
# data do is some 40 for each byte (a list of small dicts), arrays do 2.
MEMORY_FACTOR = 64
MEMORY_CONSTANT = 64 << 20

# How deep containers may nest; annotations and checkpoints reach about 8.
MAX_DEPTH = 64

# How large the data may be as a tree, where what is shared counts as often as it occurs.
TREE_FACTOR = 64
TREE_CONSTANT = 1 << 20

# Keys whose hash a file can choose: of tuples, frozensets and NumPy scalars.
MAX_ODD_KEYS = 4096

# Integers are of 64 bits in any data; longer ones are slow to print.
_MAX_INTEGER_BYTES = 64
_MAX_LINE = 1000

# Reads above this are held against what is left of the file before memory is taken for them.
_SMALL_READ = 4096

# What an object costs, in bytes, as an upper bound over CPython 3.10 to 3.13.
_STEP_COST = 48  # an operation: a number, its place on the stack and in a list
_MEMO_COST = 160 + _STEP_COST
_CONTAINER_COST = 450 + _STEP_COST  # an empty set, and what is noted down about it
_ITEM_COST = 110  # of a dict or set
_CALL_COST = 600
_TEXT_FACTOR = 5  # the bytes, and four of each character where one of them is rare

_NUMBERS = frozenset({int, float, bool, type(None), complex})
_CONTAINERS = frozenset(
    {list, tuple, dict, set, frozenset, OrderedDict, defaultdict, Counter, np.ndarray}
)
_DICTS = frozenset({dict, OrderedDict, defaultdict, Counter})


class _Brief(reprlib.Repr):
    """Spells plain values in short and names the type of others, whose own text may be long."""

    def repr_instance(self, x: Any, level: int) -> str:
        """Spell what is no text, integer or container."""
        if isinstance(x, (bool, float, complex, bytes, bytearray, type(None))):
            return super().repr_instance(x, level)
        return f"<{type(x).__name__}>"


_brief = _Brief()
_brief.maxstring = _brief.maxother = 80


def shown(value: Any) -> str:
    """Spell a value out of a file for a message: never long, never deep."""
    return _brief.repr(value)


class _Known:
    """What the machine knows of a container: its depth, its size as a tree, and if it is final."""

    __slots__ = ("depth", "final", "weight")

    def __init__(self, depth: int, weight: int) -> None:
        self.depth, self.weight, self.final = depth, weight, False


class PlainUnpickler:
    """Loads pickles from a file.

    Args:
        file: A seekable binary file, at the pickle's start.
        names: ``(module, name)`` as pickles spell them → a :class:`Name` for what may be called,
            or the value itself.
        size: Bytes from the file's position that belong to it; sets the budget.
        refer: What a persistent id stands for; by default all are refused.
        ignore_attributes: Pass over attributes of containers, instead of refusing them.
    """

    def __init__(
        self,
        file: IO[bytes],
        names: Mapping[tuple[str, str], Any],
        size: int,
        *,
        refer: Callable[[Any], Any] | None = None,
        ignore_attributes: bool = False,
    ) -> None:
        self._file = file
        self._read = file.read
        self._names = names
        self._end = file.tell() + size
        self._left_to_spend = MEMORY_FACTOR * size + MEMORY_CONSTANT
        self._max_weight = TREE_FACTOR * size + TREE_CONSTANT
        self._odd_keys = 0
        self._refer = refer
        self._ignore_attributes = ignore_attributes
        self._clear()

    def _clear(self) -> None:
        self._stack: list[Any] = []
        self._marked: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._known: dict[int, _Known] = {}
        self._unbuilt: dict[int, np.ndarray] = {}

    def load(self) -> Any:
        """Run the program and return what it leaves; a file may hold several, on one budget.

        Raises:
            UntrustedFileError: if it asks for more than plain data; the message starts with "it".
            Exception: of any kind for damaged bytes.
        """
        self._clear()
        read = self._read
        while (code := read(1)) != b".":
            if code not in _OPERATIONS:
                if not code:
                    raise EOFError("it ends before its end mark")
                raise ValueError(f"there is no pickle operation {code!r}")
            operation, cost = _OPERATIONS[code]
            self._left_to_spend -= cost
            if self._left_to_spend < 0:
                self._over_budget()
            operation(self)
        return self._result()

    def _result(self) -> Any:
        if self._marked or len(self._stack) != 1:
            raise ValueError("it does not leave one object")
        result = self._stack.pop()
        self._weigh((result,))
        return result

    # --- bounds -----------------------------------------------------------------------------------

    def charge(self, cost: int) -> None:
        """Take bytes from the budget."""
        self._left_to_spend -= cost
        if self._left_to_spend < 0:
            self._over_budget()

    def _over_budget(self) -> None:
        raise UntrustedFileError(
            f"it takes more memory than plain data of its size would ({MEMORY_FACTOR} times its "
            f"size and {MEMORY_CONSTANT >> 20} MiB)"
        )

    def _take(self, count: int) -> bytes:
        """Read ``count`` bytes, which must be there."""
        if count > _SMALL_READ and count > self._end - self._file.tell():
            raise EOFError(f"it announces {count} bytes where {self._left()} are left")
        data = self._read(count)
        if len(data) != count:
            raise EOFError(f"it announces {count} bytes where {len(data)} are left")
        return data

    def _left(self) -> int:
        return max(0, self._end - self._file.tell())

    def _line(self, limit: int | None = _MAX_LINE) -> bytes:
        line = self._file.readline(self._left() if limit is None else limit)
        if line[-1:] != b"\n":
            raise EOFError("a line of it has no end")
        return line[:-1]

    def _weigh(self, items: Sequence[Any], *, names: bool = False) -> tuple[int, int]:
        """Return the depth and tree size of what a container gets, which is final from now on.

        Args:
            items: What it gets.
            names: Whether names may be among them, as in the arguments of a call.
        """
        deepest, weight = 0, len(items)
        for item in items:
            kind = type(item)
            if kind in _NUMBERS:
                continue
            if kind in _CONTAINERS:
                known = self._known[id(item)]
                known.final = True
                weight += known.weight
                if known.depth > deepest:
                    deepest = known.depth
            elif isinstance(item, (str, bytes, bytearray)):
                weight += len(item)
            elif not names and isinstance(item, (Name, Dtype)):
                raise UntrustedFileError(f"it has {item} among its data")
        return deepest, weight

    def _within(self, deepest: int, weight: int) -> None:
        if deepest >= MAX_DEPTH:
            raise UntrustedFileError(f"it nests containers more than {MAX_DEPTH} deep")
        if weight > self._max_weight:
            raise UntrustedFileError(
                f"it repeats its parts until they make more than {TREE_FACTOR} times its size"
            )

    def _new(self, container: Any, items: Sequence[Any] = (), *, names: bool = False) -> None:
        """Push a container that holds ``items``."""
        deepest = weight = 0
        if items:
            deepest, weight = self._weigh(items, names=names)
            self._within(deepest, weight)
        self._known[id(container)] = _Known(deepest + 1, weight + 1)
        self._stack.append(container)

    def _grow(self, container: Any, items: Sequence[Any]) -> None:
        """Note that a container got ``items``."""
        known = self._known[id(container)]
        if known.final:
            raise UntrustedFileError(
                f"it changes a {type(container).__name__} that is part of another, which plain "
                "data never need"
            )
        deepest, weight = self._weigh(items)
        known.depth = max(known.depth, deepest + 1)
        known.weight += weight
        self._within(known.depth - 1, known.weight)
        if known.final:  # it was among the items
            raise UntrustedFileError(f"it puts a {type(container).__name__} into itself")

    def check_keys(self, keys: Sequence[Any]) -> None:
        """Check that keys or members of a set are such that hashing them is safe and fast.

        Raises:
            UntrustedFileError: if they are not.
        """
        self.charge(_ITEM_COST * len(keys))
        for key in keys:
            kind = type(key)
            if kind is str or kind is int or kind is bytes or kind is bool or key is None:
                continue
            if kind is float:
                continue
            if kind in (tuple, frozenset):
                known = self._known[id(key)]
                if known.depth > 4 or known.weight > 4096:
                    raise UntrustedFileError(
                        f"it has a {kind.__name__} for a key that is too large"
                    )
            elif not isinstance(key, (np.number, np.bool_, np.str_, np.bytes_)):
                raise UntrustedFileError(f"it has a {kind.__name__} for a key")
            self._odd_keys += 1
            if self._odd_keys > MAX_ODD_KEYS:
                raise UntrustedFileError(
                    f"it has more than {MAX_ODD_KEYS} keys that are neither text nor plain numbers"
                )

    # --- the stack --------------------------------------------------------------------------------

    def _mark(self) -> None:
        self._marked.append(self._stack)
        self._stack = []

    def _pop_mark(self) -> list[Any]:
        items = self._stack
        self._stack = self._marked.pop()
        self._left_to_spend += _CONTAINER_COST  # the mark's own
        return items

    def _pop(self) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._pop_mark()

    def _drop_mark(self) -> None:
        self._pop_mark()

    def _push_copy(self) -> None:
        self._stack.append(self._stack[-1])

    def _remember(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    def _remember_next(self) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _recall(self, index: int) -> None:
        try:
            self._stack.append(self._memo[index])
        except KeyError:
            raise ValueError(f"it recalls number {index}, which it has not stored") from None

    def _recall_byte(self) -> None:
        self._recall(self._read(1)[0])

    def _byte(self) -> None:
        self._stack.append(self._read(1)[0])

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    # --- numbers and texts ------------------------------------------------------------------------

    def _integer_line(self) -> None:
        line = self._line()
        if line in (b"00", b"01"):
            self._stack.append(line == b"01")
        else:
            self._stack.append(int(line.removesuffix(b"L"), 0))

    def _integer_bytes(self, count: int) -> None:
        if not 0 <= count <= _MAX_INTEGER_BYTES:
            raise UntrustedFileError(f"it has an integer of {count} bytes")
        self._stack.append(int.from_bytes(self._take(count), "little", signed=True))

    def _text(self, data: bytes, encoding: str = "utf-8") -> None:
        self.charge(_TEXT_FACTOR * len(data) + 80)
        self._stack.append(
            str(data, encoding, "strict" if encoding == "ascii" else "surrogatepass")
        )

    def _unicode_line(self) -> None:
        self.charge(_TEXT_FACTOR * len(data := self._line(None)))
        self._stack.append(str(data, "raw-unicode-escape"))

    def _quoted_line(self) -> None:
        line = self._line(None).strip()
        if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
            raise ValueError("a string of it has no quotes")
        self._text(codecs.escape_decode(line[1:-1])[0], "ascii")

    def _signed_text(self) -> None:
        count = self._number("<i")
        if count < 0:
            raise ValueError(f"it has a string of {count} bytes")
        self._text(self._take(count), "ascii")

    def _bytes(self, count: int) -> None:
        self.charge(count + 40)
        self._stack.append(self._take(count))

    def _bytearray(self) -> None:
        count = self._number("<Q")
        if count > self._left():
            raise EOFError(f"it announces {count} bytes where {self._left()} are left")
        self.charge(count + 64)
        data = bytearray(count)
        if self._file.readinto(data) != count:  # type: ignore[attr-defined]
            raise EOFError(f"it announces {count} bytes and has less")
        self._stack.append(data)

    # --- containers -------------------------------------------------------------------------------

    def _tuple(self, items: Sequence[Any]) -> None:
        self._new(tuple(items), items, names=True)

    def _last(self, count: int) -> list[Any]:
        items = self._stack[-count:]
        if len(items) != count:
            raise IndexError("its stack is empty")
        del self._stack[-count:]
        return items

    def _list(self, items: list[Any]) -> None:
        self._new(items, items)

    def _dict(self, items: list[Any]) -> None:
        self._new({})
        self._set_items(items)

    def _frozenset(self) -> None:
        items = self._pop_mark()
        self.check_keys(items)
        self._new(frozenset(items), items)

    def _append(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not list:
            raise UntrustedFileError(f"it appends to a {type(target).__name__}")
        self._grow(target, items)
        target.extend(items)

    def _set_items(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) not in _DICTS:
            raise UntrustedFileError(f"it sets items of a {type(target).__name__}")
        if len(items) % 2:
            raise ValueError("it has a key without a value")
        self.check_keys(items[::2])
        self._grow(target, items)
        for key, value in zip(items[::2], items[1::2]):
            target[key] = value

    def _add_items(self) -> None:
        items = self._pop_mark()
        target = self._stack[-1]
        if type(target) is not set:
            raise UntrustedFileError(f"it adds items to a {type(target).__name__}")
        self.check_keys(items)
        self._grow(target, items)
        target.update(items)

    # --- names and calls --------------------------------------------------------------------------

    def _look_up(self, module: str, name: str) -> None:
        try:
            self._stack.append(self._names[module, name])
        except KeyError:
            full = f"{module[:100]}.{name[:100]}"
            full = full if full.isprintable() else ascii(full)
            raise UntrustedFileError(
                f"it asks for {full}, which is neither an array nor a plain container"
            ) from None

    def _global_line(self) -> None:
        module = self._line().decode()
        self._look_up(module, self._line().decode())

    def _stack_global(self) -> None:
        module, name = self._last(2)
        if type(module) is not str or type(name) is not str:
            raise ValueError("it names something by other than text")
        self._look_up(module, name)

    def _reduce(self) -> None:
        function, arguments = self._last(2)
        if type(arguments) is not tuple:
            raise UntrustedFileError("it makes a call with other than a tuple of arguments")
        self._call(function, arguments)

    def _call(self, function: Any, arguments: tuple[Any, ...]) -> None:
        if not isinstance(function, Name) or function.make is None:
            raise UntrustedFileError(
                f"it calls {function}"
                if isinstance(function, (Name, Dtype))
                else f"it calls a {type(function).__name__}"
            )
        value = function.make(self, *arguments)
        if type(value) in _CONTAINERS:
            deepest, weight = self._weigh(arguments, names=True)
            self._known[id(value)] = _Known(deepest + 1, weight + 1)
            if function.needs_state:
                self._unbuilt[id(value)] = value
        self._stack.append(value)

    def _call_marked(self) -> None:
        items = self._pop_mark()
        if not items:
            raise ValueError("it calls nothing")
        self._call(items[0], tuple(items[1:]))

    def _inst(self) -> None:
        arguments = self._pop_mark()
        self._global_line()
        self._call(self._stack.pop(), tuple(arguments))

    def _new_object_with_keywords(self) -> None:
        raise UntrustedFileError("it makes an object with keywords")

    def _build(self) -> None:
        """Give the object on top of the stack its state, where that is harmless."""
        state = self._stack.pop()
        target = self._stack[-1]
        if isinstance(target, Dtype):
            target.set_state(state)
        elif self._unbuilt.pop(id(target), None) is not None:
            known = self._known[id(target)]
            if known.final:
                raise UntrustedFileError("it fills an array that is part of something already")
            items = Dtype.fill(self, target, state)
            known.weight = 1
            if items is not None:
                self._grow(target, items)
        elif not (self._ignore_attributes and type(target) in _DICTS):
            raise UntrustedFileError(f"it sets attributes of a {type(target).__name__}")

    def _refuse_extension(self, code: int) -> None:
        raise UntrustedFileError(f"it asks for the pickle extension {code}")

    def _refuse_buffer(self) -> None:
        raise UntrustedFileError("it refers to a buffer outside the file")

    def _persistent(self, pid: Any) -> None:
        if self._refer is None:
            raise UntrustedFileError(f"it refers to an object outside the file ({shown(pid)})")
        self._stack.append(self._refer(pid))

    def _frame(self) -> None:
        self._number("<Q")

    def _protocol(self) -> None:
        version = self._take(1)[0]
        if version > 5:
            raise ValueError(f"it is of pickle protocol {version}; 0 to 5 are known")


# What each operation does, by the byte that names it; the names of the standard library's
# pickletools stand behind. What costs more than a step is listed below.
_Machine = PlainUnpickler
_WHAT: dict[bytes, Callable[[PlainUnpickler], None]] = {
    b"\x80": _Machine._protocol,  # PROTO
    b"\x95": _Machine._frame,  # FRAME: only of use to readers ahead
    b"(": _Machine._mark,  # MARK
    b"0": _Machine._pop,  # POP
    b"1": _Machine._drop_mark,  # POP_MARK
    b"2": _Machine._push_copy,  # DUP
    b"N": lambda m: m._stack.append(None),  # NONE
    b"\x88": lambda m: m._stack.append(True),  # NEWTRUE
    b"\x89": lambda m: m._stack.append(False),  # NEWFALSE
    b"I": _Machine._integer_line,  # INT
    b"L": _Machine._integer_line,  # LONG
    b"J": lambda m: m._stack.append(m._number("<i")),  # BININT
    b"K": _Machine._byte,  # BININT1
    b"M": lambda m: m._stack.append(m._number("<H")),  # BININT2
    b"\x8a": lambda m: m._integer_bytes(m._take(1)[0]),  # LONG1
    b"\x8b": lambda m: m._integer_bytes(m._number("<i")),  # LONG4
    b"F": lambda m: m._stack.append(float(m._line())),  # FLOAT
    b"G": lambda m: m._stack.append(m._number(">d")),  # BINFLOAT
    b"S": _Machine._quoted_line,  # STRING
    b"T": _Machine._signed_text,  # BINSTRING
    b"U": lambda m: m._text(m._take(m._take(1)[0]), "ascii"),  # SHORT_BINSTRING
    b"V": _Machine._unicode_line,  # UNICODE
    b"X": lambda m: m._text(m._take(m._number("<I"))),  # BINUNICODE
    b"\x8c": lambda m: m._text(m._take(m._take(1)[0])),  # SHORT_BINUNICODE
    b"\x8d": lambda m: m._text(m._take(m._number("<Q"))),  # BINUNICODE8
    b"B": lambda m: m._bytes(m._number("<I")),  # BINBYTES
    b"C": lambda m: m._bytes(m._take(1)[0]),  # SHORT_BINBYTES
    b"\x8e": lambda m: m._bytes(m._number("<Q")),  # BINBYTES8
    b"\x96": _Machine._bytearray,  # BYTEARRAY8
    b"\x97": _Machine._refuse_buffer,  # NEXT_BUFFER
    b"\x98": _Machine._refuse_buffer,  # READONLY_BUFFER
    b")": lambda m: m._tuple(()),  # EMPTY_TUPLE
    b"\x85": lambda m: m._tuple(m._last(1)),  # TUPLE1
    b"\x86": lambda m: m._tuple(m._last(2)),  # TUPLE2
    b"\x87": lambda m: m._tuple(m._last(3)),  # TUPLE3
    b"t": lambda m: m._tuple(m._pop_mark()),  # TUPLE
    b"]": lambda m: m._new([]),  # EMPTY_LIST
    b"l": lambda m: m._list(m._pop_mark()),  # LIST
    b"a": lambda m: m._append(m._last(1)),  # APPEND
    b"e": lambda m: m._append(m._pop_mark()),  # APPENDS
    b"}": lambda m: m._new({}),  # EMPTY_DICT
    b"d": lambda m: m._dict(m._pop_mark()),  # DICT
    b"s": lambda m: m._set_items(m._last(2)),  # SETITEM
    b"u": lambda m: m._set_items(m._pop_mark()),  # SETITEMS
    b"\x8f": lambda m: m._new(set()),  # EMPTY_SET
    b"\x90": _Machine._add_items,  # ADDITEMS
    b"\x91": _Machine._frozenset,  # FROZENSET
    b"g": lambda m: m._recall(int(m._line())),  # GET
    b"h": _Machine._recall_byte,  # BINGET
    b"j": lambda m: m._recall(m._number("<I")),  # LONG_BINGET
    b"p": lambda m: m._remember(int(m._line())),  # PUT
    b"q": lambda m: m._remember(m._take(1)[0]),  # BINPUT
    b"r": lambda m: m._remember(m._number("<I")),  # LONG_BINPUT
    b"\x94": _Machine._remember_next,  # MEMOIZE
    b"c": _Machine._global_line,  # GLOBAL
    b"\x93": _Machine._stack_global,  # STACK_GLOBAL
    b"R": _Machine._reduce,  # REDUCE
    b"\x81": _Machine._reduce,  # NEWOBJ: of a class, which is called like any other
    b"\x92": _Machine._new_object_with_keywords,  # NEWOBJ_EX
    b"o": _Machine._call_marked,  # OBJ
    b"i": _Machine._inst,  # INST
    b"b": _Machine._build,  # BUILD
    b"P": lambda m: m._persistent(m._line().decode("ascii")),  # PERSID
    b"Q": lambda m: m._persistent(m._stack.pop()),  # BINPERSID
    b"\x82": lambda m: m._refuse_extension(m._take(1)[0]),  # EXT1
    b"\x83": lambda m: m._refuse_extension(m._number("<H")),  # EXT2
    b"\x84": lambda m: m._refuse_extension(m._number("<i")),  # EXT4
}

_COSTS = {
    **dict.fromkeys((b"p", b"q", b"r", b"\x94"), _MEMO_COST),
    **dict.fromkeys(
        (b"(", b")", b"\x85", b"\x86", b"\x87", b"t", b"]", b"l", b"}", b"d", b"\x8f", b"\x91"),
        _CONTAINER_COST,
    ),
    **dict.fromkeys((b"R", b"\x81", b"o", b"i", b"P", b"Q"), _CALL_COST),
}
_OPERATIONS = {code: (what, _COSTS.get(code, _STEP_COST)) for code, what in _WHAT.items()}
