"""``.npy`` and ``.npz``: what they hold, and what their headers may claim."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recording_files import people, scores

from pyskl.errors import ConfigError
from pyskl.recordings import RecordingError, arrays, read_recording


def npy(path: Path, array: Any, **options: Any) -> Path:
    np.save(path, array, **options)
    return path


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_gives_back_what_was_saved(tmp_path: Path, dtype: str, order: str) -> None:
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


def test_whole_numbers_and_nan(tmp_path: Path) -> None:
    found = read_recording(npy(tmp_path / "a.npy", np.arange(1, 25).reshape(4, 3, 2)))
    assert found.keypoint[0, 3, 2].tolist() == [23, 24]
    values = people(3, 3)
    values[0, 2, 1, 0] = np.nan
    found = read_recording(npy(tmp_path / "b.npy", values))
    assert found.keypoint[0, 2, 1].tolist() == [0, 0, 0]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path: Path, save: Any) -> None:
    keypoint, score = people(5, persons=2), scores(2, 12, 5)
    path = tmp_path / "a.npz"
    save(
        path, keypoint=keypoint, keypoint_score=score, img_shape=(480, 640), fps=25, other=["text"]
    )
    found = read_recording(path, image_size=(1, 1), fps=1)
    np.testing.assert_array_equal(found.keypoint, keypoint)
    np.testing.assert_array_equal(found.score, score)
    assert (found.image_size, found.fps) == ((480, 640), 25)


def test_the_most_active_of_many_persons_are_kept(tmp_path: Path) -> None:
    keypoint = people(5, 3, persons=3)
    keypoint[1] = keypoint[1, :1]  # stands still
    path = npy(tmp_path / "a.npy", keypoint)
    assert len(read_recording(path).keypoint) == 2
    still = keypoint[1, 0, 0]
    assert not (read_recording(path).keypoint[:, 0, 0] == still).all(axis=-1).any()
    np.testing.assert_array_equal(read_recording(path, persons=None).keypoint, keypoint)


def header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode("latin1")


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"", ["no array of NumPy"]),
        (b"\x93NUMPY", ["no array of NumPy"]),
        (b"\x93NUMPY\x09\x00" + b"\0" * 100, ["no array of NumPy", "version"]),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2"), ["no array of NumPy"]),
        (header("__import__('os').system('true')"), ["no array of NumPy"]),
        (
            header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 1000, 3)}"),
            ["12000000000000 bytes", "0 follow"],
        ),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 2, 3)}"), ["announces"]),
        (
            header("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 9999999999, 3)}"),
            ["empty"],
        ),
        (header("{'descr': '|O', 'fortran_order': False, 'shape': (1, 2, 3)}"), ["pickles"]),
        (header("{'descr': '<U4', 'fortran_order': False, 'shape': (1, 2, 3)}"), ["numbers"]),
        (header("{'descr': '<c8', 'fortran_order': False, 'shape': (1, 2, 3)}"), ["numbers"]),
    ],
)
def test_headers_that_lie(tmp_path: Path, content: bytes, parts: list[str]) -> None:
    path = tmp_path / "bad.npy"
    path.write_bytes(content)
    with pytest.raises(RecordingError) as caught:
        read_recording(path)
    for part in ("bad.npy", *parts):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("array", "options", "parts"),
    [
        (np.ones((4, 3)), {}, ["(4, 3)", "(T, V, C)"]),
        (np.ones((1, 4, 3, 2, 1)), {}, ["(M, T, V, C)"]),
        (np.ones((4, 3, 4)), {}, ["4 channels", "xyzs"]),
        (np.ones((4, 3, 3)), {"channels": "xy"}, ["3 channels", "xy"]),
        (np.ones((3, 50, 25, 2)), {"channels": "xyz"}, ["axes"]),
        (np.ones((4, 3, 3)), {"axes": "CTVM"}, ["CTVM"]),
        (np.zeros((4, 3, 2)), {}, ["nobody was seen"]),
        (np.full((4, 3, 2), np.inf), {}, ["inf", "beyond"]),
        (np.ones((2, 5000, 3)), {}, ["5000 joints"]),
    ],
)
def test_arrays_of_other_shapes(
    tmp_path: Path, array: np.ndarray, options: dict[str, Any], parts: list[str]
) -> None:
    with pytest.raises(RecordingError) as caught:
        read_recording(npy(tmp_path / "bad.npy", array), **options)
    for part in ("bad.npy", *parts):
        assert part in str(caught.value)


def test_options_that_make_no_sense(tmp_path: Path) -> None:
    path = npy(tmp_path / "a.npy", people(3, 3))
    for options in (
        *({"axes": "XY"}, {"channels": "rgb"}, {"persons": 0}, {"dim": 4}, {"fps": -1.0}),
        {"image_size": (0, 1)},
    ):
        with pytest.raises(ConfigError):
            read_recording(path, **options)


class _Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_pickles_in_arrays_are_not_run(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    evil = np.empty((1, 1, 1), dtype=object)
    evil[0, 0, 0] = _Touch(canary)
    npy(tmp_path / "a.npy", evil, allow_pickle=True)
    np.savez(tmp_path / "a.npz", keypoint=evil, allow_pickle=True)
    (tmp_path / "b.npy").write_bytes(pickle.dumps(_Touch(canary)))
    for name in ("a.npy", "a.npz", "b.npy"):
        with pytest.raises(RecordingError):
            read_recording(tmp_path / name)
    assert not canary.exists()


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def as_npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, np.asarray(array))
    return file.getvalue()


@pytest.mark.parametrize(
    ("members", "parts"),
    [
        ({"poses": as_npy(people(3))}, ["no array 'keypoint'", "poses"]),
        ({}, ["no array 'keypoint'", "nothing"]),
        ({"keypoint": b"nonsense"}, ["keypoint.npy", "no array of NumPy"]),
        (
            {"keypoint": as_npy(people(3)), "keypoint_score": as_npy(np.ones((1, 2, 3)))},
            ["keypoint_score", "(1, 12, 3)", "(1, 2, 3)"],
        ),
        ({"keypoint": as_npy(people(3)), "img_shape": as_npy([0, 5])}, ["img_shape"]),
        ({"keypoint": as_npy(people(3)), "img_shape": as_npy([np.nan, 5])}, ["img_shape"]),
        ({"keypoint": as_npy(people(3)), "img_shape": as_npy([5])}, ["img_shape"]),
        ({"keypoint": as_npy(people(3)), "fps": as_npy([0.0])}, ["fps"]),
        ({"keypoint": as_npy(people(3)), "fps": as_npy([1.0, 2.0])}, ["fps"]),
    ],
)
def test_malformed_npz(tmp_path: Path, members: dict[str, bytes], parts: list[str]) -> None:
    path = zipped(tmp_path / "bad.npz", **members)
    with pytest.raises(RecordingError) as caught:
        read_recording(path)
    for part in ("bad.npz", *parts):
        assert part in str(caught.value)


def test_archives_that_unpack_to_very_much_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "_MAX_UNPACKED", 1 << 20)
    path = zipped(tmp_path / "bomb.npz", keypoint=as_npy(np.zeros((1000, 100, 3))))
    assert path.stat().st_size < 1 << 14
    with pytest.raises(RecordingError, match=r"keypoint.npy: it unpacks to 2 MB, at most 1 MB"):
        read_recording(path)


def test_damaged_archives(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "a.npz", keypoint=as_npy(people(3))).read_bytes()
    for content in (b"", whole[: len(whole) // 2], whole.replace(b"keypoint", b"keypoinT", 1)):
        (tmp_path / "b.npz").write_bytes(content)
        with pytest.raises(RecordingError, match=r"b\.npz"):
            read_recording(tmp_path / "b.npz")
