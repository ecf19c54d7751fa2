"""Write checkpoint files atomically, check them, and read them without running code.

A checkpoint is ``dict(meta=..., state_dict=..., optimizer=..., scaler=..., processes=...)``, the
format of PYSKL and MMCV plus two keys. Their checkpoints load here, and ours load there.

**Checksum.** torch detects a truncated file but not a flipped bit in a weight. A checkpoint is a
zip archive whose records torch reads by name, so readers ignore an additional record: the last one,
``sha256``, covers all bytes before it and the archive's table of records. Files that other programs
save lack it and are not checked.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from pyskl.checkpoints.checkpoint_reader import read_torch_file
from pyskl.checkpoints.names import plain_names
from pyskl.errors import CheckpointError, RunError
from pyskl.files.atomic import replace_with
from pyskl.files.download import local_checkpoint
from pyskl.unpickling.load import short_message

_CHECKSUM_RECORD = "sha256"
_CHUNK = 1 << 22  # bytes that are hashed at once


@dataclass(frozen=True)
class OpenedCheckpoint:
    """The content of a checkpoint, on the CPU. Pass it along instead of opening the file again.

    Attributes:
        path: The file.
        source: The path or URL that was asked for; for messages.
        sha256: Hash of the whole file, in hexadecimal.
        state_dict: Parameters and buffers by name, without the names of modules that wrap the
            model; see :func:`pyskl.checkpoints.names.plain_name`.
        meta: Facts about the run that wrote it (``epoch``, ``iter``, ``config``, ...); may be
            empty.
        optimizer: State of the optimizer; None if the file holds weights only.
        scaler: State of the gradient scaler, if any.
        processes: State of each process of the run: BatchNorm statistics, random states and the
            running means of the log. Empty in checkpoints of other programs.

    The last four are not checked here: see :func:`pyskl.checkpoints.resume_check.check_resumable`.
    """

    path: Path
    source: str
    sha256: str
    state_dict: OrderedDict[str, Tensor]
    meta: dict[str, Any]
    optimizer: Any = None
    scaler: Any = None
    processes: Any = ()


def open_checkpoint(location: str | Path, *, trusted: bool = False) -> OpenedCheckpoint:
    """Read a checkpoint or a bare state dict, after comparing it with its checksum.

    Args:
        location: Path or URL of what ``torch.save`` wrote, or of a ``.safetensors`` file.
        trusted: Read it with plain pickle, which runs any code in the file, and accept
            ``http://``. Only for files from people whose programs you would run.

    Raises:
        CheckpointError: if the file is missing, damaged, holds no parameters or one of them twice.
        UntrustedFileError: if it asks for more than tensors, numbers, strings and containers.
    """
    path = local_checkpoint(location, trusted=trusted)
    if path.is_dir():
        raise CheckpointError("this is a folder", file=path, expected="a checkpoint")
    if not path.is_file():
        raise CheckpointError("there is no such checkpoint", file=path)
    sha256 = _checked_sha256(path)
    if path.suffix == ".safetensors":
        content: Any = read_safetensors(path)
    else:
        content = read_torch_file(path, trusted=trusted)
    if not isinstance(content, Mapping):
        raise CheckpointError("not a dict", file=path, found=type(content).__name__)
    if "state_dict" not in content:
        if not content or not _is_state_dict(content):
            raise CheckpointError(
                "no parameters",
                file=path,
                found=f"the keys {', '.join(map(str, list(content)[:8]))}",
                expected="the key 'state_dict', or tensors by name",
            )
        content = {"state_dict": content}
    weights, meta = content["state_dict"], content.get("meta")
    if not _is_state_dict(weights):
        raise CheckpointError("should hold tensors by name", file=path, key="state_dict")
    return OpenedCheckpoint(
        path,
        str(location),
        sha256,
        plain_names(weights, str(path)),
        dict(meta) if isinstance(meta, Mapping) else {},
        content.get("optimizer"),
        content.get("scaler"),
        content.get("processes", ()),
    )


def save_checkpoint(checkpoint: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint with its checksum; the old file is kept until the new one is on disk.

    Raises:
        CheckpointError: if it can't be written.
    """

    def write(partial: Path) -> None:
        # With a path instead of a file, torch would report write errors in less detail.
        with partial.open("wb") as file:
            torch.save(dict(checkpoint), file)
        with zipfile.ZipFile(partial, "a") as archive:
            records = archive.infolist()
            digest = hashlib.sha256()
            with partial.open("rb") as file:
                _update(digest, file, archive.start_dir)
            folder = records[0].filename.partition("/")[0]
            checksum = _with_table(digest, records)
            archive.writestr(f"{folder}/{_CHECKSUM_RECORD}", checksum)

    try:
        replace_with(path, write)
    except (OSError, RuntimeError) as error:  # torch's writer turns an OSError into a RuntimeError
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OSError):
            cause = cause.__cause__ or cause.__context__
        reason = (str(cause or error).splitlines() or [""])[0]
        raise CheckpointError(
            f"could not be written ({reason}); the previous file is unchanged", file=path
        ) from error


def _checked_sha256(path: Path) -> str:
    """Return a file's SHA-256; the same pass compares it with the checksum inside."""
    with path.open("rb") as file:
        try:
            recorded, end, records = _recorded_checksum(file)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
            raise CheckpointError(
                f"damaged or not a checkpoint (incomplete archive: {error})", file=path
            ) from error
        digest = hashlib.sha256()
        file.seek(0)
        if recorded is not None:
            _update(digest, file, end)
            found = _with_table(digest, records)
            if found != recorded:
                raise CheckpointError(
                    "damaged: its SHA-256 is not the recorded one",
                    file=path,
                    found=f"{found[:12]}...",
                    expected=f"{recorded[:12]}...",
                )
        _update(digest, file)
    return digest.hexdigest()


def _recorded_checksum(file: IO[bytes]) -> tuple[str | None, int, list[zipfile.ZipInfo]]:
    """Return the checksum inside a file, and the length and the records that it covers.

    The checksum is None if the file is no archive (``torch.save`` before torch 1.6, or
    ``.safetensors``) or another program saved it.
    """
    if file.read(2) != b"PK":
        return None, 0, []
    with zipfile.ZipFile(file) as archive:
        *records, last = archive.infolist()
        if last.filename.rpartition("/")[2] != _CHECKSUM_RECORD:
            return None, 0, []
        if last.file_size != 64:
            raise ValueError("its checksum is not a SHA-256")
        return archive.read(last).decode("ascii"), last.header_offset, records


def _update(digest: Any, file: IO[bytes], count: int | None = None) -> None:
    """Add the next ``count`` bytes of a file to a hash, or all remaining ones."""
    while block := file.read(_CHUNK if count is None else min(_CHUNK, count)):
        digest.update(block)
        if count is not None:
            count -= len(block)


def _with_table(digest: Any, records: list[zipfile.ZipInfo]) -> str:
    """Return the checksum: the hash of the bytes so far and of the table of records."""
    digest = digest.copy()
    for record in records:
        entry = (record.filename, record.header_offset, record.file_size, record.compress_type)
        digest.update(repr(entry).encode())
    return str(digest.hexdigest())


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a ``.safetensors`` file by their names.

    Raises:
        CheckpointError: if the file is damaged, or the package safetensors is missing.
    """
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise CheckpointError(
            "reading it needs the package safetensors",
            file=path,
            hint="pip install safetensors",
        ) from error
    try:
        return load_file(path)
    except RunError:  # for example a request to stop
        raise
    except Exception as error:  # damaged bytes can cause any error
        problem = f"damaged or not a safetensors file ({short_message(error)})"
        raise CheckpointError(problem, file=path) from error


def _is_state_dict(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(item, Tensor) for item in value.values())
