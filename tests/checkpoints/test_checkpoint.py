"""Checkpoint files: written whole, compared with their checksum, read without running anything."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyskl.checkpoints.checkpoint import open_checkpoint, save_checkpoint
from pyskl.errors import CheckpointError, UntrustedFileError

WEIGHTS = {"fc.weight": torch.arange(500.0), "fc.bias": torch.zeros(2)}
CONTENT = {"meta": {"epoch": 1}, "state_dict": WEIGHTS, "optimizer": {"a": 1}}

many_examples = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a checkpoint."""
    path = tmp_path_factory.mktemp("saved") / "epoch_1.pth"
    save_checkpoint(CONTENT, path)
    return path.read_bytes()


def _torch_save(path: Path, content: Any, **options: Any) -> Path:
    torch.save(content, path, **options)
    return path


# --- writing --------------------------------------------------------------------------------------


def test_what_is_saved_is_opened(saved: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(saved)
    found = open_checkpoint(path)
    assert (found.path, found.source, found.meta) == (path, str(path), CONTENT["meta"])
    assert (found.optimizer, found.scaler, found.processes) == ({"a": 1}, None, ())
    assert found.sha256 == hashlib.sha256(saved).hexdigest()
    torch.testing.assert_close(dict(found.state_dict), WEIGHTS)


@pytest.mark.parametrize("mmap", [False, True])
def test_torch_reads_it_too(saved: bytes, tmp_path: Path, mmap: bool) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(saved)
    found = torch.load(path, weights_only=True, mmap=mmap)
    torch.testing.assert_close(found["state_dict"], WEIGHTS)


@pytest.mark.parametrize("failure", [OSError("disk full"), RuntimeError("writer failed")])
def test_a_failing_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    path = tmp_path / "epoch_1.pth"
    path.write_bytes(b"the old file")

    def save(content: Any, file: io.BufferedWriter) -> None:
        file.write(b"half of it")
        raise failure

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(CheckpointError) as error:
        save_checkpoint(CONTENT, path)
    assert error.value.file == str(path)
    assert path.read_bytes() == b"the old file"
    assert list(tmp_path.iterdir()) == [path]


@contextmanager
def _full_disk() -> Iterator[None]:
    """Limit the files of this process to a kilobyte."""
    resource = pytest.importorskip("resource")
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


def test_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError), _full_disk():
        save_checkpoint(CONTENT, tmp_path / "epoch_1.pth")
    assert list(tmp_path.iterdir()) == []


# --- checksum -------------------------------------------------------------------------------------


@many_examples
@given(data=st.data())
def test_a_flipped_bit_is_noticed_or_changes_nothing(
    saved: bytes, tmp_path: Path, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, 8 * len(saved) - 1))
    damaged = bytearray(saved)
    damaged[place // 8] ^= 1 << place % 8
    path = tmp_path / "a.pth"
    path.write_bytes(damaged)
    try:
        found = open_checkpoint(path)
    except (CheckpointError, UntrustedFileError) as error:
        assert error.file == str(path)  # noqa: PT017
        return
    assert torch.equal(found.state_dict["fc.weight"], WEIGHTS["fc.weight"])
    assert (found.meta, found.optimizer) == (CONTENT["meta"], CONTENT["optimizer"])


def test_torch_does_not_notice_a_flipped_bit_in_a_weight(saved: bytes, tmp_path: Path) -> None:
    """Without this the checksum would be useless."""
    damaged = bytearray(saved)
    damaged[saved.index(WEIGHTS["fc.weight"].numpy().tobytes()) + 100] ^= 1
    path = tmp_path / "a.pth"
    path.write_bytes(damaged)
    found = torch.load(path, weights_only=True)
    assert not torch.equal(found["state_dict"]["fc.weight"], WEIGHTS["fc.weight"])
    with pytest.raises(CheckpointError):
        open_checkpoint(path)
    with pytest.raises(CheckpointError):
        open_checkpoint(path, trusted=True)


@pytest.mark.parametrize("size", [0, 1, 2, 100, -1, -64, -200])
def test_a_truncated_file(saved: bytes, tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(saved[:size])
    with pytest.raises(CheckpointError):
        open_checkpoint(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_another_program_saved_has_no_checksum(
    saved: bytes, tmp_path: Path, zipped: bool
) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(saved)
    content = torch.load(path, weights_only=True)
    content["meta"]["epoch"] = 7
    _torch_save(path, content, _use_new_zipfile_serialization=zipped)
    assert open_checkpoint(path).meta == {"epoch": 7}


# --- checkpoints of other programs ----------------------------------------------------------------


@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_of_pyskl(tmp_path: Path, zipped: bool) -> None:
    weights = OrderedDict((f"module.{name}", value) for name, value in WEIGHTS.items())
    weights._metadata = OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]
    meta = dict(
        epoch=16,
        iter=np.int64(160),
        time="Mon Nov  1 00:00:00 2021",
        config="model = dict()",
        hook_msgs=dict(
            best_score=np.float64(0.878),
            half=np.float16(0.5),
            flag=np.bool_(True),
            big_endian=np.array([7], ">i4")[0],
            best_ckpt="best_top1_acc_epoch_16.pth",
        ),
        CLASSES=None,
    )
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], 0.1, momentum=0.9)
    content = dict(meta=meta, state_dict=weights, optimizer=optimizer.state_dict())
    found = open_checkpoint(
        _torch_save(tmp_path / "a.pth", content, _use_new_zipfile_serialization=zipped)
    )
    assert list(found.state_dict) == ["fc.weight", "fc.bias"]
    assert found.optimizer["param_groups"][0]["momentum"] == 0.9
    assert found.meta == meta
    assert type(found.meta["hook_msgs"]["half"]) is np.float16


@pytest.mark.parametrize("core", [b"numpy.core", b"numpy._core"])
def test_numpy_1_and_2_spell_scalars_differently(tmp_path: Path, core: bytes) -> None:
    path = _torch_save(tmp_path / "a.pth", dict(state_dict=WEIGHTS, meta=dict(x=np.float64(0.25))))
    other = tmp_path / "b.pth"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(other, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            for written in (b"numpy._core.multiarray", b"numpy.core.multiarray"):
                data = data.replace(b"c" + written, b"c" + core + b".multiarray")
            target.writestr(name, data)
    assert open_checkpoint(other).meta["x"] == 0.25


def test_a_bare_state_dict(tmp_path: Path) -> None:
    found = open_checkpoint(_torch_save(tmp_path / "a.pth", WEIGHTS))
    assert (found.meta, found.optimizer) == ({}, None)
    torch.testing.assert_close(dict(found.state_dict), WEIGHTS)


@pytest.mark.shared_data
def test_a_checkpoint_of_the_original(golden: Path) -> None:
    found = open_checkpoint(golden / "small8_nturgbd.pth")
    assert "backbone.gcn.0.gcn.PA" in found.state_dict


def test_safetensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_file = pytest.importorskip("safetensors.torch", reason="needs the extra export").save_file
    path = tmp_path / "weights.safetensors"
    save_file({"module.a": torch.arange(3), "b": torch.ones(2).half()}, path)
    found = open_checkpoint(path)
    assert list(found.state_dict) == ["a", "b"]
    assert found.state_dict["b"].dtype == torch.float16
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    for content in (b"", b"x" * 100, b"\xff" * 8 + b"{}"):
        path.write_bytes(content)
        with pytest.raises(CheckpointError) as error:
            open_checkpoint(path)
        assert error.value.file == str(path)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(CheckpointError) as error:
        open_checkpoint(path)
    assert error.value.hint == "pip install safetensors"


# --- files that are no checkpoints ----------------------------------------------------------------


def test_a_missing_file(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.pth", tmp_path):
        with pytest.raises(CheckpointError) as error:
            open_checkpoint(path)
        assert error.value.file == str(path)


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ([1, 2], None),
        (torch.ones(2), None),
        ({}, None),
        ({"model": {"a": torch.ones(1)}}, None),
        ({"state_dict": [1]}, "state_dict"),
        ({"state_dict": {"fc.weight": 1}}, "state_dict"),
    ],
)
def test_other_contents(tmp_path: Path, content: Any, key: str | None) -> None:
    path = _torch_save(tmp_path / "a.pth", content)
    with pytest.raises(CheckpointError) as error:
        open_checkpoint(path)
    assert (error.value.file, error.value.key) == (str(path), key)


@pytest.mark.parametrize("meta", [None, "epoch 3", {}])
def test_meta_is_always_a_dict(tmp_path: Path, meta: Any) -> None:
    path = _torch_save(tmp_path / "a.pth", {"state_dict": WEIGHTS, "meta": meta})
    assert open_checkpoint(path).meta == {}


@pytest.mark.parametrize(
    "data", [b"\x00" * 100, b"<html>404</html>", b"PK\x03\x04 no zip", b"\x80", b""]
)
@pytest.mark.parametrize("trusted", [True, False])
def test_garbage(tmp_path: Path, data: bytes, trusted: bool) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(data)
    with pytest.raises(CheckpointError) as error:
        open_checkpoint(path, trusted=trusted)
    assert error.value.file == str(path)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@many_examples
@given(data=st.data())
def test_damaged_bytes_load_or_are_refused(tmp_path: Path, data: st.DataObject) -> None:
    content = dict(meta=dict(epoch=1, score=np.float64(1)), state_dict={"w": torch.ones(3)})
    path = _torch_save(tmp_path / "a.pth", content, _use_new_zipfile_serialization=False)
    whole = bytearray(path.read_bytes())
    for position in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=4)):
        whole[position] = data.draw(st.integers(0, 255))
    path.write_bytes(whole)
    try:
        open_checkpoint(path)
    except (CheckpointError, UntrustedFileError) as error:
        assert error.file == str(path)  # noqa: PT017


# --- files that ask for more than data ------------------------------------------------------------


class _Attack:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("where", ["meta", "state_dict", "optimizer", "legacy", "bare pickle"])
def test_programs_are_refused_by_name_and_not_run(tmp_path: Path, where: str) -> None:
    attack, path = _Attack(tmp_path / "ran"), tmp_path / "evil.pth"
    if where == "bare pickle":
        path.write_bytes(pickle.dumps({"state_dict": attack}, protocol=2))
    elif where == "legacy":
        _torch_save(path, dict(state_dict=attack), _use_new_zipfile_serialization=False)
    else:
        _torch_save(path, {"state_dict": WEIGHTS, where: attack})
    with pytest.raises(UntrustedFileError, match=r"\w+\.mkdir") as error:
        open_checkpoint(path)
    assert error.value.file == str(path)
    assert "--trust-files" in str(error.value.hint)
    assert not (tmp_path / "ran").exists()


def test_trusted_files_run(tmp_path: Path) -> None:
    content = dict(state_dict=WEIGHTS, meta=dict(x=_Attack(tmp_path / "ran"), path=Path("a")))
    found = open_checkpoint(_torch_save(tmp_path / "a.pth", content), trusted=True)
    assert (tmp_path / "ran").is_dir()
    assert found.meta["path"] == Path("a")
    unknown = tmp_path / "b.pth"
    unknown.write_bytes(b"cno_such_module\nThing\n.")
    with pytest.raises(CheckpointError, match="no_such_module"):
        open_checkpoint(unknown, trusted=True)
