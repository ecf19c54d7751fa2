"""Open annotation files: each once, and large ones through packs that are made automatically.

The packs of ``ntu60.pkl`` are in ``ntu60.pkl.packed/`` next to it: one for each content of the
file and each set of precomputed transforms, named by a hash of both. If that folder can't be
written, one in the user's cache is used (:func:`pyskl.files.cache_dir.cache_folder`); if neither
can, each process keeps the samples in memory.

The content is hashed if the size, times or inode of the file differ from those noted last time, so
a file that is replaced is noticed, and one that is only touched or moved is not packed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from pyskl.datasets.annotation import AnnotationFile
from pyskl.datasets.annotation_pickle import AnnotationContent, read_annotation_pickle
from pyskl.datasets.pack import FORMAT, NotPackableError, is_pack, open_pack, write_pack
from pyskl.datasets.precompute import canonical
from pyskl.errors import AnnotationError
from pyskl.files.atomic import write_text
from pyskl.files.cache_dir import cache_folder
from pyskl.files.hashing import sha256_of
from pyskl.registry import TransformConfig

Pack = bool | Literal["auto", "existing"]
"""Whether to read an annotation file through a pack.

True makes a pack if there is none, False reads the pickle, ``'auto'`` packs files from
:data:`AUTO_FROM` bytes on, ``'existing'`` uses a pack that exists and writes nothing.
"""

# Smaller files are read quickly.
AUTO_FROM = 64 * 2**20
# How long to wait for another process that packs the file.
_WAIT_SECONDS = 1800.0
# A file that changed this recently may change again within the resolution of its time stamp.
_SETTLED_SECONDS = 2.0
# How many digits of a hash identify the content.
_DIGITS = 24

_log = logging.getLogger(__name__)


class AnnotationFiles:
    """The annotation files of a run; its data sets share them, so each is opened once."""

    def __init__(self) -> None:
        self._files: dict[tuple[Any, ...], AnnotationFile] = {}

    def open(
        self,
        path: str | Path,
        *,
        trusted: bool = False,
        pack: Pack = "auto",
        precompute: Sequence[TransformConfig] = (),
    ) -> AnnotationFile:
        """Return an annotation file; arguments as of :func:`load_annotations`."""
        key = (Path(path).resolve(), trusted, pack, canonical(precompute))
        if key not in self._files:
            self._files[key] = load_annotations(
                path, trusted=trusted, pack=pack, precompute=precompute
            )
        return self._files[key]


def load_annotations(
    path: str | Path,
    *,
    trusted: bool = False,
    pack: Pack = "auto",
    precompute: Sequence[TransformConfig] = (),
) -> AnnotationFile:
    """Open an annotation file.

    Args:
        path: The pickle, or the folder of a pack.
        trusted: See :func:`pyskl.unpickling.load.load_plain_pickle`.
        pack: See :data:`Pack`.
        precompute: Transforms to apply to all samples; see
            :func:`pyskl.datasets.precompute.deterministic_prefix`. A pack that is opened by its own
            path keeps the transforms that it was made with, and files from :data:`AUTO_FROM` bytes
            on that are read without a pack are not transformed.

    Raises:
        AnnotationError: if the file is missing, unreadable or has another structure, if a transform
            fails on a sample, or if ``pack`` is True and the file can't be packed.
        UntrustedFileError: if it asks for more than plain data.
    """
    path = Path(path).expanduser()
    if is_pack(path):
        return open_pack(path)

    def read() -> AnnotationContent:
        return read_annotation_pickle(path, trusted=trusted)

    packed = None
    if path.is_file() and pack is not False:
        if pack == "existing":
            packed = _existing_pack(path, precompute)
        elif pack is True or path.stat().st_size >= AUTO_FROM:
            packed = _pack_of(path, precompute, read, required=pack is True)
    if packed:
        return packed
    # float16 becomes float32, so in memory only small files are transformed in advance.
    large = path.is_file() and path.stat().st_size >= AUTO_FROM
    return AnnotationFile.from_content(read(), () if large else precompute)


def _pack_of(
    path: Path,
    precompute: Sequence[TransformConfig],
    read: Callable[[], AnnotationContent],
    *,
    required: bool,
) -> AnnotationFile | None:
    """Return the pack of an annotation file, made if there is none; None if it can't be made."""
    reasons = []
    digest = next((noted for root in _roots(path) if (noted := _noted_digest(root, path))), None)
    for root in _roots(path):
        try:
            digest = digest or file_digest(path)
            folder = root / f"{digest}-{_variant(precompute)}"
            if not is_pack(folder):
                _make(folder, path, precompute, read, digest)
            _note(root, path, digest)
            return replace(open_pack(folder, path), digest=digest)
        except NotPackableError as error:
            reasons = [str(error)]
            break
        except OSError as error:
            reasons.append(f"{root}: {error}")
        except Timeout:
            reasons.append(f"{root}: another process has been packing for {_WAIT_SECONDS:.0f} s")
    problem = f"can't be packed ({'; '.join(reasons)})"
    if required:
        raise AnnotationError(problem, file=path, hint="use pack=False to read it as it is")
    _log.info("%s %s: each process keeps its samples in memory", path, problem)
    return None


def _existing_pack(path: Path, precompute: Sequence[TransformConfig]) -> AnnotationFile | None:
    """Return the pack of a file as it is now, if there is one; write nothing."""
    digest = None
    for root in filter(Path.is_dir, _roots(path)):
        digest = digest or _noted_digest(root, path) or file_digest(path)
        folder = root / f"{digest}-{_variant(precompute)}"
        if is_pack(folder):
            return replace(open_pack(folder, path), digest=digest)
    return None


def file_digest(path: Path) -> str:
    """Return the hash that identifies the content of an annotation pickle; reads the whole file."""
    return sha256_of(path)[:_DIGITS]


def content_digest(annotations: AnnotationFile) -> str | None:
    """Return a hash of the file that annotations come from, read through a pack or not.

    Packs hold it (older ones that are opened by their own path don't); others are hashed once.

    Returns:
        The hash; None if it is not known and the file can no longer be read.
    """
    if annotations.digest is None and annotations.path.is_file():
        noted = (_noted_digest(root, annotations.path) for root in _roots(annotations.path))
        with contextlib.suppress(OSError):
            annotations.digest = next(filter(None, noted), None) or file_digest(annotations.path)
    return annotations.digest


def _roots(path: Path) -> list[Path]:
    """Return the folders that may hold a file's packs, the preferred one first."""
    place = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    return [
        path.with_name(f"{path.name}.packed"),
        cache_folder() / "packed" / f"{path.name}-{place}",
    ]


def _make(
    folder: Path,
    path: Path,
    precompute: Sequence[TransformConfig],
    read: Callable[[], AnnotationContent],
    digest: str,
) -> None:
    """Make a pack, or wait until another process has made it."""
    root = folder.parent
    root.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(root / "lock", timeout=_WAIT_SECONDS):
            if is_pack(folder):
                return
            start = time.perf_counter()
            size = path.stat().st_size
            _log.info("packing %s (%d MB), once, into %s", path, size >> 20, folder)
            source = {"file": path.name, "bytes": size, "digest": digest}
            write_pack(folder, read(), precompute, source)
            for other in root.iterdir():  # packs of what the file held before
                if is_pack(other) and other.name.split("-")[0] != folder.name.split("-")[0]:
                    shutil.rmtree(other, ignore_errors=True)
            _log.info("packed in %.1f s", time.perf_counter() - start)
    finally:
        # Clean up after a failure; a process that waits then makes the pack itself.
        with contextlib.suppress(OSError):
            if [file.name for file in root.iterdir()] == ["lock"]:
                (root / "lock").unlink()
            root.rmdir()


def _variant(precompute: Sequence[TransformConfig]) -> str:
    return hashlib.sha256(f"{FORMAT} {canonical(precompute)}".encode()).hexdigest()[:12]


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
    """Note the digest of the file as it is now, unless the file may still be changing."""
    if _noted_digest(root, path) == digest:
        return
    if time.time() - path.stat().st_mtime >= _SETTLED_SECONDS:
        with contextlib.suppress(OSError):  # the next process hashes again
            write_text(root / "source.json", json.dumps({"state": _state(path), "digest": digest}))
