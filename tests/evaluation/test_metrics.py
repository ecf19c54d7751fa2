from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal

from pyskl.errors import InputError
from pyskl.evaluation import (
    confusion_matrix,
    mean_average_precision,
    mean_class_accuracy,
    top_k_accuracy,
)
from pyskl.evaluation.evaluate import evaluate
from pyskl.evaluation.fusion import fuse, search_weights
from pyskl.evaluation.metrics import NonFiniteScoresError, check_finite_scores

CASES = ("random60", "missing_classes", "three_classes_top5")


@pytest.mark.shared_data
@pytest.mark.parametrize("case", CASES)
def test_values_of_the_original_implementation(golden: Path, case: str) -> None:
    with np.load(golden / "metrics.npz", allow_pickle=False) as arrays:
        z = {name.split("/")[1]: arrays[name] for name in arrays.files if name.startswith(case)}
    scores, labels = z["scores"], z["labels"]
    exact = {"rtol": 0, "atol": 1e-9}
    assert_allclose(top_k_accuracy(list(scores), list(labels), (1, 5)), z["topk_1_5"], **exact)
    assert_allclose(mean_class_accuracy(scores, labels), z["mean_class_accuracy"], **exact)
    assert_array_equal(confusion_matrix(scores.argmax(axis=1), labels), z["confusion"])
    one_hot = np.eye(scores.shape[1])[labels]
    assert_allclose(mean_average_precision(scores, one_hot), z["map_onehot"], **exact)
    if "multi" in z:
        assert_allclose(mean_average_precision(scores, z["multi"]), z["map_multi"], **exact)


# Few distinct values, so that there are ties.
tables = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 12), st.integers(1, 7)),
    elements=st.integers(-3, 3).map(float),
)


@st.composite
def scored(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    scores = draw(tables)
    labels = draw(hnp.arrays(np.int64, len(scores), elements=st.integers(0, scores.shape[1] - 1)))
    return scores, labels


@given(scored())
def test_top_k_is_membership_in_the_sorted_classes(case: tuple[np.ndarray, np.ndarray]) -> None:
    scores, labels = case
    for k in range(1, scores.shape[1] + 3):
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        expected = np.mean([label in row for label, row in zip(labels, best, strict=True)])
        assert top_k_accuracy(scores, labels, k) == [expected]
        assert top_k_accuracy(list(scores), labels[:, None], (k, 1))[0] == expected


@given(scored())
def test_top_1_is_the_confusion_s_diagonal(case: tuple[np.ndarray, np.ndarray]) -> None:
    scores, labels = case
    confusion = confusion_matrix(scores.argmax(axis=1), labels)
    assert confusion.sum() == len(labels)
    assert_allclose(top_k_accuracy(scores, labels)[0], np.trace(confusion) / len(labels))


@given(scored())
def test_mean_class_accuracy_is_the_mean_recall(case: tuple[np.ndarray, np.ndarray]) -> None:
    scores, labels = case
    found = scores.argmax(axis=1)
    recalls = [
        np.mean(found[labels == label] == label) if (labels == label).any() else 0.0
        for label in sorted({*found, *labels})
    ]
    assert_allclose(mean_class_accuracy(scores, labels), np.mean(recalls))


@given(scored())
def test_confusion_counts_pairs(case: tuple[np.ndarray, np.ndarray]) -> None:
    scores, labels = case
    found = scores.argmax(axis=1)
    classes = sorted({*found, *labels})
    confusion = confusion_matrix(found, labels)
    full = confusion_matrix(found, labels, scores.shape[1])
    assert full.shape == (scores.shape[1], scores.shape[1])
    for row, true in enumerate(classes):
        for column, pred in enumerate(classes):
            count = np.sum((labels == true) & (found == pred))
            assert confusion[row, column] == full[true, pred] == count


@given(tables, st.randoms(use_true_random=False))
def test_average_precision_is_the_area_of_steps(scores: np.ndarray, random: object) -> None:
    labels = np.array([[random.random() < 0.4 for _ in row] for row in scores])  # type: ignore[attr-defined]
    expected = []
    for score, label in zip(scores.T, labels.T, strict=True):
        if not label.any():
            continue
        area, recall = 0.0, 0.0
        for threshold in sorted(set(score), reverse=True):
            taken = score >= threshold
            gained = label[taken].sum() / label.sum()
            area += (gained - recall) * label[taken].mean()
            recall = gained
        expected.append(area)
    found = mean_average_precision(scores, labels)
    assert_allclose(found, np.mean(expected) if expected else np.nan)
    order = list(range(len(scores)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert_allclose(mean_average_precision(scores[order], labels[order]), found)


@given(scored(), st.data())
def test_scores_that_are_not_finite_become_no_figure(
    case: tuple[np.ndarray, np.ndarray], data: st.DataObject
) -> None:
    scores, labels = case
    places = st.tuples(*(st.integers(0, size - 1) for size in scores.shape))
    for place in data.draw(st.lists(places, min_size=1, max_size=3)):
        scores[place] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    bad = np.flatnonzero(~np.isfinite(scores).all(axis=1))
    one_hot = np.eye(scores.shape[1])[labels]
    good = np.zeros_like(scores)
    for measured in (
        lambda: top_k_accuracy(scores, labels, scores.shape[1]),  # all classes: always a hit
        lambda: mean_class_accuracy(scores, labels),
        lambda: mean_average_precision(scores, one_hot),
        lambda: evaluate(scores, labels),
        lambda: fuse([good, scores], [1, 0]),
        lambda: search_weights([good, scores], labels, [1, 1]),
        lambda: check_finite_scores(scores[:, None]),  # clips
    ):
        with pytest.raises(NonFiniteScoresError) as error:
            measured()
        assert error.value.key == "scores"
        if len(scores) > 1:
            assert error.value.sample == bad[0]
            assert f"{len(bad)} of {len(scores)}" in error.value.found
    check_finite_scores(good)


@pytest.mark.parametrize(
    ("scores", "labels", "key"),
    [
        ([0.1, 0.2], [0], "scores"),
        ([[0.1], [0.2, 0.3]], [0, 0], "scores"),
        (np.zeros((0, 3)), np.zeros(0, int), "scores"),
        ([["a", "b"]], [0], "scores"),
        ([[0.1, 0.2]], [0, 1], "labels"),
        ([[0.1, 0.2]], [2], "labels"),
        ([[0.1, 0.2]], [-1], "labels"),
        ([[0.1, 0.2]], [0.5], "labels"),
        ([[0.1, 0.2]], [[0, 1]], "labels"),
    ],
)
def test_wrong_shapes_are_refused(scores: object, labels: object, key: str) -> None:
    for metric in (top_k_accuracy, mean_class_accuracy):
        with pytest.raises(InputError) as error:
            metric(scores, labels)  # type: ignore[arg-type]
        assert error.value.key == key


@pytest.mark.parametrize(
    ("call", "key"),
    [
        (lambda: top_k_accuracy([[0.1, 0.2]], [0], (1, 0)), "topk"),
        (lambda: confusion_matrix([0], [0, 1]), "pred"),
        (lambda: confusion_matrix([0.5], [0]), "pred"),
        (lambda: mean_average_precision([[0.1, 0.2]], [[1]]), "labels"),
        (lambda: mean_average_precision([[0.1, 0.2]], [[1, 2]]), "labels"),
    ],
)
def test_other_invalid_input_is_refused(call: Callable[[], object], key: str) -> None:
    with pytest.raises(InputError) as error:
        call()
    assert error.value.key == key
