"""Fusion: streams of files, weights, halves, and the search for weights."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pyskl.errors import InputError
from pyskl.evaluation.fusion import (
    check_weights,
    default_weights,
    fuse,
    search_weights,
    stratified_halves,
    stream_of,
)
from pyskl.evaluation.metrics import top_k_accuracy


@pytest.mark.parametrize(
    ("path", "stream"),
    [
        ("j.pkl", "j"),
        ("a/b/BM.json", "bm"),
        ("ntu60_jm_best.pkl", "jm"),
        ("ntu60-b.yaml", "b"),
        ("work_dirs/stgcn/x/j/best_pred.pkl", "j"),
        ("work_dirs/stgcn/x/stgcn_bm/last_pred.pkl", "bm"),
        ("joint_motion/best_pred.pkl", "jm"),
        ("ntu60-Bone-Motion.pkl", "bm"),
        ("ntu60_joint.pkl", "j"),
        ("runs/bone/best_pred.pkl", "b"),
        ("joint_bone.pkl", None),
        ("jm/b.pkl", "b"),  # the file's name comes first
        ("j_b.pkl", None),  # two
        ("j/j_b.pkl", None),
        ("joints/best_pred.pkl", None),
        ("j/x/best_pred.pkl", None),  # a grandparent does not count
    ],
)
def test_the_stream_of_a_file(path: str, stream: str | None) -> None:
    assert stream_of(path) == stream


def test_the_folder_of_a_bare_name_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "jm").mkdir()
    monkeypatch.chdir(tmp_path / "jm")
    assert stream_of("best_pred.pkl") == "jm"


def test_the_published_weights() -> None:
    assert default_weights(["j", "b"]) == [1, 1]
    assert default_weights(["bm", "j", "jm", "b"]) == [1, 2, 1, 2]
    for streams in (["j", "jm"], ["j", "b", "jm"], ["j", "b", None], ["j", "b", "b"], ["j"]):
        assert default_weights(streams) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "weights", [[1, 1, 1], [-1, 2], [0, 0], [1, float("nan")], [1, float("inf")]]
)
def test_unusable_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(InputError) as error:
        check_weights(weights, 2)
    assert error.value.key == "weights"


def test_fused_scores_by_hand() -> None:
    j = [[0.6, 0.3, 0.1], [0.2, 0.5, 0.3]]
    b = [[0.1, 0.8, 0.1], [0.4, 0.4, 0.2]]
    jm = [[0.3, 0.3, 0.4], [0.0, 0.9, 0.1]]
    bm = [[0.5, 0.1, 0.4], [0.7, 0.2, 0.1]]
    np.testing.assert_allclose(fuse([j, b], [1, 1]), [[0.35, 0.55, 0.1], [0.3, 0.45, 0.25]])
    # (2·0.6 + 2·0.1 + 0.3 + 0.5) / 6 and so on
    np.testing.assert_allclose(
        fuse([j, b, jm, bm], [2, 2, 1, 1]),
        [[2.2 / 6, 2.6 / 6, 1.2 / 6], [1.9 / 6, 2.9 / 6, 1.2 / 6]],
    )
    with pytest.raises(InputError) as error:
        fuse([j, b[:1]], [1, 1])
    assert error.value.found == [(2, 3), (1, 3)]


tables = hnp.arrays(np.float64, (6, 4), elements=st.floats(0, 1))


@given(tables, tables, st.floats(0.1, 10), st.floats(0.1, 10), st.floats(0.1, 10))
def test_only_the_ratio_of_weights_counts(
    a: np.ndarray, b: np.ndarray, one: float, other: float, factor: float
) -> None:
    expected = fuse([a, b], [one, other])
    for found in (fuse([a, b], [factor * one, factor * other]), fuse([b, a], [other, one])):
        np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(fuse([a, b], [one, 0]), a, atol=1e-12)
    assert (expected >= np.minimum(a, b) - 1e-12).all()
    assert (expected <= np.maximum(a, b) + 1e-12).all()


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.integers(0, 3))
def test_halves_are_even_in_every_class(labels: list[int], seed: int) -> None:
    first, second = stratified_halves(labels, seed)
    assert sorted([*first, *second]) == list(range(len(labels)))
    assert 0 <= len(first) - len(second) <= 1
    counts = [Counter(labels[i] for i in half) for half in (first, second)]
    assert all(abs(counts[0][label] - counts[1][label]) <= 1 for label in set(labels))
    again = stratified_halves(labels, seed)
    np.testing.assert_array_equal(first, again[0])
    np.testing.assert_array_equal(second, again[1])


def test_halves_depend_on_the_seed() -> None:
    labels = np.arange(100) % 5
    halves = {tuple(stratified_halves(labels, seed)[0]) for seed in range(4)}
    assert len(halves) == 4


def made_up(quality: float, labels: np.ndarray, seed: int) -> np.ndarray:
    """Return random scores, with ``quality`` added to the label's."""
    noise = np.random.default_rng(seed).random((len(labels), 4))
    noise[np.arange(len(labels)), labels] += quality
    return noise


def test_the_search_prefers_the_better_stream() -> None:
    labels = np.arange(200) % 4
    good, noise = made_up(0.8, labels, 0), made_up(0.0, labels, 1)
    weights = search_weights([good, noise], labels, [1, 1])
    (found,) = top_k_accuracy(fuse([good, noise], weights), labels, 1)
    (plain,) = top_k_accuracy(fuse([good, noise], [1, 1]), labels, 1)
    assert found > plain
    assert weights[0] > weights[1]


@pytest.mark.parametrize("start", [[1, 1], [2, 2, 1, 1], [1, 1, 1, 1, 1, 1]])
def test_equally_good_weights_stay_as_they_are(start: list[float]) -> None:
    labels = np.arange(40) % 4
    perfect = made_up(2.0, labels, 0)
    assert search_weights([perfect] * len(start), labels, start) == start


def test_too_many_streams_to_search() -> None:
    table = np.ones((2, 2))
    with pytest.raises(InputError) as error:
        search_weights([table] * 20, [0, 1], [1] * 20)
    assert error.value.found == 20
