"""Checkpoints from the web: fetched once, whole, and kept with their hash."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from pyskl.engine.log import get_logger
from pyskl.errors import CheckpointError
from pyskl.home import cache_folder

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# Hosts of the family's weights that are linked by http but answer to https.
_SPEAK_HTTPS = ("download.openmmlab.com",)

# Seconds without an answer, and how often and after which pauses to ask again.
TIMEOUT = 30.0
PAUSES = (1.0, 2.0, 4.0, 8.0)

_BLOCK = 1 << 20

# Answers that another try may change.
_PASSING = (408, 425, 429, 500, 502, 503, 504)


def local_checkpoint(location: str | Path, *, trusted: bool = False) -> Path:
    """Return a file for a path or URL, downloading it on first use.

    Downloads are kept in ``$PYSKL_HOME/checkpoints`` (``~/.cache/pyskl`` by default). A name that
    ends in the start of its SHA-256 (``j-1a2b3c4d.pth``) is checked against it; any other hash is
    written down on first use and checked ever after. What a broken connection left is kept and
    gone on with, by this run or the next.

    Args:
        location: A path, or an ``https://`` URL (``file://`` for tests).
        trusted: Also take ``http://``, where anybody on the way can change the file.

    Raises:
        CheckpointError: if it can't be fetched, or its hash is not what it was.
    """
    url = str(location)
    scheme = urlsplit(url).scheme
    if scheme not in ("http", "https", "file"):
        return Path(location)
    if scheme == "http":
        if urlsplit(url).hostname in _SPEAK_HTTPS:
            url = url.replace("http://", "https://", 1)
        elif not trusted:
            raise CheckpointError(
                f"{url}: over http anybody on the way can change the file; use https, or say "
                "--trust-files"
            )
    target = _cached(url)
    try:
        if not target.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            with _alone(target.parent):
                if not target.is_file():  # another process may have been faster
                    _Download(url, target, trusted=trusted).run()
        _check_hash(url, target)
    except OSError as error:
        raise CheckpointError(
            f"{url} could not be kept as {target} ({error}); free some space there, or set "
            "PYSKL_HOME to another folder"
        ) from error
    return target


def _cached(url: str) -> Path:
    home = cache_folder()
    parts = urlsplit(url)
    query = f"{parts.query}_" if parts.query else ""
    readable = re.sub(r"[^\w.-]+", "_", f"{parts.netloc}_{query}{parts.path.lstrip('/')}")
    if len(readable) > 150:  # file systems take 255, and there are suffixes to come
        readable = f"{hashlib.sha256(url.encode()).hexdigest()[:16]}_{readable[-130:]}"
    return home / "checkpoints" / readable


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time download; the others wait and find the file."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows a server that sends us elsewhere, but not from https to something less."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """Refuse another scheme than https."""
        if urlsplit(newurl).scheme != "https":
            raise CheckpointError(f"{req.full_url}: the server leads on to {newurl}, without https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Cut(OSError):
    """The connection ended before the file did."""


# What goes wrong on the way, unlike what goes wrong on this machine's disk.
_BROKEN = (
    *(urllib.error.URLError, http.client.HTTPException, ssl.SSLError),
    *(TimeoutError, ConnectionError, _Cut),
)


class _Download:
    """Fetches one file.

    Args:
        url: Where from.
        target: Where to.
        trusted: Whether to be led on to ``http://``.
    """

    def __init__(self, url: str, target: Path, *, trusted: bool) -> None:
        self.url, self.target = url, target
        self.partial = target.with_name(f".{target.name}.partial")
        # The version of the file that the part is of, as the server calls it.
        self.version = target.with_name(f".{target.name}.version")
        promised = re.search(r"-([0-9a-f]{8,64})\.\w+$", urlsplit(url).path)
        self.promised = promised[1] if promised else None
        handlers = [] if trusted or urlsplit(url).scheme != "https" else [_HttpsOnly()]
        self.opener = urllib.request.build_opener(*handlers)

    def run(self) -> None:
        """Fetch the file, trying again where that may help, and give it its name."""
        get_logger().info("downloading %s to %s", self.url, self.target)
        for pause in (*PAUSES, None):
            try:
                self._fetch()
                break
            except _BROKEN as error:
                if pause is None or not _passing(error):
                    raise CheckpointError(self._failure(error)) from error
                get_logger().warning(
                    "%s: %s; trying again in %g s", self.url, _reason(error), pause
                )
                time.sleep(pause)
        self._keep()

    def _fetch(self) -> None:
        """Fetch the file, or what is missing of it."""
        have = self.partial.stat().st_size if self.partial.is_file() else 0
        version = self.version.read_text("latin1") if have and self.version.is_file() else ""
        if not version:
            have = 0
        headers = {"Range": f"bytes={have}-", "If-Range": version} if have else {}
        # Bytes as they are: a length that is announced is then that of the file.
        request = urllib.request.Request(
            self.url, headers={"Accept-Encoding": "identity", **headers}
        )
        try:
            with self.opener.open(request, timeout=TIMEOUT) as answer:
                self._receive(answer, have)
        except urllib.error.HTTPError as error:
            if error.code == 416 and have:  # there is no such part: what we have is of no use
                self._forget()
                raise _Cut("the part fetched before does not fit the file") from error
            raise

    def _receive(self, answer: Any, have: int) -> None:
        resumed = have > 0 and getattr(answer, "status", 200) == 206
        if resumed:
            start = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
            if start is None or int(start[1]) != have:
                self._forget()
                raise _Cut("the server sent another part than was asked for")
        announced = answer.headers.get("Content-Length", "")
        expected = int(announced) if announced.isdigit() else None
        version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        if version.startswith("W/"):  # two files may have it
            version = ""
        with self.partial.open("ab" if resumed else "wb") as file:
            if not resumed:
                self.version.write_text(version, "latin1")
            received = _copy(answer, file)
            file.flush()
            os.fsync(file.fileno())
        if expected is not None and received != expected:
            raise _Cut(f"the connection ended after {received} of {expected} bytes")

    def _keep(self) -> None:
        """Check the hash that the name promises, and give the file its name."""
        digest = _sha256(self.partial)
        if self.promised and not digest.startswith(self.promised):
            self._forget()
            raise CheckpointError(
                f"{self.url} could not be downloaded (its SHA-256 is {digest}, but its name says "
                f"that it starts with {self.promised}); fetch it by other means and give its path"
            )
        self.version.unlink(missing_ok=True)
        os.replace(self.partial, self.target)

    def _forget(self) -> None:
        self.partial.unlink(missing_ok=True)
        self.version.unlink(missing_ok=True)

    def _failure(self, error: Exception) -> str:
        kept = self.partial.stat().st_size if self.partial.is_file() else 0
        if not kept:
            self._forget()
        more = f"; {kept} bytes of it are kept, and the next try goes on from there" if kept else ""
        return (
            f"{self.url} could not be downloaded ({_reason(error)}); fetch it by other means and "
            f"give its path{more}"
        )


def _passing(error: Exception) -> bool:
    """Return whether another try may succeed."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code in _PASSING
    reason = getattr(error, "reason", error)
    return not isinstance(reason, _LASTING)


# A name that nobody knows (as when offline), a forged certificate; the rest is of file:// URLs.
_LASTING = (
    *(socket.gaierror, ssl.SSLCertVerificationError),
    *(FileNotFoundError, PermissionError, IsADirectoryError, str),
)


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    if isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", None), TimeoutError):
        return f"no answer within {TIMEOUT:g} s"
    if isinstance(error, urllib.error.URLError):
        offline = isinstance(error.reason, (socket.gaierror, ConnectionError))
        return f"{'is this machine offline? ' if offline else ''}{error.reason}"
    return str(error) or type(error).__name__


def _copy(answer: Any, file: IO[bytes]) -> int:
    received = 0
    while block := answer.read(_BLOCK):
        file.write(block)
        received += len(block)
    return received


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _check_hash(url: str, target: Path) -> None:
    digest = _sha256(target)
    record = target.with_name(f"{target.name}.sha256")
    if not record.is_file():
        partial = record.with_name(f".{record.name}.{os.getpid()}.{threading.get_ident()}")
        partial.write_text(digest + "\n", encoding="ascii")
        os.replace(partial, record)
    elif record.read_text(encoding="ascii", errors="replace").strip() != digest:
        raise CheckpointError(
            f"{target} (from {url}) is not the file it was when it was downloaded: its SHA-256 is "
            f"{digest}; delete it and {record.name} to fetch it again"
        )
