"""``tools/data/download.py``, with a server of our own in place of the web."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tool_commands import Commands, Done, hearing_ctrl_c

sys.path.append(str(Path(__file__).parents[1] / "files"))

from unreliable_server import Server, cut, running

TOOL = "tools/data/download.py"
PICKLE = "/data/nturgbd/ntu60_hrnet.pkl"
WEIGHTS = "/ckpt/stgcn/stgcn_pyskl_ntu60_xsub_3dkp/j.pth"
WEIGHTS_NAME = "stgcn/stgcn_pyskl_ntu60_xsub_3dkp/j"


@pytest.fixture
def server(tiny_ann_file: Path) -> Iterator[Server]:
    """A server with a pickle and a checkpoint."""
    with running() as server:
        server.files = {PICKLE: tiny_ann_file.read_bytes(), WEIGHTS: bytes(100_000)}
        yield server


@pytest.fixture
def download(commands: Commands, server: Server, tmp_path: Path):
    """A function that runs the tool against the server, with a cache in a folder of this test."""

    def download(*options: object) -> Done:
        env = {"no_proxy": "*", "PYSKL_HOME": str(tmp_path / "home")}
        return commands.quick(TOOL, *options, "--base-url", server.base, "--trust-files", env=env)

    return download


def test_a_pickle_is_downloaded_and_compared_with_the_catalogue(
    download, server: Server, tmp_path: Path
) -> None:
    done = download("ntu60_hrnet", "--out", tmp_path)
    target = tmp_path / "ntu60_hrnet.pkl"
    assert done.status == 0, done.err
    assert done.out == f"{target}\n"
    assert target.read_bytes() == server.files[PICKLE]
    assert "34 samples; train 24, val 10" in done.err
    assert "samples: found 34, expected 56578" in done.err
    assert "split xsub_train: found none, expected 40091" in done.err
    assert not (tmp_path / "ntu60_hrnet.pkl.sha256").exists()  # it is no reference
    again = download("ntu60_hrnet", "--out", tmp_path, "--no-open")
    assert again.status == 0
    assert "expected" not in again.err
    assert len(server.asked) == 1
    assert (tmp_path / "ntu60_hrnet.pkl.sha256").exists()


def test_weights_go_to_the_cache_where_their_address_finds_them(
    download, server: Server, tmp_path: Path
) -> None:
    done = download(WEIGHTS_NAME)
    assert done.status == 0, done.err
    path = Path(done.out.strip())
    assert path.parent == tmp_path / "home" / "checkpoints"
    assert path.name.startswith("download.openmmlab.com_")  # whatever mirror it came from
    assert path.read_bytes() == server.files[WEIGHTS]


def test_the_list_shows_what_is_here(download, tmp_path: Path) -> None:
    assert download("ntu60_hrnet", WEIGHTS_NAME, "--out", tmp_path).status == 0
    (tmp_path / ".ntu60_3danno.pkl.partial").write_bytes(bytes(1234))
    lines = download("--list", "--out", tmp_path).out.splitlines()
    rows = {line.split()[0]: line for line in lines if line}
    assert len(rows) == 1 + 1 + 8 + 52 + 1  # where from, the head, pickles, weights, the foot
    assert f"kB here {tmp_path}/ntu60_hrnet.pkl" in " ".join(rows["ntu60_hrnet"].split())
    assert "1.23 kB of it" in rows["ntu60_3danno"]
    assert " absent " in rows["gym_hrnet"]
    assert " 1 of 4 " in rows["stgcn/stgcn_pyskl_ntu60_xsub_3dkp/{j,b,jm,bm}"]
    assert any(
        line.startswith(WEIGHTS_NAME) for line in download("--list", WEIGHTS_NAME).out.splitlines()
    )


def test_check_reports_what_changed(download, tmp_path: Path) -> None:
    assert download("ntu60_hrnet", WEIGHTS_NAME, "--out", tmp_path, "--no-open").status == 0
    (tmp_path / "gym_hrnet.pkl").write_bytes(b"downloaded by other means")
    (tmp_path / ".hmdb51_hrnet.pkl.partial").write_bytes(bytes(1234))
    weights = tmp_path / f"{WEIGHTS_NAME}.pth"
    done = download("--check", "--out", tmp_path)
    assert done.status == 0, done.err
    found = dict(line.split(": ", 1) for line in done.out.splitlines())
    assert found.pop(f"{tmp_path}/ntu60_hrnet.pkl") == "as it was downloaded"
    assert found.pop(str(weights)) == "as it was downloaded"
    assert found.pop(f"{tmp_path}/gym_hrnet.pkl").startswith("no hash is known of it")
    assert found.pop(f"{tmp_path}/hmdb51_hrnet.pkl").startswith("1.23 kB of it")
    assert not found
    weights.write_bytes(b"tampered with")
    done = download("--check", "--out", tmp_path)
    assert done.status == 2
    assert f"{weights}: CHANGED" in done.out
    assert f"{tmp_path}/ntu60_hrnet.pkl: as it was downloaded" in done.out
    assert str(weights) in done.err
    assert download("--check", "ntu60_3danno", "--out", tmp_path).out.endswith(": not there\n")
    assert "none of the published files" in download("--check", "--out", tmp_path / "no").out


def test_a_pickle_that_would_run_something_is_refused(commands: Commands, tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    mirror = tmp_path / "mirror"
    path = mirror / PICKLE[1:]
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps(Hostile()))
    done = commands.quick(TOOL, "ntu60_hrnet", "--out", tmp_path, "--base-url", mirror.as_uri())
    assert done.status == 2
    assert "posix.mkdir" in done.err
    assert not (tmp_path / "ran").exists()


def test_a_file_that_is_no_pickle_can_be_downloaded_again(
    download, server: Server, tmp_path: Path
) -> None:
    good, server.files[PICKLE] = server.files[PICKLE], b"<html>try again later</html>"
    done = download("ntu60_hrnet", "--out", tmp_path)
    assert done.status == 2
    assert "delete it" in done.err
    server.files[PICKLE] = good
    (tmp_path / "ntu60_hrnet.pkl").unlink()  # which is all that is left of it
    assert download("ntu60_hrnet", "--out", tmp_path).status == 0


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ((), "--list"),
        (("ntu60_hrnt",), "did you mean 'ntu60_hrnet'?"),
        (("--list", "--check"), "choose one"),
        (("ntu60_hrnet", "--base-url", "ftp://x.org"), "ftp://x.org"),
        (("ntu60_hrnet", "--base-url", "http://x.org"), "--trust-files"),
        (("ntu60_hrnet", "--base-url", "https://mirror.invalid"), "is this machine offline?"),
    ],
)
def test_problems_are_reported_in_one_message(
    commands: Commands, tmp_path: Path, arguments: tuple[str, ...], part: str
) -> None:
    out = ("--out", tmp_path) if arguments else ()
    done = commands.quick(TOOL, *arguments, *out, env={"no_proxy": "*"})
    assert done.status == 2
    assert part in done.err
    assert "Traceback" not in done.err
    assert not list(tmp_path.glob("*.pkl"))


def test_one_unknown_name_prevents_all_downloads(download, server: Server, tmp_path: Path) -> None:
    assert download("ntu60_hrnet", "ntu60_hrnt", "--out", tmp_path).status == 2
    assert server.asked == []


@pytest.mark.parametrize(
    ("number", "exit_status"), [(signal.SIGINT, 75), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_an_interrupted_download_is_resumed(
    commands: Commands,
    download,
    server: Server,
    tmp_path: Path,
    number: signal.Signals,
    exit_status: int,
) -> None:
    server.files[WEIGHTS] = body = os.urandom(300_000)
    server.plan = [cut(200_000, then=30)]
    command = [sys.executable, commands.root / TOOL, WEIGHTS_NAME, "--out", tmp_path]
    command += ["--base-url", server.base, "--trust-files"]
    target = tmp_path / f"{WEIGHTS_NAME}.pth"
    partial = target.with_name(".j.pth.partial")
    with hearing_ctrl_c():
        process = subprocess.Popen(command, env={**commands.env, "no_proxy": "*"})
    try:
        deadline = time.monotonic() + 60
        while not (partial.is_file() and partial.stat().st_size == 200_000):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(number)
        process.wait(timeout=60)
    finally:
        process.kill()
    assert process.returncode == exit_status
    assert not target.exists()
    done = download(WEIGHTS_NAME, "--out", tmp_path)
    assert done.status == 0, done.err
    assert server.asked[-1][1] == "bytes=200000-"
    assert target.read_bytes() == body
