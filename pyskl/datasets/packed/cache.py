"""Packs that are made by themselves, beside the annotation file that they stand for.

Where ``ntu60.pkl`` lies, ``ntu60.pkl.packed/`` takes its packs: one for each content of the file
and each set of transforms applied ahead, named by a hash of both. Where that folder can't be
written, a folder of the user's cache takes its place (:func:`pyskl.files.cache_dir.cache_folder`);
where neither can, the file is read as it is.

The content is hashed when the file's size, times or inode differ from those noted last time, so a
file that is replaced is noticed, and one that is merely touched or moved is not packed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from filelock import FileLock, Timeout

from pyskl.datasets.packed.ahead import canonical
from pyskl.datasets.packed.columns import NotPackableError
from pyskl.datasets.packed.folder import (
    FORMAT,
    PackedAnnotations,
    is_pack,
    open_pack,
    write_pack,
)
from pyskl.datasets.sample_checks import sample_id
from pyskl.errors import AnnotationError
from pyskl.files.atomic import write_text
from pyskl.files.cache_dir import cache_folder
from pyskl.files.hashing import sha256_of
from pyskl.registry import TransformConfig

if TYPE_CHECKING:
    from pyskl.datasets.annotation import AnnotationFile

Pack = bool | Literal["auto", "existing"]

_log = logging.getLogger(__name__)

# Smaller files are read in a moment.
AUTO_FROM = 64 * 2**20
# Who waits longer than this for another process to finish packing is told instead.
_WAIT_SECONDS = 1800.0
# A file that changed this recently may change again within the resolution of its time stamp.
_SETTLED_SECONDS = 2.0
# Of a hash that name a content.
_DIGITS = 24


def cached_pack(
    path: Path,
    ahead: Sequence[TransformConfig],
    pack: Pack,
    read: Callable[[], AnnotationFile],
) -> PackedAnnotations | None:
    """Return the pack of an annotation file, which is made where there is none.

    Args:
        path: The annotation file.
        ahead: Transforms that its samples have gone through.
        pack: True, False, ``'auto'`` for files from :data:`AUTO_FROM` bytes, or ``'existing'`` to
            read one that is there and write nothing.
        read: Reads the file; called where there is no pack.

    Returns:
        The pack; None where there is to be none, or where ``'auto'`` can't make one.

    Raises:
        AnnotationError: if ``pack`` is True and no pack can be made; or from ``read``.
    """
    if pack is False or (pack == "auto" and path.stat().st_size < AUTO_FROM):
        return None
    if pack == "existing":
        return _existing_pack(path, ahead)
    reasons = []
    digest = next((noted for root in _roots(path) if (noted := _noted_digest(root, path))), None)
    for root in _roots(path):
        try:
            digest = digest or sha256_of(path)[:_DIGITS]
            folder = root / f"{digest}-{_variant(ahead)}"
            if not is_pack(folder):
                _make(folder, path, ahead, read)
            _note(root, path, digest)
            return open_pack(folder, path)
        except NotPackableError as error:
            reasons = [str(error)]
            break
        except OSError as error:
            reasons.append(f"{root}: {error}")
        except Timeout:
            reasons.append(f"{root}: another process has been packing for {_WAIT_SECONDS:.0f} s")
    message = f"{path} can't be packed ({'; '.join(reasons)})"
    if pack is True:
        raise AnnotationError(f"{message}; use pack=False to read it as it is")
    _log.info("%s: each process keeps its samples in memory", message)
    return None


def _existing_pack(path: Path, ahead: Sequence[TransformConfig]) -> PackedAnnotations | None:
    """Return the pack of a file as it is now, where there is one; nothing is written."""
    digest = None
    for root in filter(Path.is_dir, _roots(path)):
        digest = digest or _noted_digest(root, path) or sha256_of(path)[:_DIGITS]
        folder = root / f"{digest}-{_variant(ahead)}"
        if is_pack(folder):
            return open_pack(folder, path)
    return None


def _roots(path: Path) -> Iterator[Path]:
    """Yield the folders that may hold a file's packs, the best first."""
    yield path.with_name(f"{path.name}.packed")
    where = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    yield cache_folder() / "packed" / f"{path.name}-{where}"


def _make(
    folder: Path,
    path: Path,
    ahead: Sequence[TransformConfig],
    read: Callable[[], AnnotationFile],
) -> None:
    """Make a pack unless another process, which is waited for, has made it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder.parent / "lock", timeout=_WAIT_SECONDS):
            if is_pack(folder):
                return
            start = time.perf_counter()
            size = path.stat().st_size
            _log.info("packing %s (%d MB), once, into %s", path, size >> 20, folder)
            pack_annotations(read(), folder, ahead, source={"file": path.name, "bytes": size})
            _drop_superseded(folder)
            _log.info("packed in %.1f s", time.perf_counter() - start)
    finally:
        _remove_if_empty(folder.parent)  # as it is where the packing failed


def _remove_if_empty(root: Path) -> None:
    """Delete a folder that holds nothing but the lock; who waits for that packs by himself."""
    with contextlib.suppress(OSError):
        if [path.name for path in root.iterdir()] == ["lock"]:
            (root / "lock").unlink()
        root.rmdir()


def pack_annotations(
    annotations: AnnotationFile,
    folder: Path,
    ahead: Sequence[TransformConfig] = (),
    source: dict[str, str | int] | None = None,
) -> None:
    """Write the content of an annotation file as a pack; see :func:`write_pack`."""
    splits: dict[str, np.ndarray | str] | None = None
    if annotations.split is not None:
        positions = {sample_id(sample): i for i, sample in enumerate(annotations.samples)}
        splits = {}
        for name in annotations.split:
            try:
                chosen = annotations.select(name)
            except AnnotationError as error:  # told when the split is asked for
                splits[name] = str(error).removeprefix(f"{annotations.path}: ")
                continue
            ids = (positions[sample_id(sample)] for sample in chosen)
            splits[name] = np.fromiter(ids, dtype=np.int64, count=len(chosen))
    write_pack(
        folder, annotations.samples, splits, path=annotations.path, ahead=ahead, source=source
    )


def _drop_superseded(folder: Path) -> None:
    """Delete the packs of what the annotation file held before."""
    digest = folder.name.partition("-")[0]
    for other in folder.parent.iterdir():
        if is_pack(other) and other.name.partition("-")[0] != digest:
            shutil.rmtree(other, ignore_errors=True)


def _variant(ahead: Sequence[TransformConfig]) -> str:
    return hashlib.sha256(f"{FORMAT} {canonical(ahead)}".encode()).hexdigest()[:12]


# --- the content of a file, without reading it each time ------------------------------------------


def _state(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]


def _noted_digest(root: Path, path: Path) -> str | None:
    """Return the digest that was noted for the file as it is now."""
    try:
        noted = json.loads((root / "source.json").read_text(encoding="utf-8"))
        return str(noted["digest"]) if noted["state"] == _state(path) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _note(root: Path, path: Path, digest: str) -> None:
    """Note the digest of the file as it is now, where that is known to be sound."""
    if _noted_digest(root, path) == digest:
        return
    if time.time() - path.stat().st_mtime < _SETTLED_SECONDS:
        return
    try:
        noted = {"state": _state(path), "digest": digest}
        write_text(root / "source.json", json.dumps(noted))
    except OSError:
        return  # the next process hashes again
