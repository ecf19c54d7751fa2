"""The reader of checkpoints gives what torch gives, for what it takes."""

from __future__ import annotations

from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyskl.checkpoints.checkpoint_reader import read_torch_file
from pyskl.checkpoints.torch_version import loader_flaws, warn_of_loader_flaws
from pyskl.errors import CheckpointError, InputError, UntrustedFileError

DTYPES = [
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
    *(torch.complex128, torch.uint16, torch.uint32, torch.uint64),
]


def _same(left: Any, right: Any) -> bool:
    if type(left) is not type(right):
        return False
    if isinstance(left, torch.Tensor):
        return (
            left.dtype == right.dtype
            and left.stride() == right.stride()
            and torch.equal(left, right)
        )
    if isinstance(left, dict):
        return list(left) == list(right) and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right)


def _saved(path: Path, content: Any, *, zipped: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_kind_of_number(tmp_path: Path, dtype: torch.dtype, zipped: bool) -> None:
    values = torch.arange(24).reshape(2, 3, 4).to(dtype)
    content = {"a": values, "one": values[0, 0, 1].clone(), "none": values[:0].clone()}
    path = _saved(tmp_path / "a.pth", content, zipped=zipped)
    assert _same(read_torch_file(path), content)


@pytest.mark.parametrize("zipped", [True, False])
def test_views_share_their_memory(tmp_path: Path, zipped: bool) -> None:
    whole = torch.arange(24.0).reshape(4, 6)
    content = {"a": whole, "t": whole.t(), "part": whole[1:3, ::2], "row": whole[2]}
    found = read_torch_file(_saved(tmp_path / "a.pth", content, zipped=zipped))
    assert _same(found, content)
    found["a"][2, 0] = -1
    assert found["t"][0, 2] == found["row"][0] == found["part"][1, 0] == -1


@pytest.mark.parametrize("zipped", [True, False])
def test_a_training_state(tmp_path: Path, zipped: bool) -> None:
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    optimizer = torch.optim.AdamW(model.parameters(), 0.1)
    model(torch.ones(2, 3, 5, 5)).sum().backward()
    optimizer.step()
    content = dict(
        state_dict=model.state_dict(),
        optimizer=optimizer.state_dict(),
        rng=torch.get_rng_state(),
        numpy=np.random.RandomState(0).get_state(),
        array=np.arange(6, dtype=">f4").reshape(2, 3),
        meta=dict(
            counts=Counter("aab"), size=torch.Size([1, 2]), device=torch.device("cuda", 1),
            dtype=torch.float16, score=np.float64(0.5), names={"a", "b"}, data=b"\0\1",
            nested=OrderedDict(x=[(1, 2.5, None, True)]),
        ),
    )  # fmt: skip
    path = _saved(tmp_path / "a.pth", content, zipped=zipped)
    found = read_torch_file(path)
    np.testing.assert_array_equal(found.pop("array"), content.pop("array"))
    state, expected = found.pop("numpy"), content.pop("numpy")
    assert state[0] == expected[0]
    np.testing.assert_array_equal(state[1], expected[1])
    assert _same(found, content)
    assert type(found["state_dict"]) is OrderedDict


def test_parameters_come_as_tensors(tmp_path: Path) -> None:
    layer = torch.nn.Linear(2, 2)
    found = read_torch_file(_saved(tmp_path / "a.pth", dict(layer.named_parameters())))
    assert torch.equal(found["weight"], layer.weight)
    assert type(found["weight"]) is torch.Tensor
    assert not found["weight"].requires_grad


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    sizes=st.lists(st.integers(0, 4), max_size=4),
    dtype=st.sampled_from(DTYPES[:11]),
    zipped=st.booleans(),
    order=st.randoms(use_true_random=False),
)
def test_it_agrees_with_torch(
    tmp_path: Path, sizes: list[int], dtype: torch.dtype, zipped: bool, order: Any
) -> None:
    axes = list(range(len(sizes)))
    order.shuffle(axes)
    tensor = torch.arange(int(np.prod(sizes))).reshape(sizes).to(dtype).permute(axes)
    path = _saved(tmp_path / "a.pth", {"x": [tensor]}, zipped=zipped)
    assert _same(read_torch_file(path), torch.load(path, weights_only=True))


def test_archives_without_checksums_are_read(tmp_path: Path) -> None:
    set_crc32_options = getattr(torch.serialization, "set_crc32_options", None)
    if set_crc32_options is None:
        pytest.skip("this torch always writes checksums")
    set_crc32_options(False)
    try:
        path = _saved(tmp_path / "a.pth", {"w": torch.ones(3)})
    finally:
        set_crc32_options(True)
    assert torch.equal(read_torch_file(path)["w"], torch.ones(3))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_cut_at_every_kilobyte_is_refused(tmp_path: Path, zipped: bool) -> None:
    content = {"state_dict": {str(i): torch.randn(50, 40) for i in range(12)}}
    data = _saved(tmp_path / "a.pth", content, zipped=zipped).read_bytes()
    assert len(data) > 90_000
    path = tmp_path / "cut.pth"
    for end in [*range(0, len(data), 1024), len(data) - 1]:
        path.write_bytes(data[:end])
        with pytest.raises(CheckpointError, match=r"cut\.pth: damaged or not a checkpoint"):
            read_torch_file(path)


def test_one_wrong_bit_is_noticed_anywhere_in_an_archive_s_tensors(tmp_path: Path) -> None:
    path = _saved(tmp_path / "a.pth", {"w": torch.ones(500)})
    data = bytearray(path.read_bytes())
    start = data.index(torch.ones(500).numpy().tobytes())
    for place in range(start, start + 2000, 97):
        data[place] ^= 16
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match="CRC"):
            read_torch_file(path)
        data[place] ^= 16


def test_what_torch_can_hold_and_checkpoints_need_not_is_refused_by_name(tmp_path: Path) -> None:
    for content in (torch.eye(3).to_sparse(), torch.nn.Linear(1, 1)):
        path = _saved(tmp_path / "a.pth", {"state_dict": {"x": content}})
        with pytest.raises(UntrustedFileError, match=r"a\.pth: refused: it asks for torch"):
            read_torch_file(path)


def test_expanded_tensors_are_held_to_the_file_s_size(tmp_path: Path) -> None:
    path = _saved(tmp_path / "a.pth", {"w": torch.ones(1).expand(1000)})
    assert read_torch_file(path)["w"].sum() == 1000
    path = _saved(tmp_path / "a.pth", {"w": torch.ones(1).expand(10**9)})
    with pytest.raises(UntrustedFileError, match="4 times the file's bytes"):
        read_torch_file(path)


def test_reading_warns_of_a_flawed_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_loader_flaws.cache_clear()
    read_torch_file(_saved(tmp_path / "a.pth", {"w": torch.ones(1)}))
    assert bool(caplog.records) == bool(loader_flaws(torch.__version__))


def test_all_refusals_are_errors_of_the_user_s(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    for data in (b"", b"PK\x03\x04", b"\x80\x02.", b"ustar" * 200):
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"a\.pth"):
            read_torch_file(path)
