"""The default that needs no download does what the README promises of it."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from pyskl.apis import TrainSettings, train_from_config
from pyskl.apis import test_model as score
from pyskl.config import load_config
from pyskl.datasets import build_dataset
from pyskl.datasets.pipelines import Compose
from pyskl.evaluation import top_k_accuracy
from pyskl.models import build_model

pytestmark = pytest.mark.slow


def test_a_small_network_learns_unseen_subjects(tmp_path: Path, repo_root: Path) -> None:
    ann_file = tmp_path / "toy.pkl"
    cfg = load_config(
        repo_root / "configs" / "stgcn" / "stgcn_toy" / "j.py",
        [
            f"data.train.dataset.ann_file={ann_file}",
            f"data.val.ann_file={ann_file}",
            f"data.test.ann_file={ann_file}",
        ],
    )
    settings = TrainSettings(validate=True, test_best=True, seed=0)
    trained = train_from_config(cfg, settings, work_dir=tmp_path / "run")["best"]["top1_acc"]
    assert trained >= 0.9

    dataset = build_dataset(cfg.data.test, {"test_mode": True})
    untrained = _untrained(cfg, dataset)
    assert untrained < 0.2, "without training the accuracy should be chance, 1 / 12"

    mean_pose = _mean_pose(ann_file)
    assert mean_pose < trained - 0.15, "the mean pose should not be enough"

    with (tmp_path / "run" / "best_pred.pkl").open("rb") as file:
        scores = np.array(pickle.load(file))
    assert top_k_accuracy(scores, dataset.labels, (1,))[0] == pytest.approx(trained)


def _untrained(cfg, dataset) -> float:  # type: ignore[no-untyped-def]
    scores = score(build_model(cfg.model), dataset, videos_per_gpu=16)
    return float(top_k_accuracy(scores, dataset.labels, (1,))[0])


def _mean_pose(ann_file: Path) -> float:
    """Return the accuracy of a linear classifier (ridge) on the mean over the frames."""
    with ann_file.open("rb") as file:
        content = pickle.load(file)
    by_id = {sample["frame_dir"]: sample for sample in content["annotations"]}
    prepare = Compose([dict(type="PreNormalize3D"), dict(type="FormatGCNInput", num_person=2)])
    parts = {}
    for name in ("xsub_train", "xsub_val"):
        samples = [by_id[identity] for identity in content["split"][name]]
        pose = [prepare(dict(sample))["keypoint"][0].mean(axis=1).ravel() for sample in samples]
        parts[name] = np.stack(pose), np.array([sample["label"] for sample in samples])
    (x, y), (x_val, y_val) = parts.values()
    mean, std = x.mean(axis=0), x.std(axis=0) + 1e-3
    x, x_val = (np.c_[(part - mean) / std, np.ones(len(part))] for part in (x, x_val))
    weights = np.linalg.solve(
        x.T @ x + 0.01 * len(x) * np.eye(x.shape[1]), x.T @ np.eye(y.max() + 1)[y]
    )
    return float(((x_val @ weights).argmax(axis=1) == y_val).mean())
