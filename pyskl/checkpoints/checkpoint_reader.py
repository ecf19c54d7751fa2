"""Read files of ``torch.save`` as data: tensors, numbers, strings and containers.

``torch.load(weights_only=True)`` does the same, but some releases of torch let a file run programs
(see :mod:`pyskl.checkpoints.torch_version`), and none limits the memory that a file can ask for: a
checkpoint of 1 kB may ask for terabytes. This reader supports both formats of ``torch.save``: the
zip archive, and the stream of pickles before torch 1.6.
"""

from __future__ import annotations

import io
import math
import sys
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor, UntypedStorage

from pyskl.checkpoints.torch_version import warn_of_loader_flaws
from pyskl.errors import CheckpointError, RunError, UntrustedFileError
from pyskl.unpickling.allowed_names import NUMPY_NAMES, PYTHON_NAMES, AllowedName
from pyskl.unpickling.limits import Limits, NotData
from pyskl.unpickling.load import refused, short_message
from pyskl.unpickling.safe_unpickler import SafeUnpickler, short_repr

# How often tensors may use the same bytes of a file; tied weights use them twice.
VIEW_FACTOR = 4
_VIEW_CONSTANT = 1 << 20

_CHUNK = 1 << 20
_MAX_DIMENSIONS = 64
_MAX_EXTENT = 1 << 48  # of a dimension, stride or offset

# How the format before torch 1.6 begins.
_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_LEGACY_VERSION = 1001

_STORAGE_DTYPES = {
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
_DTYPES = (
    *("float64", "float32", "float16", "bfloat16", "complex64", "complex128", "bool"),
    *("int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8"),
)


def read_torch_file(path: Path, *, trusted: bool = False) -> Any:
    """Return the content of a file of ``torch.save``, with its tensors on the CPU.

    Args:
        path: The file.
        trusted: Read it with ``torch.load(weights_only=False)``, which runs any code in the file.

    Raises:
        CheckpointError: if the file is damaged or of another format.
        UntrustedFileError: if it asks for more than data, or for too much memory.
    """
    warn_of_loader_flaws()
    try:
        if trusted:
            return torch.load(path, map_location="cpu", weights_only=False)
        with path.open("rb") as file:
            start = file.read(4)
            file.seek(0)
            if start == b"PK\x03\x04":
                with zipfile.ZipFile(file) as archive:
                    return _ArchiveReader(archive, path.stat().st_size).load()
            if not start.startswith(b"\x80") and tarfile.is_tarfile(path):
                raise ValueError("it is a tar file of torch before 0.1.10, which is not supported")
            return _LegacyReader(file, path.stat().st_size).load()
    except UntrustedFileError as error:
        raise refused(path, error) from None
    except RunError:  # for example a request to stop
        raise
    except Exception as error:  # damaged bytes can cause any error
        problem = f"damaged or not a checkpoint ({short_message(error)})"
        raise CheckpointError(problem, file=path) from error


# --- tensors --------------------------------------------------------------------------------------


class _StorageType(AllowedName):
    """Replaces a storage class; its dtype defines how the bytes are interpreted."""

    def __init__(self, label: str, dtype: torch.dtype) -> None:
        super().__init__(label)
        self.dtype = dtype


class _Storage(NotData):
    """The memory of one or more tensors, and how it is interpreted."""

    def __init__(self, memory: UntypedStorage, dtype: torch.dtype) -> None:
        self.memory, self.dtype = memory, dtype

    def __str__(self) -> str:
        return "a storage"


class _TensorBuilder:
    """Replaces the functions that build the tensors of one file.

    Args:
        size: Size of the file in bytes; limits the total size of its tensors.
    """

    def __init__(self, size: int) -> None:
        self._view_budget = VIEW_FACTOR * size + _VIEW_CONSTANT

    def names(self) -> Mapping[tuple[str, str], Any]:
        """Return the names that a checkpoint may use."""
        rebuild: dict[str, Callable[..., Any]] = {
            "_rebuild_tensor": self._tensor,
            "_rebuild_tensor_v2": self._tensor,
            "_rebuild_tensor_v3": self._tensor_of_dtype,
            "_rebuild_parameter": _parameter,
        }
        return {
            **PYTHON_NAMES,
            **NUMPY_NAMES,
            **{
                ("torch", name): _StorageType(f"torch.{name}", dtype)
                for name, dtype in _STORAGE_DTYPES.items()
            },
            ("torch.storage", "UntypedStorage"): _StorageType("UntypedStorage", torch.uint8),
            **{("torch", name): getattr(torch, name) for name in _DTYPES},
            ("torch", "Size"): AllowedName("torch.Size", _torch_size),
            ("torch", "device"): AllowedName("torch.device", _torch_device),
            **{("torch._utils", name): AllowedName(name, make) for name, make in rebuild.items()},
        }

    def _tensor(
        self, _: Limits, storage: Any, offset: Any, size: Any, stride: Any, *extra: Any
    ) -> Tensor:
        """Return a tensor; its gradient and hooks (``extra``) are ignored."""
        dtype = storage.dtype if isinstance(storage, _Storage) else None
        return self._view(storage, dtype, offset, size, stride)

    def _tensor_of_dtype(
        self,
        _: Limits,
        storage: Any,
        offset: Any,
        size: Any,
        stride: Any,
        requires_grad: Any,
        hooks: Any,
        dtype: Any,
        *extra: Any,
    ) -> Tensor:
        return self._view(storage, dtype, offset, size, stride)

    def _view(self, storage: Any, dtype: Any, offset: Any, size: Any, stride: Any) -> Tensor:
        if not isinstance(storage, _Storage) or not isinstance(dtype, torch.dtype):
            raise UntrustedFileError("it makes a tensor of something other than a storage")
        available = storage.memory.nbytes() // dtype.itemsize
        fits = (
            _is_shape(size)
            and _is_shape(stride)
            and len(size) == len(stride)
            and type(offset) is int
            and 0 <= offset < _MAX_EXTENT
        )
        if fits:
            count = math.prod(size)
            last = sum((n - 1) * step for n, step in zip(size, stride)) if count else -1
            fits = offset + last < available
        if not fits:
            raise UntrustedFileError(
                f"it makes a tensor of size {short_repr(size)} and stride {short_repr(stride)} at "
                f"{short_repr(offset)} of a storage of {available} elements"
            )
        self._view_budget -= count * dtype.itemsize
        if self._view_budget < 0:
            raise UntrustedFileError(
                f"its tensors together have more than {VIEW_FACTOR} times the file's bytes"
            )
        return torch.empty(0, dtype=dtype).set_(storage.memory, offset, tuple(size), tuple(stride))


def _is_shape(value: Any) -> bool:
    return (
        isinstance(value, (tuple, list))
        and len(value) <= _MAX_DIMENSIONS
        and all(type(n) is int and 0 <= n < _MAX_EXTENT for n in value)
    )


def _parameter(_: Limits, data: Any, *extra: Any) -> Tensor:
    if not isinstance(data, Tensor):
        raise UntrustedFileError(f"it makes a parameter of a {type(data).__name__}")
    return data


def _torch_size(_: Limits, sizes: Any = ()) -> torch.Size:
    if not _is_shape(sizes):
        raise UntrustedFileError(f"it makes a torch.Size of {short_repr(sizes)}")
    return torch.Size(sizes)


def _torch_device(_: Limits, kind: Any, index: Any = None) -> torch.device:
    if type(kind) is not str or not (index is None or type(index) is int):
        given = short_repr((kind, index))
        raise UntrustedFileError(f"it makes a torch.device of {given}")
    return torch.device(kind) if index is None else torch.device(kind, index)


def _storage_id(pid: Any, length: int) -> tuple[torch.dtype, str, int]:
    """Return dtype, key and count of ``('storage', type, key, location, count, ...)``."""
    if type(pid) is not tuple or len(pid) != length or pid[0] not in ("storage", b"storage"):
        raise UntrustedFileError(f"it refers to an object outside the file ({short_repr(pid)})")
    kind, key, _location, count = pid[1:5]
    if not isinstance(kind, _StorageType):
        raise UntrustedFileError(f"it refers to a storage of an unknown type ({short_repr(kind)})")
    if type(key) is not str or type(count) is not int or not 0 <= count < _MAX_EXTENT:
        raise UntrustedFileError(
            f"it refers to {short_repr(count)} elements of storage {short_repr(key)}"
        )
    return kind.dtype, key, count


def _check_byteorder(found: str) -> None:
    if found != sys.byteorder:
        raise ValueError(f"its byte order is {short_repr(found)}, this machine's {sys.byteorder}")


def _read_storage(memory: UntypedStorage, file: IO[bytes]) -> None:
    """Fill a storage with the next bytes of a file."""
    if not memory.nbytes():
        return
    array: Any = torch.empty(0, dtype=torch.uint8).set_(memory).numpy()
    view, done = memoryview(array), 0
    while done < len(view):
        count = file.readinto(view[done : done + _CHUNK])  # type: ignore[attr-defined]
        if not count:
            raise EOFError("it is cut short")
        done += count


# --- the zip archive since torch 1.6 --------------------------------------------------------------


class _ArchiveReader:
    """Reads a zip archive of a pickle, ``data.pkl``, and a record for each storage.

    Args:
        archive: The archive; :mod:`zipfile` compares each record that is read with its CRC.
        size: Size of the file in bytes.
    """

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        records = archive.infolist()
        self._archive, self._size = archive, size
        self._records = {record.filename: record for record in records}
        if len(self._records) != len(records):
            raise UntrustedFileError("it has several records of one name")
        for record in records:
            if record.compress_type != zipfile.ZIP_STORED or record.flag_bits & 1:
                name = short_repr(record.filename)
                raise UntrustedFileError(
                    f"its record {name} is compressed or encrypted, which torch never does"
                )
        total = sum(max(record.file_size, record.compress_size) for record in records)
        if total > size:
            raise UntrustedFileError(f"its records announce {total} bytes, but it has {size}")
        if not any(record.CRC for record in records):  # torch can omit the CRCs
            for record in records:
                record.CRC = None  # type: ignore[assignment] # zipfile then compares nothing
        pickles = [name for name in self._records if name.partition("/")[2] == "data.pkl"]
        if len(pickles) != 1:
            raise ValueError(f"a zip file with {len(pickles)} records of the name data.pkl")
        self._root = pickles[0].removesuffix("data.pkl")
        if f"{self._root}constants.pkl" in self._records:
            raise ValueError("it is a TorchScript program, not a checkpoint")
        self._storages: dict[str, UntypedStorage] = {}

    def load(self) -> Any:
        """Return the content of the archive."""
        if f"{self._root}byteorder" in self._records:
            _check_byteorder(self._read("byteorder").decode("ascii"))
        data = self._read("data.pkl")
        return SafeUnpickler(
            io.BytesIO(data),
            _TensorBuilder(self._size).names(),
            len(data),
            persistent_load=self._load_storage,
            ignore_attributes=True,
        ).load()

    def _read(self, name: str) -> bytes:
        return self._archive.read(self._records[self._root + name])

    def _load_storage(self, pid: Any) -> _Storage:
        dtype, key, count = _storage_id(pid, 5)
        record = self._records.get(f"{self._root}data/{key}")
        if record is None:
            raise ValueError(f"it lacks the storage {short_repr(key)}")
        announced = count * dtype.itemsize
        if record.file_size != announced:
            raise UntrustedFileError(
                f"it announces {announced} bytes for storage {short_repr(key)}, which has "
                f"{record.file_size}"
            )
        if key not in self._storages:
            memory = UntypedStorage(record.file_size)
            with self._archive.open(record) as file:
                _read_storage(memory, file)
                file.read()  # zipfile compares the CRC when it reaches the end
            self._storages[key] = memory
        return _Storage(self._storages[key], dtype)


# --- the stream of pickles before torch 1.6 -------------------------------------------------------


class _LegacyReader:
    """Reads five pickles (magic number, version, system, content, keys) and the storages' bytes.

    Args:
        file: The file.
        size: Its size in bytes.
    """

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._storage_budget = file, size
        self._storages: dict[str, _Storage] = {}
        self._unpickler = SafeUnpickler(
            file,
            _TensorBuilder(size).names(),
            size,
            persistent_load=self._allocate_storage,
            ignore_attributes=True,
        )

    def load(self) -> Any:
        """Return the content of the file."""
        load = self._unpickler.load
        if load() != _MAGIC_NUMBER:
            raise ValueError("it does not start like a file of torch")
        if load() != _LEGACY_VERSION:
            raise ValueError("it is of an unknown version of torch's format")
        system, content, keys = load(), load(), load()
        if type(system) is dict and system.get("little_endian") is False:
            _check_byteorder("big")
        if type(keys) is not list or sorted(map(str, keys)) != sorted(self._storages):
            raise ValueError("it lists storages that differ from those it uses")
        for key in keys:
            storage = self._storages[key]
            count = int.from_bytes(self._file.read(8), "little")
            if count * storage.dtype.itemsize != storage.memory.nbytes():
                raise ValueError(f"its storage {short_repr(key)} has another number of elements")
            _read_storage(storage.memory, self._file)
        return content

    def _allocate_storage(self, pid: Any) -> _Storage:
        """Allocate a storage; its bytes come after the pickles."""
        dtype, key, count = _storage_id(pid, 6)
        if pid[5] is not None:
            raise UntrustedFileError("it refers to a part of a storage")
        size = count * dtype.itemsize
        if key not in self._storages:
            self._storage_budget -= size
            if self._storage_budget < 0:
                raise EOFError(f"it announces {size} bytes for a storage, but has fewer")
            self._storages[key] = _Storage(UntypedStorage(size), dtype)
        found = self._storages[key]
        if (found.dtype, found.memory.nbytes()) != (dtype, size):
            raise UntrustedFileError(f"it describes storage {short_repr(key)} in two ways")
        return found
