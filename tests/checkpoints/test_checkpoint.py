"""Checkpoints: whole or not there, read without running what they say."""

from __future__ import annotations

import io
import os
import pickle
import re
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
from torch import nn

from pyskl.checkpoints.checkpoint import (
    load_checkpoint,
    load_optimizer,
    load_weights,
    numbered_checkpoints,
    point_latest_to,
    prune_checkpoints,
    save_checkpoint,
)
from pyskl.errors import CheckpointError, UntrustedFileError


def _weights(value: float = 1.0) -> dict[str, torch.Tensor]:
    return {"fc.weight": torch.full((2, 3), value), "fc.bias": torch.zeros(2)}


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- writing --------------------------------------------------------------------------------------


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "epoch_1.pth"
    save_checkpoint({"meta": {"epoch": 1}, "state_dict": _weights(), "optimizer": {"a": 1}}, path)
    found = load_checkpoint(path)
    assert found["meta"] == {"epoch": 1}
    assert found["optimizer"] == {"a": 1}
    torch.testing.assert_close(dict(found["state_dict"]), _weights())
    assert _names(tmp_path) == ["epoch_1.pth"]


@pytest.mark.parametrize("failure", [OSError("disk full"), RuntimeError("writer failed")])
def test_a_failing_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    path = tmp_path / "epoch_1.pth"
    save_checkpoint({"state_dict": _weights(1)}, path)
    before = path.read_bytes()

    def save(content: Any, file: io.BufferedWriter) -> None:
        file.write(b"half of it")
        raise failure

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(CheckpointError, match=r"epoch_1\.pth could not be written"):
        save_checkpoint({"state_dict": _weights(2)}, path)
    assert path.read_bytes() == before
    assert _names(tmp_path) == ["epoch_1.pth"]


@contextmanager
def _full_disk() -> Iterator[None]:
    """Let no file of this process grow beyond a kilobyte; nothing else may write meanwhile."""
    resource = pytest.importorskip("resource")
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    checkpoint = {"state_dict": {"w": torch.zeros(10_000)}}
    with pytest.raises(CheckpointError, match="could not be written"), _full_disk():
        save_checkpoint(checkpoint, tmp_path / "epoch_1.pth")
    assert _names(tmp_path) == []


def test_the_file_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append("fsync"), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("replace"), replace(a, b)))
    save_checkpoint({"state_dict": _weights()}, tmp_path / "epoch_1.pth")
    assert calls == ["fsync", "replace", "fsync"]  # the file, its name, the folder


def test_latest_points_to_the_last(tmp_path: Path) -> None:
    for epoch in (1, 2):
        path = tmp_path / f"epoch_{epoch}.pth"
        save_checkpoint({"state_dict": _weights(epoch)}, path)
        point_latest_to(path)
        latest = tmp_path / "latest.pth"
        assert os.readlink(latest) == path.name  # relative: the folder may be moved
        assert load_checkpoint(latest)["state_dict"]["fc.weight"][0, 0] == epoch
    assert _names(tmp_path) == ["epoch_1.pth", "epoch_2.pth", "latest.pth"]


def test_latest_is_a_copy_where_there_are_no_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(self: Path, target: str) -> None:
        raise OSError("not supported")

    monkeypatch.setattr(Path, "symlink_to", no_links)
    path = tmp_path / "epoch_1.pth"
    save_checkpoint({"state_dict": _weights(5)}, path)
    point_latest_to(path)
    assert (tmp_path / "latest.pth").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        (-1, [1, 2, 9, 10, 11]),
        (0, [1, 2, 9, 10, 11]),
        (1, [10, 11]),
        (2, [9, 10, 11]),
        (9, [1, 2, 9, 10, 11]),
    ],
)
def test_older_checkpoints_are_pruned(tmp_path: Path, keep: int, left: list[int]) -> None:
    for epoch in (1, 2, 9, 10, 11):  # 11 is of another run: it was there before 10 was written
        (tmp_path / f"epoch_{epoch}.pth").touch()
    others = ["best_top1_acc_epoch_1.pth", "epoch_1.pth.bak", "epoch_x.pth", "iter_1.pth"]
    for name in others:
        (tmp_path / name).touch()
    prune_checkpoints(tmp_path / "epoch_10.pth", keep)
    assert [number for number, _ in numbered_checkpoints(tmp_path, "epoch")] == left
    assert set(others) <= set(_names(tmp_path))


# --- files of the family --------------------------------------------------------------------------


def _save(path: Path, content: Any, **options: Any) -> Path:
    torch.save(content, path, **options)
    return path


@pytest.mark.parametrize("zipped", [True, False])
def test_the_format_of_the_family(tmp_path: Path, zipped: bool) -> None:
    weights = OrderedDict((f"module.{name}", value) for name, value in _weights().items())
    weights._metadata = OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]
    meta = dict(
        epoch=16,
        iter=np.int64(160),
        time="Mon Nov  1 00:00:00 2021",
        config="model = dict()",
        hook_msgs=dict(
            best_score=np.float64(0.878),
            half=np.float16(0.5),
            single=np.float32(0.1),
            flag=np.bool_(True),
            big_endian=np.array([7], ">i4")[0],
            best_ckpt="best_top1_acc_epoch_16.pth",
        ),
        CLASSES=None,
    )
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(2))], 0.1, momentum=0.9).state_dict()
    content = dict(meta=meta, state_dict=weights, optimizer=optimizer)
    path = _save(tmp_path / "a.pth", content, _use_new_zipfile_serialization=zipped)
    found = load_checkpoint(path)
    assert list(found["state_dict"]) == ["fc.weight", "fc.bias"]
    assert found["optimizer"]["param_groups"][0]["momentum"] == 0.9
    assert found["meta"] == meta
    assert type(found["meta"]["hook_msgs"]["best_score"]) is np.float64
    assert type(found["meta"]["hook_msgs"]["half"]) is np.float16


@pytest.mark.parametrize("core", [b"numpy.core", b"numpy._core"])
def test_numpy_of_either_age(tmp_path: Path, core: bytes) -> None:
    """NumPy 1 and 2 write different names for the same scalar."""
    path = _save(tmp_path / "a.pth", dict(state_dict=_weights(), meta=dict(x=np.float64(0.25))))
    other = tmp_path / "b.pth"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(other, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            for written in (b"numpy._core.multiarray", b"numpy.core.multiarray"):
                data = data.replace(b"c" + written, b"c" + core + b".multiarray")
            target.writestr(name, data)
    assert load_checkpoint(other)["meta"]["x"] == 0.25


def test_bare_state_dicts(tmp_path: Path) -> None:
    found = load_checkpoint(_save(tmp_path / "a.pth", _weights()))
    assert found["meta"] == {}
    torch.testing.assert_close(dict(found["state_dict"]), _weights())


@pytest.mark.shared_data
def test_a_checkpoint_of_the_original(golden: Path) -> None:
    found = load_checkpoint(golden / "small8_nturgbd.pth")
    assert "backbone.gcn.0.gcn.PA" in found["state_dict"]


# --- files that are no checkpoints ----------------------------------------------------------------


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no such checkpoint"):
        load_checkpoint(tmp_path / "gone.pth")
    with pytest.raises(CheckpointError, match="this is a folder; expected a checkpoint"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "expected a dict, found list"),
        (torch.ones(2), "expected a dict, found Tensor"),
        ({}, "expected the key 'state_dict'"),
        ({"model": {"a": torch.ones(1)}}, "found the keys model"),
        ({"state_dict": [1]}, "'state_dict' should hold tensors by name"),
        ({"state_dict": {"fc.weight": 1}}, "'state_dict' should hold tensors by name"),
    ],
)
def test_other_contents(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(_save(tmp_path / "a.pth", content))


@pytest.mark.parametrize("meta", [None, "epoch 3", {}])
def test_meta_is_a_dict_whatever_the_file_says(tmp_path: Path, meta: Any) -> None:
    path = _save(tmp_path / "a.pth", {"state_dict": _weights(), "meta": meta})
    assert load_checkpoint(path)["meta"] == {}


def _damaged(data: bytes, path: Path, *, trusted: bool = False) -> None:
    """Hold that bytes either load or are refused with the file's name."""
    path.write_bytes(data)
    try:
        load_checkpoint(path, trusted=trusted)
    except (CheckpointError, UntrustedFileError) as error:
        assert str(path) in str(error)  # noqa: PT017


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_truncated_files(tmp_path: Path, share: float, zipped: bool) -> None:
    path = _save(
        tmp_path / "a.pth", dict(state_dict=_weights()), _use_new_zipfile_serialization=zipped
    )
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(CheckpointError, match=r"a\.pth: damaged or not a checkpoint"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "data", [b"\x00" * 100, b"<html>404</html>", b"PK\x03\x04 no zip", b"\x80"]
)
@pytest.mark.parametrize("trusted", [True, False])
def test_garbage(tmp_path: Path, data: bytes, trusted: bool) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"a\.pth: damaged or not a checkpoint"):
        load_checkpoint(path, trusted=trusted)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_damaged_bytes_give_one_kind_of_error(tmp_path: Path, data: st.DataObject) -> None:
    content = dict(meta=dict(epoch=1, score=np.float64(1)), state_dict=_weights())
    path = _save(tmp_path / "a.pth", content, _use_new_zipfile_serialization=False)
    whole = bytearray(path.read_bytes())
    for position in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=4)):
        whole[position] = data.draw(st.integers(0, 255))
    _damaged(bytes(whole), path)


# --- files that ask for more than data ------------------------------------------------------------


class _Attack:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("where", ["meta", "state_dict", "optimizer", "legacy", "bare pickle"])
def test_programs_are_refused_by_name_and_not_run(tmp_path: Path, where: str) -> None:
    target = tmp_path / "ran"
    attack = _Attack(target)
    path = tmp_path / "evil.pth"
    if where == "bare pickle":
        path.write_bytes(pickle.dumps({"state_dict": attack}, protocol=2))
    elif where == "legacy":
        _save(path, dict(state_dict=attack), _use_new_zipfile_serialization=False)
    else:
        _save(path, {"state_dict": _weights(), where: attack})
    with pytest.raises(UntrustedFileError, match=r"evil\.pth was refused: it asks for \w+\.mkdir"):
        load_checkpoint(path)
    assert not target.exists()


def test_classes_of_programs_are_refused_by_name(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.pth", dict(state_dict=_weights(), meta=dict(path=Path("a"))))
    with pytest.raises(UntrustedFileError, match=r"it asks for pathlib.*--trust-files"):
        load_checkpoint(path)
    found = load_checkpoint(path, trusted=True)
    assert found["meta"]["path"] == Path("a")


def test_trusted_files_run(tmp_path: Path) -> None:
    target = tmp_path / "ran"
    path = _save(tmp_path / "a.pth", dict(state_dict=_weights(), meta=dict(x=_Attack(target))))
    load_checkpoint(path, trusted=True)
    assert target.is_dir()


def test_a_trusted_file_may_name_what_is_not_installed(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(b"cno_such_module\nThing\n.")
    with pytest.raises(CheckpointError, match="no_such_module"):
        load_checkpoint(path, trusted=True)


class _Dtype:
    """Pickles as a NumPy dtype with a state of its own making."""

    def __init__(self, code: str, state: Any = None) -> None:
        self.code, self.state = code, state

    def __reduce__(self) -> Any:
        return np.dtype, (self.code, False, True), self.state


class _Scalar:
    """Pickles as a NumPy scalar of any dtype and bytes."""

    def __init__(self, dtype: Any, value: Any) -> None:
        self.arguments = dtype, value

    def __reduce__(self) -> Any:
        return np.float64(1).__reduce__()[0], self.arguments


def test_numpy_s_own_functions_are_out_of_reach(tmp_path: Path) -> None:
    """A dtype's state can turn bytes into pointers, so NumPy never sees what the file says."""
    for number, scalar in enumerate(
        [
            _Scalar(_Dtype("O"), b"\x01" * 8),
            _Scalar(_Dtype("V8"), b"\x01" * 8),
            _Scalar(_Dtype("f8,O"), b"\x01" * 16),
            _Scalar(_Dtype("f8"), b"too"),
        ]
    ):
        path = _save(tmp_path / f"{number}.pth", dict(state_dict=_weights(), meta=dict(x=scalar)))
        with pytest.raises(UntrustedFileError, match=re.escape(str(path))):
            load_checkpoint(path)
    for number, state in enumerate(
        [
            (3, "<", None, ("a",), {"a": (np.int64, 0)}, 8, 1, 0),
            (3, "<", None, None, None, 4096, 4096, 63),
        ]
    ):
        forged = dict(x=_Scalar(_Dtype("f8", state), np.float64(0.5).tobytes()))
        path = _save(tmp_path / f"s{number}.pth", dict(state_dict=_weights(), meta=forged))
        with pytest.raises(UntrustedFileError, match=re.escape(str(path))):
            load_checkpoint(path)


# --- into a model ---------------------------------------------------------------------------------


class _Model(nn.Module):
    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.body = nn.Linear(2, 4)
        self.cls_head = nn.ModuleDict({"fc_cls": nn.Linear(4, classes)})


def test_weights_that_fit() -> None:
    source, target = _Model(), _Model()
    load_weights(target, source.state_dict(), "a.pth")
    torch.testing.assert_close(target.state_dict(), source.state_dict())


def test_all_that_does_not_fit_is_listed_and_nothing_is_loaded() -> None:
    model = _Model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    given = _Model(classes=5).state_dict()
    del given["body.bias"]
    given["neck.weight"] = torch.ones(1)
    with pytest.raises(CheckpointError) as error:
        load_weights(model, given, "a.pth")
    text = str(error.value)
    assert text.startswith("a.pth does not fit the model that the config describes:")
    assert "1 missing: body.bias" in text
    assert "1 that the model lacks: neck.weight" in text
    assert "2 of another shape (file's for model's)" in text
    assert "cls_head.fc_cls.weight (5, 4) for (3, 4)" in text
    torch.testing.assert_close(dict(model.state_dict()), before)


def test_shapes_stand_one_a_line() -> None:
    shapes = [torch.ones(1) for _ in range(9)]
    model = torch.nn.ParameterList(shapes)
    given = {name: torch.ones(2) for name in model.state_dict()}
    with pytest.raises(CheckpointError) as error:
        load_weights(model, given, "a.pth")
    assert str(error.value).splitlines()[1:] == [
        "  9 of another shape (file's for model's):",
        *(f"    {joint} (2,) for (1,)" for joint in range(4)),
        "    and 5 more",
    ]


def test_long_lists_are_cut() -> None:
    given = {f"extra.{i}": torch.ones(1) for i in range(20)}
    with pytest.raises(CheckpointError, match=r"20 that the model lacks: .*extra\.7 and 12 more$"):
        load_weights(_Model(), {**_Model().state_dict(), **given}, "a.pth")


def test_a_new_head_starts_untrained_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    model, source = _Model(classes=3), _Model(classes=5)
    head = model.cls_head["fc_cls"].weight.clone()
    load_weights(model, source.state_dict(), "a.pth", new_head=True)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "the classifier of a.pth has another size and starts untrained" in record.message
    assert "cls_head.fc_cls.weight (5, 4) for (3, 4)" in record.message
    torch.testing.assert_close(model.body.weight, source.body.weight)
    torch.testing.assert_close(model.cls_head["fc_cls"].weight, head)


def test_a_new_head_excuses_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    load_weights(_Model(), _Model().state_dict(), "a.pth", new_head=True)
    assert caplog.records == []
    given = _Model().state_dict()
    given["body.weight"] = torch.ones(1)
    with pytest.raises(CheckpointError, match=r"body\.weight \(1,\) for \(4, 2\)"):
        load_weights(_Model(), given, "a.pth", new_head=True)
    del given["body.weight"]
    del given["cls_head.fc_cls.bias"]
    with pytest.raises(CheckpointError, match=r"2 missing: body\.weight, cls_head\.fc_cls\.bias"):
        load_weights(_Model(), given, "a.pth", new_head=True)


def test_the_state_of_another_optimizer_is_refused() -> None:
    model = torch.nn.Linear(2, 2)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    adam = torch.optim.AdamW(model.parameters(), lr=0.1)
    with pytest.raises(CheckpointError, match=r"a\.pth.*does not fit AdamW.*betas"):
        load_optimizer(adam, sgd.state_dict(), "a.pth")
    load_optimizer(sgd, torch.optim.SGD(model.parameters(), lr=0.3).state_dict(), "a.pth")
    assert sgd.param_groups[0]["lr"] == 0.3
