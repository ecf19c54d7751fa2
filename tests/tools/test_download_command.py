"""``tools/data/download.py``, with a server of our own standing in for the web."""

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
NAMES = {PICKLE: "ntu60_hrnet", WEIGHTS: "stgcn/stgcn_pyskl_ntu60_xsub_3dkp/j"}


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


def test_a_pickle_is_fetched_checked_and_held_against_the_catalogue(
    download, server: Server, tmp_path: Path
) -> None:
    done = download("ntu60_hrnet", "--out", tmp_path)
    target = tmp_path / "ntu60_hrnet.pkl"
    assert done.status == 0, done.err
    assert done.out == f"{target}\n"
    assert target.read_bytes() == server.files[PICKLE]
    assert "34 samples; train 24, val 10" in done.err
    assert "WARNING - " in done.err
    assert "56,578 samples were expected, found 34" in done.err
    assert "a split 'xsub_train' was expected, found train, val" in done.err
    again = download("ntu60_hrnet", "--out", tmp_path, "--no-open")
    assert again.status == 0
    assert "was there" in again.err
    assert "expected" not in again.err
    assert len(server.asked) == 1


def test_weights_go_to_the_cache_where_their_address_finds_them(
    download, server: Server, tmp_path: Path
) -> None:
    done = download(NAMES[WEIGHTS])
    assert done.status == 0, done.err
    path = Path(done.out.strip())
    assert path.parent == tmp_path / "home" / "checkpoints"
    assert path.name.startswith("download.openmmlab.com_")  # whatever mirror it came from
    assert path.read_bytes() == server.files[WEIGHTS]


def test_the_list_says_what_is_here(download, tmp_path: Path) -> None:
    assert download(*NAMES.values(), "--out", tmp_path).status == 0
    (tmp_path / ".ntu60_3danno.pkl.partial").write_bytes(bytes(1234))
    lines = download("--list", "--out", tmp_path).out.splitlines()
    rows = {line.split()[0]: line for line in lines if line}
    assert len(rows) == 1 + 1 + 8 + 12 + 1  # where from, the head, pickles, weights, the foot
    assert f"kB here {tmp_path}/ntu60_hrnet.pkl" in " ".join(rows["ntu60_hrnet"].split())
    assert "1.23 kB of it" in rows["ntu60_3danno"]
    assert " absent " in rows["gym_hrnet"]
    assert " 1 of 4 " in rows["stgcn/stgcn_pyskl_ntu60_xsub_3dkp/{j,b,jm,bm}"]
    (row,) = (
        line for line in download("--list", NAMES[WEIGHTS]).out.splitlines() if "stgcn" in line
    )
    assert row.startswith(NAMES[WEIGHTS])


def test_check_tells_what_changed(download, tmp_path: Path) -> None:
    assert download(*NAMES.values(), "--out", tmp_path).status == 0
    (tmp_path / "gym_hrnet.pkl").write_bytes(b"fetched by other means")
    (tmp_path / ".hmdb51_hrnet.pkl.partial").write_bytes(bytes(1234))
    pickle_path, weights = (
        tmp_path / f"{name}" for name in ("ntu60_hrnet.pkl", f"{NAMES[WEIGHTS]}.pth")
    )
    done = download("--check", "--out", tmp_path)
    assert done.status == 0, done.err
    assert set(done.out.splitlines()) == {
        f"{pickle_path}: as it was downloaded",
        f"{weights}: as it was downloaded",
        f"{tmp_path}/gym_hrnet.pkl: no hash is known of it; asking for it by name writes it down",
        f"{tmp_path}/hmdb51_hrnet.pkl: 1.23 kB of it: fetching it goes on from there",
    }
    weights.write_bytes(b"tampered with")
    done = download("--check", "--out", tmp_path)
    assert done.status == 2
    assert f"{weights}: CHANGED" in done.out
    assert f"{pickle_path}: as it was downloaded" in done.out
    assert "is not the file it was when it was downloaded" in done.err
    assert download("--check", "ntu60_3danno", "--out", tmp_path).out.endswith(": not there\n")
    assert "none of the published files" in download("--check", "--out", tmp_path / "no").out


def test_a_pickle_that_would_run_something_is_refused(
    commands: Commands, download, server: Server, tmp_path: Path
) -> None:
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    server.files[PICKLE] = pickle.dumps(Hostile())
    options = ("ntu60_hrnet", "--out", tmp_path, "--base-url")
    mirror = tmp_path / "mirror"
    (mirror / PICKLE[1:]).parent.mkdir(parents=True)
    (mirror / PICKLE[1:]).write_bytes(server.files[PICKLE])
    done = commands.quick(TOOL, *options, mirror.as_uri())
    assert done.status == 2
    assert "refused: it asks for posix.mkdir" in done.err
    assert not (tmp_path / "ran").exists()


def test_a_pickle_that_is_none_can_be_fetched_again(
    download, server: Server, tmp_path: Path
) -> None:
    good, server.files[PICKLE] = server.files[PICKLE], b"<html>try again later</html>"
    done = download("ntu60_hrnet", "--out", tmp_path)
    assert done.status == 2
    assert "ntu60_hrnet.pkl: not a readable pickle" in done.err
    assert "to fetch it again delete it and ntu60_hrnet.pkl.sha256" in done.err
    server.files[PICKLE] = good
    (tmp_path / "ntu60_hrnet.pkl").unlink()
    assert "delete it and ntu60_hrnet.pkl.sha256" in download("ntu60_hrnet", "--out", tmp_path).err
    for path in tmp_path.glob("ntu60_hrnet.pkl*"):
        path.unlink()
    assert download("ntu60_hrnet", "--out", tmp_path).status == 0


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ((), "name what to fetch; --list shows what there is"),
        (("ntu60_hrnt",), "no published file 'ntu60_hrnt'; did you mean 'ntu60_hrnet'?"),
        (("--list", "--check"), "choose one"),
        (("ntu60_hrnet", "--base-url", "ftp://x.org"), "should begin with https://, found 'ftp"),
        (("ntu60_hrnet", "--base-url", "http://x.org"), "anybody on the way can change the file"),
    ],
)
def test_faults_are_told_in_one_message(
    commands: Commands, arguments: tuple[str, ...], part: str
) -> None:
    done = commands.quick(TOOL, *arguments)
    assert done.status == 2
    assert part in done.err
    assert "Traceback" not in done.err


def test_one_wrong_name_of_several_is_told_before_anything_is_fetched(
    download, server: Server, tmp_path: Path
) -> None:
    assert download("ntu60_hrnet", "ntu60_hrnt", "--out", tmp_path).status == 2
    assert server.asked == []


def test_offline(commands: Commands, tmp_path: Path) -> None:
    env = {"no_proxy": "*"}
    # A name that no resolver may know (RFC 2606).
    options = ("ntu60_hrnet", "--out", tmp_path, "--base-url", "https://mirror.invalid")
    done = commands.quick(TOOL, *options, env=env)
    assert done.status == 2
    assert "is this machine offline?" in done.err
    assert f"or fetch it by other means as {tmp_path}/ntu60_hrnet.pkl" in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 75), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_an_interrupted_download_is_gone_on_with(
    commands: Commands,
    download,
    server: Server,
    tmp_path: Path,
    number: signal.Signals,
    status: int,
) -> None:
    server.files[WEIGHTS] = body = os.urandom(300_000)
    server.plan = [cut(200_000, then=30)]
    command = [sys.executable, commands.root / TOOL, NAMES[WEIGHTS], "--out", tmp_path]
    command += ["--base-url", server.base, "--trust-files"]
    env = {**commands.env, "no_proxy": "*"}
    target = tmp_path / f"{NAMES[WEIGHTS]}.pth"
    partial = target.with_name(".j.pth.partial")
    with hearing_ctrl_c():
        process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while not (partial.is_file() and partial.stat().st_size == 200_000):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == status
    if number == signal.SIGINT:
        assert f"200 kB of {NAMES[WEIGHTS]} is kept, and the same command goes on" in err
    assert not target.exists()
    done = download(NAMES[WEIGHTS], "--out", tmp_path)
    assert done.status == 0, done.err
    assert "100 kB of 300 kB to fetch" in done.err
    assert server.asked[-1][1] == "bytes=200000-"
    assert target.read_bytes() == body
