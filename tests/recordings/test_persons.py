"""Persons matched over frames, and the most active kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyskl.recordings import persons as persons_module
from pyskl.recordings.persons import Detections, activity, arrange, most_active
from pyskl.recordings.recording import RecordingError
from pyskl.recordings.tracking import MAX_GAP, MAX_PERSONS_IN_FRAME, match_persons

JOINTS = 17


def body(rng: np.random.Generator, height: float = 200.0) -> np.ndarray:
    """Return a body of its own proportions, (V, 2)."""
    shape = rng.uniform(0, 1, size=(JOINTS, 2)) * [0.4 * height, height]
    shape[0], shape[1] = 0, [0.4 * height, height]  # so that the box is as large as it says
    return shape


def crossing(
    rng: np.random.Generator, frames: int, speed: float, noise: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return two persons who walk through each other, (2, T, V, 2), and their frames."""
    time = np.arange(frames)[:, None, None]
    way = speed * (time - frames / 2) * [1, 0]
    persons = np.stack([body(rng) + way, body(rng) - way]) + 2000
    return persons + noise * rng.normal(size=persons.shape), time


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), speed=st.floats(3, 30), noise=st.floats(0, 2))
def test_two_who_cross_are_kept_apart(seed: int, speed: float, noise: float) -> None:
    rng = np.random.default_rng(seed)
    frames = 60
    persons, _ = crossing(rng, frames, speed, noise)
    order = np.array([rng.permutation(2) for _ in range(frames)])  # T, 2
    keypoint = persons[order.T, np.arange(frames)]  # shuffled in each frame
    flat = keypoint.transpose(1, 0, 2, 3).reshape(-1, JOINTS, 2)
    numbers = np.repeat(np.arange(frames), 2)
    found = match_persons(numbers, flat, np.ones(flat.shape[:2], bool)).reshape(frames, 2)
    # Whoever person 0 is called, it is called so in all frames.
    names = {int(found[frame, np.flatnonzero(order[frame] == 0)[0]]) for frame in range(frames)}
    assert len(names) == 1
    assert set(found.reshape(-1)) == {0, 1}


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), gap=st.integers(1, MAX_GAP), hidden=st.integers(0, 8))
def test_a_person_is_found_again_after_a_gap_and_with_joints_hidden(
    seed: int, gap: int, hidden: int
) -> None:
    rng = np.random.default_rng(seed)
    persons, _ = crossing(rng, 40, 8, 0.5)
    frames = np.array([frame for frame in range(40) if not 20 <= frame < 20 + gap])
    seen = np.ones((len(frames), JOINTS), bool)
    for row in seen:
        row[rng.permutation(JOINTS)[:hidden]] = False
    keypoint = np.where(seen[..., None], persons[0, frames], 0)
    assert set(match_persons(frames, keypoint, seen)) == {0}


def test_a_person_is_the_same_without_a_joint_in_common() -> None:
    shape = np.stack([body(np.random.default_rng(0))] * 2)
    seen = np.zeros((2, JOINTS), bool)
    seen[0, ::2] = seen[1, 1::2] = True
    assert match_persons(np.array([0, 1]), shape, seen).tolist() == [0, 0]
    nobody = np.zeros((2, JOINTS), bool)
    nobody[0] = True
    assert match_persons(np.array([0, 1]), shape, nobody).tolist() == [0, 1]


def test_whoever_is_far_away_or_long_gone_is_somebody_new() -> None:
    rng = np.random.default_rng(0)
    shape = body(rng)
    seen = np.ones((2, JOINTS), bool)
    near = np.stack([shape, shape + 10])
    assert match_persons(np.array([0, 1]), near, seen).tolist() == [0, 0]
    assert match_persons(np.array([0, MAX_GAP + 1]), near, seen).tolist() == [0, 0]
    assert match_persons(np.array([0, MAX_GAP + 2]), near, seen).tolist() == [0, 1]
    assert match_persons(np.array([0, 1]), np.stack([shape, shape + 900]), seen).tolist() == [0, 1]


def test_skeletons_of_one_joint_are_matched_too() -> None:
    time = np.arange(30.0)
    ways = np.stack([np.stack([time, time], -1), np.stack([time, 60 - time], -1)], 1)  # T, 2, C
    found = match_persons(
        np.repeat(np.arange(30), 2), ways.reshape(-1, 1, 2), np.ones((60, 1), bool)
    )
    assert found.reshape(30, 2).tolist() == [[0, 1]] * 30


def detections(
    persons: np.ndarray, *, score: float | None = None, identity: bool = False
) -> Detections:
    """Return (M, T, V, C) as detections; frames in which a person is all zero are left out."""
    there = persons.any(axis=(2, 3))
    person, frame = np.nonzero(there)
    order = np.argsort(frame, kind="stable")
    person, frame = person[order], frame[order]
    keypoint = persons[person, frame].astype(np.float32)
    return Detections(
        frame,
        persons.shape[1],
        keypoint,
        None if score is None else np.full(keypoint.shape[:2], score, np.float32),
        person if identity else None,
    )


def scene(rng: np.random.Generator) -> np.ndarray:
    """Return an actor, a bystander and a passer-by of a few frames, (3, T, V, 2)."""
    time = np.sin(np.linspace(0, 9, 50))[:, None, None]
    actor = body(rng) + 100 + 60 * time * rng.uniform(-1, 1, size=(1, JOINTS, 2))
    bystander = body(rng) + 1000 + 0.5 * rng.normal(size=(50, JOINTS, 2))
    passing = np.zeros((50, JOINTS, 2))
    passing[:5] = body(rng) + 2500 + 5 * time[:5]
    return np.stack([bystander, passing, actor])


@pytest.mark.parametrize("identity", [False, True])
def test_the_most_active_come_first(identity: bool) -> None:
    persons = scene(np.random.default_rng(0))
    keypoint, score = arrange(detections(persons, identity=identity), 2)
    assert score is None
    np.testing.assert_array_equal(keypoint, persons[[2, 0]].astype(np.float32))
    keypoint, _ = arrange(detections(persons, identity=identity), 1)
    np.testing.assert_array_equal(keypoint, persons[[2]].astype(np.float32))
    keypoint, _ = arrange(detections(persons, identity=identity), None)
    assert len(keypoint) == 3


def test_activity_is_motion_presence_and_score() -> None:
    actor = scene(np.random.default_rng(1))[2]
    full = activity(actor, None, 50)
    assert activity(actor[:25], None, 50) < full
    assert activity(0.5 * actor, None, 50) == pytest.approx(full)  # whatever the unit
    halves = np.full(actor.shape[:2], 0.5)
    assert activity(actor, halves, 50) == pytest.approx(full / 2)
    still = np.repeat(actor[:1], 50, axis=0)
    assert 0 < activity(still, None, 50) < full / 3
    assert activity(np.zeros_like(actor), None, 50) == 0


def test_a_person_who_was_lost_long_takes_up_the_same_place() -> None:
    persons = scene(np.random.default_rng(2))
    persons[2, 20:35] = 0  # longer than the tracker waits
    keypoint, _ = arrange(detections(persons), 2)
    np.testing.assert_array_equal(keypoint[0], persons[2].astype(np.float32))
    np.testing.assert_array_equal(keypoint[1], persons[0].astype(np.float32))


def test_numbers_that_are_the_same_for_all_are_not_trusted() -> None:
    persons = scene(np.random.default_rng(3))[[0, 2]]
    found = detections(persons)
    found.identity = np.zeros(len(found.frames), np.int64)  # as of AlphaPose without tracking
    keypoint, _ = arrange(found, 2)
    np.testing.assert_array_equal(keypoint, persons[::-1].astype(np.float32))


def test_crowds_are_thinned_by_score() -> None:
    rng = np.random.default_rng(4)
    crowd = np.stack([body(rng, 20) + 500 * number for number in range(MAX_PERSONS_IN_FRAME + 20)])
    found = Detections(
        np.zeros(len(crowd), np.int64),
        1,
        crowd.astype(np.float32),
        np.linspace(0.1, 1, len(crowd), dtype=np.float32)[:, None].repeat(JOINTS, 1),
    )
    keypoint, score = arrange(found, None)
    assert len(keypoint) == MAX_PERSONS_IN_FRAME
    assert score is not None
    assert score.min() > 0.1 + 0.9 * 19 / len(crowd)


def test_too_many_persons_for_the_memory_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persons_module, "_MAX_BYTES", 1 << 22)
    rng = np.random.default_rng(5)
    count = 60
    found = Detections(
        np.arange(count) * (MAX_GAP + 2),
        count * (MAX_GAP + 2),
        (body(rng)[None] + rng.uniform(0, 1e6, size=(count, 1, 2))).astype(np.float32),
    )
    # One after the other they all fit into one place ...
    assert len(arrange(found, None)[0]) == 1
    # ... but not if each is somebody.
    found.identity = np.arange(count)
    with pytest.raises(RecordingError):
        arrange(found, None)
    assert len(arrange(found, 2)[0]) == 2


def test_few_enough_persons_stay_as_they_are() -> None:
    persons = scene(np.random.default_rng(6)).astype(np.float32)
    for keep in (3, None):
        kept, _ = most_active(persons, None, keep)
        assert kept is persons
    kept, score = most_active(persons, np.ones(persons.shape[:3], np.float32), 1)
    np.testing.assert_array_equal(kept, persons[[2]])
    assert score is not None
    assert score.shape == (1, 50, JOINTS)


def test_nobody_is_an_error() -> None:
    with pytest.raises(RecordingError):
        arrange(Detections(np.zeros(1, np.int64), 1, np.zeros((1, 3, 2), np.float32)), 2)
