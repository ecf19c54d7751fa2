"""What training refuses is found before the first step, in every split, and by the data check."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyskl.apis.data_checks import one_of_each_kind
from pyskl.apis.prepare import prepare
from pyskl.datasets import PoseDataset
from pyskl.errors import ConfigError
from pyskl.health.api import check_health

Sample = dict[str, Any]


def longer(sample: Sample) -> None:
    sample["keypoint"] = np.concatenate([sample["keypoint"]] * 20, axis=1)
    sample["total_frames"] = sample["keypoint"].shape[1]


FAULTS: dict[str, Callable[[Sample], Any]] = {
    "joints": lambda one: one.update(keypoint=one["keypoint"][:, :, :20].copy()),
    "coordinates": lambda one: one.update(keypoint=one["keypoint"][..., :2].copy()),
    "scores": lambda one: one.update(keypoint_score=np.ones(one["keypoint"].shape[:3], np.float32)),
    "label": lambda one: one.update(label=99),
    "label in a list": lambda one: one.update(label=[0, 1]),
    "length": longer,
}


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(sorted(FAULTS)), st.integers(0, 10**6))
def test_a_bad_sample_in_any_split_is_found_before_the_first_step(
    tiny_samples: Callable[[], list[Sample]],
    write_tiny_annotations: Callable[..., Path],
    tiny_config: Callable[..., dict[str, Any]],
    tmp_path: Path,
    fault: str,
    number: int,
) -> None:
    samples = tiny_samples()
    ids = [sample["frame_dir"] for sample in samples]
    third = len(ids) // 3
    splits = {"train": ids[:third], "val": ids[third : 2 * third], "test": ids[2 * third :]}
    index = number % len(ids)
    FAULTS[fault](samples[index])
    path = write_tiny_annotations(tmp_path / "spoilt.pkl", samples, splits)
    changes = {"data__test__split": "test"}
    if fault == "length":  # padded instead of sampled
        padded = dict(type="PadTo", length=60, clip_len=None, num_clips=None)
        for use in ("train", "val", "test"):
            changes |= {f"data__{use}__pipeline__2__{key}": padded[key] for key in padded}
    config = tiny_config(path, **changes)
    with pytest.raises(ConfigError) as caught:
        prepare(config, ("train", "val", "test"))
    spoilt = next(use for use, listed in splits.items() if ids[index] in listed)
    keys = [str(error.key) for error in caught.value.errors]
    if index > 0:  # the others differ from the first sample
        assert any(key.startswith(f"data.{spoilt}") for key in keys)
        assert ids[index] in str(caught.value)
    report, _, _ = check_health(path, config=config)
    assert report.reaches("error")
    assert report.find("config_refused").items


def test_one_sample_of_each_kind(
    tiny_samples: Callable[[], list[Sample]],
    write_tiny_annotations: Callable[..., Path],
    tmp_path: Path,
) -> None:
    samples = tiny_samples()
    longer(samples[5])
    samples[7]["img_shape"] = (1080, 1920)
    path = write_tiny_annotations(tmp_path / "kinds.pkl", samples)
    chosen = one_of_each_kind(PoseDataset(path, []))
    assert {0, 5, 7} <= set(chosen)
    assert len(chosen) <= 6


def test_samples_of_several_lengths_need_batches_of_one(
    tiny_config: Callable[..., dict[str, Any]],
) -> None:
    config = tiny_config()
    del config["data"]["train"]["pipeline"][2]
    with pytest.raises(ConfigError) as caught:
        prepare(config, ("train",))
    assert [error.key for error in caught.value.errors] == ["data.train"]
    config["data"]["videos_per_gpu"] = 1
    prepare(config, ("train",))
