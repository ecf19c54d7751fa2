"""Read the files that ``torch.save`` writes as data: tensors, numbers, strings and containers.

``torch.load(weights_only=True)`` means the same, but some releases of torch let a file out of it
(see :mod:`pyskl.checkpoints.torch_version`), and none holds a file to its size: one of 1 kB
may ask it for terabytes. The reader here knows the two formats of ``torch.save``, the zip archive
and the stream of pickles before torch 1.6, and takes of each what a checkpoint needs.
"""

from __future__ import annotations

import io
import math
import os
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import torch

from pyskl.checkpoints.torch_version import warn_of_loader_flaws
from pyskl.errors import CheckpointError, UntrustedFileError
from pyskl.unpickling import NUMPY_NAMES, PYTHON_NAMES, Name, PlainUnpickler, shown

# How often a file may show the same bytes as part of a tensor; tied weights show them twice.
VIEW_FACTOR = 4
_VIEW_CONSTANT = 1 << 20

# How torch 0.1.10 to 1.5 began its files, and the version of that format.
_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_PROTOCOL_VERSION = 1001

_CHUNK = 1 << 20
_MAX_DIMENSIONS = 64
_MAX_EXTENT = 1 << 48


def read_checkpoint(
    path: Path, map_location: str | torch.device = "cpu", *, trusted: bool = False
) -> Any:
    """Return what a file of ``torch.save`` holds.

    Args:
        path: The file.
        map_location: Device to put tensors on.
        trusted: Read it with ``torch.load(weights_only=False)``, which runs whatever it says.

    Raises:
        CheckpointError: if the file is damaged or of another format.
        UntrustedFileError: if it asks for more than data, or for more memory than it may.
    """
    warn_of_loader_flaws()
    try:
        if trusted:
            return torch.load(path, map_location=map_location, weights_only=False)
        return _on(torch.device(map_location), _read(path), {})
    except UntrustedFileError as error:
        raise UntrustedFileError(
            f"{path} was refused: {error}. If you trust whoever made it, say so with --trust-files "
            "(trusted=True in Python)"
        ) from None
    except Exception as error:  # damaged bytes can spell any error
        first = (str(error).splitlines() or [""])[0]
        raise CheckpointError(
            f"{path}: damaged or not a checkpoint ({type(error).__name__}: {first[:300]})"
        ) from error


def _read(path: Path) -> Any:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(0)
        if start == b"PK\x03\x04":
            return _Archive(file, size).load()
        if not start.startswith(b"\x80") and tarfile.is_tarfile(path):
            raise ValueError("it is of the tar format of torch before 0.1.10, which is not read")
        file.seek(0)
        return _Stream(file, size).load()


def _on(device: torch.device, value: Any, moved: dict[int, torch.Tensor]) -> Any:
    """Return a value with its tensors on a device; it nests no deeper than the machine lets it."""
    if device.type == "cpu":
        return value
    if isinstance(value, torch.Tensor):
        if id(value) not in moved:
            moved[id(value)] = value.to(device)
        return moved[id(value)]
    if isinstance(value, dict):
        for key, item in value.items():
            value[key] = _on(device, item, moved)
    elif type(value) is list:
        value[:] = [_on(device, item, moved) for item in value]
    elif type(value) is tuple:
        return tuple(_on(device, item, moved) for item in value)
    return value


# --- tensors --------------------------------------------------------------------------------------


class _Storage:
    """The memory of tensors: bytes and what they are taken for."""

    def __init__(self, memory: torch.UntypedStorage, dtype: torch.dtype) -> None:
        self.memory, self.dtype = memory, dtype

    @property
    def count(self) -> int:
        """How many elements it has."""
        return self.memory.nbytes() // self.dtype.itemsize


class _Tensors:
    """Makes the tensors of one file.

    Args:
        size: Of the file, in bytes.
    """

    def __init__(self, size: int) -> None:
        self._left_to_view = VIEW_FACTOR * size + _VIEW_CONSTANT

    def names(self) -> Mapping[tuple[str, str], Any]:
        """Return the names that a checkpoint may use besides those of plain data."""
        utils = "torch._utils"
        return {
            **_TORCH_NAMES,
            (utils, "_rebuild_tensor"): Name("_rebuild_tensor", self._tensor),
            (utils, "_rebuild_tensor_v2"): Name("_rebuild_tensor_v2", self._tensor),
            (utils, "_rebuild_tensor_v3"): Name("_rebuild_tensor_v3", self._tensor_of_type),
            (utils, "_rebuild_parameter"): Name("_rebuild_parameter", self._parameter),
        }

    def _tensor(
        self, _: PlainUnpickler, storage: Any, offset: Any, size: Any, stride: Any, *extra: Any
    ) -> torch.Tensor:
        """Stand in for ``_rebuild_tensor_v2``; gradients and hooks are of no use here."""
        if not isinstance(storage, _Storage):
            raise UntrustedFileError("it makes a tensor of something else than a storage")
        return self._view(storage.memory, storage.dtype, offset, size, stride)

    def _tensor_of_type(
        self,
        _: PlainUnpickler,
        storage: Any,
        offset: Any,
        size: Any,
        stride: Any,
        requires_grad: Any,
        hooks: Any,
        dtype: Any,
        *extra: Any,
    ) -> torch.Tensor:
        """Stand in for ``_rebuild_tensor_v3``, which names the type of the elements itself."""
        if not isinstance(storage, _Storage) or not isinstance(dtype, torch.dtype):
            raise UntrustedFileError("it makes a tensor of something else than a storage")
        return self._view(storage.memory, dtype, offset, size, stride)

    def _view(
        self, memory: torch.UntypedStorage, dtype: torch.dtype, offset: Any, size: Any, stride: Any
    ) -> torch.Tensor:
        if (
            not _is_shape(size)
            or not _is_shape(stride)
            or len(size) != len(stride)
            or type(offset) is not int
            or not 0 <= offset < _MAX_EXTENT
        ):
            raise UntrustedFileError(
                f"it makes a tensor of size {shown(size)} and stride {shown(stride)} at "
                f"{shown(offset)}"
            )
        count, available = math.prod(size), memory.nbytes() // dtype.itemsize
        last = (
            offset + sum((n - 1) * step for n, step in zip(size, stride)) if count else offset - 1
        )
        if last >= available:
            raise UntrustedFileError(
                f"it makes a tensor of size {shown(tuple(size))} and stride {shown(tuple(stride))} "
                f"at {offset} of a storage of {available} elements"
            )
        self._left_to_view -= count * dtype.itemsize
        if self._left_to_view < 0:
            raise UntrustedFileError(
                f"its tensors together have more than {VIEW_FACTOR} times the file's bytes"
            )
        return torch.empty(0, dtype=dtype).set_(memory, offset, tuple(size), tuple(stride))

    @staticmethod
    def _parameter(_: PlainUnpickler, data: Any, *extra: Any) -> torch.Tensor:
        if not isinstance(data, torch.Tensor):
            raise UntrustedFileError(f"it makes a parameter of a {type(data).__name__}")
        return data


def _is_shape(value: Any) -> bool:
    return (
        isinstance(value, (tuple, list))
        and len(value) <= _MAX_DIMENSIONS
        and all(type(n) is int and 0 <= n < _MAX_EXTENT for n in value)
    )


def _torch_size(_: PlainUnpickler, sizes: Any = ()) -> torch.Size:
    if not _is_shape(sizes):
        raise UntrustedFileError(f"it makes a torch.Size of {shown(sizes)}")
    return torch.Size(sizes)


def _torch_device(_: PlainUnpickler, kind: Any, index: Any = None) -> torch.device:
    if type(kind) is not str or not (index is None or type(index) is int):
        raise UntrustedFileError(f"it makes a torch.device of {shown(kind)}, {shown(index)}")
    return torch.device(kind) if index is None else torch.device(kind, index)


_STORAGE_TYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
}

_STORAGE_NAMES = {
    **{("torch", name): Name(f"torch.{name}") for name in _STORAGE_TYPES},
    ("torch.storage", "UntypedStorage"): Name("torch.storage.UntypedStorage"),
}

# What a storage of that name holds.
_DTYPES = {
    id(found): _STORAGE_TYPES.get(name, torch.uint8) for (_, name), found in _STORAGE_NAMES.items()
}

_DTYPE_NAMES = (
    *("float64", "float32", "float16", "bfloat16", "complex64", "complex128", "bool"),
    *("int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8"),
)

_TORCH_NAMES: Mapping[tuple[str, str], Any] = {
    **PYTHON_NAMES,
    **NUMPY_NAMES,
    **_STORAGE_NAMES,
    **{("torch", name): getattr(torch, name) for name in _DTYPE_NAMES},
    ("torch", "Size"): Name("torch.Size", _torch_size),
    ("torch", "device"): Name("torch.device", _torch_device),
}


def _storage_id(pid: Any, length: int) -> tuple[torch.dtype, str, int]:
    """Take apart a persistent id: ('storage', type, key, location, count, ...)."""
    if type(pid) is not tuple or len(pid) != length or pid[0] not in ("storage", b"storage"):
        raise UntrustedFileError(f"it refers to an object outside the file ({shown(pid)})")
    kind, key, _location, count = pid[1:5]
    if id(kind) not in _DTYPES:
        raise UntrustedFileError(f"it refers to a storage of an unknown type ({shown(kind)})")
    if type(key) is not str or type(count) is not int or not 0 <= count < _MAX_EXTENT:
        raise UntrustedFileError(f"it refers to {shown(count)} elements of storage {shown(key)}")
    return _DTYPES[id(kind)], key, count


def _bytes_of(memory: torch.UntypedStorage) -> memoryview:
    array: Any = torch.empty(0, dtype=torch.uint8).set_(memory).numpy()
    return memoryview(array)


def _fill(memory: torch.UntypedStorage, file: IO[bytes]) -> int:
    """Read a storage's bytes; return their CRC-32."""
    if not memory.nbytes():
        return 0
    view, done, crc = _bytes_of(memory), 0, 0
    while done < len(view):
        part = view[done : done + _CHUNK]
        count = file.readinto(part)  # type: ignore[attr-defined]
        if not count:
            raise EOFError("it is cut short")
        crc = zlib.crc32(part[:count], crc)
        done += count
    return crc


# --- the zip archive ------------------------------------------------------------------------------


class _Archive:
    """The format since torch 1.6: a zip of a pickle and one record for each storage.

    Args:
        file: The file.
        size: Its length.
    """

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._size = file, size
        with zipfile.ZipFile(file) as archive:
            self._records = self._checked(archive.infolist())
        pickles = [
            name for name in self._records if name.count("/") == 1 and name.endswith("/data.pkl")
        ]
        if len(pickles) != 1:
            raise ValueError(f"a zip file with {len(pickles)} records of the name data.pkl")
        self._root = pickles[0].removesuffix("data.pkl")
        if f"{self._root}constants.pkl" in self._records:
            raise ValueError("it is a TorchScript program, not a checkpoint")
        # torch can be told to write no checksums; then all are 0
        self._has_checksums = any(record.CRC for record in self._records.values())
        self._swapped = self._byteorder() != sys.byteorder
        self._storages: dict[str, torch.UntypedStorage] = {}

    def _checked(self, records: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
        """Return the records by name; together they are no larger than the file."""
        found = {record.filename: record for record in records}
        if len(found) != len(records):
            raise UntrustedFileError("it has several records of one name")
        for record in records:
            if record.compress_type != zipfile.ZIP_STORED or record.flag_bits & 1:
                raise UntrustedFileError(
                    f"its record {shown(record.filename)} is compressed or encrypted, which torch "
                    "never does"
                )
        total = sum(max(record.file_size, record.compress_size) for record in records)
        if total > self._size:
            raise UntrustedFileError(
                f"its records announce {total} bytes, more than the file's {self._size}"
            )
        return found

    def _byteorder(self) -> str:
        name = f"{self._root}byteorder"
        if name not in self._records:
            return "little"
        order = self._content(name).decode("ascii")
        if order not in ("little", "big"):
            raise ValueError(f"its byte order is {order[:20]!r}")
        return order

    def _content(self, name: str) -> bytes:
        count = self._seek(name)
        data = self._file.read(count)
        if len(data) != count:
            raise EOFError(f"its record {name} is cut short")
        self._check(name, zlib.crc32(data))
        return data

    def _seek(self, name: str) -> int:
        """Go to a record's content; return its length."""
        record = self._records[name]
        self._file.seek(record.header_offset)
        header = self._file.read(30)
        if len(header) != 30 or header[:4] != b"PK\x03\x04":
            raise ValueError(f"its record {name} has no header")
        skipped = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        self._file.seek(skipped, os.SEEK_CUR)
        return record.file_size

    def _check(self, name: str, crc: int) -> None:
        if self._has_checksums and crc != self._records[name].CRC:
            raise ValueError(f"its record {name} does not have the checksum that it should")

    def _refer(self, pid: Any) -> _Storage:
        dtype, key, count = _storage_id(pid, 5)
        name = f"{self._root}data/{key}"
        if name not in self._records:
            raise ValueError(f"it lacks the storage {shown(key)}")
        found = self._records[name].file_size
        if found != count * dtype.itemsize:
            raise UntrustedFileError(
                f"it announces {count * dtype.itemsize} bytes for storage {shown(key)}, which has "
                f"{found}"
            )
        if key not in self._storages:
            self._seek(name)
            memory = torch.UntypedStorage(found)
            self._check(name, _fill(memory, self._file))
            if self._swapped:
                memory.byteswap(dtype)
            self._storages[key] = memory
        return _Storage(self._storages[key], dtype)

    def load(self) -> Any:
        """Return what the archive holds."""
        data = self._content(f"{self._root}data.pkl")
        return _machine(io.BytesIO(data), len(data), self._size, self._refer).load()


def _machine(
    file: IO[bytes], size: int, file_size: int, refer: Callable[[Any], Any]
) -> PlainUnpickler:
    names = _Tensors(file_size).names()
    return PlainUnpickler(file, names, size, refer=refer, ignore_attributes=True)


# --- the stream of pickles ------------------------------------------------------------------------


class _Stream:
    """The format before torch 1.6: five pickles, then the storages' bytes.

    Args:
        file: The file.
        size: Its length.
    """

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._storages: dict[str, _Storage] = {}
        self._left_to_reserve = size
        self._machine = _machine(file, size, size, self._refer)

    def _refer(self, pid: Any) -> _Storage:
        dtype, key, count = _storage_id(pid, 6)
        if pid[5] is not None:
            raise UntrustedFileError("it refers to a part of a storage")
        if key in self._storages:
            found = self._storages[key]
            if (found.dtype, found.count) != (dtype, count):
                raise UntrustedFileError(f"it has two opinions about storage {shown(key)}")
            return found
        self._left_to_reserve -= count * dtype.itemsize
        if self._left_to_reserve < 0:
            raise EOFError(f"it announces {count} elements of a storage and has less")
        self._storages[key] = _Storage(torch.UntypedStorage(count * dtype.itemsize), dtype)
        return self._storages[key]

    def load(self) -> Any:
        """Return what the stream holds."""
        load = self._machine.load
        if load() != _MAGIC_NUMBER:
            raise ValueError("it does not start as a file of torch does")
        if load() != _PROTOCOL_VERSION:
            raise ValueError("it is of an unknown version of torch's format")
        system = load()
        content = load()
        keys = load()
        if type(keys) is not list or sorted(map(str, keys)) != sorted(self._storages):
            raise ValueError("it lists other storages than those it refers to")
        for key in keys:
            storage = self._storages[key]
            count = int.from_bytes(self._file.read(8), "little")
            if count != storage.count:
                raise ValueError(f"storage {shown(key)} has {count} elements, not {storage.count}")
            _fill(storage.memory, self._file)
            if type(system) is dict and system.get("little_endian") is False:
                storage.memory.byteswap(storage.dtype)
        return content
