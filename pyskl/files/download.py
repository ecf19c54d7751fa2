"""Files from the web: fetched once, whole, and kept with their hash."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from pyskl.errors import CheckpointError
from pyskl.files.cache_dir import cache_folder
from pyskl.files.hashing import sha256_of
from pyskl.files.recorded_hash import record_hash, record_of, recorded_hash
from pyskl.files.transfer import DownloadError, Source, Transfer
from pyskl.logging.log import get_logger

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

SCHEMES = ("https", "http", "file")

# Hosts of the family's files that are linked by http but answer to https.
_SPEAK_HTTPS = ("download.openmmlab.com",)


def local_checkpoint(location: str | Path, *, trusted: bool = False) -> Path:
    """Return a file for a path or URL, downloading it on first use.

    Downloads are kept in ``$PYSKL_HOME/checkpoints`` (``~/.cache/pyskl`` by default); see
    :func:`fetch` for how.

    Args:
        location: A path, or a URL.
        trusted: Also take ``http://``.

    Raises:
        CheckpointError: if it can't be fetched, or its hash is not what it was.
    """
    url = str(location)
    if urlsplit(url).scheme not in SCHEMES:
        return Path(location)
    try:
        url = secure(url, trusted=trusted)
        return fetch(
            Source(url),
            cached_checkpoint(url),
            trusted=trusted,
            otherwise="fetch it by other means and give its path",
            elsewhere="set PYSKL_HOME to another folder",
        )
    except DownloadError as error:
        raise CheckpointError(str(error)) from error


def secure(url: str, *, trusted: bool = False) -> str:
    """Return a URL without ``http://``, where its host is known to speak https.

    Raises:
        DownloadError: for another ``http://``, unless it is trusted.
    """
    parts = urlsplit(url)
    if parts.scheme != "http":
        return url
    if parts.hostname in _SPEAK_HTTPS:
        return url.replace("http://", "https://", 1)
    if not trusted:
        raise DownloadError(
            f"{url}: over http anybody on the way can change the file; use https, or say "
            "--trust-files"
        )
    return url


def cached_checkpoint(url: str) -> Path:
    """Return the file in which :func:`local_checkpoint` keeps what it fetches from a URL."""
    parts = urlsplit(url)
    query = f"{parts.query}_" if parts.query else ""
    readable = re.sub(r"[^\w.-]+", "_", f"{parts.netloc}_{query}{parts.path.lstrip('/')}")
    if len(readable) > 150:  # file systems take 255, and there are suffixes to come
        readable = f"{hashlib.sha256(url.encode()).hexdigest()[:16]}_{readable[-130:]}"
    return cache_folder() / "checkpoints" / readable


def fetch(
    source: Source,
    target: Path,
    *,
    trusted: bool = False,
    otherwise: str | None = None,
    elsewhere: str = "choose another folder",
) -> Path:
    """Return ``target``, downloading it unless it is there.

    Nothing has its name before it is whole. What a broken connection left is gone on with, by this
    run or the next. A hash that is not known is written down on first use (``TARGET.sha256``) and
    checked ever after. Of several processes that want one file, one fetches it.

    Args:
        source: Where from.
        target: Where to.
        trusted: Also take ``http://``, and follow a server that leads there: anybody on the way
            can then change the file.
        otherwise: What the user can do instead; by default save the file as ``target``.
        elsewhere: What the user can do where ``target`` can't be written.

    Raises:
        DownloadError: if it can't be fetched or kept, or its hash is not what it should be.
    """
    source = replace(source, url=secure(source.url, trusted=trusted))
    otherwise = otherwise or f"fetch it by other means and save it as {target}"
    try:
        if not target.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            with _alone(target.parent):
                if not target.is_file():  # another process may have been faster
                    Transfer(source, target, trusted=trusted, otherwise=otherwise).run()
        digest = checked_hash(source, target)
        if recorded_hash(target) is None:
            record_hash(target, digest)
    except OSError as error:
        raise DownloadError(
            f"{source.url} could not be kept as {target} ({error}); free some space there, or "
            f"{elsewhere}"
        ) from error
    return target


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time download; the others wait and find the file."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                get_logger().info("waiting for another process that downloads to %s", folder)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def checked_hash(source: Source, target: Path) -> str:
    """Return a file's SHA-256, held against what is known of it.

    Args:
        source: Where it came from.
        target: The file.

    Raises:
        DownloadError: if it is not what it should be, or what was written down.
    """
    digest, recorded = sha256_of(target), recorded_hash(target)
    expected = source.expected_hash
    if expected and not digest.startswith(expected):
        raise DownloadError(
            f"{target} is not the file at {source.url}: its SHA-256 is {digest}, but should be "
            f"{expected}; move it away to fetch that one"
        )
    if recorded not in (None, digest):
        raise DownloadError(
            f"{target} (from {source.url}) is not the file it was when it was downloaded: its "
            f"SHA-256 is {digest}; delete it and {record_of(target).name} to fetch it again"
        )
    return digest
