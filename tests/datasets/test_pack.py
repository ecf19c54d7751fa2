"""Packs on the disk."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyskl.datasets import PoseDataset, load_annotations
from pyskl.datasets import pack as pack_module
from pyskl.datasets.annotation import AnnotationFile
from pyskl.datasets.annotation_pickle import read_annotation_pickle
from pyskl.datasets.pack import NotPackableError, open_pack, write_pack
from pyskl.errors import AnnotationError

Sample = dict[str, Any]


@pytest.fixture
def packed(ann_file: Path, tmp_path: Path) -> Path:
    """A pack of the file of 20 samples."""
    folder = tmp_path / "pack"
    write_pack(folder, read_annotation_pickle(ann_file))
    return folder


def test_a_pack_stands_for_its_file(ann_file: Path, packed: Path) -> None:
    original, found = load_annotations(ann_file, pack=False), load_annotations(packed)
    assert found.split_names() == original.split_names()
    for split in ("train", "val", None):
        found.check(split, num_classes=4)
        theirs, ours = original.select(split), found.select(split)
        assert len(theirs) == len(ours)
        for expected, sample in zip(theirs, ours):
            assert pickle.dumps(list(expected)) == pickle.dumps(list(sample))
            np.testing.assert_array_equal(expected["keypoint"], sample["keypoint"])
            assert expected["label"] == sample["label"]


def test_a_pack_opens_without_pickle(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("a pickle was read")

    monkeypatch.setattr(pickle, "load", refuse)
    monkeypatch.setattr(pickle, "loads", refuse)
    assert len(open_pack(packed).select("train")) == 16


def test_errors_are_reported_as_for_the_file(
    make_sample: Callable[..., Sample], write_annotations: Callable[..., Path], tmp_path: Path
) -> None:
    samples = [make_sample(i, label=i, frame_dir=f"s{i}") for i in range(6)]
    samples[1]["keypoint"][0, 2, 3] = np.nan
    samples[2]["total_frames"] = 3
    samples[4]["label"] = "run"
    ids = [sample["frame_dir"] for sample in samples]
    path = write_annotations(
        tmp_path / "a.pkl", samples, {"bad": ids, "good": ["s0", "s3"], "lost": ["s0", "gone"]}
    )
    original = read_annotation_pickle(path)
    write_pack(tmp_path / "pack", original)
    read, found = AnnotationFile.from_content(original), open_pack(tmp_path / "pack", path)
    found.check("good", num_classes=6)
    for split, num_classes in (("bad", 5), ("good", 2), ("lost", None), ("none", None)):
        messages = []
        for content in (read, found):
            with pytest.raises(AnnotationError) as caught:
                content.check(split, num_classes=num_classes)
            messages.append(str(caught.value))
        assert messages[0] == messages[1]


def test_a_bare_list_has_no_splits(
    make_sample: Callable[..., Sample], write_annotations: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_annotations(tmp_path / "a.pkl", [make_sample(i) for i in range(3)])
    write_pack(tmp_path / "pack", read_annotation_pickle(path))
    found = open_pack(tmp_path / "pack", path)
    assert len(found.select(None)) == 3
    with pytest.raises(AnnotationError) as caught:
        found.select("train")
    assert caught.value.key == "split"


@pytest.mark.parametrize("fixture", ["ann_file", "ann_file_2d"])
def test_normalisation_ahead_gives_the_online_samples(
    request: pytest.FixtureRequest, fixture: str, tmp_path: Path
) -> None:
    path = request.getfixturevalue(fixture)
    first = "PreNormalize3D" if fixture == "ann_file" else "PreNormalize2D"
    layout = "nturgb+d" if fixture == "ann_file" else "coco"
    pipeline = [
        {"type": first},
        {"type": "GenSkeFeat", "dataset": layout, "feats": ["b", "jm"]},
        {"type": "UniformSample", "clip_len": 9, "num_clips": 2},
        {"type": "PoseDecode"},
        {"type": "FormatGCNInput", "num_person": 2},
        {"type": "Collect", "keys": ["keypoint", "label"]},
    ]
    online = PoseDataset(path, pipeline, test_mode=True, pack=False)
    ahead = PoseDataset(path, pipeline, test_mode=True, pack=True)
    for index in range(len(online)):
        expected, found = online[index], ahead[index]
        assert found["label"] == expected["label"]
        assert found["keypoint"].dtype == expected["keypoint"].dtype
        np.testing.assert_array_equal(found["keypoint"], expected["keypoint"])


def test_values_of_any_plain_kind_come_back(
    make_sample: Callable[..., Sample], write_annotations: Callable[..., Path], tmp_path: Path
) -> None:
    extras: list[Sample] = [
        {"shape": (3, 4), "text": "a", "mixed": 1, "flags": [True], "array": np.arange(2)},
        {"shape": (3, 4), "text": "b\0", "mixed": "x", "array": np.arange(2)},
        {"shape": (5, 6), "text": "", "mixed": None, "flags": [], "array": np.arange(2)},
    ]
    samples = [{**make_sample(i), **extra} for i, extra in enumerate(extras)]
    path = write_annotations(tmp_path / "a.pkl", samples)
    write_pack(tmp_path / "pack", read_annotation_pickle(path))
    for sample, found in zip(samples, open_pack(tmp_path / "pack").samples):
        assert found.keys() == sample.keys()
        for key in ("shape", "text", "mixed", "flags", "label"):
            assert found.get(key) == sample.get(key)
            assert type(found.get(key)) is type(sample.get(key))
        np.testing.assert_array_equal(found["array"], sample["array"])


def test_values_that_are_not_plain_are_refused(
    make_sample: Callable[..., Sample], write_annotations: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_annotations(tmp_path / "a.pkl", [{**make_sample(), "odd": {1, 2}}])
    with pytest.raises(NotPackableError, match="odd"):
        write_pack(tmp_path / "pack", read_annotation_pickle(path))
    assert load_annotations(path).samples[0]["odd"] == {1, 2}


def test_names_are_kept(ann_file: Path, tmp_path: Path) -> None:
    content = read_annotation_pickle(ann_file)
    content.label_names, content.joint_names = ("a", "b"), ("x",) * 25
    write_pack(tmp_path / "pack", content)
    found = open_pack(tmp_path / "pack")
    assert (found.label_names, found.joint_names) == (content.label_names, content.joint_names)


def test_a_sample_that_can_not_be_normalised_is_named(
    make_sample: Callable[..., Sample], write_annotations: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_annotations(tmp_path / "a.pkl", [make_sample(0, joints=9)])
    for pack in (False, True):
        with pytest.raises(AnnotationError) as caught:
            PoseDataset(path, [{"type": "PreNormalize3D", "layout": "nturgb+d"}], pack=pack)
        assert (caught.value.file, caught.value.sample) == (str(path), "S001")


def damage(path: Path, how: str) -> None:
    """Spoil a pack."""
    meta = json.loads((path / "meta.json").read_text())
    if how == "rows cut short":
        rows = path / "keypoint.rows"
        rows.write_bytes(rows.read_bytes()[:-1])
    elif how == "rows missing":
        (path / "keypoint.rows").unlink()
    elif how == "columns cut short":
        columns = path / "columns.npz"
        columns.write_bytes(columns.read_bytes()[:100])
    elif how == "columns compressed":
        with np.load(path / "columns.npz") as arrays:
            np.savez_compressed(path / "columns.npz", **dict(arrays))
    elif how == "no meta":
        (path / "meta.json").write_text("{}")
    elif how == "meta is no JSON":
        (path / "meta.json").write_text("\0\0")
    elif how == "other format":
        (path / "meta.json").write_text(json.dumps({**meta, "format": 999}))
    elif how == "wrong shape":
        meta["rows"]["keypoint"]["shape"][0] += 1
        (path / "meta.json").write_text(json.dumps(meta))
    elif how == "objects":
        meta["rows"]["keypoint"]["dtype"] = "|O"
        (path / "meta.json").write_text(json.dumps(meta))
    elif how == "outside":
        meta["rows"]["../a"] = meta["rows"].pop("keypoint")
        (path / "meta.json").write_text(json.dumps(meta))


@pytest.mark.parametrize(
    "how",
    [
        "rows cut short",
        "rows missing",
        "columns cut short",
        "columns compressed",
        "no meta",
        "meta is no JSON",
        "other format",
        "wrong shape",
        "objects",
        "outside",
    ],
)
def test_a_damaged_pack_is_told(packed: Path, how: str) -> None:
    damage(packed, how)
    with pytest.raises(AnnotationError) as caught:
        load_annotations(packed)
    assert caught.value.file == str(packed)


def test_a_failed_pack_leaves_nothing(
    ann_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pack_module.np, "savez", full)
    where = tmp_path / "packs"
    with pytest.raises(OSError, match="No space"):
        write_pack(where / "pack", read_annotation_pickle(ann_file))
    assert list(where.iterdir()) == []
