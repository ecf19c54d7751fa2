"""Downloads, with files and a server of our own in place of the web."""

from __future__ import annotations

import hashlib
import socket
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unreliable_server import BODY, Server, cut, lead_to, running, silent, status

from pyskl.files import download
from pyskl.files.download import (
    DownloadError,
    RemoteFile,
    fetch,
    local_checkpoint,
    partial_path,
    readable_size,
    verify,
)

DIGEST = hashlib.sha256(BODY).hexdigest()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for downloads."""
    monkeypatch.setenv("PYSKL_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "checkpoints"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A running server; the pauses between attempts are short."""
    monkeypatch.setattr(download, "RETRY_PAUSES", (0.01, 0.01, 0.01))
    monkeypatch.setattr(download, "TIMEOUT", 2.0)
    monkeypatch.setenv("no_proxy", "*")
    with running() as server:
        yield server


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The URLs that are asked for; each answers with its own URL."""
    urls: list[str] = []

    def attempt(self: Any) -> None:
        urls.append(self._url)
        self._partial.write_text(self._url)

    monkeypatch.setattr(download._Download, "_attempt", attempt)
    return urls


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# --- URLs and their files in the cache ------------------------------------------------------------


@pytest.mark.parametrize("location", ["a/b.pth", Path("a/b.pth"), "C:\\a\\b.pth", "b.pth"])
def test_paths_are_returned_as_they_are(location: str | Path) -> None:
    assert local_checkpoint(location) == Path(location)


def test_http_is_refused_unless_trusted(asked: list[str]) -> None:
    with pytest.raises(DownloadError) as error:
        local_checkpoint("http://host.org/j.pth")
    assert error.value.file == "http://host.org/j.pth"
    assert "--trust-files" in str(error.value.hint)
    assert asked == []
    local_checkpoint("http://host.org/j.pth", trusted=True)
    assert asked == ["http://host.org/j.pth"]


def test_published_http_links_are_downloaded_by_https(asked: list[str]) -> None:
    below = "download.openmmlab.com/mmaction/pyskl/ckpt/stgcn/stgcn_pyskl_ntu60_xsub_3dkp/j.pth"
    assert local_checkpoint(f"http://{below}") == local_checkpoint(f"https://{below}")
    assert asked == [f"https://{below}"]


def test_each_url_has_its_own_file_in_the_folder(asked: list[str], home: Path) -> None:
    rest = ["a/j.pth", "b/j.pth", "j.pth", "j.pth?v=1", "j.pth?v=2", "a" * 500 + ".pth"]
    rest += ["../../x.pth", "..%2f..%2fx.pth", "?q=/../../x.pth"]
    urls = ["https://host.org", *(f"https://host.org/{name}" for name in rest)]
    paths = [local_checkpoint(url) for url in urls]
    assert [path.read_text() for path in paths] == urls
    assert {path.resolve().parent for path in paths} == {home.resolve()}
    assert max(len(path.name) for path in paths) < 200


# --- what is downloaded, and checked --------------------------------------------------------------


def test_a_file_is_downloaded_once_and_its_hash_recorded(server: Server, home: Path) -> None:
    path = local_checkpoint(server.url, trusted=True)
    assert path.read_bytes() == BODY
    assert local_checkpoint(server.url, trusted=True) == path
    assert len(server.asked) == 1
    assert _names(home) == {path.name, f"{path.name}.sha256"}
    assert path.with_name(f"{path.name}.sha256").read_text().strip() == DIGEST


def test_a_file_that_changed_afterwards_is_refused(server: Server) -> None:
    path = local_checkpoint(server.url, trusted=True)
    path.write_bytes(b"other weights")
    with pytest.raises(DownloadError) as error:
        local_checkpoint(server.url, trusted=True)
    assert (error.value.file, error.value.expected) == (str(path), DIGEST)


def test_a_known_size_and_hash_are_checked(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "data" / "set.pkl"
    assert fetch(RemoteFile(server.url, len(BODY), DIGEST), target, trusted=True) == target
    assert target.read_bytes() == BODY
    assert _names(target.parent) == {"set.pkl", "set.pkl.sha256"}
    with pytest.raises(DownloadError) as error:
        fetch(RemoteFile(server.url, sha256="0" * 64), target, trusted=True)
    assert (error.value.file, error.value.expected) == (str(target), "0" * 64)
    assert target.read_bytes() == BODY  # it may be the user's own


@pytest.mark.parametrize("known", [{"size": 7}, {"sha256": "0" * 64}])
def test_a_file_of_another_size_or_hash_leaves_nothing(
    server: Server, tmp_path: Path, known: dict[str, Any]
) -> None:
    with pytest.raises(DownloadError) as error:
        fetch(RemoteFile(server.url, **known), tmp_path / "set.pkl", trusted=True)
    assert error.value.file == server.url
    assert str(tmp_path / "set.pkl") in str(error.value.hint)
    assert _names(tmp_path) <= {".set.pkl.lock"}


@pytest.mark.parametrize("size", [len(BODY) - 1, len(BODY) + 1])
def test_the_hash_of_a_file_of_the_wrong_size_is_not_recorded(
    server: Server, tmp_path: Path, size: int
) -> None:
    def unannounced(handler: Any) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(BODY)
        handler.connection.shutdown(socket.SHUT_WR)

    server.plan = [unannounced]
    target = tmp_path / "set.pkl"
    with pytest.raises(DownloadError) as error:
        fetch(RemoteFile(server.url, size), target, trusted=True)
    assert (error.value.found, error.value.expected) == (f"{len(BODY)} bytes", f"{size} bytes")
    assert _names(tmp_path) <= {".set.pkl.lock"}
    target.write_bytes(BODY)  # by other means
    with pytest.raises(DownloadError) as error:
        fetch(RemoteFile(server.url, size), target, trusted=True)
    assert (error.value.file, error.value.expected) == (str(target), f"{size} bytes")
    assert _names(tmp_path) <= {".set.pkl.lock", "set.pkl"}


@pytest.mark.parametrize("is_good", [True, False])
def test_what_a_look_inside_refuses_is_no_reference(
    server: Server, tmp_path: Path, is_good: bool
) -> None:
    target = tmp_path / "set.pkl"
    for _ in range(2):
        fetch(RemoteFile(server.url), target, trusted=True, check=lambda path: is_good)
    assert (tmp_path / "set.pkl.sha256").exists() == is_good


def test_a_name_that_promises_a_hash_is_checked(server: Server, home: Path) -> None:
    good, bad = (server.url.replace("j.pth", f"j-{d}.pth") for d in (DIGEST[:8], "0" * 8))
    assert local_checkpoint(good, trusted=True).read_bytes() == BODY
    with pytest.raises(DownloadError) as error:
        local_checkpoint(bad, trusted=True)
    assert error.value.expected == "00000000"
    assert not [path for path in home.glob("*00000000*") if path.suffix != ".lock"]


def test_a_file_that_was_there_is_accepted_with_its_hash(server: Server, tmp_path: Path) -> None:
    target, remote = tmp_path / "set.pkl", RemoteFile(server.url)
    target.write_bytes(b"downloaded by other means")
    fetch(remote, target, trusted=True)
    assert server.asked == []
    assert verify(remote, target) == hashlib.sha256(b"downloaded by other means").hexdigest()
    target.write_bytes(b"and changed")
    with pytest.raises(DownloadError):
        verify(remote, target)


def test_a_folder_of_this_machine_can_be_a_mirror(tmp_path: Path) -> None:
    remote = tmp_path / "j.pth"
    remote.write_bytes(b"weights")
    assert local_checkpoint(remote.as_uri()).read_bytes() == b"weights"
    with pytest.raises(DownloadError):
        local_checkpoint((tmp_path / "missing.pth").as_uri())


# --- interruptions --------------------------------------------------------------------------------


def test_a_broken_connection_is_resumed(server: Server) -> None:
    server.plan = [cut(100_000), cut(200_000)]
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY
    assert [part for _, part in server.asked] == [None, "bytes=100000-", "bytes=200000-"]


def test_the_next_run_resumes_what_one_left(server: Server) -> None:
    server.plan = [cut(100_000), *[status(503)] * 3]
    with pytest.raises(DownloadError) as error:
        local_checkpoint(server.url, trusted=True)
    assert "100000 bytes are kept" in str(error.value.hint)
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY
    assert server.asked[-1][1] == "bytes=100000-"


def test_a_file_that_changed_on_the_server_is_downloaded_anew(server: Server) -> None:
    server.plan = [cut(100_000), *[status(503)] * 3]
    with pytest.raises(DownloadError):
        local_checkpoint(server.url, trusted=True)
    server.etag = '"two"'
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY


def test_a_weak_version_is_not_resumed(server: Server) -> None:
    server.etag, server.plan = 'W/"one"', [cut(100_000)]
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY
    assert [part for _, part in server.asked] == [None, None]


def test_a_server_without_ranges_sends_everything(server: Server) -> None:
    server.ranges, server.plan = False, [cut(100_000)]
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY


def test_a_part_that_does_not_fit_is_discarded(server: Server) -> None:
    server.plan = [cut(100_000), status(416)]
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY
    assert [part for _, part in server.asked] == [None, "bytes=100000-", None]


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_temporary_failure_is_retried(server: Server, code: int) -> None:
    server.plan = [status(code)]
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY


@pytest.mark.parametrize("code", [403, 404])
def test_a_permanent_failure_is_reported_at_once(server: Server, home: Path, code: int) -> None:
    server.plan = [status(code)]
    with pytest.raises(DownloadError, match=str(code)):
        local_checkpoint(server.url, trusted=True)
    assert len(server.asked) == 1
    assert all(path.suffix == ".lock" for path in home.iterdir())


@pytest.mark.parametrize("cuts", [[status(500)] * 9, [cut(100_000)] * 9])
def test_attempts_that_get_no_further_end(server: Server, cuts: list[Any]) -> None:
    server.ranges, server.plan = False, cuts
    with pytest.raises(DownloadError):
        local_checkpoint(server.url, trusted=True)
    assert len(server.asked) == 4


def test_attempts_are_counted_from_the_last_progress(server: Server) -> None:
    server.plan = [cut(size) for size in range(20_000, 260_000, 20_000)]  # twelve, of three
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY


def test_a_server_that_does_not_answer(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 0.1)
    server.plan = [silent] * 4
    with pytest.raises(DownloadError, match=r"no response within 0\.1 s"):
        local_checkpoint(server.url, trusted=True)
    server.plan = [silent]
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY


def test_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(DownloadError, match="is this machine offline"):
        local_checkpoint("https://host.example/j.pth")


def test_a_port_without_a_server(server: Server) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/j.pth"
        with pytest.raises(DownloadError, match="is this machine offline"):
            local_checkpoint(url, trusted=True)


def test_what_arrived_is_kept_after_ctrl_c(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, copy = tmp_path / "set.pkl", download._copy

    class Bar:
        """A progress bar that interrupts once so much has arrived."""

        arrived = 0

        def update(self, size: int) -> None:
            self.arrived += size
            if self.arrived >= 100_000:
                raise KeyboardInterrupt

    monkeypatch.setattr(download, "_copy", lambda answer, file, _: copy(answer, file, Bar()))
    with pytest.raises(KeyboardInterrupt):
        fetch(RemoteFile(server.url), target, trusted=True)
    kept = partial_path(target).stat().st_size
    assert kept >= 100_000
    monkeypatch.setattr(download, "_copy", copy)
    assert fetch(RemoteFile(server.url), target, trusted=True).read_bytes() == BODY
    assert server.asked[-1][1] == f"bytes={kept}-"


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    plan=st.lists(
        st.one_of(
            st.integers(0, len(BODY) - 1).map(cut),
            st.sampled_from([429, 500, 503]).map(status),
            st.none(),
        ),
        max_size=3,  # as many as are retried without progress
    )
)
def test_whatever_fails_for_a_while_the_file_is_complete(
    server: Server, tmp_path_factory: pytest.TempPathFactory, plan: list
) -> None:
    server.plan = list(plan)
    target = tmp_path_factory.mktemp("fetched") / "set.pkl"
    remote = RemoteFile(server.url, size=len(BODY), sha256=DIGEST)
    assert fetch(remote, target, trusted=True).read_bytes() == BODY


# --- redirections, disks, other processes ---------------------------------------------------------


def test_https_is_not_redirected_to_anything_less() -> None:
    handler = download._HttpsRedirects()
    request = urllib.request.Request("https://host.org/j.pth")
    for worse in ("http://host.org/j.pth", "file:///etc/passwd", "ftp://host.org/j.pth"):
        with pytest.raises(DownloadError):
            handler.redirect_request(request, None, 302, "Found", {}, worse)
    assert handler.redirect_request(request, None, 302, "Found", {}, "https://b.org/j.pth")
    remote = RemoteFile("https://host.org/j.pth")
    opener = download._Download(remote, Path("j.pth"), trusted=False, hint="")._opener
    assert any(isinstance(one, download._HttpsRedirects) for one in opener.handlers)


def test_redirections_are_followed(server: Server) -> None:
    server.plan = [lead_to("/other.pth")]
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY
    assert server.asked[-1][0] == "/other.pth"


def test_a_full_disk(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download, "_copy", full)
    with pytest.raises(DownloadError, match="No space left") as error:
        local_checkpoint(server.url, trusted=True)
    assert "PYSKL_HOME" in str(error.value.hint)
    assert len(server.asked) == 1


def test_a_file_that_does_not_fit_on_the_disk_is_not_begun(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage(NamedTuple):
        free: int

    target = tmp_path / "set.pkl"
    server.plan = [cut(200_000), *[status(503)] * 3]
    with pytest.raises(DownloadError):
        fetch(RemoteFile(server.url), target, trusted=True)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: Usage(62_143))
    with pytest.raises(DownloadError) as error:
        fetch(RemoteFile(server.url), target, trusted=True)
    assert error.value.found == "62.1 kB"
    assert partial_path(target).stat().st_size == 200_000
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: Usage(62_144))
    assert fetch(RemoteFile(server.url), target, trusted=True).read_bytes() == BODY


def test_one_of_several_processes_downloads(server: Server) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: local_checkpoint(server.url, trusted=True), range(4)))
    assert len(set(found)) == 1
    assert found[0].read_bytes() == BODY
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (999_600, "1 MB"),
        (1_240_000_000, "1.24 GB"),
    ],
)
def test_readable_sizes(size: int, text: str) -> None:
    assert readable_size(size) == text
