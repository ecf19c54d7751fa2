from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyskl.datasets import ToyDataset, load_annotations
from pyskl.datasets.pipelines import Compose
from pyskl.datasets.toy.generator import (
    ACTIONS,
    generate_toy_annotations,
    write_toy_annotations,
)
from pyskl.skeleton import LAYOUTS


@pytest.fixture(scope="module")
def annotations() -> dict[str, Any]:
    return generate_toy_annotations(num_subjects=8, repetitions=2)


def test_samples_have_the_annotation_format(annotations: dict[str, Any]) -> None:
    samples = annotations["annotations"]
    assert len({sample["frame_dir"] for sample in samples}) == len(samples)
    for sample in samples:
        persons, frames, joints, coordinates = sample["keypoint"].shape
        assert persons in (1, 2)
        assert (joints, coordinates) == (25, 3)
        assert frames == sample["total_frames"]
        assert sample["keypoint"].dtype == np.float16
        assert np.isfinite(sample["keypoint"]).all()
    assert {sample["label"] for sample in samples} == set(range(len(ACTIONS)))


def test_there_are_ten_actions_or_more_and_some_take_two_persons(
    annotations: dict[str, Any],
) -> None:
    persons: dict[int, set[int]] = {}
    for sample in annotations["annotations"]:
        persons.setdefault(sample["label"], set()).add(len(sample["keypoint"]))
    assert len(ACTIONS) >= 10
    assert all(len(numbers) == 1 for numbers in persons.values())
    assert sum(numbers == {2} for numbers in persons.values()) >= 2


def test_splits_are_by_subject_and_by_view(annotations: dict[str, Any]) -> None:
    split = {name: set(ids) for name, ids in annotations["split"].items()}
    everything = {sample["frame_dir"] for sample in annotations["annotations"]}
    for name, letter in (("xsub", "P"), ("xview", "C")):
        train, val = split[f"{name}_train"], split[f"{name}_val"]
        assert train | val == everything
        where = ids_by(letter)
        assert not {where(i) for i in train} & {where(i) for i in val}


def ids_by(letter: str) -> Any:
    return lambda identity: identity[identity.index(letter) + 1 :][:3]


def test_a_sample_does_not_depend_on_the_size_of_the_set(annotations: dict[str, Any]) -> None:
    fewer = generate_toy_annotations(num_subjects=4, repetitions=1)
    more = {sample["frame_dir"]: sample for sample in annotations["annotations"]}
    for sample in fewer["annotations"]:
        assert np.array_equal(sample["keypoint"], more[sample["frame_dir"]]["keypoint"])


def test_another_seed_gives_other_samples() -> None:
    one, other = (
        generate_toy_annotations(num_subjects=4, repetitions=1, seed=seed)["annotations"][0]
        for seed in (0, 1)
    )
    assert one["keypoint"].shape != other["keypoint"].shape or not np.allclose(
        one["keypoint"], other["keypoint"], atol=0.05
    )


def test_bodies_are_rigid_but_for_the_sensor() -> None:
    samples = generate_toy_annotations(num_subjects=4, repetitions=1, noise=0.0)["annotations"]
    pairs = np.array(LAYOUTS["nturgb+d"].edges)
    for sample in samples[::7]:
        keypoint = sample["keypoint"].astype(np.float64)  # (M, T, V, 3)
        lengths = np.linalg.norm(keypoint[:, :, pairs[:, 0]] - keypoint[:, :, pairs[:, 1]], axis=-1)
        # float16 coordinates of up to 4 m are exact to 1 to 2 mm each
        assert np.ptp(lengths, axis=1).max() < 0.012


def test_the_file_is_written_once_and_repeats(tmp_path: Path) -> None:
    first, second = tmp_path / "new" / "a.pkl", tmp_path / "b.pkl"
    for path in (first, second):
        write_toy_annotations(path, num_subjects=4, repetitions=1)
    assert first.read_bytes() == second.read_bytes()
    stamp = first.stat().st_mtime_ns
    write_toy_annotations(first, num_subjects=8, repetitions=1)
    assert first.stat().st_mtime_ns == stamp
    assert [path.name for path in first.parent.iterdir()] == ["a.pkl"]
    assert load_annotations(first).split_names()


def test_a_data_set_makes_its_file_on_first_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = generate_toy_annotations(num_subjects=4, repetitions=1)

    def write(path: Path) -> None:
        if not Path(path).exists():
            Path(path).write_bytes(pickle.dumps(small))

    monkeypatch.setattr("pyskl.datasets.toy.generator.write_toy_annotations", write)
    dataset = ToyDataset(tmp_path / "toy.pkl", [], split="xsub_val")
    assert len(dataset) == len(small["split"]["xsub_val"])


def test_motion_tells_actions_apart_better_than_the_mean_pose(annotations: dict[str, Any]) -> None:
    """A linear classifier on motions must beat one on mean poses by a wide margin."""
    pipeline = Compose(
        [
            dict(type="PreNormalize3D"),
            dict(type="UniformSample", clip_len=24),
            dict(type="PoseDecode"),
            dict(type="FormatGCNInput", num_person=2),
        ]
    )
    by_id = {sample["frame_dir"]: sample for sample in annotations["annotations"]}
    parts = {}
    for name in ("xsub_train", "xsub_val"):
        chosen = [by_id[identity] for identity in annotations["split"][name]]
        clips = np.stack([pipeline({**s, "test_mode": True})["keypoint"][0] for s in chosen])
        labels = np.array([sample["label"] for sample in chosen])
        speed = np.abs(np.diff(clips, axis=2)).mean(axis=2)  # (samples, M, V, 3)
        pose = clips.mean(axis=2)
        moved = np.concatenate([speed, clips.std(axis=2), clips[:, :, -1] - clips[:, :, 0]], axis=1)
        parts[name] = (
            pose.reshape(len(chosen), -1),
            moved.reshape(len(chosen), -1),
            labels,
        )
    (pose, moved, y), (pose_val, moved_val, y_val) = parts["xsub_train"], parts["xsub_val"]
    by_pose = _ridge_accuracy(pose, y, pose_val, y_val)
    by_motion = _ridge_accuracy(moved, y, moved_val, y_val)
    assert by_pose < 0.65
    assert by_motion > by_pose + 0.1


def _ridge_accuracy(x: np.ndarray, y: np.ndarray, x_val: np.ndarray, y_val: np.ndarray) -> float:
    mean, std = x.mean(axis=0), x.std(axis=0) + 1e-3
    x, x_val = (np.c_[(part - mean) / std, np.ones(len(part))] for part in (x, x_val))
    hot = np.eye(len(ACTIONS))[y]
    weights = np.linalg.solve(x.T @ x + 0.01 * len(x) * np.eye(x.shape[1]), x.T @ hot)
    return float(((x_val @ weights).argmax(axis=1) == y_val).mean())
