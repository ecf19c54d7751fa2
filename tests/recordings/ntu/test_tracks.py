"""Who of the bodies is a person, and in which track: against the slow way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import slow_preprocessing
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_skeletons import FIRST_ID, POSE, moving_body, skeleton_text

from pyskl.recordings import RecordingError
from pyskl.recordings.ntu import Body, read_skeleton_file, recording_from_skeleton, tracks_of
from pyskl.recordings.ntu.tracks import motion, plausible_frames

WIDE = POSE * (6, 1, 1)


@dataclass(frozen=True)
class Presence:
    """A body that is there in some frames of a recording.

    Attributes:
        frames: When.
        wide: The share of those frames, from their start, in which it is wider than people are.
        swing: How far it moves, metres.
        absent: In how many frames, at its start and end, all its joints are zero.
    """

    frames: tuple[int, ...]
    wide: float
    swing: float
    absent: int


def intervals(draw_from: int) -> st.SearchStrategy[tuple[int, ...]]:
    """Return frames of one or two stretches."""
    stretch = st.tuples(st.integers(0, draw_from), st.integers(1, draw_from)).map(
        lambda pair: range(pair[0], min(draw_from, pair[0] + pair[1]))
    )
    return st.lists(stretch, min_size=1, max_size=2).map(
        lambda ranges: tuple(sorted({frame for one in ranges for frame in one}))
    )


@st.composite
def recordings(draw: st.DrawFn) -> str:
    """Return the content of a file with up to five bodies that come and go."""
    length = draw(st.integers(14, 48))
    presences = draw(
        st.lists(
            st.builds(
                Presence,
                frames=intervals(length),
                wide=st.sampled_from([0, 0, 0, 0.1, 0.5, 0.69, 0.7, 1]),
                swing=st.floats(0.01, 2),
                absent=st.sampled_from([0, 0, 0, 1, 3, 99]),
            ),
            max_size=5,
        )
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    frames: list[list[tuple[int, np.ndarray]]] = [[] for _ in range(length)]
    for index, presence in enumerate(presences):
        count = len(presence.frames)
        path = np.linspace(0, presence.swing, max(1, count))[:, np.newaxis, np.newaxis]
        track = moving_body(count, rng) + path
        track[: round(count * presence.wide)] += WIDE - POSE
        if presence.absent:
            track[: presence.absent] = 0
            track[-presence.absent :] = 0
        for position, frame in enumerate(presence.frames):
            frames[frame].append((FIRST_ID + index, track[position]))
    for bodies in frames:
        rng.shuffle(bodies)  # type: ignore[arg-type]
    return skeleton_text(frames, end="\n").decode()


@settings(max_examples=30, deadline=None)
@given(recordings())
def test_against_the_slow_way(text: str) -> None:
    expected = slow_preprocessing.stored_keypoint(text)
    try:
        found = tracks_of(read_skeleton_file(text.encode())).astype(np.float16)
    except RecordingError:
        assert expected is None
    else:
        assert expected is not None
        np.testing.assert_array_equal(found, np.array(expected, np.float16))


# --- the steps one by one, with bodies that tell who they are by their joint 0 --------------------


def body(tag: int, start: int, length: int, *, swing: float = 0.1, wide: int = 0) -> Body:
    """Return a body that swings to the side, and is too wide in its first frames."""
    keypoint = np.repeat(POSE[np.newaxis], length, axis=0)
    keypoint[:wide] = WIDE
    keypoint[:, :, 2] += np.linspace(0, swing, length)[:, np.newaxis]
    keypoint[:, 0, 0] = tag / 1000  # where it widens nothing
    return Body(tag, start, keypoint.astype(np.float32))


def tags(keypoint: np.ndarray) -> list[list[int]]:
    """Return who is in each track and frame; 0 is nobody."""
    found: list[list[int]] = np.rint(keypoint[:, :, 0, 0] * 1000).astype(int).tolist()
    return found


def test_one_body_is_kept_whatever_it_is() -> None:
    assert tags(tracks_of([body(1, 0, 2, wide=2)])) == [[1, 1]]
    zero = Body(1, 0, np.zeros((3, 25, 3), np.float32))
    assert tracks_of([zero]).shape == (1, 3, 25, 3)


@pytest.mark.parametrize(("length", "persons"), [(11, 1), (12, 2)])
def test_short_bodies_are_dropped_if_there_are_others(length: int, persons: int) -> None:
    assert len(tracks_of([body(1, 0, 30), body(2, 0, length)])) == persons


def test_who_is_left_alone_keeps_all_frames() -> None:
    alone = body(2, 5, 20)
    alone.keypoint[:3] = 0
    for others in ([body(1, 0, 11)], [body(1, 0, 30, wide=30)]):
        np.testing.assert_array_equal(tracks_of([*others, alone])[0], alone.keypoint)


# Of 1,000 frames: shares of 0.697 and 0.698, on both sides of 0.69754.
@pytest.mark.parametrize(("wide", "persons"), [(697, 2), (698, 1)])
def test_bodies_too_wide_too_often_are_dropped(wide: int, persons: int) -> None:
    assert len(tracks_of([body(1, 0, 1000), body(2, 0, 1000, wide=wide)])) == persons


def test_a_wide_frame_moves_nobody_ahead() -> None:
    calm_but_wide, lively = body(1, 0, 40, wide=5), body(2, 0, 40, swing=0.8)
    assert motion(calm_but_wide.keypoint) > motion(lively.keypoint)
    assert plausible_frames(calm_but_wide.keypoint).sum() == 35
    assert tags(tracks_of([calm_but_wide, lively]))[0][0] == 2


def test_plausible_is_up_to_four_fifths() -> None:
    corners = np.zeros((3, 25, 3), np.float32)
    corners[:, 1, 1] = 1
    corners[:, 2, 0] = 0.79, 0.8125, 0.75
    assert plausible_frames(corners).tolist() == [True, False, True]


def test_equal_motion_keeps_the_order_of_appearance() -> None:
    one = body(1, 0, 20)
    mirrored = Body(2, 0, one.keypoint * np.float32([-1, 1, 1]))
    assert tags(tracks_of([one, mirrored])) == [[1] * 20, [-1] * 20]
    assert tags(tracks_of([mirrored, one])) == [[-1] * 20, [1] * 20]


def test_tracks_are_filled_where_there_is_room() -> None:
    # By motion: 1 and 2 one after the other, 3 in parallel, 4 where 3 has ended, 5 nowhere.
    found = tracks_of(
        [
            body(5, 0, 60, swing=0.1),
            body(4, 30, 30, swing=0.2),
            body(3, 10, 20, swing=0.3),
            body(2, 20, 40, swing=0.5),
            body(1, 0, 20, swing=0.9),
        ]
    )
    assert tags(found) == [[1] * 20 + [2] * 40, [0] * 10 + [3] * 20 + [4] * 30]


def test_a_track_is_taken_between_its_bodies_too() -> None:
    ends = [body(1, 0, 15, swing=0.9), body(2, 45, 15, swing=0.8)]
    assert tags(tracks_of([*ends, body(3, 20, 15)])) == [
        [1] * 15 + [0] * 30 + [2] * 15,
        [0] * 20 + [3] * 15 + [0] * 25,
    ]


def test_the_second_track_is_free_before_its_first_body() -> None:
    late, early = body(2, 20, 20, swing=0.5), body(3, 0, 15, swing=0.1)
    assert tags(tracks_of([body(1, 0, 40, swing=0.9), late, early])) == [
        [1] * 40,
        [3] * 15 + [0] * 5 + [2] * 20,
    ]


def test_empty_ends_are_cut_and_who_is_seen_first_comes_first() -> None:
    first, second = body(1, 2, 20, swing=0.9), body(2, 2, 20)
    first.keypoint[:5] = 0
    second.keypoint[:3] = 0
    first.keypoint[-1] = second.keypoint[-2:] = 0
    found = tracks_of([first, second])
    assert tags(found) == [[2] * 15 + [0], [0] * 2 + [1] * 14]


@pytest.mark.parametrize(
    "bodies",
    [
        [],
        [body(1, 0, 11), body(2, 0, 5)],
        [body(1, 0, 20, wide=20), body(2, 0, 20, wide=20)],
        [Body(tag, 0, np.zeros((20, 25, 3), np.float32)) for tag in (1, 2)],
    ],
    ids=["none", "short", "wide", "zero"],
)
def test_no_body_that_can_be_a_person(bodies: list[Body]) -> None:
    with pytest.raises(RecordingError):
        tracks_of(bodies)


# --- recordings -----------------------------------------------------------------------------------


def test_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "my clip.skeleton"
    track = moving_body(9, np.random.default_rng(0))
    path.write_bytes(skeleton_text([[(7, joints)] for joints in track]))
    recording = recording_from_skeleton(path)
    assert (recording.name, recording.layout, recording.fps) == ("my clip", "nturgb+d", 30)
    assert recording.keypoint.dtype == np.float32
    np.testing.assert_allclose(recording.keypoint[0], track, atol=1e-6)


def test_recordings_that_can_not_be_read_name_their_file(tmp_path: Path) -> None:
    (tmp_path / "empty.skeleton").write_bytes(b"1\n0\n")
    for name in ("empty.skeleton", "none.skeleton"):
        with pytest.raises(RecordingError) as caught:
            recording_from_skeleton(tmp_path / name)
        assert caught.value.file == str(tmp_path / name)
