"""Reading raw files, sound and damaged."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
import slow_preprocessing
from hypothesis import example, given, settings
from hypothesis import strategies as st
from synthetic_skeletons import FIRST_ID, POSE, moving_body, sample_text, skeleton_text

from pyskl.recordings import RecordingError
from pyskl.recordings.ntu import Body, read_skeleton_file

A, B = FIRST_ID, FIRST_ID + 1  # which float64 can't tell apart
SMALL = skeleton_text([[(A, POSE)], [], [(A, POSE), (B, POSE + 1)]])
LINES = SMALL.split(b"\r\n")
JOINT = LINES[4]


def assert_same(found: list[Body], expected: list[Body]) -> None:
    assert [(body.id, body.start) for body in found] == [(one.id, one.start) for one in expected]
    for body, one in zip(found, expected):
        np.testing.assert_array_equal(body.keypoint, one.keypoint)


def test_bodies_by_id() -> None:
    track = moving_body(5, np.random.default_rng(1)).astype(np.float32)
    frames = [[], [(A, track[0])], [], [(B, track[1]), (A, track[2])], [(B, track[3])], []]
    first, second = read_skeleton_file(skeleton_text(frames))
    assert (first.id, first.start, first.stop) == (A, 0, 2)
    assert (second.id, second.start, second.stop) == (B, 1, 3)
    assert first.keypoint.dtype == np.float32
    np.testing.assert_allclose(first.keypoint, track[[0, 2]], rtol=1e-6)
    np.testing.assert_allclose(second.keypoint, track[[1, 3]], rtol=1e-6)


def test_a_body_that_leaves_and_returns_has_no_gap() -> None:
    frames = [[(A, POSE), (B, POSE)], [(B, POSE)], [(B, POSE)], [(A, POSE + 1), (B, POSE)]]
    body = read_skeleton_file(skeleton_text(frames))[0]
    assert (body.id, body.start, body.stop) == (A, 0, 2)
    np.testing.assert_allclose(body.keypoint[1] - body.keypoint[0], 1, atol=1e-5)


def test_no_body_is_no_error() -> None:
    assert read_skeleton_file(b"0\r\n") == []
    assert read_skeleton_file(b"2\n0\n0") == []


@pytest.mark.parametrize(
    "content",
    [
        SMALL.replace(b"\r\n", b"\n"),
        SMALL.rstrip(),
        SMALL + b"\r\n\r\n",
        SMALL.replace(b"\r\n", b" \r\n"),
        b"  " + SMALL,
        SMALL.replace(b"E", b"e"),
        SMALL.replace(b" ", b"\t"),
        SMALL.replace(b" ", b"  "),
        SMALL.replace(b" 2\r\n", b" NaN\r\n"),
        SMALL.replace(b" 2\r\n", b" -Infinity\r\n"),
    ],
)
def test_other_spellings_of_the_same(content: bytes) -> None:
    assert_same(read_skeleton_file(content), read_skeleton_file(SMALL))


NUMBERS = st.one_of(
    st.from_regex(r"-?[0-9]{1,8}(\.[0-9]{0,8})?", fullmatch=True),
    st.from_regex(r"[-+]?\.[0-9]{1,9}", fullmatch=True),
    st.from_regex(r"[-+]?[0-9]\.[0-9]{1,6}[eE][-+]?[0-9]{1,3}", fullmatch=True),
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr),
)


@given(st.lists(NUMBERS, min_size=3, max_size=3), st.sampled_from(["2", "NaN"]))
@example(["-0.0", "999999999999", "123456789012345678"], "2")
def test_coordinates_are_what_float_reads(numbers: list[str], unused: str) -> None:
    line = f"{' '.join(numbers)} {unused}\n"
    text = f"1\n1\n{A} 0 0 0 0 0 0 0 0 0\n25\n{line * 25}"
    with np.errstate(over="ignore"):
        expected = np.float32([float(number) for number in numbers])
    if np.isinf(expected).any():
        with pytest.raises(RecordingError):
            read_skeleton_file(text.encode())
    else:
        (body,) = read_skeleton_file(text.encode())
        np.testing.assert_array_equal(body.keypoint[0], np.tile(expected, (25, 1)))


# With a byte changed, left out or put in, or a stretch missing, a file is another file or an error.
@settings(max_examples=200)
@given(
    where=st.integers(0, len(SMALL)),
    length=st.integers(0, 3) | st.integers(0, len(SMALL)),
    what=st.sampled_from(
        [b"", b" ", b"\n", b"\r\n", b"0", b"-", b".", b"e", b"x", b"1 2", b"\xff"]
    ),
)
@example(where=0, length=1, what=b"-3")
@example(where=0, length=1, what=b"99999999999999999999999")
def test_damaged_files_are_errors_or_other_files(where: int, length: int, what: bytes) -> None:
    content = SMALL[:where] + what + SMALL[where + length :]
    with contextlib.suppress(RecordingError):
        found = read_skeleton_file(content)
        slowly = slow_preprocessing.bodies_of(content.decode())
        assert [body.keypoint.tolist() for body in found] == [
            [[list(joint) for joint in joints] for joints in body["frames"]] for body in slowly
        ]


def changed(line: int, new: bytes) -> bytes:
    """Return the small file with a line (from 1) replaced."""
    return b"\r\n".join([*LINES[: line - 1], new, *LINES[line:]])


def with_x(x: bytes) -> bytes:
    """Return the small file with another first coordinate in line 6."""
    return changed(6, x + b" " + JOINT.partition(b" ")[2])


FIRST_BODY = "(frame 1 of 3, body 1 of 1)"


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (b"", None),
        (b" \r\n\r\n", None),
        (b"\xff\xfe1\x000\x00", "line 1"),
        (changed(6, JOINT + b"\xe9"), "line 6"),
        *((text, "line 1") for text in (b"x\n", b"1 1\n", b"1.0\n", b"\xef\xbb\xbf0\n", b"-1\n")),
        (b"2\n0\n", "line 2 (frame 2 of 2)"),
        (b"999999999999\n0\n", "line 2 (frame 2 of 999999999999)"),
        (changed(2, b"-1"), "line 2 (frame 1 of 3)"),
        (changed(2, b"99999999"), "line 30 (frame 1 of 3, body 2 of 99999999)"),
        (changed(2, b""), "line 2 (frame 1 of 3)"),
        (changed(3, b"1 2 3"), f"line 3 {FIRST_BODY}"),
        (changed(3, b"1.5 0 0 0 0 0 0 0 0 0"), f"line 3 {FIRST_BODY}"),
        (changed(3, b"7 0 0 0 0 0 0 0 0 left"), f"line 3 {FIRST_BODY}"),
        *((changed(4, text), f"line 4 {FIRST_BODY}") for text in (b"20", b"26", b"many")),
        *((changed(6, text), f"line 6 {FIRST_BODY}") for text in (JOINT + b" 1", b"1 2", b"")),
        (changed(5, b"1 2"), f"line 5 {FIRST_BODY}"),
        *((with_x(x), f"line 6 {FIRST_BODY}") for x in (b"x", b"NaN", b"1e39", b"1_0", b"1..2")),
        (changed(6, JOINT.rpartition(b" ")[0] + b" two"), f"line 6 {FIRST_BODY}"),
        (changed(6, JOINT.replace(b" ", b"  ", 1)[:-2]), f"line 6 {FIRST_BODY}"),
        (SMALL[:-30], f"line {len(LINES) - 1} (frame 3 of 3, body 2 of 2)"),
        (b"\r\n".join(LINES[:20]), f"line 20 {FIRST_BODY}"),
        (SMALL + b"1\r\n", f"line {len(LINES)}"),
        (SMALL + b"\x00", f"line {len(LINES)}"),
    ],
)
def test_the_place_of_a_problem(content: bytes, key: str | None) -> None:
    with pytest.raises(RecordingError) as caught:
        read_skeleton_file(content)
    assert caught.value.key == key


def test_messages_name_the_file_the_place_and_what_was_found(tmp_path: Path) -> None:
    (tmp_path / "a.skeleton").write_bytes(changed(3, b"1 2 3"))
    with pytest.raises(RecordingError) as caught:
        read_skeleton_file(tmp_path / "a.skeleton")
    assert str(caught.value) == (
        f"{tmp_path}/a.skeleton, line 3 {FIRST_BODY}: unexpected content; found '1 2 3', expected "
        "the 10 numbers of a body"
    )


def test_a_file_cut_anywhere_is_an_error() -> None:
    for length in [*range(0, len(SMALL) - 3, 97), len(SMALL) - 3]:
        with pytest.raises(RecordingError):
            read_skeleton_file(SMALL[:length])


def test_large_files_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.skeleton"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(RecordingError):
        read_skeleton_file(path)


def test_several_bodies_against_the_slow_way() -> None:
    content = sample_text(np.random.default_rng(0), frames=30, bodies=3)
    for body, slow in zip(
        read_skeleton_file(content), slow_preprocessing.bodies_of(content.decode()), strict=True
    ):
        np.testing.assert_array_equal(body.keypoint, np.float32(slow["frames"]))
