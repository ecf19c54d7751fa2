"""From samples to clips to scores, whatever computes the logits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from pyskl.errors import AnnotationError, ConfigError, InputError
from pyskl.runtime import Recognizer
from pyskl.runtime.recognizer import top_classes


class Peaks(Recognizer):
    """Scores a class by the highest coordinate of the joint of its number."""

    def __init__(self, **changes: Any) -> None:
        description: dict[str, Any] = dict(
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
        super().__init__("peaks.onnx", **{**description, **changes})

    def logits(self, clips: np.ndarray) -> np.ndarray:
        """Return (N, L)."""
        assert clips.dtype == np.float32
        return clips.max(axis=(1, 2, 4))[:, : self.num_classes]  # N, V → N, L


def test_clips_are_averaged_as_probabilities_or_logits_or_kept() -> None:
    batch = np.random.default_rng(0).normal(size=(5, 3, 2, 8, 17, 3))  # N, clips, M, T, V, C
    kept = Peaks(average_clips=None).scores(batch)
    assert kept.shape == (5, 3, 3)
    assert kept.dtype == np.float32
    means = Peaks(average_clips="score").scores(batch)
    np.testing.assert_allclose(means, kept.mean(axis=1), rtol=1e-6)
    probabilities = Peaks().scores(batch)
    np.testing.assert_allclose(probabilities, softmax(kept, axis=2).mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(
        Peaks().scores(batch[:, 0]), Peaks().scores(batch[:, :1]), rtol=1e-6
    )  # (N, M, T, V, C) is one clip each


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=20), st.integers(1, 25))
def test_the_best_come_first_and_ties_in_order(scores: list[float], topk: int) -> None:
    found = top_classes(np.array(scores, np.float32), topk)
    expected = sorted(range(len(scores)), key=lambda label: -np.float32(scores[label]))
    assert [label for label, _ in found] == expected[:topk]


def test_a_sample_or_its_keypoint_is_taken_and_left_unchanged() -> None:
    recognizer = Peaks(labels=("eat", "drink", "run"))
    keypoint = np.zeros((1, 20, 17, 3), np.float32)
    keypoint[..., 2, :] = 5
    sample = {"keypoint": keypoint}
    before = keypoint.copy()
    assert recognizer.prepare(keypoint).shape == (2, 2, 4, 17, 3)  # clips, M, T, V, C
    for form in (keypoint, keypoint[0], keypoint.astype(np.float16), sample):
        assert recognizer.predict(form, topk=2)[0][0] == 2
    assert list(sample) == ["keypoint"]
    np.testing.assert_array_equal(keypoint, before)
    assert len(recognizer.predict(keypoint)) == 3
    assert (recognizer.label_name(1), Peaks().label_name(1)) == ("drink", "1")


@pytest.mark.parametrize(
    "sample",
    [
        {},
        {"keypoint": [[1.0]]},
        np.zeros((4, 17)),
        np.zeros((1, 1, 4, 17, 3)),
        np.zeros((1, 4, 17, 3), bool),
        np.ones((20, 2, 17, 3)),
        "clip.txt",
        None,
        np.full((1, 4, 17, 3), np.nan),
        np.ones((1, 4, 25, 3)),
        np.ones((1, 4, 17, 2)),
        {"keypoint": np.ones((1, 4, 17, 3)), "total_frames": 3},
    ],
)
def test_a_sample_that_does_not_fit_is_refused(sample: Any) -> None:
    if isinstance(sample, dict):
        sample["frame_dir"] = "a"
    with pytest.raises(AnnotationError) as caught:
        Peaks().predict(sample)
    assert caught.value.sample == ("a" if isinstance(sample, dict) else "sample")


def test_any_error_of_a_transform_is_one_of_the_sample() -> None:
    recognizer = Peaks(pipeline=[dict(type="PoseCompact")])
    with pytest.raises(AnnotationError) as caught:
        recognizer.prepare({"keypoint": np.ones((1, 8, 17, 3), np.float32)})
    assert isinstance(caught.value.__cause__, (KeyError, ValueError))


def test_a_batch_that_does_not_fit_is_refused() -> None:
    for shape in ((2, 4, 17, 3), (1, 1, 1, 4, 16, 3), (1, 1, 0, 4, 17, 3)):
        with pytest.raises(InputError) as caught:
            Peaks().scores(np.zeros(shape))
        assert caught.value.file == "peaks.onnx"
    two = Peaks(input_shape=("N", 2, "T", 17, 3))
    assert two.scores(np.zeros((1, 2, 4, 17, 3))).shape == (1, 3)
    with pytest.raises(InputError):
        two.scores(np.zeros((1, 1, 4, 17, 3)))


def test_clips_kept_apart_have_no_ranking() -> None:
    with pytest.raises(InputError) as caught:
        Peaks(average_clips=None).predict(np.ones((1, 4, 17, 3)))
    assert caught.value.key == "average_clips"


@pytest.mark.parametrize(
    "transform",
    [
        {"type": "PoseDecod"},
        {"type": "os.system", "command": "true"},
        {"type": "PadTo", "size": 3},
        {"type": "PadTo", "length": None},
        {"type": "GenSkeFeat", "dataset": {"num_joints": 2}},
    ],
)
def test_a_pipeline_that_can_not_be_built_is_refused(transform: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        Peaks(pipeline=(transform,))
    assert caught.value.file == "peaks.onnx"
