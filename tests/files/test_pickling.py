"""Pickles that every version of NumPy reads."""

from __future__ import annotations

import pickle
import pickletools
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyskl.datasets.toy.generator import write_toy_annotations
from pyskl.evaluation.scores import dump_scores
from pyskl.files.pickling import dump_pickle
from pyskl.recordings import AnnotationWriter, Recording
from pyskl.unpickling.load import load_plain_pickle


def modules(content: bytes) -> set[str]:
    """Return the modules that a pickle imports."""
    found, strings = set(), []
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name == "GLOBAL":
            found.add(str(argument).split()[0])
        elif opcode.name == "STACK_GLOBAL":
            found.add(strings[-2])
        elif isinstance(argument, str):
            strings.append(argument)
    return found


def assert_old(content: bytes) -> None:
    """Check that NumPy 1.24 has all that a pickle imports, and Python 3.7 its protocol."""
    assert modules(content) <= {"numpy", "numpy.core.multiarray", "_codecs", "builtins"}
    assert content[1] <= 4


TABLE = np.arange(12).reshape(3, 4)
VALUES = st.sampled_from(
    [
        *(TABLE.astype(kind) for kind in ("f2", ">f4", "f8", "i8", "?", "U3", "S2", "O")),
        *(np.asfortranarray(TABLE), TABLE[:, ::2], np.zeros((0, 2)), np.array(3)),
        *(np.float32(1.5), np.int64(3), np.str_("a"), np.bool_(True)),
        *("numpy._core", "cnumpy._core.multiarray\n_reconstruct\n", b"cnumpy._core", 1.5, None),
    ]
)


@given(st.lists(VALUES, max_size=5) | st.dictionaries(st.text(max_size=2), VALUES, max_size=5))
def test_values_survive_and_old_versions_have_all_names(value: Any) -> None:
    content = dump_pickle(value)
    assert_old(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # new versions read it without complaint
        found = pickle.loads(content)
    assert repr(found) == repr(pickle.loads(pickle.dumps(value, protocol=3)))


def test_files_for_others_are_such_pickles(tmp_path: Path) -> None:
    dump_scores(np.eye(3, dtype=np.float32), tmp_path / "scores.pkl")
    write_toy_annotations(tmp_path / "toy.pkl", num_subjects=4, repetitions=1)
    with AnnotationWriter(tmp_path / "recordings.pkl", ["wave"]) as writer:
        for name in "ab":
            keypoint = np.ones((1, 5, 17, 3), np.float32)
            writer.add(Recording(name, keypoint), "wave", "train")
    for path in tmp_path.glob("*.pkl"):
        assert_old(path.read_bytes())
        assert "numpy.core.multiarray" in modules(path.read_bytes())
        assert load_plain_pickle(path)


def test_there_is_one_writer(repo_root: Path) -> None:
    writers = {
        path.relative_to(repo_root).as_posix()
        for folder in ("pyskl", "tools")
        for path in (repo_root / folder).rglob("*.py")
        if "pickle.dump" in path.read_text(encoding="utf-8")
    }
    assert writers == {"pyskl/files/pickling.py"}


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_pickles_of_new_and_old_versions_are_read(tmp_path: Path, protocol: int) -> None:
    value = {"keypoint": np.ones((1, 2, 3, 2), np.float16), "label": np.int64(1)}
    new = pickle.dumps(value, protocol=protocol)
    for content in (new, dump_pickle(value)):
        (tmp_path / "a.pkl").write_bytes(content)
        np.testing.assert_equal(load_plain_pickle(tmp_path / "a.pkl"), value)
