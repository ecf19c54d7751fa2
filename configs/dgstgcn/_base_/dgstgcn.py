# DG-STGCN on official 3D skeletons: the PYSKL practice, but 150 epochs over the data as they are, not
# repeated; the spine is not turned upright, and training samples are turned at random.
_base_ = ['../../_base_/ntu.py', '../../_base_/pyskl.py']

model = dict(backbone=dict(
    type='DGSTGCN',
    graph_cfg=dict(layout='nturgb+d', mode='random', num_filter=8, init_off=0.04, init_std=0.02),
    gcn_ratio=0.125,
    gcn_ctr='T',
    gcn_ada='T',
    tcn_ms_cfg=[(3, 1), (3, 2), (3, 3), (3, 4), ('max', 3), '1x1']))


def pipeline(modality, num_clips, augment=()):
    return [
        dict(type='PreNormalize3D', align_spine=False),
        *augment,
        dict(type='GenSkeFeat', dataset='nturgb+d', feats=[modality]),
        dict(type='UniformSampleDecode', clip_len=100, num_clips=num_clips),
        dict(type='FormatGCNInput', num_person=2),
        dict(type='Collect', keys=['keypoint', 'label'], meta_keys=[]),
        dict(type='ToTensor', keys=['keypoint']),
    ]


# The pipelines by modality, for the configs to pick from; joints where they don't.
stream = {
    modality: dict(
        train=dict(pipeline=pipeline(modality, 1, [dict(type='RandomRot', theta=0.2)])),
        val=dict(pipeline=pipeline(modality, 1)),
        test=dict(pipeline=pipeline(modality, 10)))
    for modality in ('j', 'b', 'jm', 'bm')
}
data = dict(
    workers_per_gpu=4,
    train=dict(_delete_=True, type='PoseDataset', **stream['j']['train']),
    val=stream['j']['val'],
    test=stream['j']['test'])
total_epochs = 150
