"""Checkpoints from the web, with files and a server of our own standing in for the web."""

from __future__ import annotations

import hashlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pyskl.engine import download
from pyskl.engine.download import local_checkpoint
from pyskl.errors import CheckpointError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that downloads are kept in."""
    monkeypatch.setenv("PYSKL_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "checkpoints"


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """A file to download."""
    path = tmp_path / "remote" / "j.pth"
    path.parent.mkdir()
    path.write_bytes(b"weights")
    return path


@pytest.mark.parametrize("location", ["a/b.pth", Path("a/b.pth"), "C:\\a\\b.pth", "b.pth"])
def test_paths_are_taken_as_they_are(location: str | Path) -> None:
    assert local_checkpoint(location) == Path(location)


def test_a_file_is_fetched_once_and_its_hash_written_down(remote: Path, home: Path) -> None:
    found = local_checkpoint(remote.as_uri())
    assert found.parent == home
    assert found.read_bytes() == b"weights"
    record = found.with_name(found.name + ".sha256")
    assert record.read_text().strip() == hashlib.sha256(b"weights").hexdigest()
    assert set(home.iterdir()) == {found, record}
    remote.unlink()
    assert local_checkpoint(remote.as_uri()) == found


def test_a_file_that_changed_since_is_refused(remote: Path) -> None:
    found = local_checkpoint(remote.as_uri())
    found.write_bytes(b"other weights")
    with pytest.raises(CheckpointError, match=r"not the file it was.*delete it"):
        local_checkpoint(remote.as_uri())


def test_a_name_that_promises_a_hash_keeps_it(remote: Path, home: Path) -> None:
    digest = hashlib.sha256(b"weights").hexdigest()
    good = remote.with_name(f"j-{digest[:8]}.pth")
    bad = remote.with_name("j-00000000.pth")
    for path in (good, bad):
        path.write_bytes(b"weights")
    assert local_checkpoint(good.as_uri()).read_bytes() == b"weights"
    with pytest.raises(CheckpointError, match=r"could not be downloaded .*00000000"):
        local_checkpoint(bad.as_uri())
    assert not [path for path in home.iterdir() if "00000000" in path.name]


def test_a_failed_download_leaves_nothing(tmp_path: Path, home: Path) -> None:
    with pytest.raises(CheckpointError, match=r"gone\.pth could not be downloaded"):
        local_checkpoint((tmp_path / "gone.pth").as_uri())
    assert list(home.iterdir()) == []


def _answer_with(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    asked: list[str] = []

    def fetch(self: Any) -> None:
        asked.append(self.url)
        self.partial.write_text(self.url)

    monkeypatch.setattr(download._Download, "_fetch", fetch)
    return asked


def test_http_is_refused_unless_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _answer_with(monkeypatch)
    with pytest.raises(CheckpointError, match="over http anybody on the way can change the file"):
        local_checkpoint("http://host.org/j.pth")
    assert asked == []
    local_checkpoint("http://host.org/j.pth", trusted=True)
    assert asked == ["http://host.org/j.pth"]


def test_links_of_the_family_are_fetched_by_https(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _answer_with(monkeypatch)
    below = "download.openmmlab.com/mmaction/pyskl/ckpt/stgcn/stgcn_pyskl_ntu60_xsub_3dkp/j.pth"
    assert local_checkpoint(f"http://{below}") == local_checkpoint(f"https://{below}")
    assert asked == [f"https://{below}"]


def test_other_urls_are_other_files(monkeypatch: pytest.MonkeyPatch) -> None:
    _answer_with(monkeypatch)
    urls = [
        f"https://host.org/{rest}"
        for rest in ("a/j.pth", "b/j.pth", "j.pth", "j.pth?v=1", "j.pth?v=2")
    ]
    assert [local_checkpoint(url).read_text() for url in urls] == urls
    assert len({local_checkpoint(url) for url in urls}) == len(urls)


# --- a server that does not always answer as it should --------------------------------------------

BODY = bytes(range(256)) * 1024  # 256 KiB


class _Server(ThreadingHTTPServer):
    """Answers with BODY; ``plan`` says how the next requests go wrong.

    Attributes:
        asked: ``(path, Range header)`` of each request.
        plan: Functions that answer instead, first to last; None answers as it should.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str | None]] = []
        self.plan: list[Callable[[_Handler], None] | None] = []
        self.etag = '"one"'
        self.ranges = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/j.pth"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Range")))
        wrong = self.server.plan.pop(0) if self.server.plan else None
        if wrong is None:
            self.answer()
        else:
            wrong(self)

    def answer(self, *, upto: int | None = None, length: int | None = None) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        whole = not (
            self.server.ranges and asked and self.headers.get("If-Range") == self.server.etag
        )
        start = 0 if whole or asked is None else int(asked[1])
        self.send_response(200 if whole else 206)
        if not whole:
            self.send_header("Content-Range", f"bytes {start}-{len(BODY) - 1}/{len(BODY)}")
        self.send_header("Content-Length", str(length or len(BODY) - start))
        self.send_header("ETag", self.server.etag)
        self.end_headers()
        self.wfile.write(BODY[start:upto])
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_WR)


def _cut(upto: int) -> Callable[[_Handler], None]:
    """Announce all and send the first bytes only."""
    return lambda handler: handler.answer(upto=upto)


def _status(code: int) -> Callable[[_Handler], None]:
    return lambda handler: handler.send_error(code)


def _silent(handler: _Handler) -> None:
    handler.rfile.read(1)  # until the other side has had enough


def _lead_to(url: str) -> Callable[[_Handler], None]:
    def lead(handler: _Handler) -> None:
        handler.send_response(302)
        handler.send_header("Location", url)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return lead


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Server]:
    """A running server; the pauses between tries are short."""
    monkeypatch.setattr(download, "PAUSES", (0.01, 0.01, 0.01))
    monkeypatch.setattr(download, "TIMEOUT", 2.0)
    monkeypatch.setenv("no_proxy", "*")
    with _Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_file_is_fetched_from_a_server(server: _Server, home: Path) -> None:
    found = local_checkpoint(server.url, trusted=True)
    assert found.read_bytes() == BODY
    assert local_checkpoint(server.url, trusted=True) == found
    assert len(server.asked) == 1
    assert {path.name for path in home.iterdir()} == {found.name, f"{found.name}.sha256"}


def test_a_broken_connection_is_gone_on_with(server: _Server) -> None:
    server.plan = [_cut(100_000), _cut(200_000)]
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY
    assert [asked for _, asked in server.asked] == [None, "bytes=100000-", "bytes=200000-"]


def test_a_later_run_goes_on_where_the_last_gave_up(server: _Server, home: Path) -> None:
    server.plan = [_cut(100_000), *[_status(503)] * 3]
    with pytest.raises(CheckpointError, match=r"answers 503.*100000 bytes of it are kept"):
        local_checkpoint(server.url, trusted=True)
    assert not [path for path in home.iterdir() if path.suffix == ".pth"]
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY
    assert server.asked[-1][1] == "bytes=100000-"


def test_a_file_that_changed_in_between_is_fetched_anew(server: _Server) -> None:
    def change(handler: _Handler) -> None:
        server.etag = '"two"'
        handler.answer()

    server.plan = [_cut(100_000), change]
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY
    assert server.asked[1][1] == "bytes=100000-"


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_version_nothing_is_pieced_together(server: _Server, etag: str) -> None:
    server.etag = etag
    server.plan = [_cut(100_000)]
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY
    assert [asked for _, asked in server.asked] == [None, None]


def test_a_server_without_ranges_is_asked_for_all(server: _Server) -> None:
    server.ranges = False
    server.plan = [_cut(100_000)]
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY


def test_a_part_that_does_not_fit_is_thrown_away(server: _Server) -> None:
    server.plan = [_cut(100_000), _status(416)]
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY
    assert [asked for _, asked in server.asked] == [None, "bytes=100000-", None]


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_passing_failure_is_tried_again(
    server: _Server, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    server.plan = [_status(code)]
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY
    assert f"the server answers {code}" in caplog.text
    assert "trying again in 0.01 s" in caplog.text


@pytest.mark.parametrize("code", [403, 404])
def test_a_lasting_failure_is_told_at_once(server: _Server, home: Path, code: int) -> None:
    server.plan = [_status(code)]
    with pytest.raises(CheckpointError, match=f"the server answers {code}.*give its path"):
        local_checkpoint(server.url, trusted=True)
    assert len(server.asked) == 1
    assert list(home.iterdir()) == []


def test_tries_come_to_an_end(server: _Server) -> None:
    server.plan = [_status(500)] * 9
    with pytest.raises(CheckpointError, match="the server answers 500"):
        local_checkpoint(server.url, trusted=True)
    assert len(server.asked) == 4


def test_a_server_that_says_nothing(server: _Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    server.plan = [_silent]
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY
    server.plan = [_silent] * 4
    with pytest.raises(CheckpointError, match=r"no answer within 0\.2 s"):
        local_checkpoint(f"{server.url}?again", trusted=True)


def test_a_promise_is_checked_and_a_broken_one_leaves_nothing(server: _Server, home: Path) -> None:
    digest = hashlib.sha256(BODY).hexdigest()
    good, bad = (server.url.replace("j.pth", f"j-{d}.pth") for d in (digest[:8], "0" * 8))
    assert local_checkpoint(good, trusted=True).read_bytes() == BODY
    with pytest.raises(CheckpointError, match="its name says that it starts with 00000000"):
        local_checkpoint(bad, trusted=True)
    assert not [path for path in home.iterdir() if "00000000" in path.name]


def test_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(CheckpointError, match=r"is this machine offline\?.*by other means"):
        local_checkpoint("https://host.example/j.pth")


def test_nobody_listens(server: _Server) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/j.pth"
        with pytest.raises(CheckpointError, match="is this machine offline"):
            local_checkpoint(url, trusted=True)


def test_https_does_not_lead_to_http() -> None:
    handler = download._HttpsOnly()
    request = download.urllib.request.Request("https://host.org/j.pth")
    for worse in ("http://host.org/j.pth", "file:///etc/passwd", "ftp://host.org/j.pth"):
        with pytest.raises(CheckpointError, match="without https"):
            handler.redirect_request(request, None, 302, "Found", {}, worse)
    assert handler.redirect_request(request, None, 302, "Found", {}, "https://b.org/j.pth")
    opener = download._Download("https://host.org/j.pth", Path("j.pth"), trusted=False).opener
    assert any(isinstance(one, download._HttpsOnly) for one in opener.handlers)


def test_being_led_on(server: _Server) -> None:
    server.plan = [_lead_to("/other.pth")]
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY
    assert server.asked[-1][0] == "/other.pth"


def test_a_full_disk_is_told(server: _Server, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download, "_copy", full)
    with pytest.raises(CheckpointError, match=r"could not be kept as .*No space left.*PYSKL_HOME"):
        local_checkpoint(server.url, trusted=True)
    assert len(server.asked) == 1


def test_processes_wait_for_each_other(server: _Server) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: local_checkpoint(server.url, trusted=True), range(4)))
    assert len(set(found)) == 1
    assert found[0].read_bytes() == BODY
    assert len(server.asked) == 1


def test_names_of_any_length_and_shape_stay_in_the_folder(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    _answer_with(monkeypatch)
    for url in (
        "https://host.org/" + "a" * 500 + ".pth",
        "https://host.org/../../x.pth",
        "https://host.org/..%2f..%2fx.pth",
        "https://host.org/?q=/../../x.pth",
        "https://host.org",
    ):
        found = local_checkpoint(url)
        assert found.parent == home
        assert home.resolve() == found.resolve().parent
        assert len(found.name) < 200
