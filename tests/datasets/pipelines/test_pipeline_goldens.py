"""Whole pipelines against what the original implementation made of the same samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyskl.datasets.annotation_pickle import Sample
from pyskl.datasets.pipelines import Compose
from pyskl.datasets.randomness import sample_randomness

PIPELINES = {
    "stgcn_pyskl_ntu60_xsub_3dkp": ("PreNormalize3D", "nturgb+d", True),
    "stgcn_pyskl_ntu60_xsub_hrnet": ("PreNormalize2D", "coco", True),
    "stgcn_vanilla_ntu60_xsub_3dkp": ("PreNormalize3D", "nturgb+d", False),
}


def pipeline(config: str, modality: str, mode: str) -> Compose:
    normalize, layout, uniform = PIPELINES[config]
    frames: list[dict[str, Any]]
    if uniform:
        clips = 10 if mode == "test" else 1
        frames = [
            {"type": "UniformSample", "clip_len": 100, "num_clips": clips},
            {"type": "PoseDecode"},
        ]
    else:
        frames = [{"type": "PoseDecode"}, {"type": "PadTo", "length": 300, "mode": "zero"}]
    return Compose(
        [
            {"type": normalize},
            {"type": "GenSkeFeat", "dataset": layout, "feats": [modality]},
            *frames,
            {"type": "FormatGCNInput", "num_person": 2},
            {"type": "Collect", "keys": ["keypoint", "label"], "meta_keys": []},
            {"type": "ToTensor", "keys": ["keypoint"]},
        ]
    )


def read_samples(golden: Path) -> dict[str, dict[str, Sample]]:
    samples: dict[str, dict[str, Sample]] = {"samples_3d": {}, "samples_2d": {}}
    with np.load(golden / "pipeline_inputs.npz", allow_pickle=False) as inputs:
        for key in inputs.files:
            kind, name, field = key.split("/")
            value = inputs[key]
            samples[kind].setdefault(name, {})[field] = value if value.ndim else value.item()
    return samples


@pytest.mark.shared_data
@pytest.mark.parametrize("config", PIPELINES)
def test_pipelines_give_what_the_original_gave(golden: Path, config: str) -> None:
    samples = read_samples(golden)["samples_2d" if config.endswith("hrnet") else "samples_3d"]
    compared = 0
    with np.load(golden / "pipeline_outputs.npz", allow_pickle=False) as outputs:
        for key in outputs.files:
            of_config, modality, mode, name, _ = key.split("/")
            if of_config != config:
                continue
            sample = {k: np.copy(v) if k == "keypoint" else v for k, v in samples[name].items()}
            with sample_randomness(0, 0, 0):
                given = pipeline(config, modality, mode)({**sample, "test_mode": mode != "train"})
            keypoint = given["keypoint"].numpy()
            tolerance = 1e-5 if name.endswith("_f32") else 2e-3
            assert keypoint.dtype == np.float32, key
            assert keypoint.shape == outputs[key].shape, key
            np.testing.assert_allclose(keypoint, outputs[key], rtol=0, atol=tolerance, err_msg=key)
            assert given["label"] == samples[name]["label"]
            compared += 1
    assert compared


@pytest.mark.shared_data
def test_every_golden_has_a_pipeline_here(golden: Path) -> None:
    with np.load(golden / "pipeline_outputs.npz", allow_pickle=False) as outputs:
        assert {key.split("/")[0] for key in outputs.files} == set(PIPELINES)
