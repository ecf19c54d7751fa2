"""A checksum inside a checkpoint: any reader reads it, and no wrong bit goes unnoticed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyskl.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from pyskl.checkpoints.checksum import add_checksum, wrong_checksum
from pyskl.errors import CheckpointError, UntrustedFileError

CONTENT = {"meta": {"epoch": 1}, "state_dict": {"w": torch.arange(500.0)}, "optimizer": {"a": 1}}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A checkpoint's bytes."""
    path = tmp_path_factory.mktemp("checksum") / "epoch_1.pth"
    save_checkpoint(CONTENT, path)
    return path.read_bytes()


@pytest.mark.parametrize("mmap", [False, True])
def test_torch_alone_reads_it(saved: bytes, tmp_path: Path, mmap: bool) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(saved)
    found = torch.load(path, weights_only=True, mmap=mmap)
    assert torch.equal(found["state_dict"]["w"], CONTENT["state_dict"]["w"])
    assert found["meta"] == CONTENT["meta"]


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_a_flipped_bit_is_noticed_or_matters_to_nobody(
    saved: bytes, tmp_path: Path, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, 8 * len(saved) - 1))
    damaged = bytearray(saved)
    damaged[place // 8] ^= 1 << place % 8
    path = tmp_path / "a.pth"
    path.write_bytes(damaged)
    try:
        found = load_checkpoint(path)
    except (CheckpointError, UntrustedFileError) as error:
        assert str(path) in str(error)  # noqa: PT017
        return
    assert torch.equal(found["state_dict"]["w"], CONTENT["state_dict"]["w"])
    assert (found["meta"], found["optimizer"]) == (CONTENT["meta"], CONTENT["optimizer"])


def test_a_bit_of_a_weight_is_one_that_torch_does_not_notice(saved: bytes, tmp_path: Path) -> None:
    """Without this the checksum would be for nothing."""
    place = saved.index(CONTENT["state_dict"]["w"].numpy().tobytes()) + 100
    damaged = bytearray(saved)
    damaged[place] ^= 1
    path = tmp_path / "a.pth"
    path.write_bytes(damaged)
    found = torch.load(path, weights_only=True)
    assert not torch.equal(found["state_dict"]["w"], CONTENT["state_dict"]["w"])
    with pytest.raises(CheckpointError, match=r"damaged .*SHA-256"):
        load_checkpoint(path)


@pytest.mark.parametrize("size", [0, 1, 2, 100, -1, -64, -200])
def test_a_truncated_file(saved: bytes, tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(saved[:size])
    with pytest.raises(CheckpointError):
        load_checkpoint(path)


def test_a_file_without_a_checksum_is_not_checked(saved: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(saved)
    content = torch.load(path, weights_only=True)
    content["meta"]["epoch"] = 7  # somebody changes it and saves it again
    torch.save(content, path)
    assert wrong_checksum(path) is None
    assert load_checkpoint(path)["meta"] == {"epoch": 7}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    assert wrong_checksum(path) is None
    add = tmp_path / "b.pth"
    torch.save(content, add)
    add_checksum(add)
    assert wrong_checksum(add) is None
