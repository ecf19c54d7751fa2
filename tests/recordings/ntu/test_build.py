"""From folders and archives of raw files to annotation files."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slow_preprocessing
from filelock import FileLock
from synthetic_skeletons import POSE, sample_names, sample_text, skeleton_text, write_folder

from pyskl.datasets.annotation_cache import load_annotations
from pyskl.datasets.ntu_names import action_names, parse_name
from pyskl.errors import InputError, LostProcessError, StoppedError, WriteError
from pyskl.published import CATALOG
from pyskl.recordings.ntu import batches as batches_module
from pyskl.recordings.ntu import build as build_module
from pyskl.recordings.ntu import build_annotations
from pyskl.recordings.ntu.build import PROBLEM_FILE, WORK_FOLDER
from pyskl.recordings.ntu.datasets import NTU_DATASETS, missing_skeletons
from pyskl.recordings.ntu.raw_files import RawFile, find_raw_files

NAMES = [name for name in sample_names(40) + sample_names(240)[220:] if parse_name(name).action % 7]
FILES = ("ntu60_3danno.pkl", "ntu120_3danno.pkl")


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of raw files of both data sets; nobody may write to it."""
    folder = tmp_path_factory.mktemp("raw")
    write_folder(folder, NAMES, frames=20)
    return folder


@pytest.fixture(scope="module")
def built(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What becomes of them."""
    out = tmp_path_factory.mktemp("built")
    build_annotations([raw], out, workers=1)
    return out


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several batches for few files."""
    monkeypatch.setattr(build_module, "BATCH_FILES", 7)


def content(out: Path) -> list[bytes]:
    """Return both annotation files, and see that there is nothing else."""
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    return [(out / name).read_bytes() for name in FILES]


# --- what is written ------------------------------------------------------------------------------


def test_samples_are_those_of_the_slow_way(raw: Path, built: Path) -> None:
    annotations = load_annotations(built / "ntu120_3danno.pkl")
    assert [sample["frame_dir"] for sample in annotations.samples] == sorted(NAMES)
    for sample in annotations.samples:
        name = sample["frame_dir"]
        text = (raw / f"{name}.skeleton").read_text().replace("\r", "")
        np.testing.assert_array_equal(
            sample["keypoint"], np.array(slow_preprocessing.stored_keypoint(text), np.float16)
        )
        assert sample["keypoint"].dtype == np.float16
        assert sample["total_frames"] == sample["keypoint"].shape[1]
        assert sample["label"] == int(name[-3:]) - 1
    annotations.check(None, num_classes=120)


def test_the_smaller_one_has_the_first_sixty_actions(built: Path) -> None:
    samples, others = (load_annotations(built / name).samples for name in FILES)
    ids = {sample["frame_dir"]: sample for sample in samples}
    assert list(ids) == [name for name in sorted(NAMES) if int(name[-3:]) <= 60]
    for other in others:
        if other["frame_dir"] in ids:
            np.testing.assert_array_equal(other["keypoint"], ids[other["frame_dir"]]["keypoint"])


def test_splits_are_those_of_the_specification(built: Path) -> None:
    training = {
        *(1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38, 45, 46, 47, 49),
        *(50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89, 91, 92),
        *(93, 94, 95, 97, 98, 100, 103),
    }
    rules: dict[str, Callable[[str], bool]] = {
        "xsub": lambda name: int(name[9:12]) in training,
        "xview": lambda name: name[5:8] in ("002", "003"),
        "xset": lambda name: int(name[1:4]) % 2 == 0,
    }
    for file, protocols in zip(FILES, (("xsub", "xview"), ("xsub", "xset"))):
        content = pickle.loads((built / file).read_bytes())
        ids = [sample["frame_dir"] for sample in content["annotations"]]
        assert content["split"] == {
            f"{protocol}_{part}": [id for id in ids if rules[protocol](id) is (part == "train")]
            for protocol in protocols
            for part in ("train", "val")
        }
        assert all(content["split"].values())


def test_public_sizes() -> None:
    for name, data_set in NTU_DATASETS.items():
        assert data_set.split_sizes() == CATALOG[f"{name}_3danno"].splits
    assert NTU_DATASETS["ntu60"].split_sizes() == {
        **{"xsub_train": 40_091, "xsub_val": 16_487},
        **{"xview_train": 37_646, "xview_val": 18_932},
    }
    assert NTU_DATASETS["ntu120"].split_sizes() == {
        **{"xsub_train": 63_026, "xsub_val": 50_919},
        **{"xset_train": 54_468, "xset_val": 59_477},
    }
    missing = missing_skeletons()
    assert len(missing) == 114_480 - NTU_DATASETS["ntu120"].num_samples
    of_60 = [name for name in missing if NTU_DATASETS["ntu60"].contains(parse_name(name))]
    assert len(of_60) == 56_880 - NTU_DATASETS["ntu60"].num_samples
    assert len(set(action_names())) == 120


def test_samples_of_missing_skeletons_are_left_out(tmp_path: Path) -> None:
    names = ["S001C001P001R001A002", "S001C001P002R001A061"]
    write_folder(tmp_path / "raw", [*names, *sorted(missing_skeletons())[::90]], frames=16)
    report = build_annotations([tmp_path / "raw"], tmp_path / "out", workers=1)
    assert report.num_missing == 6
    assert [len(written.frames) for written in report.written] == [1, 2]
    for name in FILES:
        ids = {sample["frame_dir"] for sample in load_annotations(tmp_path / "out" / name).samples}
        assert ids <= set(names)


@pytest.mark.parametrize(
    ("actions", "only", "files"),
    [
        ((1, 60), None, FILES[:1]),
        ((1, 61), None, FILES),
        ((61, 120), None, FILES[1:]),
        ((1, 60), "ntu120", FILES[1:]),
        ((1, 61), "ntu60", FILES[:1]),
    ],
)
def test_which_files_are_written(
    tmp_path: Path, actions: Sequence[int], only: str | None, files: Sequence[str]
) -> None:
    names = [f"S001C001P001R001A{action:03}" for action in actions]
    write_folder(tmp_path / "raw", names, frames=16)
    report = build_annotations([tmp_path / "raw"], tmp_path / "out", only=only, workers=1)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(files)
    assert [written.path.name for written in report.written] == list(files)


def test_the_report_counts(raw: Path, tmp_path: Path) -> None:
    text = build_annotations([raw], tmp_path, only="ntu120", workers=1).text()
    assert f"{len(NAMES)} raw files, of which 0 are on the official list" in text
    train = sum(int(name[1:4]) % 2 == 0 for name in NAMES)
    assert f"xset_train {train:>8}  (the public file has 54,468)" in text
    assert "of 1 person," in text
    assert "12 to 30 a sample" in text


# --- one result, whichever way --------------------------------------------------------------------


def test_processes_change_nothing(raw: Path, built: Path, tmp_path: Path) -> None:
    build_annotations([raw], tmp_path / "out", workers=3)
    assert content(tmp_path / "out") == content(built)


def zipped(path: Path, folder: Path, names: Sequence[str], method: int) -> Path:
    """Write an archive of raw files in the layout of the official ones, with what Macs add."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.mkdir("nturgb+d_skeletons") if hasattr(archive, "mkdir") else None
        for name in names:
            archive.write(folder / f"{name}.skeleton", f"nturgb+d_skeletons/{name}.skeleton")
        archive.writestr("__MACOSX/nturgb+d_skeletons/._S001C001P001R001A001.skeleton", b"\0")
        archive.writestr("README.txt", b"no skeleton")
    return path


def test_archives_folders_and_files_are_the_same(raw: Path, built: Path, tmp_path: Path) -> None:
    first, second, third, last = NAMES[:10], NAMES[10:20], NAMES[20:-1], NAMES[-1]
    zipped(tmp_path / "all" / "deep" / "a.zip", raw, first, zipfile.ZIP_DEFLATED)
    zipped(tmp_path / "all" / "b.ZIP", raw, second, zipfile.ZIP_STORED)
    for name in third:
        os.link(raw / f"{name}.skeleton", tmp_path / "all" / "deep" / f"{name}.skeleton")
    (tmp_path / "all" / "back").symlink_to(tmp_path / "all")
    (tmp_path / "elsewhere").mkdir()
    os.link(raw / f"{last}.skeleton", tmp_path / "elsewhere" / f"{last}.skeleton")
    (tmp_path / "all" / "linked").symlink_to(tmp_path / "elsewhere")
    report = build_annotations([tmp_path / "all"], tmp_path / "out", workers=2)
    assert report.problems == []
    assert content(tmp_path / "out") == content(built)


def test_what_is_there_twice_is_taken_once(raw: Path, built: Path, tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", raw, NAMES, zipfile.ZIP_DEFLATED)
    report = build_annotations([raw, archive, raw], tmp_path / "out", workers=1)
    assert report.num_repeated == 2 * len(NAMES)
    assert report.problems == []
    assert content(tmp_path / "out") == content(built)
    assert "more repeat samples of other files" in report.text()


def test_unpacked_comes_before_packed_and_another_size_is_told(tmp_path: Path) -> None:
    name = "S001C001P001R001A001"
    for folder, frames in (("long", 30), ("short", 20)):
        write_folder(tmp_path / folder, [name], frames=frames)
    zipped(tmp_path / "short" / "a.zip", tmp_path / "long", [name], zipfile.ZIP_STORED)
    report = build_annotations([tmp_path / "short"], tmp_path / "out", workers=1)
    assert list(report.written[0].frames) == [12]
    (problem,) = report.problems
    assert "a.zip:" in problem


# --- being cut short ------------------------------------------------------------------------------


def stop_after(monkeypatch: pytest.MonkeyPatch, count: int, error: BaseException) -> list[str]:
    """Let processing fail after some samples; return the list of samples that are read."""
    read: list[str] = []

    def counted(path: Path, files: Sequence[RawFile]) -> None:
        if len(read) >= count:
            raise error
        batches_module.process_batch(path, files)
        read.extend(file.name for file in files)

    monkeypatch.setattr(build_module, "process_batch", counted)
    return read


def test_a_run_goes_on_where_it_was(
    raw: Path, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = stop_after(monkeypatch, 20, KeyboardInterrupt())
    with pytest.raises(StoppedError):
        build_annotations([raw], tmp_path / "out", workers=1)
    assert len(read) == 21
    assert not any((tmp_path / "out" / name).exists() for name in FILES)
    monkeypatch.undo()
    monkeypatch.setattr(build_module, "BATCH_FILES", 7)
    again = stop_after(monkeypatch, 10**6, KeyboardInterrupt())
    build_annotations([raw], tmp_path / "out", workers=1)
    assert sorted(read + again) == sorted(NAMES)
    assert content(tmp_path / "out") == content(built)


@pytest.mark.parametrize("damage", ["cut", "other", "empty"])
def test_damaged_batches_are_processed_again(
    raw: Path, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    stop_after(monkeypatch, 20, KeyboardInterrupt())
    with pytest.raises(StoppedError):
        build_annotations([raw], tmp_path / "out", workers=1)
    monkeypatch.undo()
    monkeypatch.setattr(build_module, "BATCH_FILES", 7)
    batch = next((tmp_path / "out" / WORK_FOLDER).glob("*.pkl"))
    whole = batch.read_bytes()
    batch.write_bytes({"cut": whole[:-1], "other": b"[]\n"}.get(damage, b""))
    build_annotations([raw], tmp_path / "out", workers=1)
    assert content(tmp_path / "out") == content(built)


def test_files_that_changed_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw, out = tmp_path / "raw", tmp_path / "out"
    write_folder(raw, NAMES[:20], frames=16)
    stop_after(monkeypatch, 14, KeyboardInterrupt())
    with pytest.raises(StoppedError):
        build_annotations([raw], out, workers=1)
    name = sorted(NAMES[:20])[0]
    (raw / f"{name}.skeleton").write_bytes(skeleton_text([[(1, POSE)]] * 5))
    monkeypatch.undo()
    build_annotations([raw], out, workers=1)
    samples = load_annotations(out / FILES[0]).samples
    assert samples[0]["frame_dir"] == name
    assert samples[0]["keypoint"].shape == (1, 5, 25, 3)


def test_a_file_that_could_not_be_read_is_tried_again(
    raw: Path, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = RawFile.read
    bad = sorted(NAMES)[2]

    def read_but_one(file: RawFile) -> bytes:
        if file.name == bad:
            raise OSError(5, "Input/output error")
        return read(file)

    monkeypatch.setattr(RawFile, "read", read_but_one)
    with pytest.raises(InputError, match=rf"{bad}\.skeleton: .*Input/output"):
        build_annotations([raw], tmp_path / "out", workers=1, strict=True)
    assert not any((tmp_path / "out" / name).exists() for name in FILES)
    monkeypatch.setattr(RawFile, "read", read)
    build_annotations([raw], tmp_path / "out", workers=1, strict=True)
    assert content(tmp_path / "out") == content(built)


def test_two_runs_do_not_write_to_one_place(raw: Path, tmp_path: Path) -> None:
    (tmp_path / WORK_FOLDER).mkdir()
    with (
        FileLock(tmp_path / WORK_FOLDER / "lock"),
        pytest.raises(InputError),
    ):
        build_annotations([raw], tmp_path, workers=1)


def test_what_can_not_be_written_is_told(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_after(monkeypatch, 10, OSError(28, "No space left on device"))
    with pytest.raises(WriteError):
        build_annotations([raw], tmp_path / "out", workers=1)
    (tmp_path / "file").touch()
    with pytest.raises(InputError):
        build_annotations([raw], tmp_path / "file", workers=1)


def _die(path: Path, files: Sequence[RawFile]) -> None:
    os._exit(9)


def test_a_worker_that_dies_is_told(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_module, "process_batch", _die)
    with pytest.raises(LostProcessError):
        build_annotations([raw], tmp_path / "out", workers=2)


# --- skipped files --------------------------------------------------------------------------------


@pytest.fixture
def invalid(tmp_path: Path) -> Path:
    """A folder with one good file, and one of each kind of bad ones."""
    folder = tmp_path / "invalid"
    rng = np.random.default_rng(0)
    good = sample_text(rng, frames=20)
    write_folder(folder, ["S001C001P001R001A001"], frames=20)
    for action, text in enumerate(
        (
            good[: len(good) // 2],
            b"",
            b"3\r\n0\r\n0\r\n0\r\n",
            skeleton_text([[(1, POSE * (9, 1, 1)), (2, POSE * (9, 1, 1))]] * 20),
            skeleton_text([[(1, POSE * 1e6)]] * 20),
        ),
        start=2,
    ):
        (folder / f"S001C001P001R001A{action:03}.skeleton").write_bytes(text)
    for name in ("S001C001P001R001A000", "S001C001P001R001A121", "s1"):
        (folder / f"{name}.skeleton").write_bytes(good)
    (folder / "S001C001P001R001A050.skeleton").symlink_to(tmp_path / "nowhere")
    (folder / "broken.zip").write_bytes(b"PK but not really")
    (folder / ".hidden.skeleton").write_bytes(b"")
    path = zipped(folder / "damaged.zip", folder, ["S001C001P001R001A001"], zipfile.ZIP_STORED)
    data = path.read_bytes().replace(b"S001C001P001R001A001", b"S001C001P001R001A051")
    path.write_bytes(data.replace(b"\r\n25\r\n", b"\r\n26\r\n"))
    return folder


INVALID = (
    *(f"S001C001P001R001A{action:03}.skeleton" for action in (0, 2, 3, 4, 5, 6, 50, 51, 121)),
    *("s1.skeleton", "broken.zip"),
)


def test_invalid_files_are_skipped_and_listed(invalid: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = build_annotations([invalid], out, workers=1)
    assert len(load_annotations(out / FILES[0]).samples) == 1
    assert len(report.problems) == len(INVALID)
    for file in INVALID:
        assert sum(file in problem for problem in report.problems) == 1
    (cut,) = (problem for problem in report.problems if "A002.skeleton" in problem)
    assert "(frame 11 of 20, body 1 of 1)" in cut
    listed = (out / PROBLEM_FILE).read_text()
    for problem in report.problems:
        assert problem in report.text()
        assert problem in listed
    assert report.text(3).splitlines()[-1] == f"  ... and {len(INVALID) - 3} more"


def test_strict_writes_nothing(invalid: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        build_annotations([invalid], tmp_path / "out", workers=1, strict=True)
    assert all(file in str(caught.value) for file in INVALID)
    assert not (tmp_path / "out" / FILES[0]).exists()


def test_an_older_list_of_skipped_files_is_removed(raw: Path, built: Path, tmp_path: Path) -> None:
    (tmp_path / PROBLEM_FILE).write_text("old")
    build_annotations([raw], tmp_path, workers=1)
    assert content(tmp_path) == content(built)


def test_names_that_are_no_text(tmp_path: Path) -> None:
    write_folder(tmp_path / "raw", ["S001C001P001R001A001"], frames=16)
    name = os.fsdecode(b"\xff.skeleton")
    try:
        (tmp_path / "raw" / name).touch()
    except OSError:
        pytest.skip("the file system wants names that are text")
    report = build_annotations([tmp_path / "raw"], tmp_path / "out", workers=1)
    assert "\\udcff.skeleton" in report.text().encode().decode()


def test_where_there_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write_folder(tmp_path / "mine", ["clip1"], frames=16)
    write_folder(tmp_path / "missing", ["S001C002P005R002A008"], frames=16)
    write_folder(tmp_path / "later", ["S001C001P001R001A061"], frames=16)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "S001C001P001R001A001.skeleton").touch()
    more: dict[str, Any]
    for root, more in (
        *((name, {}) for name in ("none", "empty", "mine", "missing", "bad")),
        *(("later", options) for options in ({"only": "ntu60"}, {"only": "ntu61"}, {"workers": 0})),
    ):
        with pytest.raises(InputError):
            build_annotations([tmp_path / root], tmp_path / "out", **{"workers": 1, **more})


def test_encrypted_and_exotic_archives(raw: Path, tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", raw, NAMES[:1], zipfile.ZIP_LZMA)
    with pytest.raises(InputError) as caught:
        find_raw_files([path])
    assert "unknown compression" in str(caught.value)
    path = zipped(tmp_path / "b.zip", raw, NAMES[:1], zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\1\2")
    while NAMES[0].encode() not in data[at : at + 120]:
        at = data.index(b"PK\1\2", at + 1)
    data[at + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="encrypted"):
        find_raw_files([path])
