"""``.npy`` and ``.npz``: what they hold, and damaged or malicious ones."""

from __future__ import annotations

import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recording_files import people, scores

from pyskl.recordings import RecordingError, arrays, read_recording


def npy(path: Path, array: Any, **options: Any) -> Path:
    np.save(path, array, **options)
    return path


def npz(path: Path, **members: Any) -> Path:
    np.savez_compressed(path, **members)
    return path


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_round_trips(tmp_path: Path, dtype: str, order: str) -> None:
    keypoint = np.asarray(people(5, 3, persons=2).astype(dtype), order=order)  # type: ignore[call-overload]
    found = read_recording(npy(tmp_path / "a.npy", keypoint))
    assert found.keypoint.dtype == np.float32
    np.testing.assert_array_equal(found.keypoint, keypoint.astype(np.float32))
    one = read_recording(npy(tmp_path / "b.npy", keypoint[0]))
    np.testing.assert_array_equal(one.keypoint, found.keypoint[:1])


def test_axes_and_channels(tmp_path: Path) -> None:
    keypoint, score = people(5, 2, persons=2), scores(2, 12, 5)
    values = np.concatenate([keypoint, score[..., None]], axis=-1)
    path = npy(tmp_path / "a.npy", values.transpose(3, 1, 2, 0))
    found = read_recording(path, axes="CTVM", channels="xys", image_size=(480, 640), fps=30)
    np.testing.assert_array_equal(found.keypoint, keypoint)
    np.testing.assert_array_equal(found.score, score)
    assert (found.image_size, found.fps) == ((480, 640), 30)


def test_integers_and_nan(tmp_path: Path) -> None:
    found = read_recording(npy(tmp_path / "a.npy", np.arange(1, 25).reshape(4, 3, 2)))
    assert found.keypoint[0, 3, 2].tolist() == [23, 24]
    values = people(3, 3)
    values[0, 2, 1, 0] = np.nan
    found = read_recording(npy(tmp_path / "b.npy", values))
    assert found.keypoint[0, 2, 1].tolist() == [0, 0, 0]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path: Path, save: Any) -> None:
    keypoint, score = people(5, persons=2), scores(2, 12, 5)
    more = dict(img_shape=(480, 640), fps=25, other=["text"])
    save(tmp_path / "a.npz", keypoint=keypoint, keypoint_score=score, **more)
    found = read_recording(tmp_path / "a.npz", image_size=(1, 1), fps=1)
    np.testing.assert_array_equal(found.keypoint, keypoint)
    np.testing.assert_array_equal(found.score, score)
    assert (found.image_size, found.fps) == ((480, 640), 25)


def test_the_most_active_persons_are_kept(tmp_path: Path) -> None:
    keypoint = people(5, 3, persons=3)
    keypoint[1] = keypoint[1, :1]  # stands still
    path = npy(tmp_path / "a.npy", keypoint)
    found = read_recording(path).keypoint
    assert len(found) == 2
    assert not (found[:, 0, 0] == keypoint[1, 0, 0]).all(axis=-1).any()
    np.testing.assert_array_equal(read_recording(path, persons=None).keypoint, keypoint)


def header(dtype: str, shape: str) -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode("latin1")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x09\x00" + b"\0" * 100,
        header("<f4", "(1, 2"),
        b"\x93NUMPY\x01\x00\x1c\x00__import__('os').system('')",
        header("<f4", "(1000000000, 1000, 3)"),
        header("<f4", "(10000000, 1000, 3)") + b"\0" * 99,
        header("<f4", "(-1, 2, 3)"),
        header("<f4", "(0, 9999999999, 3)"),
        *(header(dtype, "(1, 2, 3)") + b"\0" * 96 for dtype in ("|O", "<U4", "<c8")),
    ],
)
def test_false_headers(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.npy"
    path.write_bytes(content)
    with pytest.raises(RecordingError) as caught:
        read_recording(path)
    assert caught.value.file == str(path)


@pytest.mark.parametrize(
    ("array", "options"),
    [
        (np.ones((4, 3)), {}),
        (np.ones((1, 4, 3, 2, 1)), {}),
        (np.ones((4, 3, 4)), {}),
        (np.ones((4, 3, 3)), {"channels": "xy"}),
        (np.ones((3, 50, 25, 2)), {"channels": "xyz"}),
        (np.ones((4, 3, 3)), {"axes": "CTVM"}),
        (np.zeros((4, 3, 2)), {}),
        (np.full((4, 3, 2), np.inf), {}),
        (np.ones((2, 5000, 3)), {}),
    ],
)
def test_other_shapes(tmp_path: Path, array: np.ndarray, options: dict[str, Any]) -> None:
    with pytest.raises(RecordingError):
        read_recording(npy(tmp_path / "bad.npy", array), **options)


class _MakeFolder:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_pickles_in_arrays_are_not_run(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    evil = np.empty((1, 1, 1), dtype=object)
    evil[0, 0, 0] = _MakeFolder(canary)
    npy(tmp_path / "a.npy", evil, allow_pickle=True)
    npz(tmp_path / "a.npz", keypoint=evil)
    (tmp_path / "b.npy").write_bytes(pickle.dumps(_MakeFolder(canary)))
    for name in ("a.npy", "a.npz", "b.npy"):
        with pytest.raises(RecordingError):
            read_recording(tmp_path / name)
    assert not canary.exists()


@pytest.mark.parametrize(
    ("members", "key"),
    [
        ({"poses": people(3)}, None),
        ({}, None),
        ({"keypoint": people(3), "keypoint_score": np.ones((1, 2, 3))}, "keypoint_score"),
        ({"keypoint": people(3), "img_shape": [0, 5]}, "img_shape, height, width"),
        ({"keypoint": people(3), "img_shape": [np.nan, 5]}, "img_shape, height"),
        ({"keypoint": people(3), "img_shape": [5]}, "img_shape"),
        ({"keypoint": people(3), "fps": [0.0]}, "fps"),
        ({"keypoint": people(3), "fps": [1.0, 2.0]}, "fps"),
    ],
)
def test_malformed_npz(tmp_path: Path, members: dict[str, Any], key: str | None) -> None:
    with pytest.raises(RecordingError) as caught:
        read_recording(npz(tmp_path / "bad.npz", **members))
    assert caught.value.key == key


def test_zip_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "_MAX_UNPACKED", 1 << 20)
    path = npz(tmp_path / "bomb.npz", keypoint=np.zeros((1000, 100, 3)))
    assert path.stat().st_size < 1 << 14
    with pytest.raises(RecordingError) as caught:
        read_recording(path)
    assert caught.value.found == "2 MB"


def test_damaged_archives(tmp_path: Path) -> None:
    whole = npz(tmp_path / "a.npz", keypoint=people(3)).read_bytes()
    encrypted = bytearray(whole)
    encrypted[whole.index(b"PK\1\2") + 8] |= 1
    halves = (whole[: len(whole) // 2], whole.replace(b"keypoint", b"keypoinT", 1))
    for content in (b"", *halves, bytes(encrypted)):
        (tmp_path / "b.npz").write_bytes(content)
        with pytest.raises(RecordingError):
            read_recording(tmp_path / "b.npz")


@settings(max_examples=150, deadline=None)
@given(
    order=st.sampled_from(["MTVC", "TMVC", "CTVM", "MCTV", "TVMC", "TVCM"]),
    M=st.integers(1, 3),
    T=st.integers(8, 40),
    V=st.sampled_from([17, 20, 25]),
    C=st.sampled_from([2, 3]),
)
def test_an_order_of_axes_is_right_or_refused_with_its_name(
    tmp_path_factory: pytest.TempPathFactory, order: str, M: int, T: int, V: int, C: int
) -> None:
    keypoint = np.random.default_rng(0).standard_normal((M, T, V, C)).astype(np.float32)
    path = tmp_path_factory.mktemp("axes") / "a.npy"
    np.save(path, keypoint.transpose(["MTVC".index(axis) for axis in order]))
    assert np.array_equal(read_recording(path, axes=order, persons=9).keypoint, keypoint)
    refusal, found = None, keypoint
    try:
        found = read_recording(path, persons=9).keypoint
    except RecordingError as error:
        refusal = error
    if refusal is not None:
        assert refusal.key == "keypoint"
        assert order in str(refusal.hint) or "such as CTVM" in str(refusal.hint)
    elif order == "MTVC":
        assert np.array_equal(found, keypoint)
    else:  # the shape is that of the documented order, too
        assert order == "CTVM"
        assert C == 2 or M == 3


@pytest.mark.parametrize(
    ("shape", "orders"),
    [
        ((40, 1, 25, 3), ["TMVC"]),  # 40 persons in one frame
        ((3, 20, 25, 2), ["MTVC", "CTVM"]),
        ((1, 3, 40, 17), ["MCTV"]),
        ((2, 40, 25, 3), []),
        ((12, 100, 17, 2), []),
    ],
)
def test_unlikely_orders_of_axes(tmp_path: Path, shape: tuple[int, ...], orders: list[str]) -> None:
    np.save(tmp_path / "a.npy", np.ones(shape, dtype=np.float32))
    if not orders:
        assert read_recording(tmp_path / "a.npy", persons=99).keypoint.shape == shape
        return
    with pytest.raises(RecordingError) as caught:
        read_recording(tmp_path / "a.npy")
    assert caught.value.found == str(shape) or caught.value.found == shape
    assert [order for order in orders if order in str(caught.value.hint)] == orders


def test_the_case_of_other_axes(shared: Path) -> None:
    path = shared / "cases" / "files" / "3_npy_CTVM.npy"
    with pytest.raises(RecordingError) as caught:
        read_recording(path)
    assert "CTVM" in str(caught.value.hint)
    found = read_recording(path, axes="CTVM").keypoint
    assert np.array_equal(found, np.load(path).transpose(3, 1, 2, 0))
