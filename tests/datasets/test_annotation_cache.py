"""Packs that make themselves."""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyskl.datasets import PoseDataset, load_annotations
from pyskl.datasets import annotation_cache as cache
from pyskl.datasets.annotation import AnnotationFile
from pyskl.datasets.annotation_cache import AnnotationFiles
from pyskl.datasets.pack import is_pack
from pyskl.datasets.precompute import deterministic_prefix
from pyskl.errors import AnnotationError
from pyskl.skeleton import layout_to_json, resolve_layout

PRECOMPUTE: list[dict[str, Any]] = [{"type": "PreNormalize3D"}]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache, in the test's folder; files count as settled at once."""
    monkeypatch.setenv("PYSKL_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_SETTLED_SECONDS", -1.0)
    return tmp_path / "cache"


def packs(ann_file: Path) -> list[Path]:
    """Return the packs of a file."""
    folder = ann_file.with_name(f"{ann_file.name}.packed")
    return [path for path in folder.glob("*") if is_pack(path)]


def opened(ann_file: Path, precompute: list[dict[str, Any]] = PRECOMPUTE) -> Any:
    """Open the pack of a file."""
    found = load_annotations(ann_file, pack=True, precompute=precompute)
    assert found.folder is not None
    return found


def test_a_pack_that_exists_is_read_and_none_is_made(ann_file: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))

    def existing(precompute: list[dict[str, Any]]) -> AnnotationFile:
        return load_annotations(ann_file, pack="existing", precompute=precompute)

    assert existing(PRECOMPUTE).folder is None
    assert sorted(tmp_path.rglob("*")) == before
    assert opened(ann_file).folder == existing(PRECOMPUTE).folder
    assert existing([]).folder is None


def test_a_pack_is_made_once(ann_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = opened(ann_file)
    assert packs(ann_file) == [first.folder]

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the file was read again")

    monkeypatch.setattr(cache, "write_pack", refuse)
    monkeypatch.setattr(cache, "sha256_of", refuse)
    assert opened(ann_file).folder == first.folder


def test_each_beginning_has_a_pack(ann_file: Path) -> None:
    folders = {opened(ann_file, precompute).folder for precompute in ([], PRECOMPUTE, PRECOMPUTE)}
    assert len(folders) == 2
    assert set(packs(ann_file)) == folders


def test_a_file_that_is_touched_is_not_packed_again(
    ann_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opened(ann_file)
    os.utime(ann_file, (1, 1))
    monkeypatch.setattr(cache, "_make", lambda *_: pytest.fail("packed again"))
    assert opened(ann_file).folder == first.folder


def test_a_file_with_other_content_is_packed_anew(ann_file: Path) -> None:
    first = opened(ann_file)
    content = pickle.loads(ann_file.read_bytes())
    content["annotations"][0]["label"] = 3
    stat = ann_file.stat()
    ann_file.write_bytes(pickle.dumps(content))
    os.utime(ann_file, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # as a copy with its times does
    second = opened(ann_file)
    assert second.folder != first.folder
    assert second.store.sample(0)["label"] == 3
    assert packs(ann_file) == [second.folder]  # what is superseded is gone


def test_small_files_are_read_as_they_are(ann_file: Path) -> None:
    load_annotations(ann_file, precompute=PRECOMPUTE)
    assert packs(ann_file) == []


def test_large_files_are_packed(ann_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "AUTO_FROM", ann_file.stat().st_size)
    load_annotations(ann_file, precompute=PRECOMPUTE)
    assert len(packs(ann_file)) == 1


def test_large_files_without_a_pack_keep_their_type(
    ann_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = load_annotations(ann_file, pack=False, precompute=PRECOMPUTE)
    monkeypatch.setattr(cache, "AUTO_FROM", 1)
    large = load_annotations(ann_file, pack=False, precompute=PRECOMPUTE)
    assert small.precomputed
    assert not large.precomputed
    original = pickle.loads(ann_file.read_bytes())["annotations"]
    assert len(large.samples) == len(original)
    for found, sample in zip(large.samples, original):
        assert found["keypoint"].dtype == sample["keypoint"].dtype
        np.testing.assert_array_equal(found["keypoint"], sample["keypoint"])


def test_a_folder_that_can_not_be_written_sends_packs_to_the_cache(
    ann_file: Path, own_cache: Path
) -> None:
    # A file in the folder's place: a folder without permission does not stop root.
    ann_file.with_name(f"{ann_file.name}.packed").write_text("")
    assert own_cache in opened(ann_file).folder.parents
    assert opened(ann_file).folder == opened(ann_file).folder


def test_without_any_place_the_file_is_read(
    ann_file: Path,
    own_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ann_file.with_name(f"{ann_file.name}.packed").write_text("")
    own_cache.write_text("")
    monkeypatch.setattr(cache, "AUTO_FROM", 1)
    with caplog.at_level(logging.INFO, logger="pyskl"):
        assert len(load_annotations(ann_file, precompute=PRECOMPUTE).select("train")) == 16
    assert "can't be packed" in caplog.text
    with pytest.raises(AnnotationError, match="pack"):
        load_annotations(ann_file, pack=True, precompute=PRECOMPUTE)


def test_what_can_not_be_packed_is_read(ann_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = pickle.loads(ann_file.read_bytes())
    content["annotations"][0]["extra"] = {1, 2}
    ann_file.write_bytes(pickle.dumps(content))
    monkeypatch.setattr(cache, "AUTO_FROM", 1)
    assert len(load_annotations(ann_file).select(None)) == 20
    with pytest.raises(AnnotationError, match="extra"):
        load_annotations(ann_file, pack=True)


def test_a_file_that_just_changed_is_hashed_again(
    ann_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_SETTLED_SECONDS", 3600.0)
    opened(ann_file)
    hashed = []
    digest = cache.sha256_of
    monkeypatch.setattr(cache, "sha256_of", lambda path: hashed.append(path) or digest(path))
    opened(ann_file)
    assert hashed == [ann_file]


def _open_and_sum(ann_file: Path, start: float, results: Any) -> None:
    time.sleep(max(0.0, start - time.time()))
    dataset = PoseDataset(ann_file, PRECOMPUTE, pack=True)
    results.put((str(packs(ann_file)), float(sum(s["keypoint"].sum() for s in dataset.samples))))


@pytest.mark.skipif(sys.platform == "win32", reason="uses fork")
def test_processes_that_start_at_once_share_one_pack(ann_file: Path) -> None:
    context = multiprocessing.get_context("fork")
    results, start = context.Queue(), time.time() + 0.3
    processes = [
        context.Process(target=_open_and_sum, args=(ann_file, start, results)) for _ in range(4)
    ]
    for process in processes:
        process.start()
    found = {results.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()
    assert len(found) == 1
    assert len(packs(ann_file)) == 1


def test_a_layout_file_that_changes_makes_another_pack(ann_file: Path, tmp_path: Path) -> None:
    layout = tmp_path / "mine.json"
    pipeline = [{"type": "PreNormalize3D", "layout": str(layout)}]
    folders = []
    for center in (1, 2):
        content = layout_to_json(resolve_layout(dict(base="nturgb+d", body_center=center)))
        layout.write_text(content, encoding="utf-8")
        precompute = deterministic_prefix(pipeline)
        assert precompute[0]["layout"]["body_center"] == center
        folders.append(opened(ann_file, precompute).folder)
    assert folders[0] != folders[1]
    layout.unlink()
    assert deterministic_prefix(pipeline) == []


def test_the_data_sets_of_a_run_open_a_file_once(
    ann_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    plain = cache.read_annotation_pickle
    monkeypatch.setattr(
        cache, "read_annotation_pickle", lambda path, **o: read.append(path) or plain(path, **o)
    )
    files = AnnotationFiles()
    sets = [PoseDataset(ann_file, PRECOMPUTE, split, files=files) for split in ("train", "val")]
    assert read == [ann_file]
    assert sets[0].annotations is sets[1].annotations
    PoseDataset(ann_file, [], files=files)
    assert len(read) == 2  # other precomputed transforms
