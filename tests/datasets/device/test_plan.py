"""Batches made on a device are those of the workers, wherever nothing is drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from pyskl.datasets import PoseDataset, build_dataloader
from pyskl.datasets.device import Batch, Outline, batch_form, build_device_loader
from pyskl.errors import ConfigError, DeviceError

Samples = Callable[..., list[dict[str, Any]]]
MakeDataset = Callable[..., PoseDataset]
Ending = Callable[..., list[dict[str, Any]]]


def both(dataset: PoseDataset, size: int = 4) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the test batches of the workers' loader and of the device's, pairwise."""
    workers = build_dataloader(dataset, size, shuffle=False)
    device = build_device_loader(dataset, "cpu", size, shuffle=False)
    return list(zip(workers, device, strict=True))


def assert_same(dataset: PoseDataset) -> None:
    """Check that both loaders give the same bits."""
    for expected, given_ in both(dataset):
        assert given_.keys() == expected.keys()
        for key, value in expected.items():
            assert given_[key].dtype == value.dtype
            assert torch.equal(given_[key], value)


FEATS = st.lists(st.sampled_from(["j", "b", "jm", "bm"]), min_size=1, max_size=4, unique=True)
UNIFORM = st.builds(
    lambda length, clips, share: {
        "type": "UniformSample",
        "clip_len": length,
        "num_clips": clips,
        "p_interval": share,
    },
    st.integers(1, 40),
    st.integers(1, 4),
    st.sampled_from([1, 0.5, (0.3, 0.8)]),
)
SPACED = st.builds(
    lambda length, interval, clips, opt: {
        "type": "SampleFrames",
        "clip_len": length,
        "frame_interval": interval,
        "num_clips": clips,
        "out_of_bound_opt": opt,
    },
    st.integers(1, 12),
    st.integers(1, 4),
    st.integers(1, 4),
    st.sampled_from(["loop", "repeat_last"]),
)
PAD = st.builds(
    lambda length, mode: {"type": "PadTo", "length": length, "mode": mode},
    st.integers(60, 70),
    st.sampled_from(["loop", "zero"]),
)
DECODE = {"type": "PoseDecode"}


@st.composite
def pipelines(draw: st.DrawFn, dims: int) -> list[dict[str, Any]]:
    """Return a pipeline up to FormatGCNInput, in one of the orders that make sense."""
    layout = "nturgb+d" if dims == 3 else "coco"
    streams = {"type": "GenSkeFeat", "dataset": layout, "feats": draw(FEATS)}
    sample = draw(st.one_of(UNIFORM, SPACED))
    flip = {"type": "Flip", "flip_ratio": 1.0, "layout": layout}
    begin = draw(st.sampled_from([[], [{"type": f"PreNormalize{dims}D"}]]))
    begin += draw(st.sampled_from([[], [flip]]))
    pad = draw(PAD)
    orders = [
        [streams, sample, DECODE],
        [sample, streams, DECODE],
        [sample, DECODE, streams],
        [streams, DECODE, pad],
        [DECODE, pad, streams],
        [pad, streams, sample, DECODE],
        [streams, {**draw(UNIFORM), "type": "UniformSampleDecode"}],
    ]
    return begin + draw(st.sampled_from(orders))


@pytest.mark.parametrize("dims", [2, 3])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_test_batches_are_the_same_bits(
    dims: int, data: st.DataObject, random_samples: Samples, make_dataset: MakeDataset,
    ending: Ending,
) -> None:  # fmt: skip
    samples = random_samples(
        data.draw(st.integers(0, 100)), 6, dims=dims, dtype=data.draw(st.sampled_from(["f2", "f4"]))
    )
    pipeline = data.draw(pipelines(dims))
    end = ending(data.draw(st.integers(1, 4)), data.draw(st.sampled_from(["zero", "loop"])))
    assert_same(make_dataset(samples, pipeline + end, test_mode=True))


def test_streams_of_their_own_keys(
    random_samples: Samples, make_dataset: MakeDataset, ending: Ending
) -> None:
    pipeline = [
        {"type": "PreNormalize3D"},
        {"type": "JointToBone", "target": "bone"},
        {"type": "ToMotion"},
        {"type": "ToMotion", "source": "bone", "target": "bone motion"},
        {
            "type": "MergeSkeFeat",
            "feat_list": ["keypoint", "bone", "motion", "bone motion"],
            "target": "all",
        },
        {"type": "Rename", "mapping": {"all": "keypoint", "absent": "x"}},
        {"type": "UniformSample", "clip_len": 20},
        DECODE,
        *ending(),
    ]
    pipeline[-1] = {"type": "ToTensor", "keys": ["keypoint", "label"]}  # labels (N, 1)
    assert_same(make_dataset(random_samples(1, 9), pipeline, test_mode=True))


def test_sequences_of_one_length_need_no_sampling(
    random_samples: Samples, make_dataset: MakeDataset, ending: Ending
) -> None:
    samples = [s for s in random_samples(2, 60, longest=4) if s["total_frames"] == 4]
    streams = {"type": "GenSkeFeat", "feats": ["jm", "j"]}
    assert_same(make_dataset(samples, [streams, *ending()], test_mode=True))
    with pytest.raises(ConfigError, match=r"FormatGCNInput.*3 to 4 frames.*PadTo"):
        build_device_loader(make_dataset(random_samples(2, 60, longest=4), ending()), "cpu", 2)


def test_several_labels_become_a_vector(
    random_samples: Samples, make_dataset: MakeDataset, ending: Ending
) -> None:
    samples = [{**s, "label": [s["label"], 5]} for s in random_samples(3, 6)]
    pipeline = [{"type": "UniformSampleDecode", "clip_len": 5}, *ending()]
    dataset = make_dataset(samples, pipeline, test_mode=True, multi_class=True, num_classes=6)
    assert_same(dataset)
    assert both(dataset)[0][1]["label"].shape == (4, 6)


class NothingWaits(TorchDispatchMode):
    """Refuses what would make a GPU wait for its work: reading values, shapes that depend on it."""

    FORBIDDEN = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "equal")

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = func.overloadpacket.__name__
        assert name not in self.FORBIDDEN, name
        if name == "index":  # boolean masks look for the true entries
            assert all(i is None or i.dtype == torch.int64 for i in args[1])
        return func(*args, **(kwargs or {}))


EVERYTHING = [
    {"type": "PreNormalize3D"},
    {"type": "RandomGaussianNoise", "base": "video"},
    {"type": "RandomRot"},
    {"type": "RandomScale"},
    {"type": "Flip", "layout": "nturgb+d"},
    {"type": "RandomGaussianNoise"},
    {"type": "GenSkeFeat", "feats": ["j", "b", "jm", "bm"]},
    {"type": "UniformSample", "clip_len": 10, "p_interval": (0.5, 1)},
    DECODE,
    {"type": "PadTo", "length": 12, "mode": "zero"},
]


@pytest.mark.parametrize("test_mode", [False, True])
def test_nothing_in_a_batch_waits_for_the_device(
    random_samples: Samples, make_dataset: MakeDataset, ending: Ending, test_mode: bool
) -> None:
    dataset = make_dataset(random_samples(4, 9), EVERYTHING + ending(), test_mode=test_mode)
    loader = build_device_loader(dataset, "cpu", 4)
    which, keys = torch.arange(4), torch.arange(4) * 77
    with NothingWaits():
        batch = loader.plan.batch(loader.store, loader.labels, which, keys)
    assert batch["keypoint"].isfinite().all()
    with pytest.raises(AssertionError, match="_local_scalar_dense"), NothingWaits():
        which[0].item()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("test_mode", [False, True])
def test_a_gpu_makes_the_same_batches_without_waiting(
    random_samples: Samples, make_dataset: MakeDataset, ending: Ending, test_mode: bool
) -> None:
    dataset = make_dataset(random_samples(4, 40), EVERYTHING + ending(), test_mode=test_mode)
    options = {"videos_per_gpu": 8, "shuffle": not test_mode}
    expected = list(build_device_loader(dataset, "cpu", **options))
    loader = build_device_loader(dataset, "cuda", **options)
    list(loader)
    torch.cuda.set_sync_debug_mode("error")
    try:
        batches = list(loader)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for one, other in zip(expected, batches, strict=True):
        assert torch.equal(one["label"], other["label"].cpu())
        torch.testing.assert_close(one["keypoint"], other["keypoint"].cpu(), rtol=1e-4, atol=1e-5)


# --- what has no batch form -----------------------------------------------------------------------


class Mirror:
    """A transform of the user's."""

    def __call__(self, sample: dict[str, Any]) -> dict[str, Any]:
        sample["keypoint"] = -sample["keypoint"]
        return sample


class Doubled:
    """Another, with a batch form."""

    def __call__(self, sample: dict[str, Any]) -> dict[str, Any]:
        sample["keypoint"] = 2 * sample["keypoint"]
        return sample


@batch_form(Doubled)
def _double(transform: Doubled, outline: Outline) -> Any:
    def double(batch: Batch) -> None:
        batch.arrays["keypoint"] = 2 * batch.arrays["keypoint"]

    return double


class DoubledAgain(Doubled):
    """A subclass, which may do anything."""


UNIFORM_DECODE = [{"type": "UniformSample", "clip_len": 4}, DECODE]
FORMAT = {"type": "FormatGCNInput"}
NOISE_OF_VIDEO = {"type": "RandomGaussianNoise", "base": "video"}


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        ([Mirror(), *UNIFORM_DECODE, FORMAT], "Mirror has no batch form.*leave data.device out"),
        ([DoubledAgain(), *UNIFORM_DECODE, FORMAT], "DoubledAgain has no batch form"),
        ([{"type": "RandomRot"}, {"type": "PreNormalize3D"}, FORMAT], "PreNormalize3D has no"),
        ([*UNIFORM_DECODE, *UNIFORM_DECODE, FORMAT], "UniformSample.*chosen frames already"),
        ([*UNIFORM_DECODE, DECODE, FORMAT], "PoseDecode.*a second time"),
        ([UNIFORM_DECODE[0], FORMAT], "FormatGCNInput.*PoseDecode.*is missing"),
        (UNIFORM_DECODE, "FormatGCNInput.*found UniformSample, PoseDecode"),
        ([], "found nothing"),
        ([{"type": "PadTo", "length": 20}, FORMAT], "sample 's0' has 49 frames.*20 that PadTo"),
        ([{"type": "ToMotion", "target": "keypoint"}] * 2 + UNIFORM_DECODE, "'keypoint' is a mot"),
        ([{"type": "JointToBone", "target": "b"}, *UNIFORM_DECODE], "not those of b; merge"),
        ([{"type": "Rename", "mapping": {"label": "x"}}, *UNIFORM_DECODE], "renames 'label'"),
        ([{"type": "RandomRot"}, NOISE_OF_VIDEO, *UNIFORM_DECODE], "base='video'"),
        ([{"type": "GenSkeFeat", "axis": 1}, *UNIFORM_DECODE], "axis=1"),
        ([{"type": "GenSkeFeat", "dataset": "coco"}, *UNIFORM_DECODE], "GenSkeFeat.*17 joints"),
        (
            [*UNIFORM_DECODE, FORMAT, {"type": "Collect", "keys": ["keypoint", "frame_dir"]}],
            "Collect.*frame_dir",
        ),
    ],
)
def test_what_a_batch_can_not_do_is_told_by_name(
    random_samples: Samples, make_dataset: MakeDataset, pipeline: list[Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        build_device_loader(make_dataset(random_samples(5, 6), pipeline), "cpu", 2)


def test_a_transform_of_the_users_can_have_a_batch_form(
    random_samples: Samples, make_dataset: MakeDataset, ending: Ending
) -> None:
    pipeline = [Doubled(), {"type": "GenSkeFeat", "feats": ["jm"]}, *UNIFORM_DECODE, *ending()]
    assert_same(make_dataset(random_samples(6, 6), pipeline, test_mode=True))


def test_too_little_memory_is_told_before_it_runs_out(
    random_samples: Samples, make_dataset: MakeDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyskl.datasets.device import store

    samples, _ = make_dataset(random_samples(7, 3), []).prepared()
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (300 * 2**20, 2**34))
    store._check_memory(30 * 2**20, torch.device("cuda"))
    with pytest.raises(DeviceError, match=r"60 MB on cuda, of which 300 MB are free.*device out"):
        store._check_memory(60 * 2**20, torch.device("cuda"))
    held = store.DeviceStore.upload([samples], torch.device("cpu"))
    rows = int(np.sum(samples.store.persons * samples.store.frames))
    assert held.num_bytes == (rows + 1) * 25 * 3 * 4
