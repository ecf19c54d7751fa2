"""``tools/data/ntu_preproc.py``, and configs on what it makes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tool_commands import TIMEOUT, Commands, hearing_ctrl_c

from pyskl.apis.prepare import prepare
from pyskl.config import load_config

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "recordings" / "ntu"))

from synthetic_skeletons import sample_names, write_folder

TOOL = "tools/data/ntu_preproc.py"
FILES = ("ntu60_3danno.pkl", "ntu120_3danno.pkl")


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of raw files of both data sets; nobody may write to it."""
    folder = tmp_path_factory.mktemp("raw")
    write_folder(folder, sample_names(100), frames=20)
    return folder


def test_configs_take_what_it_makes(
    commands: Commands, raw: Path, tmp_path: Path, repo_root: Path
) -> None:
    done = commands.quick(TOOL, "--root", raw, "--out", tmp_path)
    assert done.status == 0, done.err
    assert done.err == ""
    assert "100 raw files" in done.out
    for name, benchmark in zip(FILES, ("ntu60_xsub", "ntu120_xset")):
        config = load_config(repo_root / f"configs/stgcn/stgcn_pyskl_{benchmark}_3dkp/j.py")
        for data_set in (config.data.train.dataset, config.data.val, config.data.test):
            assert Path(data_set.ann_file).name == name
            data_set.ann_file = str(tmp_path / name)
        prepare(config, ("train", "val", "test"))


def test_a_small_run_of_training(
    commands: Commands, raw: Path, tmp_path: Path, repo_root: Path
) -> None:
    done = commands.quick(TOOL, "--root", raw, "--out", tmp_path, "--only", "ntu60")
    assert done.status == 0, done.err
    splits = {"train.dataset": "xsub_train", "val": "xsub_val", "test": "xsub_val"}
    options = [f"data.{key}.ann_file={tmp_path / FILES[0]}" for key in splits]
    done = commands.quick(
        "tools/train.py",
        repo_root / "configs/stgcn/stgcn_pyskl_ntu60_xsub_3dkp/j.py",
        *("--work-dir", tmp_path / "work", "--validate", "--cfg-options", *options),
        *("model.backbone.base_channels=4", "model.cls_head.in_channels=16", "total_epochs=1"),
        *(
            "data.train.times=1",
            "data.workers_per_gpu=0",
            "data.train.dataset.pipeline.2.clip_len=8",
        ),
    )
    assert done.status == 0, done.err
    assert (tmp_path / "work" / "latest.pth").is_file()


def test_the_folder_of_the_configs_is_the_default(commands: Commands, raw: Path) -> None:
    done = commands.real("python", TOOL, "--root", raw, "--root", raw, "--workers", 1)
    assert done.status == 0, done.err
    for name in FILES:
        assert (commands.scratch / "data" / "nturgbd" / name).is_file()


def test_errors_are_reported_in_one_message(commands: Commands, raw: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    broken = tmp_path / "broken"
    write_folder(broken, sample_names(60), frames=20)
    for file in sorted(broken.iterdir())[1:]:
        file.write_bytes(file.read_bytes()[:-40])
    for arguments, part in (
        (("--root", tmp_path / "none"), "none"),
        (("--root", tmp_path / "empty"), "no .skeleton files"),
        (("--root", broken, "--strict"), "59 skipped files"),
        (("--root", raw, "--workers", "0"), "workers"),
        (("--root", raw, "--only", "ntu61"), "invalid choice: 'ntu61'"),
        ((), "required: --root"),
    ):
        done = commands.quick(TOOL, *arguments, "--out", tmp_path / "out")
        assert done.status == 2
        assert part in done.err
        assert done.err.startswith("error: ")
        assert "Traceback" not in done.err
    assert not (tmp_path / "out" / FILES[0]).exists()

    done = commands.quick(TOOL, "--root", broken, "--out", tmp_path / "out")
    assert done.status == 0
    assert done.out.count(".skeleton, line ") == 50
    listed = tmp_path / "out" / "ntu_skipped_files.txt"
    assert str(listed) in done.out
    assert listed.read_text().count(".skeleton, line ") == 59


@pytest.fixture(scope="module")
def many(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files for ten parts; nobody may write to it."""
    folder = tmp_path_factory.mktemp("many")
    texts = sorted(raw.iterdir())
    for index, name in enumerate(sample_names(2000)):
        os.link(texts[index % 97], folder / f"{name}.skeleton")
    return folder


def start(commands: Commands, many: Path, out: Path) -> subprocess.Popen[str]:
    """Start the command in a group of its own; return it when the first part is there."""
    command = [sys.executable, str(commands.root / TOOL), "--root", str(many), "--out", str(out)]
    with hearing_ctrl_c():
        run = subprocess.Popen(
            [*command, "--workers", "2"],
            env=commands.env,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    deadline = time.monotonic() + TIMEOUT
    while not list((out / ".ntu_preproc").glob("*.pkl")):
        assert run.poll() is None, "it ended before it could be stopped"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    return run


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_killed_at_any_moment_it_goes_on(commands: Commands, many: Path, tmp_path: Path) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    run = start(commands, many, killed)
    run.kill()
    assert run.wait(TIMEOUT) == -signal.SIGKILL
    deadline = time.monotonic() + TIMEOUT
    while processes_with(str(killed)):  # the workers end by themselves
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not any((killed / name).exists() for name in FILES)

    done = commands.quick(TOOL, "--root", many, "--out", killed)
    assert done.status == 0, done.err
    assert "were read by an earlier run" in done.err
    other = commands.quick(TOOL, "--root", many, "--out", whole, "--workers", 1)
    assert done.out == other.out.replace(str(whole), str(killed))
    for name in FILES:
        assert (killed / name).read_bytes() == (whole / name).read_bytes()
    assert sorted(path.name for path in killed.iterdir()) == sorted(FILES)


def processes_with(argument: str) -> list[int]:
    """Return the processes that have an argument on their command line."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                arguments = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:  # it has ended
                continue
            if argument.encode() in arguments:
                found.append(int(folder.name))
    return found


@pytest.mark.slow
def test_ctrl_c_is_told_in_one_line(commands: Commands, many: Path, tmp_path: Path) -> None:
    run = start(commands, many, tmp_path / "out")
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to the workers, too
    _, err = run.communicate(timeout=TIMEOUT)
    assert run.returncode == 75, err
    assert err.count("\n") == 1
    assert "the same command" in err
