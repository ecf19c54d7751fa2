"""Whole data sets in NumPy arrays, as CTR-GCN and 2s-AGCN store them."""

from __future__ import annotations

import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyskl.datasets.annotation_cache import load_annotations
from pyskl.errors import InputError
from pyskl.recordings import convert


def padded_clips(rng: np.random.Generator, N: int, T: int, V: int) -> np.ndarray:
    """Return clips (N, 2, T, V, 3) that end with zero frames; every second has one person."""
    clips = rng.standard_normal((N, 2, T, V, 3)).astype(np.float32)
    for index in range(N):
        clips[index, :, T - index % T :] = 0
    clips[::2, 1] = 0
    return clips


def expected_clip(clip: np.ndarray) -> np.ndarray:
    """Return a clip (M, T, V, C) without the padding, by loops."""
    people = [person for person in clip if person.any()]
    frames = max(t + 1 for t in range(clip.shape[1]) if clip[:, t].any())
    return np.stack(people)[:, :frames]


def check(out: Path, split: str, clips: np.ndarray, labels: np.ndarray) -> None:
    samples = load_annotations(out, pack=False).select(split)
    assert samples.values("label") == labels.tolist()
    for sample, clip in zip(samples, clips, strict=True):
        expected = expected_clip(clip)
        assert np.array_equal(sample["keypoint"], expected)
        assert sample["total_frames"] == expected.shape[1]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 999), st.booleans(), st.booleans(), st.sampled_from(["<f4", ">f4", "<f8"]))
def test_ctrgcn(
    tmp_path_factory: pytest.TempPathFactory, seed: int, hot: bool, packed: bool, dtype: str
) -> None:
    folder = tmp_path_factory.mktemp("ctrgcn")
    rng = np.random.default_rng(seed)
    arrays: dict[str, np.ndarray] = {}
    clips, labels = {}, {}
    for split, N in (("train", 5), ("test", 3)):
        clips[split] = padded_clips(rng, N, 6, 25)
        labels[split] = rng.integers(0, 4, N)
        arrays[f"x_{split}"] = clips[split].transpose(0, 2, 1, 3, 4).reshape(N, 6, 150)
        arrays[f"x_{split}"] = arrays[f"x_{split}"].astype(dtype)
        arrays[f"y_{split}"] = np.eye(4)[labels[split]] if hot else labels[split]
    (np.savez_compressed if packed else np.savez)(folder / "NTU60_CS.npz", **arrays)
    report = convert([folder], folder / "out.pkl")
    assert report.layout == "nturgb+d"
    assert report.splits == {"train": 5, "test": 3}
    for split in clips:
        check(folder / "out.pkl", split, clips[split], labels[split])


def test_2s_agcn(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    clips = {split: padded_clips(rng, 4, 5, 20) for split in ("train", "val")}
    labels = {split: rng.integers(0, 3, 4) for split in clips}
    for split, array in clips.items():
        np.save(tmp_path / f"{split}_data_joint.npy", array.transpose(0, 4, 2, 3, 1))
        np.save(tmp_path / f"{split}_data_bone.npy", array.transpose(0, 4, 2, 3, 1))
        names = [f"{split}_{index}.skeleton" for index in range(4)]
        (tmp_path / f"{split}_label.pkl").write_bytes(pickle.dumps((names, labels[split].tolist())))
    report = convert([tmp_path], tmp_path / "out.pkl")
    assert report.ignored == {".npy": 2}  # the bones
    for split in clips:
        check(tmp_path / "out.pkl", split, clips[split], labels[split])
    ids = load_annotations(tmp_path / "out.pkl", pack=False).split
    assert ids is not None
    assert ids["val"][1] == "val_1.skeleton"


def test_clips_of_zeros_are_left_out(tmp_path: Path) -> None:
    x = np.zeros((3, 4, 75), dtype=np.float32)
    x[:2] = 1
    np.savez(tmp_path / "a.npz", x_train=x, y_train=[0, 1, 1])
    report = convert([tmp_path / "a.npz"], tmp_path / "out.pkl")
    assert [name for name, _ in report.failures] == ["train_000002"]
    assert report.splits == {"train": 2}


@pytest.mark.parametrize(
    "arrays",
    [
        dict(x_train=np.ones((3, 4, 75)), y_train=[0, 1]),
        dict(x_train=np.ones((3, 4, 75)), y_train=[0, 1, -1]),
        dict(x_train=np.ones((3, 4, 75)), y_train=[0.5, 1, 1]),
        dict(x_train=np.ones((3, 4, 75)), y_train=[[1, 1], [0, 1], [1, 0]]),
        dict(x_train=np.ones((3, 4, 75)), y_train=["a", "b", "c"]),
        dict(x_train=np.ones((3, 4, 74)), y_train=[0, 1, 1]),
        dict(x_train=np.ones((3, 300)), y_train=[0, 1, 1]),
        dict(x_train=np.ones((0, 4, 75)), y_train=np.ones(0, int)),
        dict(x_train=np.zeros((3, 4, 75)), y_train=[0, 1, 1]),
        dict(x_train=np.full((1, 4, 75), np.nan), y_train=[0]),
        dict(x_train=np.array([None]), y_train=[0]),
        dict(x_train=np.asfortranarray(np.ones((3, 4, 75))), y_train=[0, 1, 1]),
    ],
)
def test_wrong_arrays(tmp_path: Path, arrays: dict[str, Any]) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError) as caught:
        convert([tmp_path / "a.npz"], tmp_path / "out.pkl")
    assert not (tmp_path / "out.pkl").exists()
    assert "a.npz" in str(caught.value) or "train_" in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_archives(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    file = folder / "a.npz"
    np.savez(file, x_train=np.ones((2, 3, 75), np.float32), y_train=np.array([0, 1]))
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(content[: data.draw(st.integers(100, len(content)))])
    with suppress(InputError):
        convert([file], folder / "out.pkl")


def test_options_of_recordings_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=np.ones((2, 3, 75)), y_train=[0, 1])
    with pytest.raises(InputError) as caught:
        convert([tmp_path / "a.npz"], tmp_path / "out.pkl", label_from="(.)")
    assert caught.value.key == "label_from"


def test_the_case(tmp_path: Path, shared: Path) -> None:
    file = shared / "cases" / "files" / "18_ctrgcn.npz"
    report = convert([file], tmp_path / "out.pkl")
    assert report.splits == {"train": 5, "test": 5}
    arrays = np.load(file)
    for split in ("train", "test"):
        x = arrays[f"x_{split}"]
        clips = x.reshape(*x.shape[:2], 2, 25, 3).transpose(0, 2, 1, 3, 4)
        check(tmp_path / "out.pkl", split, clips, arrays[f"y_{split}"].argmax(1))
