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

NETWORKS = {
    "stgcn": """
        type='STGCN',
        graph_cfg=dict(layout=graph, mode='stgcn_spatial')""",
    "stgcn++": """
        type='STGCN',
        gcn_adaptive='init',
        gcn_with_res=True,
        tcn_type='mstcn',
        graph_cfg=dict(layout=graph, mode='spatial')""",
    "aagcn": """
        type='AAGCN',
        graph_cfg=dict(layout=graph, mode='spatial')""",
    "ctrgcn": """
        type='CTRGCN',
        graph_cfg=dict(layout=graph, mode='spatial')""",
    "msg3d": """
        type='MSG3D',
        graph_cfg=dict(layout=graph, mode='binary_adj')""",
    # tabs within brackets, as some files have them
    "dgstgcn": """
\t\ttype='DGSTGCN',
\t\tgcn_ratio=0.125,
\t\tgcn_ctr='T',
\t\tgcn_ada='T',
\t\ttcn_ms_cfg=[(3, 1), (3, 2), (3, 3), (3, 4), ('max', 3), '1x1'],
\t\tgraph_cfg=dict(layout=graph, mode='random', num_filter=8, init_off=.04, init_std=.02)""",
}


def model(network: str) -> str:
    """Return the model of a network, as text."""
    channels = 384 if network == "msg3d" else 256
    return f"""
model = dict(
    type='RecognizerGCN',
    backbone=dict({NETWORKS[network]}),
    cls_head=dict(type='GCNHead', num_classes=60, in_channels={channels}))
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


# What DG-STGCN's files say otherwise: plain data, other transforms, more epochs and workers.
DYNAMIC = {
    "dict(type='PreNormalize3D')": "dict(type='PreNormalize3D', align_spine=False)",
    "    dict(type='PoseDecode'),\n": "",
    "UniformSample": "UniformSampleDecode",
    "FormatGCNInput', num_person=2": "FormatGCNInput'",
    "GenSkeFeat', dataset=graph, feats": "GenSkeFeat', feats",
    "workers_per_gpu=2": "workers_per_gpu=4",
    """train=dict(
        type='RepeatDataset',
        times=5,
        dataset=dict(
            type=dataset_type, ann_file=ann_file, pipeline=train_pipeline, split='xsub_train')),
""": """train=dict(
        type=dataset_type, ann_file=ann_file, pipeline=train_pipeline, split='xsub_train'),
""",
    "total_epochs = 16": "total_epochs = 150",
}
# ... and those of strong augmentation.
STRONG = {
    """train_pipeline = [
    dict(type='PreNormalize3D'),
""": """train_pipeline = [
    dict(type='PreNormalize3D'),
    dict(type='RandomScale', scale=0.1),
    dict(type='RandomRot'),
""",
    "total_epochs = 16": "total_epochs = 24",
}


@pytest.fixture(params=[*NETWORKS, "strong_aug"])
def config_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    changes = {"dgstgcn": DYNAMIC, "strong_aug": STRONG}.get(request.param, {})
    rest = REST
    for old, new in changes.items():
        assert old in rest
        rest = rest.replace(old, new)
    path = tmp_path / "b.py"
    path.write_text(
        HELPERS + model("stgcn++" if request.param == "strong_aug" else request.param) + rest
    )
    return path


def test_only_the_data_are_missing(
    config_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        prepare(load_config(config_file), ["train", "val", "test"])
    keys = [error.key for error in caught.value.errors]
    train = "data.train.dataset" if "RepeatDataset" in config_file.read_text() else "data.train"
    assert keys == [f"{train}.ann_file", "data.val.ann_file", "data.test.ann_file"]


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
    assert len(prepared.datasets["train"]) == config.data.train.get("times", 1) * 8
    assert prepared.datasets["test"] is prepared.datasets["val"]
    cfg = prepared.cfg
    assert build_optimizer(prepared.model, cfg.optimizer).param_groups[0]["nesterov"] is True
    halfway = cfg.total_epochs * 10 // 2
    assert LearningRate(0.1, cfg.total_epochs, 10, **cfg.lr_config).at(halfway) == pytest.approx(
        0.05
    )
    assert (cfg.auto_resume, cfg.find_unused_parameters, cfg.cudnn_benchmark) == (False, True, True)
    assert "modality" not in known_part(config)

    lines = config_file.read_text().replace("total_epochs", "total_epoch")
    config_file.write_text(lines)
    with pytest.raises(ConfigError) as caught:
        prepare(load_config(config_file), ["train"])
    assert {error.key for error in caught.value.errors} == {"total_epoch", "total_epochs"}
