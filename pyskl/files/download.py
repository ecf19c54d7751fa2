"""Download files: resumed after interruptions, retried, locked, and checked by size and hash.

No known library (pooch, torch.hub, fsspec) resumes a broken download with ``If-Range``, checks the
free disk space first and refuses redirects from https to http.
"""

from __future__ import annotations

import hashlib
import http.client
import logging
import os
import re
import shutil
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from filelock import FileLock, Timeout
from tqdm import tqdm

from pyskl.errors import InputError
from pyskl.files.cache_dir import cache_folder
from pyskl.files.hashing import hash_record, record_hash, recorded_hash, sha256_of
from pyskl.files.terminal import shows_bars

SCHEMES = ("https", "http", "file")

TIMEOUT = 30.0
"""Seconds to wait for a response."""

RETRY_PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds before each retry; an attempt that makes progress starts the list again."""

# Hosts that support https, although published configs link to them by http.
_HTTPS_HOSTS = ("download.openmmlab.com",)

_CHUNK = 1 << 16
_TEMPORARY_STATUS = (408, 425, 429, 500, 502, 503, 504)

# Errors of the connection, not of the local disk.
_CONNECTION_ERRORS = (
    *(urllib.error.URLError, http.client.HTTPException, ssl.SSLError),
    *(TimeoutError, ConnectionError),
)
# Errors that a retry does not fix: an unknown host (as when offline), an invalid certificate; the
# last four are for file:// and malformed URLs.
_PERMANENT_ERRORS = (
    *(socket.gaierror, ssl.SSLCertVerificationError),
    *(FileNotFoundError, PermissionError, IsADirectoryError, str),
)

_logger = logging.getLogger("pyskl")


class DownloadError(InputError):
    """A file can't be downloaded or stored, or has the wrong size or hash."""


@dataclass(frozen=True)
class RemoteFile:
    """A file on the web, with its size and hash if known.

    Attributes:
        url: ``https://``, ``file://`` (for tests and mirrors on this machine) or ``http://``.
        size: Bytes, if known.
        sha256: The hash or its first digits, if known; by default those in the name (``1a2b3c4d``
            in ``j-1a2b3c4d.pth``).
    """

    url: str
    size: int | None = None
    sha256: str | None = None

    @property
    def expected_hash(self) -> str | None:
        """The hash that the file must have, or its first digits."""
        promised = re.search(r"-([0-9a-f]{8,64})\.\w+$", urlsplit(self.url).path)
        return self.sha256 or (promised[1] if promised else None)


def local_checkpoint(location: str | Path, *, trusted: bool = False) -> Path:
    """Return a local file for a path or URL, downloading it on first use.

    Downloads are kept in ``$PYSKL_HOME/checkpoints`` (``~/.cache/pyskl`` by default).

    Args:
        location: A path, or a URL.
        trusted: Also accept ``http://``.

    Raises:
        DownloadError: if it can't be downloaded, or its hash has changed.
    """
    url = str(location)
    if urlsplit(url).scheme not in SCHEMES:
        return Path(location)
    url = secure_url(url, trusted=trusted)
    hint = "download it by other means and give its path"
    return fetch(RemoteFile(url), cached_checkpoint(url), trusted=trusted, hint=hint)


def secure_url(url: str, *, trusted: bool = False) -> str:
    """Replace ``http://`` by ``https://`` if the host is known to support it.

    Raises:
        DownloadError: for any other ``http://``, unless it is trusted.
    """
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname in _HTTPS_HOSTS:
        return url.replace("http://", "https://", 1)
    if parts.scheme == "http" and not trusted:
        raise DownloadError(
            "over http anybody on the way can change the file",
            file=url,
            hint="use https, or pass --trust-files",
        )
    return url


def cached_checkpoint(url: str) -> Path:
    """Return the path at which :func:`local_checkpoint` keeps the file of a URL."""
    parts = urlsplit(url)
    query = f"{parts.query}_" if parts.query else ""
    name = re.sub(r"[^\w.-]+", "_", f"{parts.netloc}_{query}{parts.path.lstrip('/')}")
    if len(name) > 150:  # file systems allow 255, and suffixes are added
        name = f"{hashlib.sha256(url.encode()).hexdigest()[:16]}_{name[-130:]}"
    return cache_folder() / "checkpoints" / name


def partial_path(target: Path) -> Path:
    """Return the path of the incomplete download of ``target``."""
    return target.with_name(f".{target.name}.partial")


def fetch(
    remote: RemoteFile,
    target: Path,
    *,
    trusted: bool = False,
    hint: str | None = None,
    check: Callable[[Path], bool] | None = None,
) -> Path:
    """Download a file unless it exists, and check its hash.

    ``target`` appears only when it is complete. This run or the next resumes a broken download. If
    no hash is known, that of the first download is recorded (``TARGET.sha256``) and checked from
    then on. If several processes want the same file, one downloads it and the others wait.

    Args:
        remote: The file on the web.
        target: The file on this machine.
        trusted: Also accept ``http://``, and redirects to it: anybody on the way can then change
            the file.
        hint: What the user can do instead; by default save the file as ``target``.
        check: Looks into the file. If it returns False or raises an error, the hash is not
            recorded, so that a wrong file does not become the reference.

    Returns:
        ``target``.

    Raises:
        DownloadError: if it can't be downloaded or stored, or has the wrong size or hash.
    """
    remote = replace(remote, url=secure_url(remote.url, trusted=trusted))
    hint = hint or f"download it by other means and save it as {target}"
    try:
        if not target.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            with _locked(target):
                if not target.is_file():  # another process may have been faster
                    _Download(remote, target, trusted=trusted, hint=hint).run()
        digest = verify(remote, target)
        is_good = check is None or check(target)
        if is_good and recorded_hash(target) is None:
            record_hash(target, digest)
    except OSError as error:
        raise DownloadError(
            f"could not be stored as {target} ({error})",
            file=remote.url,
            hint="free some space there, or choose another folder (--out, PYSKL_HOME)",
        ) from error
    return target


def verify(remote: RemoteFile, target: Path) -> str:
    """Return a file's SHA-256 after comparing it with the expected and the recorded one.

    Raises:
        DownloadError: if they differ, or the size is not the expected one.
    """
    size = target.stat().st_size
    if remote.size not in (None, size):
        raise DownloadError(
            f"this is not the file at {remote.url}",
            file=target,
            found=f"{size} bytes",
            expected=f"{remote.size} bytes",
            hint="move it away to download that one",
        )
    digest, recorded, expected = sha256_of(target), recorded_hash(target), remote.expected_hash
    if expected and not digest.startswith(expected):
        raise DownloadError(
            f"this is not the file at {remote.url}",
            file=target,
            found=f"the SHA-256 {digest}",
            expected=expected,
            hint="move it away to download that one",
        )
    if recorded not in (None, digest):
        raise DownloadError(
            f"it changed since it was downloaded from {remote.url}",
            file=target,
            found=f"the SHA-256 {digest}",
            expected=recorded,
            hint=f"delete it and {hash_record(target).name} to download it again",
        )
    return digest


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Let one process at a time download a file; the others wait and find it."""
    path = target.with_name(f".{target.name}.lock")
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _logger.info("waiting for another process to download %s", target)
        lock.acquire()
    try:
        yield
        path.unlink(missing_ok=True)  # processes that lock later find the file
    finally:
        lock.release()


class _Download:
    """Downloads one file; see :func:`fetch`."""

    def __init__(self, remote: RemoteFile, target: Path, *, trusted: bool, hint: str) -> None:
        self._remote, self._url, self._target, self._hint = remote, remote.url, target, hint
        self._partial = partial_path(target)
        # The ETag or Last-Modified of the partial file, to resume only the same version.
        self._version = target.with_name(f".{target.name}.version")
        https_only = urlsplit(self._url).scheme == "https" and not trusted
        self._opener = urllib.request.build_opener(*([_HttpsRedirects()] if https_only else []))

    def run(self) -> None:
        """Download the file, retry after temporary errors, and move it to its path."""
        _logger.info("downloading %s to %s", self._url, self._target)
        failures, furthest = 0, self._kept()
        while True:
            try:
                self._attempt()
                break
            except _CONNECTION_ERRORS as error:
                if self._kept() > furthest:
                    failures, furthest = 0, self._kept()
                if failures == len(RETRY_PAUSES) or not _is_temporary(error):
                    raise self._failure(error) from error
                pause = RETRY_PAUSES[failures]
                failures += 1
                _logger.warning("%s: %s; retrying in %g s", self._url, _reason(error), pause)
                time.sleep(pause)
        size = self._kept()
        if self._remote.size not in (None, size):  # the server did not announce one
            self._discard()
            raise DownloadError(
                "the downloaded file has the wrong size",
                file=self._url,
                found=f"{size} bytes",
                expected=f"{self._remote.size} bytes",
                hint=self._hint,
            )
        expected, digest = self._remote.expected_hash, sha256_of(self._partial)
        if expected and not digest.startswith(expected):
            self._discard()
            raise DownloadError(
                "the downloaded file has the wrong hash",
                file=self._url,
                found=f"the SHA-256 {digest}",
                expected=expected,
                hint=self._hint,
            )
        self._version.unlink(missing_ok=True)
        os.replace(self._partial, self._target)

    def _kept(self) -> int:
        return self._partial.stat().st_size if self._partial.is_file() else 0

    def _discard(self) -> None:
        self._partial.unlink(missing_ok=True)
        self._version.unlink(missing_ok=True)

    def _attempt(self) -> None:
        """Download the file, or the rest of it."""
        start = self._kept()
        version = self._version.read_text("latin1") if start and self._version.is_file() else ""
        # Without compression Content-Length is the size of the file. Some servers reject urllib's
        # User-Agent.
        headers = {"Accept-Encoding": "identity", "User-Agent": "pyskl"}
        if version:
            headers |= {"Range": f"bytes={start}-", "If-Range": version}
        request = urllib.request.Request(self._url, headers=headers)
        try:
            with self._opener.open(request, timeout=TIMEOUT) as response:
                resumed = bool(version) and getattr(response, "status", 200) == 206
                self._receive(response, start if resumed else 0)
        except urllib.error.HTTPError as error:
            if error.code != 416 or not version:
                raise
            self._discard()
            raise ConnectionError("the partial download does not fit the file") from error

    def _receive(self, response: Any, start: int) -> None:
        """Store a response that begins with byte ``start`` of the file."""
        if start and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            self._discard()
            raise ConnectionError("the server sent a different part than requested")
        length = response.headers.get("Content-Length", "")
        expected = int(length) if length.isdigit() else None
        self._check_size(start, expected)
        version = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
        with self._partial.open("ab" if start else "wb") as file:
            if not start:  # a weak ETag (W/) may belong to two different files
                self._version.write_text("" if version.startswith("W/") else version, "latin1")
            bar = tqdm(
                desc=self._target.name,
                total=None if expected is None else start + expected,
                initial=start,
                unit="B",
                unit_scale=True,
                disable=not shows_bars(),
                leave=False,
            )
            with bar:
                received = _copy(response, file, bar)
            file.flush()
            os.fsync(file.fileno())
        if expected is not None and received != expected:
            raise ConnectionError(f"the connection ended after {received} of {expected} bytes")

    def _check_size(self, start: int, expected: int | None) -> None:
        """Compare the announced size with the known size and the free space."""
        if expected is None:
            return
        total = start + expected
        if self._remote.size not in (None, total):
            raise DownloadError(
                "the server announces another size",
                file=self._url,
                found=f"{total} bytes",
                expected=f"{self._remote.size} bytes",
                hint=self._hint,
            )
        # A download from the start replaces its partial file.
        free = shutil.disk_usage(self._target.parent).free + (0 if start else self._kept())
        if expected > free:
            raise DownloadError(
                f"not enough space in {self._target.parent.resolve()}",
                file=self._url,
                found=readable_size(free),
                expected=readable_size(expected),
            )
        of = f" of {readable_size(total)}" if start else ""
        _logger.info("%s%s to download", readable_size(expected), of)

    def _failure(self, error: Exception) -> DownloadError:
        kept, hint = self._kept(), self._hint
        if kept:
            hint += f"; {kept} bytes are kept, and the next attempt continues from there"
        else:
            self._discard()
        problem = f"could not be downloaded ({_reason(error)})"
        return DownloadError(problem, file=self._url, hint=hint)


class _HttpsRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https only."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """Refuse another scheme than https."""
        if urlsplit(newurl).scheme != "https":
            raise DownloadError(f"the server redirects to {newurl}", file=req.full_url)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _copy(response: Any, file: IO[bytes], bar: tqdm) -> int:
    """Write data as they arrive, so that an interruption keeps them; return their size."""
    received = 0
    while block := response.read1(_CHUNK):
        file.write(block)
        received += len(block)
        bar.update(len(block))
    return received


def _is_temporary(error: Exception) -> bool:
    """Whether another attempt may succeed."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code in _TEMPORARY_STATUS
    return not isinstance(getattr(error, "reason", error), _PERMANENT_ERRORS)


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    if isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", None), TimeoutError):
        return f"no response within {TIMEOUT:g} s"
    if isinstance(error, urllib.error.URLError):
        offline = isinstance(error.reason, (socket.gaierror, ConnectionError))
        return f"{'is this machine offline? ' if offline else ''}{error.reason}"
    return str(error) or type(error).__name__


def readable_size(size: float) -> str:
    """Return a size as text: ``'1.24 GB'``."""
    units = ["bytes", "kB", "MB", "GB"]
    while size >= 999.5 and len(units) > 1:
        size, units = size / 1000, units[1:]
    number = f"{size:.3g}" if size < 100 else f"{size:.0f}"
    return f"{number} {units[0]}"
