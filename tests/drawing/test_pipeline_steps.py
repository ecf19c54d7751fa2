"""What each transform does, step by step."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from pyskl.datasets.pipelines import Compose
from pyskl.datasets.randomness import sample_randomness
from pyskl.datasets.toy.generator import generate_toy_annotations
from pyskl.drawing.skeleton.pipeline_steps import describe_value, steps_page, trace_pipeline
from pyskl.drawing.skeleton.scene import make_scene
from pyskl.errors import ConfigError, InputError
from pyskl.skeleton import LAYOUTS

NTU = LAYOUTS["nturgb+d"]


def pipeline(*feats: str, num_clips: int = 2) -> list[dict[str, Any]]:
    """Return a pipeline with draws before and after GenSkeFeat."""
    return [
        dict(type="PreNormalize3D"),
        dict(type="RandomRot", theta=0.3),
        dict(type="GenSkeFeat", dataset="nturgb+d", feats=list(feats)),
        dict(type="UniformSample", clip_len=12, num_clips=num_clips),
        dict(type="PoseDecode"),
        dict(type="FormatGCNInput", num_person=2),
        dict(type="Collect", keys=["keypoint", "label"]),
        dict(type="ToTensor", keys=["keypoint"]),
    ]


@pytest.fixture
def sample() -> dict[str, Any]:
    """A sample as a data set hands it to a pipeline; its arrays are read-only."""
    found = generate_toy_annotations(num_subjects=4, repetitions=1)["annotations"][3]
    found["keypoint"].flags.writeable = False
    return {**found, "test_mode": False, "start_index": 0, "modality": "Pose"}


def test_it_ends_where_the_pipeline_ends(sample: dict[str, Any]) -> None:
    steps = trace_pipeline(pipeline("j"), sample, NTU, seed=5, index=3)
    with sample_randomness(5, 0, 3):
        expected = Compose(pipeline("j"))(dict(sample))["keypoint"].numpy()
    assert steps[-1].clips == ()  # ToTensor changes no numbers
    drawn = steps[-3].clips[0].keypoint  # (M, clips*T, V, C)
    assert np.array_equal(drawn, expected.swapaxes(0, 1).reshape(drawn.shape))
    assert steps[-3].clips[0].notes == ("2 clips of 12 frames, one after the other",)
    assert [step.name for step in steps[1:]] == [entry["type"] for entry in pipeline("j")]
    assert steps[2].arguments == {"theta": 0.3}


def test_what_changed(sample: dict[str, Any]) -> None:
    steps = {step.name: step for step in trace_pipeline(pipeline("j"), sample, NTU)}
    assert set(steps["PreNormalize3D"].changed) == {"keypoint", "body_center"}
    assert set(steps["UniformSample"].changed) >= {"frame_inds", "clip_len", "num_clips"}
    assert steps["UniformSample"].clips == ()
    assert steps["UniformSample"].remark
    assert "frame_inds" in steps["Collect"].removed
    assert set(steps["Collect"].keys) == {"keypoint", "label"}
    assert steps["ToTensor"].keys["keypoint"].startswith("tensor: (2, 2, 12, 25, 3) float32, ")


@pytest.mark.parametrize("feats", [("b",), ("jm",), ("bm",), ("j", "b")])
def test_streams_are_arrows_on_the_joints_of_the_same_draws(
    sample: dict[str, Any], feats: tuple[str, ...]
) -> None:
    steps = trace_pipeline(pipeline(*feats), sample, NTU, seed=1)
    joints = trace_pipeline(pipeline("j"), sample, NTU, seed=1)
    for step, of_joints in zip(steps[4:], joints[4:]):
        assert len(step.clips) == (len(feats) if of_joints.clips else 0)
        for feat, clip in zip(feats, step.clips):
            assert np.array_equal(clip.keypoint, of_joints.clips[0].keypoint)
            assert (clip.arrows is None) == (feat == "j")
            if feat == "b":
                scene = make_scene(clip, NTU)
                assert scene.tips is not None
                error = scene.tips - scene.points
                assert np.nanmax(np.abs(error)) < 1e-4


def test_up_is_z_after_normalisation(sample: dict[str, Any]) -> None:
    steps = trace_pipeline(pipeline("j"), sample, NTU, up="y")
    assert [clip.up for step in steps for clip in step.clips] == ["y", "z", "z", "z", "z"]


def test_transforms_of_others_may_write_into_arrays(sample: dict[str, Any]) -> None:
    def zero_hands(content: dict[str, Any]) -> dict[str, Any]:
        content["keypoint"][:, :, [7, 11]] = 0
        content["drawn"] = np.random.rand()
        return content

    before = np.random.get_state()[1].copy()  # type: ignore[index, union-attr]
    first, second = (trace_pipeline([zero_hands], sample, NTU, seed=2)[1] for _ in range(2))
    assert first.name == "zero_hands"
    assert first.keys["drawn"] == second.keys["drawn"]
    assert not first.clips[0].keypoint[:, :, 7].any()
    assert sample["keypoint"][:, :, 7].any()
    assert np.array_equal(np.random.get_state()[1], before)  # type: ignore[index]


def test_problems_name_the_transform(sample: dict[str, Any]) -> None:
    short = [*pipeline("j")[:1], dict(type="PadTo", length=3)]
    with pytest.raises(InputError) as raised:
        trace_pipeline(short, sample, NTU)
    assert raised.value.key == "transform 2 of the pipeline, PadTo"
    with pytest.raises(InputError) as raised:
        trace_pipeline([lambda content: None], sample, NTU)  # type: ignore[arg-type, return-value, list-item]
    assert raised.value.key == "transform 1 of the pipeline, <lambda>"
    with pytest.raises(ConfigError):
        trace_pipeline([dict(type="PadTwo")], sample, NTU)


def test_what_can_not_be_drawn_is_said(sample: dict[str, Any]) -> None:
    def drop(content: dict[str, Any]) -> dict[str, Any]:
        return {**content, "keypoint": content["keypoint"][:, :, :20]}

    steps = trace_pipeline([drop], sample, NTU)
    assert steps[1].clips == ()
    assert "20 joints" in steps[1].remark
    assert "20" in steps_page("t", steps, NTU)


def test_values_describe_value() -> None:
    assert describe_value(np.array([[1.5, -2]], np.float32)) == "(1, 2) float32, -2 to 1.5"
    assert describe_value(np.zeros((0, 3))) == "(0, 3) float64"
    assert describe_value("x" * 500).endswith("...")
    assert describe_value(7) == "7"


def test_pages_escape_what_a_sample_says(sample: dict[str, Any]) -> None:
    hostile = {**sample, "note": "</table><img src=x onerror=alert(1)>"}
    text = steps_page("<b>", trace_pipeline(pipeline("b"), hostile, NTU), NTU)
    assert "<img" not in text
    assert "<b>" not in text
    assert len(re.findall(r'<div class="skeleton-player" data-clip="\d+" aria', text)) == 6
