"""The transfer of one file: resumed where it broke off, tried again where that may help."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import ssl
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from tqdm import tqdm

from pyskl.errors import InputError
from pyskl.files.hashing import sha256_of
from pyskl.logging.log import get_logger

# Seconds without an answer, and after which pauses to ask again where a try got no further.
TIMEOUT = 30.0
PAUSES = (1.0, 2.0, 4.0, 8.0)

# As much as arrives at once, up to this, is written at once.
_BLOCK = 1 << 16

# Answers that another try may change.
_PASSING = (408, 425, 429, 500, 502, 503, 504)


class DownloadError(InputError):
    """A file can't be fetched or kept, or is not the one that it should be."""


@dataclass(frozen=True)
class Source:
    """A file on the web, and what is known of it.

    Attributes:
        url: ``https://``, ``file://`` (for tests and mirrors on this machine) or ``http://``.
        size: Its bytes, where known.
        sha256: Its hash, or the beginning of it, where known. By default what its name promises:
            ``j-1a2b3c4d.pth`` ends in the beginning of its own hash.
    """

    url: str
    size: int | None = None
    sha256: str | None = None

    @property
    def expected_hash(self) -> str | None:
        """The hash that the file has to have, or its beginning."""
        promised = re.search(r"-([0-9a-f]{8,64})\.\w+$", urlsplit(self.url).path)
        return self.sha256 or (promised[1] if promised else None)


def partial_of(target: Path) -> Path:
    """Return the file that holds what was fetched of another so far."""
    return target.with_name(f".{target.name}.partial")


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows a server that sends us elsewhere, but not from https to something less."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """Refuse another scheme than https."""
        if urlsplit(newurl).scheme != "https":
            raise DownloadError(f"{req.full_url}: the server leads on to {newurl}, without https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Cut(OSError):
    """The connection ended before the file did."""


# What goes wrong on the way, unlike what goes wrong on this machine's disk.
_BROKEN = (
    *(urllib.error.URLError, http.client.HTTPException, ssl.SSLError),
    *(TimeoutError, ConnectionError, _Cut),
)


class Transfer:
    """Fetches one file.

    Args:
        source: Where from.
        target: Where to; its folder is there.
        trusted: Whether to be led on to ``http://``.
        otherwise: What the user can do instead.
    """

    def __init__(self, source: Source, target: Path, *, trusted: bool, otherwise: str) -> None:
        self.source, self.url, self.target = source, source.url, target
        self.otherwise = otherwise
        self.partial = partial_of(target)
        # The version of the file that the part is of, as the server calls it.
        self.version = target.with_name(f".{target.name}.version")
        handlers = [] if trusted or urlsplit(self.url).scheme != "https" else [_HttpsOnly()]
        self.opener = urllib.request.build_opener(*handlers)

    def run(self) -> None:
        """Fetch the file, trying again where that may help, and give it its name."""
        get_logger().info("downloading %s to %s", self.url, self.target)
        failures, furthest = 0, self._kept()
        while True:
            try:
                self._fetch()
                break
            except _BROKEN as error:
                if self._kept() > furthest:
                    failures, furthest = 0, self._kept()
                if failures == len(PAUSES) or not _passing(error):
                    raise DownloadError(self._failure(error)) from error
                pause = PAUSES[failures]
                failures += 1
                get_logger().warning(
                    "%s: %s; trying again in %g s", self.url, _reason(error), pause
                )
                time.sleep(pause)
        self._keep()

    def _kept(self) -> int:
        return self.partial.stat().st_size if self.partial.is_file() else 0

    def _fetch(self) -> None:
        """Fetch the file, or what is missing of it."""
        have = self._kept()
        version = self.version.read_text("latin1") if have and self.version.is_file() else ""
        if not version:
            have = 0
        headers = {"Range": f"bytes={have}-", "If-Range": version} if have else {}
        # Bytes as they are: a length that is announced is then that of the file. Some servers turn
        # Python's own User-Agent away.
        always = {"Accept-Encoding": "identity", "User-Agent": "pyskl"}
        request = urllib.request.Request(self.url, headers={**always, **headers})
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
        else:
            have = 0
        announced = answer.headers.get("Content-Length", "")
        expected = int(announced) if announced.isdigit() else None
        self._check_size(have, expected)
        version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        if version.startswith("W/"):  # two files may have it
            version = ""
        with self.partial.open("ab" if resumed else "wb") as file:
            if not resumed:
                self.version.write_text(version, "latin1")
            with self._bar(have, expected) as bar:
                received = _copy(answer, file, bar)
            file.flush()
            os.fsync(file.fileno())
        if expected is not None and received != expected:
            raise _Cut(f"the connection ended after {received} of {expected} bytes")

    def _check_size(self, have: int, expected: int | None) -> None:
        """Check what the server announces before the first byte: the file, and the room for it."""
        if expected is None:
            return
        whole = have + expected
        if self.source.size not in (None, whole):
            raise DownloadError(
                f"{self.url}: the server announces {whole} bytes, but the file has "
                f"{self.source.size}; {self.otherwise}"
            )
        # A file that starts anew takes the place of its own part.
        room = shutil.disk_usage(self.target.parent).free + (0 if have else self._kept())
        if expected > room:
            raise DownloadError(
                f"{self.url}: {readable_size(expected)} are to be fetched, but "
                f"{self.target.parent.resolve()} has room for {readable_size(room)} only"
            )
        of = f" of {readable_size(whole)}" if have else ""
        get_logger().info("%s%s to fetch", readable_size(expected), of)

    def _bar(self, have: int, expected: int | None) -> tqdm:
        return tqdm(
            desc=self.target.name,
            total=None if expected is None else have + expected,
            initial=have,
            unit="B",
            unit_scale=True,
            disable=not sys.stderr.isatty(),
            leave=False,
        )

    def _keep(self) -> None:
        """Check the hash where one is known, and give the file its name."""
        expected, digest = self.source.expected_hash, sha256_of(self.partial)
        if expected and not digest.startswith(expected):
            self._forget()
            where = "it should be" if self.source.sha256 else "its name says that it starts with"
            raise DownloadError(
                f"{self.url} could not be downloaded (its SHA-256 is {digest}, but {where} "
                f"{expected}); {self.otherwise}"
            )
        self.version.unlink(missing_ok=True)
        os.replace(self.partial, self.target)

    def _forget(self) -> None:
        self.partial.unlink(missing_ok=True)
        self.version.unlink(missing_ok=True)

    def _failure(self, error: Exception) -> str:
        kept = self._kept()
        if not kept:
            self._forget()
        more = f"; {kept} bytes of it are kept, and the next try goes on from there" if kept else ""
        return f"{self.url} could not be downloaded ({_reason(error)}); {self.otherwise}{more}"


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


def _copy(answer: Any, file: IO[bytes], bar: tqdm) -> int:
    """Write what arrives as it arrives, so that nothing is lost where it breaks off."""
    received = 0
    while block := answer.read1(_BLOCK):
        file.write(block)
        received += len(block)
        bar.update(len(block))
    return received


def readable_size(size: float) -> str:
    """Return a number of bytes for people: ``'1.24 GB'``."""
    units = ["bytes", "kB", "MB", "GB"]
    while size >= 999.5 and len(units) > 1:
        size, units = size / 1000, units[1:]
    number = f"{size:.3g}" if size < 100 else f"{size:.0f}"
    return f"{number} {units[0]}"
