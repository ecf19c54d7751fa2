"""From samples to scores, whatever computes the logits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyskl.errors import AnnotationError, InputError
from pyskl.runtime import ExportedRecognizer, ModelMetadata
from pyskl.runtime.recognizer import best_classes, softmax


class Peaks(ExportedRecognizer):
    """Scores a class by the highest coordinate of the joint of its number."""

    calls = 0

    def logits(self, keypoint: np.ndarray) -> np.ndarray:
        """Return (N, L)."""
        self.calls += 1
        assert keypoint.dtype == np.float32
        return keypoint.max(axis=(1, 2, 4))[:, : self.num_classes]  # N, V → N, L


def _recognizer(**changes: Any) -> Peaks:
    fields: dict[str, Any] = dict(
        num_classes=3,
        input_shape=("N", "M", "T", 17, 3),
        pipeline=(
            {"type": "UniformSample", "clip_len": 4, "num_clips": 2},
            {"type": "PoseDecode"},
            {"type": "FormatGCNInput", "num_person": 2},
            {"type": "Collect", "keys": ["keypoint", "label"]},
            {"type": "ToTensor", "keys": ["keypoint"]},
        ),
    )
    return Peaks("peaks.onnx", ModelMetadata(**{**fields, **changes}))


def test_clips_are_averaged_as_probabilities_or_logits_or_kept() -> None:
    batch = np.random.default_rng(0).normal(size=(5, 3, 2, 8, 17, 3))  # N, clips, M, T, V, C
    kept = _recognizer(average_clips=None).scores(batch)
    assert kept.shape == (5, 3, 3)
    assert kept.dtype == np.float32
    np.testing.assert_allclose(
        _recognizer(average_clips="score").scores(batch), kept.mean(axis=1), rtol=1e-6
    )
    probabilities = _recognizer().scores(batch)
    np.testing.assert_allclose(probabilities, softmax(kept).mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


def test_many_clips_are_scored_in_several_calls_with_the_same_result() -> None:
    batch = np.random.default_rng(0).normal(size=(7, 10, 1, 2, 17, 3)).astype(np.float32)
    recognizer = _recognizer()
    found = recognizer.scores(batch)
    assert recognizer.calls == 5
    for one, expected in zip(batch, found):
        np.testing.assert_allclose(recognizer.scores(one[None])[0], expected, rtol=1e-6)
    single = recognizer.scores(batch[:, 0])  # (N, M, T, V, C): one clip each
    np.testing.assert_allclose(single, recognizer.scores(batch[:, :1]), rtol=1e-6)


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=20), st.integers(1, 25))
def test_the_best_come_first_and_equals_in_order(scores: list[float], topk: int) -> None:
    found = best_classes(np.array(scores, np.float32), topk)
    expected = sorted(range(len(scores)), key=lambda label: -np.float32(scores[label]))
    assert [label for label, _ in found] == expected[:topk]
    assert np.isfinite(softmax(np.array(scores, np.float32))).all()


def test_a_sample_or_its_keypoint_will_do() -> None:
    recognizer = _recognizer()
    keypoint = np.zeros((1, 20, 17, 3), np.float32)
    keypoint[..., 2, :] = 5
    assert recognizer.prepare(keypoint).shape == (2, 2, 4, 17, 3)  # clips, M, T, V, C
    for sample in (keypoint, keypoint[0], keypoint.astype(np.float16), {"keypoint": keypoint}):
        assert recognizer.predict(sample, topk=2)[0][0] == 2
    assert len(recognizer.predict(keypoint)) == 3


@pytest.mark.parametrize(
    ("sample", "found"),
    [
        ({}, "'keypoint' is missing"),
        (np.zeros((4, 17)), r"\(M, T, V, C\), found shape"),
        (np.full((1, 4, 17, 3), np.nan), "NaN"),
        (np.ones((1, 4, 25, 3)), r"takes clips .* = \(N, M, T, 17, 3\), found .*25, 3\)"),
        (np.ones((1, 4, 17, 2)), r"found .*17, 2\)"),
        ({"frame_dir": "a", "keypoint": np.ones((1, 4, 17, 3)), "total_frames": 3}, "sample 'a'"),
    ],
)
def test_a_sample_that_does_not_fit_is_refused(sample: Any, found: str) -> None:
    with pytest.raises(AnnotationError, match=found):
        _recognizer().predict(sample)


def test_a_batch_that_does_not_fit_is_refused() -> None:
    for shape in ((2, 4, 17, 3), (1, 1, 1, 4, 16, 3), (1, 1, 0, 4, 17, 3)):
        with pytest.raises(ValueError, match="found"):
            _recognizer().scores(np.zeros(shape))
    two = _recognizer(input_shape=("N", 2, "T", 17, 3))
    assert two.scores(np.zeros((1, 2, 4, 17, 3))).shape == (1, 3)
    with pytest.raises(ValueError, match=r"\(N, 2, T, 17, 3\)"):
        two.scores(np.zeros((1, 1, 4, 17, 3)))


def test_clips_kept_apart_have_no_ranking() -> None:
    with pytest.raises(InputError, match="average_clips"):
        _recognizer(average_clips=None).predict(np.ones((1, 4, 17, 3)))


@pytest.mark.parametrize(
    ("transform", "found"),
    [
        ({"type": "PoseDecod"}, "did you mean 'PoseDecode'"),
        ({"type": "os.system", "command": "true"}, "no transform 'os.system'"),
        ({"type": "PadTo", "size": 3}, "takes no 'size'"),
        ({"type": "PadTo", "length": None}, "peaks.onnx"),
        ({"type": "GenSkeFeat", "dataset": {"num_joints": 2}}, "needs edges, center"),
    ],
)
def test_a_pipeline_that_can_not_be_built_is_refused(transform: dict, found: str) -> None:
    with pytest.raises(InputError, match=rf"(?s)peaks\.onnx: its pipeline.*{found}|{found}"):
        _recognizer(pipeline=(transform,))


def test_names_of_classes() -> None:
    named = _recognizer(labels=("eat", "drink", "run"))
    assert named.labels == ("eat", "drink", "run")
    assert named.label_name(1) == "drink"
    assert _recognizer().label_name(1) == "1"
