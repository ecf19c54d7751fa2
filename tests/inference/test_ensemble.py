"""Several recognizers as one, and many samples in batches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pyskl.errors import AnnotationError, InputError
from pyskl.evaluation.fusion import fuse
from pyskl.inference import Ensemble, Member
from pyskl.inference.ensemble import stream_of_pipeline
from pyskl.inference.scoring import score_in_batches, score_one

Telling = Callable[..., np.ndarray]


def constant(row: list[float], layout: object = None) -> type:
    """Return a class of recognizers that score everything alike."""

    class Constant:
        labels = None
        num_classes = len(row)

        def prepare(self, sample: dict) -> np.ndarray:
            return np.asarray(sample["keypoint"])[None]

        def scores(self, batch: np.ndarray) -> np.ndarray:
            return np.tile(np.array(row, np.float32), (len(batch), 1))

    Constant.layout = layout  # type: ignore[attr-defined]
    return Constant


def members(*streams: str | None) -> list[Member]:
    """Return recognizers of streams; number i prefers class i."""
    rows = np.eye(4) * 0.6 + 0.1
    return [
        Member(constant(list(rows[number]))(), f"model {number}", stream)
        for number, stream in enumerate(streams)
    ]


@pytest.mark.parametrize(
    ("streams", "given", "weights"),
    [
        (("j",), None, (1,)),
        ((None,), None, (1,)),
        (("j", "b"), None, (1, 1)),
        (("bm", "j", "jm", "b"), None, (1, 2, 1, 2)),
        (("j", "j"), [1, 3], (1, 3)),
    ],
)
def test_scores_are_fused_with_the_weights_of_the_streams(
    streams: tuple[str, ...],
    given: list[float] | None,
    weights: tuple[float, ...],
    telling: Telling,
) -> None:
    ensemble = Ensemble(members(*streams), given)
    assert ensemble.weights == weights
    prepared = ensemble.prepare({"keypoint": telling([0])})
    tables = [member.recognizer.scores(np.zeros((1, 1))) for member in ensemble.members]
    np.testing.assert_allclose(ensemble.scores([prepared]), fuse(tables, weights))
    assert ensemble.scores([prepared]).argmax() == np.argmax(weights)


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(InputError, match=r"give --weights.*model 1: unknown"):
        Ensemble(members("j", None))
    with pytest.raises(InputError, match="1 weights for 2 models"):
        Ensemble(members("j", "b"), [1])
    with pytest.raises(InputError, match="not all of them 0"):
        Ensemble(members("j", "b"), [0, 0])
    with pytest.raises(InputError, match="no model"):
        Ensemble([])
    with pytest.raises(InputError, match="2 names for the 4 classes"):
        Ensemble(members("j"), labels=["a", "b"])
    with pytest.raises(InputError, match="4 classes, small 1"):
        Ensemble([*members("j"), Member(constant([1.0])(), "small", "b")])


def test_names_of_classes(ensemble: Ensemble) -> None:
    assert ensemble.label_name(3) == "clap"
    assert Ensemble(ensemble.members, labels="abcd").label_name(3) == "d"
    assert Ensemble(members("j")).label_name(3) is None


def test_streams_are_told_by_the_pipeline() -> None:
    assert stream_of_pipeline([{"type": "PoseDecode"}]) is None
    assert stream_of_pipeline([abs, {"type": "pyskl.GenSkeFeat", "dataset": "coco"}]) == "j"
    assert stream_of_pipeline([{"type": "GenSkeFeat", "feats": ["jm"]}]) == "jm"
    assert stream_of_pipeline([{"type": "GenSkeFeat", "feats": ["j", "b"]}]) is None


@pytest.mark.parametrize("batch", [1, 3, 16])
def test_batches_keep_the_order_and_faults_to_themselves(
    ensemble: Ensemble, telling: Telling, batch: int
) -> None:
    # Refused in preparing, misfitting the model, giving NaN; and of another length.
    labels = [0, 1, -2, 2, -3, 3, -4, 0, 1]
    samples = [{"keypoint": telling([label], 20 + label % 2)} for label in labels]
    tagged = [*enumerate(samples), (9, None)]
    found = dict(score_in_batches(ensemble, tagged, batch))
    assert list(found) == list(range(10))
    for position, label in enumerate(labels):
        if label >= 0:
            np.testing.assert_array_equal(found[position], np.eye(4)[label])
        else:
            assert isinstance(found[position], InputError)
    assert "refused" in str(found[2])
    assert "-2 is no class" in str(found[4])
    assert "not finite" in str(found[6])
    assert found[9] is None


def test_batches_are_as_large_as_asked_for(ensemble: Ensemble, telling: Telling) -> None:
    samples = [(number, {"keypoint": telling([1])}) for number in range(10)]
    list(score_in_batches(ensemble, samples, 4))
    assert ensemble.members[0].recognizer.batches == [4, 4, 2]  # type: ignore[attr-defined]


def test_one_sample_raises_what_is_wrong(ensemble: Ensemble, telling: Telling) -> None:
    with pytest.raises(AnnotationError, match="-2 is no class"):
        score_one(ensemble, ensemble.prepare({"keypoint": telling([-3])}))
    scores = score_one(ensemble, ensemble.prepare({"keypoint": telling([2])}))
    assert scores.argmax() == 2
