"""Reading raw files: quickly, carefully, and not at all."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from synthetic_skeletons import FIRST_ID, POSE, moving_body, sample_text, skeleton_text

from pyskl.recordings.ntu import SkeletonFileError, read_skeleton_file
from pyskl.recordings.ntu.careful_reader import read_carefully
from pyskl.recordings.ntu.decimals import read_decimals
from pyskl.recordings.ntu.quick_reader import read_quickly

A, B = FIRST_ID, FIRST_ID + 1  # which float64 can't tell apart
SMALL = skeleton_text([[(A, POSE)], [], [(A, POSE), (B, POSE + 1)]])
LINES = SMALL.split(b"\r\n")


def test_what_a_body_is() -> None:
    track = moving_body(5, np.random.default_rng(1)).astype(np.float32)
    frames = [[], [(A, track[0])], [], [(B, track[1]), (A, track[2])], [(B, track[3])], []]
    first, second = read_skeleton_file(skeleton_text(frames))
    assert (first.id, first.start, first.stop) == (A, 0, 2)
    assert (second.id, second.start, second.stop) == (B, 1, 3)
    assert first.keypoint.dtype == np.float32
    np.testing.assert_allclose(first.keypoint, track[[0, 2]], rtol=1e-6)
    np.testing.assert_allclose(second.keypoint, track[[1, 3]], rtol=1e-6)


def test_who_leaves_and_returns_has_no_gap() -> None:
    frames = [[(A, POSE), (B, POSE)], [(B, POSE)], [(B, POSE)], [(A, POSE + 1), (B, POSE)]]
    body = read_skeleton_file(skeleton_text(frames))[0]
    assert (body.id, body.start, body.stop) == (A, 0, 2)
    np.testing.assert_allclose(body.keypoint[1] - body.keypoint[0], 1, atol=1e-5)


def test_a_path_and_its_content_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.skeleton"
    path.write_bytes(SMALL)
    for body, same in zip(read_skeleton_file(path), read_skeleton_file(SMALL), strict=True):
        np.testing.assert_array_equal(body.keypoint, same.keypoint)


def test_nobody_is_no_error() -> None:
    assert read_skeleton_file(b"0\r\n") == []
    assert read_skeleton_file(b"2\n0\n0") == []


# --- the two ways ---------------------------------------------------------------------------------


def assert_same(content: bytes) -> bool:
    """Hold the quick way, where it finds anything, against the careful one."""
    quick = read_quickly(content)
    if quick is None:
        return False
    careful = read_carefully("it", content)
    assert [found[:2] for found in quick] == [found[:2] for found in careful]
    for found, other in zip(quick, careful):
        np.testing.assert_array_equal(found.coordinates, other.coordinates)
    return True


@pytest.mark.parametrize(
    "content",
    [
        SMALL,
        SMALL.replace(b"\r\n", b"\n"),
        SMALL.rstrip(),
        SMALL + b"\r\n\r\n",
        SMALL.replace(b"\r\n", b" \r\n"),
        SMALL.replace(b"E", b"e"),
        sample_text(np.random.default_rng(0), frames=30, bodies=3),
        b"3\n0\n0\n0\n",
    ],
    ids=["crlf", "lf", "no end", "blank end", "trailing spaces", "e", "three bodies", "nobody"],
)
def test_the_quick_way_takes_plain_files(content: bytes) -> None:
    assert assert_same(content)


@pytest.mark.parametrize(
    "content",
    [
        SMALL.replace(b" ", b"\t"),
        SMALL.replace(b" ", b"  "),
        SMALL.replace(b" 2\r\n", b" NaN\r\n"),
        SMALL.replace(b" 2\r\n", b" -Infinity\r\n"),
    ],
    ids=["tabs", "double spaces", "nan", "infinity"],
)
def test_the_careful_way_takes_more(content: bytes) -> None:
    assert not assert_same(content)
    for body, plain in zip(read_skeleton_file(content), read_skeleton_file(SMALL), strict=True):
        np.testing.assert_array_equal(body.keypoint, plain.keypoint)


# A file with a byte changed, left out or put in, or a stretch of it missing, is another file or no
# file, but never two.
@settings(max_examples=300, deadline=None)
@given(
    where=st.integers(0, len(SMALL)),
    length=st.integers(0, 3) | st.integers(0, len(SMALL)),
    what=st.sampled_from(
        [b"", b" ", b"\n", b"\r\n", b"0", b"-", b".", b"e", b"x", b"1 2", b"\xff"]
    ),
)
@example(where=0, length=1, what=b"-3")
@example(where=0, length=1, what=b"+3")
@example(where=0, length=1, what=b"03")
@example(where=0, length=1, what=b"99999999999999999999999")
def test_both_ways_agree_on_damaged_files(where: int, length: int, what: bytes) -> None:
    content = SMALL[:where] + what + SMALL[where + length :]
    if not assert_same(content):
        with contextlib.suppress(SkeletonFileError):
            read_carefully("it", content)


NUMBERS = st.one_of(
    st.from_regex(r"-?[0-9]{1,8}(\.[0-9]{0,8})?", fullmatch=True),
    st.from_regex(r"[-+]?\.[0-9]{1,9}", fullmatch=True),
    st.from_regex(r"[-+]?[0-9]\.[0-9]{1,6}[eE][-+]?[0-9]{1,3}", fullmatch=True),
    st.floats(-1e4, 1e4, width=32).map(lambda value: f"{value:.7g}"),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)


@given(st.lists(NUMBERS, min_size=1, max_size=20))
@example(["-0.0", "0", "-.5", "5.", "999999999999", "123456789012345678", "1.7976931348623157e308"])
def test_decimals_are_what_float_reads(numbers: list[str]) -> None:
    text = " ".join(numbers).encode()
    stops = np.cumsum([len(number) + 1 for number in numbers]) - 1
    starts = stops - [len(number) for number in numbers]
    found = read_decimals(np.frombuffer(text, np.uint8), starts, stops)
    assert [value.hex() for value in found.tolist()] == [float(n).hex() for n in numbers]


@pytest.mark.parametrize("number", ["-", ".", "-.", "1.2.3", "1-2", "--1", "e5", "1e", "x"])
def test_what_is_no_decimal(number: str) -> None:
    text = np.frombuffer(number.encode(), np.uint8)
    with pytest.raises(ValueError, match="float"):
        read_decimals(text, np.array([0]), np.array([len(number)]))


# --- broken files ---------------------------------------------------------------------------------


def changed(line: int, new: bytes) -> bytes:
    """Return the small file with a line (from 1) replaced."""
    return b"\r\n".join([*LINES[: line - 1], new, *LINES[line:]])


JOINT = LINES[4]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it: the file is empty"),
        (b" \r\n\r\n", "it: the file is empty"),
        (b"\xff\xfe1\x000\x00", "it: line 1: this is no text (it is not UTF-8)"),
        (changed(6, JOINT + b"\xe9"), "line 6: this is no text"),
        (b"x\n", "it: line 1: expected the number of frames, found 'x'"),
        (b"1 1\n", "line 1: expected the number of frames, found '1 1'"),
        (b"1.0\n", "line 1: expected the number of frames, found '1.0'"),
        (b"\xef\xbb\xbf0\n", "line 1: expected the number of frames"),
        (b"-1\n", "line 1: expected the number of frames, found '-1'"),
        (b"2\n0\n", "line 2 (frame 2 of 2): the file ends here, where the number of bodies should"),
        (b"999999999999\n0\n", "(frame 2 of 999999999999): the file ends here"),
        (changed(2, b"-1"), "line 2 (frame 1 of 3): expected the number of bodies, found '-1'"),
        (changed(2, b"99999999"), "(frame 1 of 3, body 2 of 99999999): expected the 10 numbers"),
        (changed(2, b""), "line 2 (frame 1 of 3): expected the number of bodies, found ''"),
        (changed(3, b"1 2 3"), "expected the 10 numbers of a body, found 3: '1 2 3'"),
        (changed(3, b"1.5 0 0 0 0 0 0 0 0 0"), "expected the id of a body, found '1.5'"),
        (changed(3, b"7 0 0 0 0 0 0 0 0 left"), "expected a number, found 'left'"),
        (changed(4, b"20"), "line 4 (frame 1 of 3, body 1 of 1): expected 25 joints, found 20"),
        (changed(4, b"26"), "expected 25 joints, found 26"),
        (changed(4, b"many"), "expected the number of joints, found 'many'"),
        (changed(6, JOINT + b" 1"), "line 6 (frame 1 of 3, body 1 of 1): expected the 12 numbers"),
        (changed(6, b"1 2"), "expected the 12 numbers of a joint, found 2: '1 2'"),
        (changed(5, b"1 2"), "expected the 3 numbers of a joint, found 2: '1 2'"),
        (changed(6, b""), "expected the 12 numbers of a joint, found 0: ''"),
        (changed(6, b"x " + JOINT.partition(b" ")[2]), "a coordinate in metres, found 'x'"),
        (changed(6, b"NaN " + JOINT.partition(b" ")[2]), "a coordinate in metres, found 'NaN'"),
        (changed(6, b"1e39 " + JOINT.partition(b" ")[2]), "a coordinate in metres, found '1e39'"),
        (changed(6, b"1_0 " + JOINT.partition(b" ")[2]), "a coordinate in metres, found '1_0'"),
        (changed(6, b"1..2 " + JOINT.partition(b" ")[2]), "a coordinate in metres, found '1..2'"),
        (changed(6, JOINT.rpartition(b" ")[0] + b" two"), "expected a number, found 'two'"),
        (changed(6, JOINT.rpartition(b" ")[0] + b" " + b"y" * 99), f"found '{'y' * 40}'..."),
        (SMALL[:-30], "(frame 3 of 3, body 2 of 2)"),
        (b"\r\n".join(LINES[:20]), "line 20 (frame 1 of 3, body 1 of 1): the file ends here"),
        (SMALL + b"1\r\n", f"line {len(LINES)}: expected the end of the file after its 3 frames"),
        (SMALL + b"\x00", "expected the end of the file after its 3 frames, found '\\x00'"),
    ],
)
def test_what_is_wrong_and_where(content: bytes, message: str) -> None:
    with pytest.raises(SkeletonFileError) as caught:
        read_skeleton_file(content, "it")
    assert message in str(caught.value)
    assert str(caught.value).startswith("it: ")


def test_a_file_cut_anywhere_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "cut.skeleton"
    for length in [*range(0, len(SMALL) - 3, 97), len(SMALL) - 3]:
        path.write_bytes(SMALL[:length])
        with pytest.raises(SkeletonFileError, match=r"cut\.skeleton"):
            read_skeleton_file(path)


def test_no_file_takes_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.skeleton"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(SkeletonFileError, match="more than 64 MiB"):
        read_skeleton_file(path)
