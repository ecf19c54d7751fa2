"""Random changes of whole batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from pyskl.datasets import PoseDataset
from pyskl.datasets.device import build_device_loader
from pyskl.datasets.device.augment import _rotated, rotations_2d, rotations_3d
from pyskl.datasets.pipelines.augment import rotation_2d, rotation_3d

UNLIKELY = 1e-3  # see test_draws.py
MakeBatch = Callable[..., torch.Tensor]
FRAMES = 12


@pytest.fixture(scope="module")
def make_batch(make_dataset: Callable[..., PoseDataset], ending: Callable[..., Any]) -> MakeBatch:
    """A function that gives many samples after transforms, (N, M, T, V, C), and before them."""

    def make(transforms: list[Any], *, count: int = 400, dims: int = 3, **options: Any) -> Any:
        rng = np.random.default_rng(0)
        shape = (2, FRAMES, 25 if dims == 3 else 17, dims)
        keypoint = rng.normal(size=shape).astype(np.float32)
        keypoint[1, 3] = 0  # a person who is away for a frame
        sample = {"frame_dir": "s", "label": 0, "total_frames": FRAMES, "keypoint": keypoint}
        dataset = make_dataset([sample] * count, [*transforms, *ending(3)], **options)
        (batch,) = build_device_loader(dataset, "cpu", count, shuffle=False)
        return batch["keypoint"][:, 0], torch.from_numpy(keypoint)

    return make


def uniform_in(values: torch.Tensor, low: float, high: float) -> bool:
    return stats.kstest(values.numpy(), "uniform", (low, high - low)).pvalue > UNLIKELY


def test_rotation_matrices_are_those_of_the_transform() -> None:
    angles = np.random.default_rng(0).uniform(-3, 3, (50, 3))
    given = rotations_3d(torch.from_numpy(angles))
    np.testing.assert_allclose(given, [rotation_3d(*row) for row in angles], atol=1e-12)
    given = rotations_2d(torch.from_numpy(angles[:, :1]))
    np.testing.assert_allclose(given, [rotation_2d(row[0]) for row in angles], atol=1e-12)


@pytest.mark.parametrize("dims", [2, 3])
def test_rotations_apply_to_positions_and_leave_scores(dims: int) -> None:
    keypoint, rotation = torch.rand(4, 2, 5, 6, 3), torch.rand(4, dims, dims)
    expected = keypoint.clone()
    expected[..., :dims] = torch.einsum("nij,nmtvj->nmtvi", rotation, keypoint[..., :dims])
    torch.testing.assert_close(_rotated(keypoint, rotation), expected)


@pytest.mark.parametrize("dims", [2, 3])
def test_a_sample_turns_as_a_whole_by_uniform_angles(make_batch: MakeBatch, dims: int) -> None:
    turned, before = make_batch([{"type": "RandomRot", "theta": 0.5}], dims=dims)
    assert torch.equal(turned[:, 2], torch.zeros_like(turned[:, 2]))  # nobody
    points = before.reshape(-1, dims)
    found = torch.linalg.lstsq(
        points.expand(len(turned), -1, -1), turned[:, :2].reshape(len(turned), -1, dims)
    ).solution.mT  # (N, D, D)
    torch.testing.assert_close(
        torch.einsum("nij,mtvj->nmtvi", found, before), turned[:, :2], rtol=1e-4, atol=1e-4
    )
    if dims == 2:
        assert uniform_in(torch.atan2(found[:, 1, 0], found[:, 0, 0]), -0.5, 0.5)
        return
    # Rz·Ry·Rx: the angles can be read off the first column and the last row.
    assert uniform_in(torch.atan2(found[:, 2, 1], found[:, 2, 2]), -0.5, 0.5)
    assert uniform_in(torch.asin(-found[:, 2, 0]), -0.5, 0.5)
    assert uniform_in(torch.atan2(found[:, 1, 0], found[:, 0, 0]), -0.5, 0.5)


def test_each_axis_stretches_by_a_factor_of_its_own(make_batch: MakeBatch) -> None:
    stretched, before = make_batch([{"type": "RandomScale", "scale": [0.1, 0.2, 0]}])
    factors = (stretched[:, :2] * before).sum(dim=(1, 2, 3)) / (before * before).sum(dim=(0, 1, 2))
    torch.testing.assert_close(stretched[:, :2], before * factors[:, None, None, None])
    assert uniform_in(factors[:, 0], 0.9, 1.1)
    assert uniform_in(factors[:, 1], 0.8, 1.2)
    torch.testing.assert_close(factors[:, 2], torch.ones(len(factors)))
    assert abs(np.corrcoef(factors[:, 0], factors[:, 1])[0, 1]) < 0.2


def test_the_flip_happens_as_often_as_it_should(make_batch: MakeBatch) -> None:
    flip = {"type": "Flip", "flip_ratio": 0.3, "layout": "nturgb+d"}
    given, before = make_batch([flip])
    mirrored = make_batch([{**flip, "flip_ratio": 1}])[0][0]
    kept = (given[:, :2] == before).flatten(1).all(dim=1)
    assert (kept ^ (given == mirrored).flatten(1).all(dim=1)).all()
    assert stats.binomtest(int(kept.sum()), len(kept), 0.7).pvalue > UNLIKELY


@pytest.mark.parametrize("base", ["frame", "video"])
@pytest.mark.parametrize("shared", [False, True])
def test_noise_has_the_length_of_the_transform_in_any_direction(
    make_batch: MakeBatch, base: str, shared: bool
) -> None:
    noise = {"type": "RandomGaussianNoise", "sigma": 0.1, "base": base, "shared": shared}
    noisy, before = make_batch([noise])
    moves = noisy[:, :2] - before  # (N, M, T, V, C)
    assert (noisy[:, 1, 3] == 0).all()  # who is away stays away
    there = before.flatten(2).any(dim=2)  # (M, T)
    span = before.amax(dim=2) - before.amin(dim=2)
    if base == "video":
        span = before[there].amax(dim=(0, 1)) - before[there].amin(dim=(0, 1))
    diagonal = span.norm(dim=-1).expand(there.shape)[there]
    scaled = moves[:, there] / diagonal[:, None, None] / 0.1  # (N, present, V, C)
    if shared:
        torch.testing.assert_close(scaled, scaled[:, :1].expand_as(scaled), atol=1e-3, rtol=0)
    scaled = scaled[:, 0].reshape(-1, 3)  # of independent joints
    length = scaled.norm(dim=1)
    assert stats.kstest(length.numpy(), "halfnorm").pvalue > UNLIKELY
    for axis in range(3):  # a coordinate of a point on the sphere is uniform
        assert uniform_in(scaled[:, axis] / length, -1, 1)


def test_noise_belongs_to_the_frame_of_the_source(make_batch: MakeBatch) -> None:
    noise = {"type": "RandomGaussianNoise", "sigma": 0.3}
    sample = [{"type": "UniformSample", "clip_len": 30}, {"type": "PoseDecode"}]
    noisy, _ = make_batch([noise, *sample])  # 30 of 12 frames: they come again
    assert torch.equal(noisy[:, :, :12], noisy[:, :, 12:24])
    assert not torch.equal(noisy[:, :, 0], noisy[:, :, 1])
    # The motion of noisy joints is the way from one of them to the next.
    moving, _ = make_batch([noise, {"type": "GenSkeFeat", "feats": ["j", "jm"]}, *sample])
    joints, motion = moving.split(3, dim=-1)
    assert torch.equal(joints, noisy)
    way = joints[:, :, 1:] - joints[:, :, :-1]
    at_the_end = motion[:, 0, :-1].flatten(2).eq(0).all(dim=2)  # (N, T - 1)
    assert at_the_end.sum(dim=1).ge(2).all()
    assert torch.equal(motion[:, 0, :-1][~at_the_end], way[:, 0][~at_the_end])
    # Drawn after the sampling, every frame of the clip has its own.
    late, _ = make_batch([*sample, noise])
    assert not torch.equal(late[:, 0, 0], late[:, 0, 12])


def test_operations_draw_apart(make_batch: MakeBatch) -> None:
    scale = {"type": "RandomScale", "scale": [0.2, 0, 0]}
    once, before = make_batch([scale])
    twice, _ = make_batch([scale, scale])
    first = (once[:, 0, 0, 0, 0] / before[0, 0, 0, 0]).numpy()
    second = (twice[:, 0, 0, 0, 0] / once[:, 0, 0, 0, 0]).numpy()
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.2
