"""Configs written elsewhere in the family's style, everything spelled out, work as they are."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from pyskl.apis.prepare import prepare
from pyskl.config import known_part, load_config
from pyskl.errors import ConfigError
from pyskl.training.optimizer import build_optimizer
from pyskl.training.schedule import LearningRate

ST_GCN = """
model = dict(
    type='RecognizerGCN',
    backbone=dict(
        type='STGCN',
        graph_cfg=dict(layout=graph, mode='stgcn_spatial')),
    cls_head=dict(type='GCNHead', num_classes=60, in_channels=256))
"""
ST_GCN_PP = """
model = dict(
    type='RecognizerGCN',
    backbone=dict(
        type='STGCN',
        gcn_adaptive='init',
        gcn_with_res=True,
        tcn_type='mstcn',
        graph_cfg=dict(layout=graph, mode='spatial')),
    cls_head=dict(type='GCNHead', num_classes=60, in_channels=256))
"""
HELPERS = """
modality = 'b'
graph = 'nturgb+d'
work_dir = './work_dirs/own/b'
"""
REST = """
dataset_type = 'PoseDataset'
ann_file = 'data/nturgbd/ntu60_3danno.pkl'
train_pipeline = [
    dict(type='PreNormalize3D'),
    dict(type='GenSkeFeat', dataset=graph, feats=[modality]),
    dict(type='UniformSample', clip_len=100),
    dict(type='PoseDecode'),
    dict(type='FormatGCNInput', num_person=2),
    dict(type='Collect', keys=['keypoint', 'label'], meta_keys=[]),
    dict(type='ToTensor', keys=['keypoint'])
]
val_pipeline = [
    dict(type='PreNormalize3D'),
    dict(type='GenSkeFeat', dataset=graph, feats=[modality]),
    dict(type='UniformSample', clip_len=100, num_clips=1),
    dict(type='PoseDecode'),
    dict(type='FormatGCNInput', num_person=2),
    dict(type='Collect', keys=['keypoint', 'label'], meta_keys=[]),
    dict(type='ToTensor', keys=['keypoint'])
]
test_pipeline = val_pipeline
data = dict(
    videos_per_gpu=16,
    workers_per_gpu=2,
    test_dataloader=dict(videos_per_gpu=1),
    train=dict(
        type='RepeatDataset',
        times=5,
        dataset=dict(
            type=dataset_type, ann_file=ann_file, pipeline=train_pipeline, split='xsub_train')),
    val=dict(type=dataset_type, ann_file=ann_file, pipeline=val_pipeline, split='xsub_val'),
    test=dict(type=dataset_type, ann_file=ann_file, pipeline=test_pipeline, split='xsub_val'))
optimizer = dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.0005, nesterov=True)
optimizer_config = dict(grad_clip=None)
lr_config = dict(policy='CosineAnnealing', min_lr=0, by_epoch=False)
total_epochs = 16
checkpoint_config = dict(interval=1)
evaluation = dict(interval=1, metrics=['top_k_accuracy'])
log_config = dict(interval=100, hooks=[dict(type='TextLoggerHook')])
log_level = 'INFO'
dist_params = dict(backend='nccl')
workflow = [('train', 1)]
load_from = None
resume_from = None
auto_resume = False
find_unused_parameters = True
cudnn_benchmark = True
"""


@pytest.fixture(params=[ST_GCN, ST_GCN_PP], ids=["stgcn", "stgcn++"])
def config_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "b.py"
    path.write_text(HELPERS + request.param + REST)
    return path


def test_only_the_data_are_missing(
    config_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        prepare(load_config(config_file), ["train", "val", "test"])
    keys = [error.key for error in caught.value.errors]
    assert keys == ["data.train.dataset.ann_file", "data.val.ann_file", "data.test.ann_file"]


def test_with_data_nothing_is_missing_and_all_can_be_built(
    config_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    samples = [
        dict(
            frame_dir=f"clip{i}",
            label=59 * (i % 2),
            total_frames=4 + i,
            keypoint=rng.normal(size=(1 + i % 2, 4 + i, 25, 3)).astype(np.float16),
        )
        for i in range(12)
    ]
    ids = [sample["frame_dir"] for sample in samples]
    folder = tmp_path / "data" / "nturgbd"
    folder.mkdir(parents=True)
    split = dict(xsub_train=ids[:8], xsub_val=ids[8:])
    content = dict(split=split, annotations=samples)
    (folder / "ntu60_3danno.pkl").write_bytes(pickle.dumps(content))
    monkeypatch.chdir(tmp_path)

    config = load_config(config_file)
    prepared = prepare(config, ["train", "val", "test"])
    assert len(prepared.datasets["train"]) == 5 * 8
    assert prepared.datasets["test"] is prepared.datasets["val"]
    cfg = prepared.cfg
    assert build_optimizer(prepared.model, cfg.optimizer).param_groups[0]["nesterov"] is True
    assert LearningRate(0.1, cfg.total_epochs, 10, **cfg.lr_config).at(80) == 0.05
    assert (cfg.auto_resume, cfg.find_unused_parameters, cfg.cudnn_benchmark) == (False, True, True)
    assert "modality" not in known_part(config)

    lines = config_file.read_text().replace("total_epochs", "total_epoch")
    config_file.write_text(lines)
    with pytest.raises(ConfigError) as caught:
        prepare(load_config(config_file), ["train"])
    assert {error.key for error in caught.value.errors} == {"total_epoch", "total_epochs"}
