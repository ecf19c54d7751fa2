"""A web server that does not always answer as it should."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BODY = bytes(range(256)) * 1024  # 256 KiB


class Server(ThreadingHTTPServer):
    """Answers with ranges of its files, or of BODY; ``plan`` says how the next requests go wrong.

    Attributes:
        asked: ``(path, Range header)`` of each request.
        plan: Functions that answer instead, first to last; None answers as it should.
        files: Path → content; where it is empty, every path stands for BODY.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None]] = []
        self.plan: list[Callable[[Handler], None] | None] = []
        self.files: dict[str, bytes] = {}
        self.etag = '"one"'
        self.ranges = True

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def url(self) -> str:
        return f"{self.base}/j.pth"

    def handle_error(self, *_: Any) -> None:
        """Say nothing of clients that leave in the middle."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Range")))
        wrong = self.server.plan.pop(0) if self.server.plan else None
        if wrong is not None:
            wrong(self)
        elif self.server.files and self.path not in self.server.files:
            self.send_error(404)
        else:
            self.answer()

    def answer(
        self, *, upto: int | None = None, length: int | None = None, then: float = 0.0
    ) -> None:
        """Send the file.

        Args:
            upto: Where to break off.
            length: What to announce instead of its length.
            then: Seconds to leave the connection open after that.
        """
        body = self.server.files.get(self.path, BODY)
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        whole = not (
            self.server.ranges and asked and self.headers.get("If-Range") == self.server.etag
        )
        start = 0 if whole or asked is None else int(asked[1])
        self.send_response(200 if whole else 206)
        if not whole:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(length or len(body) - start))
        self.send_header("ETag", self.server.etag)
        self.end_headers()
        self.wfile.write(body[start:upto])
        self.wfile.flush()
        time.sleep(then)
        self.connection.shutdown(socket.SHUT_WR)


@contextmanager
def running() -> Iterator[Server]:
    """A server that answers within the block."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def cut(upto: int, then: float = 0.0) -> Callable[[Handler], None]:
    """Announce all and send the first bytes only."""
    return lambda handler: handler.answer(upto=upto, then=then)


def status(code: int) -> Callable[[Handler], None]:
    """Answer with an error."""
    return lambda handler: handler.send_error(code)


def silent(handler: Handler) -> None:
    """Say nothing until the other side has had enough."""
    handler.rfile.read(1)


def lead_to(url: str) -> Callable[[Handler], None]:
    """Send the client elsewhere."""

    def lead(handler: Handler) -> None:
        handler.send_response(302)
        handler.send_header("Location", url)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return lead
