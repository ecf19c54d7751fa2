"""Files from the web, with files and a server of our own standing in for the web."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unreliable_server import (
    BODY,
    Handler,
    Server,
    cut,
    lead_to,
    running,
    silent,
    status,
)

from pyskl.errors import CheckpointError
from pyskl.files import transfer
from pyskl.files.download import checked_hash, fetch, local_checkpoint
from pyskl.files.transfer import DownloadError, Source, partial_of, readable_size


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

    monkeypatch.setattr(transfer.Transfer, "_fetch", fetch)
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


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A running server; the pauses between tries are short."""
    monkeypatch.setattr(transfer, "PAUSES", (0.01, 0.01, 0.01))
    monkeypatch.setattr(transfer, "TIMEOUT", 2.0)
    monkeypatch.setenv("no_proxy", "*")
    with running() as server:
        yield server


def test_a_file_is_fetched_from_a_server(server: Server, home: Path) -> None:
    found = local_checkpoint(server.url, trusted=True)
    assert found.read_bytes() == BODY
    assert local_checkpoint(server.url, trusted=True) == found
    assert len(server.asked) == 1
    assert {path.name for path in home.iterdir()} == {found.name, f"{found.name}.sha256"}


def test_a_broken_connection_is_gone_on_with(server: Server) -> None:
    server.plan = [cut(100_000), cut(200_000)]
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY
    assert [asked for _, asked in server.asked] == [None, "bytes=100000-", "bytes=200000-"]


def test_a_later_run_goes_on_where_the_last_gave_up(server: Server, home: Path) -> None:
    server.plan = [cut(100_000), *[status(503)] * 3]
    with pytest.raises(CheckpointError, match=r"answers 503.*100000 bytes of it are kept"):
        local_checkpoint(server.url, trusted=True)
    assert not [path for path in home.iterdir() if path.suffix == ".pth"]
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY
    assert server.asked[-1][1] == "bytes=100000-"


def test_a_file_that_changed_in_between_is_fetched_anew(server: Server) -> None:
    def change(handler: Handler) -> None:
        server.etag = '"two"'
        handler.answer()

    server.plan = [cut(100_000), change]
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY
    assert server.asked[1][1] == "bytes=100000-"


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_version_nothing_is_pieced_together(server: Server, etag: str) -> None:
    server.etag = etag
    server.plan = [cut(100_000)]
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY
    assert [asked for _, asked in server.asked] == [None, None]


def test_a_server_without_ranges_is_asked_for_all(server: Server) -> None:
    server.ranges = False
    server.plan = [cut(100_000)]
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY


def test_a_part_that_does_not_fit_is_thrown_away(server: Server) -> None:
    server.plan = [cut(100_000), status(416)]
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY
    assert [asked for _, asked in server.asked] == [None, "bytes=100000-", None]


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_passing_failure_is_tried_again(
    server: Server, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    server.plan = [status(code)]
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY
    assert f"the server answers {code}" in caplog.text
    assert "trying again in 0.01 s" in caplog.text


@pytest.mark.parametrize("code", [403, 404])
def test_a_lasting_failure_is_told_at_once(server: Server, home: Path, code: int) -> None:
    server.plan = [status(code)]
    with pytest.raises(CheckpointError, match=f"the server answers {code}.*give its path"):
        local_checkpoint(server.url, trusted=True)
    assert len(server.asked) == 1
    assert list(home.iterdir()) == []


def test_tries_come_to_an_end(server: Server) -> None:
    server.plan = [status(500)] * 9
    with pytest.raises(CheckpointError, match="the server answers 500"):
        local_checkpoint(server.url, trusted=True)
    assert len(server.asked) == 4


def test_a_server_that_says_nothing(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "TIMEOUT", 0.2)
    server.plan = [silent]
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY
    server.plan = [silent] * 4
    with pytest.raises(CheckpointError, match=r"no answer within 0\.2 s"):
        local_checkpoint(f"{server.url}?again", trusted=True)


def test_a_promise_is_checked_and_a_broken_one_leaves_nothing(server: Server, home: Path) -> None:
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


def test_nobody_listens(server: Server) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/j.pth"
        with pytest.raises(CheckpointError, match="is this machine offline"):
            local_checkpoint(url, trusted=True)


def test_https_does_not_lead_to_http() -> None:
    handler = transfer._HttpsOnly()
    request = transfer.urllib.request.Request("https://host.org/j.pth")
    for worse in ("http://host.org/j.pth", "file:///etc/passwd", "ftp://host.org/j.pth"):
        with pytest.raises(DownloadError, match="without https"):
            handler.redirect_request(request, None, 302, "Found", {}, worse)
    assert handler.redirect_request(request, None, 302, "Found", {}, "https://b.org/j.pth")
    source = Source("https://host.org/j.pth")
    opener = transfer.Transfer(source, Path("j.pth"), trusted=False, otherwise="").opener
    assert any(isinstance(one, transfer._HttpsOnly) for one in opener.handlers)


def test_being_led_on(server: Server) -> None:
    server.plan = [lead_to("/other.pth")]
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY
    assert server.asked[-1][0] == "/other.pth"


def test_a_full_disk_is_told(server: Server, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(transfer, "_copy", full)
    with pytest.raises(CheckpointError, match=r"could not be kept as .*No space left.*PYSKL_HOME"):
        local_checkpoint(server.url, trusted=True)
    assert len(server.asked) == 1


def test_processes_wait_for_each_other(server: Server) -> None:
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


# --- a file of the user's choosing ----------------------------------------------------------------

DIGEST = hashlib.sha256(BODY).hexdigest()


def test_a_known_size_and_hash_are_checked(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "data" / "set.pkl"
    source = Source(server.url, size=len(BODY), sha256=DIGEST)
    assert fetch(source, target, trusted=True) == target
    assert target.read_bytes() == BODY
    assert {path.name for path in target.parent.iterdir()} == {"set.pkl", "set.pkl.sha256"}
    with pytest.raises(DownloadError, match=f"is not the file at .* should be {'0' * 64}"):
        fetch(Source(server.url, sha256="0" * 64), target, trusted=True)
    assert target.read_bytes() == BODY  # it may be the user's own


def test_another_size_is_refused_before_anything_is_fetched(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "set.pkl"
    with pytest.raises(DownloadError, match=r"announces 262144 bytes, but the file has 7; .*set"):
        fetch(Source(server.url, size=7), target, trusted=True)
    assert not partial_of(target).exists()


def test_another_hash_leaves_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"but it should be 0000.*save it as"):
        fetch(Source(server.url, sha256="0" * 64), tmp_path / "set.pkl", trusted=True)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_there_before_is_taken_with_its_hash(
    server: Server, tmp_path: Path
) -> None:
    target = tmp_path / "set.pkl"
    target.write_bytes(b"fetched by other means")
    fetch(Source(server.url), target, trusted=True)
    assert target.read_bytes() == b"fetched by other means"
    assert server.asked == []
    assert (
        checked_hash(Source(server.url), target) == hashlib.sha256(target.read_bytes()).hexdigest()
    )
    target.write_bytes(b"and changed")
    with pytest.raises(DownloadError, match=r"not the file it was.*set\.pkl\.sha256"):
        checked_hash(Source(server.url), target)


class _Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_a_file_that_does_not_fit_on_the_disk_is_not_begun(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "set.pkl"
    server.plan = [cut(200_000), *[status(503)] * 3]
    with pytest.raises(DownloadError):
        fetch(Source(server.url), target, trusted=True)
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: _Usage(9, 9, 62_143))
    with pytest.raises(DownloadError, match=r"62\.1 kB are to be fetched, .* room for 62\.1 kB"):
        fetch(Source(server.url), target, trusted=True)
    assert partial_of(target).stat().st_size == 200_000
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: _Usage(9, 9, 62_144))
    assert fetch(Source(server.url), target, trusted=True).read_bytes() == BODY


def test_tries_are_counted_from_where_it_last_got_on(server: Server) -> None:
    server.plan = [cut(size) for size in range(20_000, 260_000, 20_000)]  # twelve, of three tries
    assert local_checkpoint(server.url, trusted=True).read_bytes() == BODY


def test_a_server_that_always_breaks_off_at_one_place_is_given_up(server: Server) -> None:
    server.ranges = False
    server.plan = [cut(100_000)] * 9
    with pytest.raises(CheckpointError, match="ended after 100000 of 262144 bytes"):
        local_checkpoint(server.url, trusted=True)
    assert len(server.asked) == 4


def test_what_arrived_is_kept_when_the_process_is_interrupted(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, copy = tmp_path / "set.pkl", transfer._copy

    class Interrupting:
        """A bar that interrupts once so much has arrived."""

        arrived = 0

        def update(self, size: int) -> None:
            self.arrived += size
            if self.arrived >= 100_000:
                raise KeyboardInterrupt

    monkeypatch.setattr(
        transfer, "_copy", lambda answer, file, _: copy(answer, file, Interrupting())
    )
    with pytest.raises(KeyboardInterrupt):
        fetch(Source(server.url), target, trusted=True)
    kept = partial_of(target).stat().st_size
    assert kept >= 100_000
    monkeypatch.setattr(transfer, "_copy", copy)
    assert fetch(Source(server.url), target, trusted=True).read_bytes() == BODY
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
        max_size=3,  # as many as are tried again without getting on
    )
)
def test_whatever_goes_wrong_for_a_while_the_file_is_whole(
    server: Server, tmp_path_factory: pytest.TempPathFactory, plan: list
) -> None:
    server.plan = list(plan)
    target = tmp_path_factory.mktemp("fetched") / "set.pkl"
    source = Source(server.url, size=len(BODY), sha256=DIGEST)
    assert fetch(source, target, trusted=True).read_bytes() == BODY


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (999_600, "1 MB"),
        (1_240_000_000, "1.24 GB"),
    ],
)
def test_sizes_in_words(size: int, words: str) -> None:
    assert readable_size(size) == words
