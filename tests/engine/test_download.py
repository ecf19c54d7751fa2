"""Checkpoints from the web, with files standing in for the web."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch

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

    def fetch(url: str, target: str, hash_prefix: str | None, progress: bool) -> None:
        asked.append(url)
        Path(target).write_text(url)

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
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
