"""Files are loaded as data, refused with their name, or run if they are trusted."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyskl.errors import InputError, UntrustedFileError
from pyskl.unpickling.load import load_plain_pickle


class Call:
    """Pickles to a call of ``function(*arguments)``."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.function, self.arguments


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_what_would_run_is_refused_by_name(tmp_path: Path, protocol: int) -> None:
    ran, path = tmp_path / "ran", tmp_path / "evil.pkl"
    attack = Call(os.mkdir, str(ran))
    values: list[Any] = [attack, [1, {"a": (attack,)}], {(1, attack): 1}, path, torch.zeros(2)]
    for value in values:
        path.write_bytes(pickle.dumps(value, protocol=protocol))
        with pytest.raises(UntrustedFileError, match=r"it asks for \w+") as error:
            load_plain_pickle(path)
        assert error.value.file == str(path)
        assert "trusted=True" in str(error.value.hint)
    assert not ran.exists()


def test_trusted_files_run(tmp_path: Path) -> None:
    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps(Call(os.mkdir, str(tmp_path / "ran"))))
    load_plain_pickle(path, trusted=True)
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_pickle_cut_anywhere_is_refused(tmp_path: Path, protocol: int, trusted: bool) -> None:
    data = pickle.dumps({"a": [np.arange(3, dtype=np.float16), "id", 1.5]}, protocol=protocol)
    path = tmp_path / "cut.pkl"
    for end in range(len(data)):
        path.write_bytes(data[:end])
        with pytest.raises(InputError) as error:
            load_plain_pickle(path, trusted=trusted)
        assert error.value.file == str(path)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_large_pickle_cut_anywhere_is_refused(tmp_path: Path, protocol: int) -> None:
    samples = [{"frame_dir": str(i), "keypoint": np.zeros((1, 20, 25, 3))} for i in range(8)]
    data = pickle.dumps(samples, protocol)
    path = tmp_path / "cut.pkl"
    for end in [*range(0, len(data), 1024), len(data) - 1]:
        path.write_bytes(data[:end])
        with pytest.raises(InputError):
            load_plain_pickle(path)


@pytest.mark.parametrize(
    "content", [b"", b"frame_dir,label\nS001,3\n", b"PK\x03\x04zip", b"\x89HDF\r\n", b"\x00" * 64]
)
def test_files_that_are_no_pickles(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.pkl"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        load_plain_pickle(path)
    assert error.value.file == str(path)


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_plain_pickle(tmp_path / "none.pkl")
    with pytest.raises(InputError):
        load_plain_pickle(tmp_path)


@settings(max_examples=100)
@given(st.data())
def test_a_damaged_pickle_loads_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = pickle.dumps({"a": [np.arange(3, dtype=np.float16), {"x"}, "id"], "b": np.float32(1)})
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.pkl"
    path.write_bytes(damaged)
    try:
        load_plain_pickle(path)
    except InputError as error:
        assert error.file == str(path)  # noqa: PT017
