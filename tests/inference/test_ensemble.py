"""Several recognizers as one, and many samples in batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from pyskl.errors import InputError
from pyskl.evaluation.fusion import fuse
from pyskl.inference import Ensemble, Recognizer
from pyskl.skeleton import LAYOUTS

Telling = Callable[..., np.ndarray]


class Constant(Recognizer):
    """Scores all samples alike."""

    def __init__(self, row: Sequence[float], stream: str | None = None, **known: Any) -> None:
        super().__init__(f"model {stream}", [], len(row), **known)
        self.row, self.stream = np.array(row, np.float32), stream

    def prepare(self, sample: Any) -> np.ndarray:
        return np.asarray(sample["keypoint"])[None]

    def scores(self, batch: np.ndarray) -> np.ndarray:
        return np.tile(self.row, (len(batch), 1))

    def logits(self, clips: np.ndarray) -> np.ndarray:
        raise NotImplementedError


def recognizers(*streams: str | None) -> list[Recognizer]:
    """Return recognizers of streams; number i prefers class i."""
    return [Constant(row, stream) for row, stream in zip(np.eye(4) * 0.6 + 0.1, streams)]


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
    ensemble = Ensemble(recognizers(*streams), given)
    assert ensemble.weights == weights
    prepared = ensemble.prepare({"keypoint": telling([0])})
    tables = [one.scores(np.zeros((1, 1))) for one in ensemble.recognizers]
    np.testing.assert_allclose(ensemble.scores([prepared]), fuse(tables, weights))
    assert ensemble.scores([prepared]).argmax() == np.argmax(weights)


def test_recognizers_that_do_not_go_together_are_refused() -> None:
    one = Constant([1.0])
    joints = [Constant([1.0, 0.0], layout=LAYOUTS[name]) for name in ("coco", "nturgb+d")]
    apart = Constant([1.0, 0.0], average_clips=None)
    for members, options, key in (
        ([], {}, None),
        (recognizers("j", None), {}, "--weights"),
        (recognizers("j", "b"), {"weights": [1]}, None),
        (recognizers("j", "b"), {"weights": [0, 0]}, None),
        (recognizers("j"), {"labels": ["a", "b"]}, "--labels"),
        ([*recognizers("j"), one], {"weights": [1, 1]}, None),
        (joints, {"weights": [1, 1]}, None),
        ([apart], {}, "average_clips"),
    ):
        with pytest.raises(InputError) as caught:
            Ensemble(members, **options)  # type: ignore[arg-type]
        if key is not None:
            assert caught.value.key == key


def test_names_of_classes(ensemble: Ensemble) -> None:
    assert ensemble.label_name(3) == "clap"
    assert Ensemble(ensemble.recognizers, labels="abcd").label_name(3) == "d"
    assert Ensemble(recognizers("j")).label_name(3) is None


@pytest.mark.parametrize("batch", [1, 3, 16])
def test_batches_keep_the_order_and_only_invalid_samples_fail(
    ensemble: Ensemble, telling: Telling, batch: int
) -> None:
    # Refused in preparing, refused by the model, NaN; and samples of another length.
    labels = [0, 1, -2, 2, -3, 3, -4, 0, 1]
    samples = [{"keypoint": telling([label], 20 + label % 2)} for label in labels]
    found = dict(ensemble.score_in_batches([*enumerate(samples), (9, None)], batch))
    assert list(found) == list(range(10))
    for position, label in enumerate(labels):
        if label >= 0:
            np.testing.assert_array_equal(found[position], np.eye(4)[label])
        else:
            assert isinstance(found[position], InputError)
    assert found[9] is None


def test_batches_are_as_large_as_asked_for(ensemble: Ensemble, telling: Telling) -> None:
    samples = [(number, {"keypoint": telling([1])}) for number in range(10)]
    list(ensemble.score_in_batches(samples, 4))
    assert ensemble.recognizers[0].batches == [4, 4, 2]  # type: ignore[attr-defined]


def test_a_single_sample(ensemble: Ensemble, telling: Telling) -> None:
    assert ensemble.score({"keypoint": telling([2])}).argmax() == 2
    for label in (-2, -3, -4):
        with pytest.raises(InputError):
            ensemble.score({"keypoint": telling([label])})
