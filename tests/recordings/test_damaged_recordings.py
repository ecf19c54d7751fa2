"""Damaged files: readers raise a clear error, or read something valid."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recording_files import VALID_FILES, recording_path

from pyskl.datasets.sample_checks import sample_problem
from pyskl.errors import InputError
from pyskl.recordings import FORMATS, read_recordings

# What numbers, brackets and names in such files may become.
TOKENS = (
    *(b"NaN", b"-Infinity", b"1e999", b"-1", b"0", b"9" * 30, b"1e38", b"null", b"true", b'"a"'),
    *(b"[", b"]", b"{", b"}", b"[" * 50, b",", b";", b"\n", b"\t", b'"', b"\0", b"\xff", b"#"),
    *(b"{}", b"[]", b"[[]]", b'{"x": 1}', b":", b"ROOT", b"End Site", b"CHANNELS 6", b"begin\n"),
    *(b"end\n", b"OFFSET", b"root root", b"Frames: 1\n", b"frame", b"person", b"recording", b"_x"),
)

edits = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),  # where
        st.integers(0, 40),  # bytes to drop
        st.one_of(st.sampled_from(TOKENS), st.binary(max_size=3)),
    ),
    min_size=1,
    max_size=4,
)
few_examples = settings(
    max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("kind", VALID_FILES)
@few_examples
@given(changes=edits, persons=st.sampled_from([1, 2, None]))
def test_damaged_files_give_clear_errors_or_valid_recordings(
    tmp_path: Path, kind: str, changes: list[tuple[float, int, bytes]], persons: int | None
) -> None:
    path = VALID_FILES[kind](tmp_path / "a")
    content = path.read_bytes()
    for where, drop, token in changes:
        start = int(where * (len(content) + 1))
        content = content[:start] + token + content[start + drop :]
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found, file = read_recordings(recording_path(kind, path), persons=persons), str(path)
        except InputError as error:
            found, file = [], str(error.file)
    assert file.startswith(str(path.parent))
    for recording in found:
        assert sample_problem(recording.sample(0)) is None
        assert recording.keypoint.dtype == np.float32
        assert persons is None or len(recording.keypoint) <= persons


@few_examples
@given(
    content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)),
    format=st.sampled_from([name for name in FORMATS if name != "openpose"]),
)
def test_any_bytes_in_any_format(tmp_path: Path, content: bytes, format: str) -> None:
    if format == "c3d":
        pytest.importorskip("c3d")
    path = tmp_path / f"any{FORMATS[format].suffixes[0]}"
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_recordings(path, format=format)
