# ST-GCN, PYSKL practice, HDM05 (11 classes, 31 mocap joints), unseen actors: joint.
# python tools/train.py configs/stgcn/stgcn_hdm05/j.py --validate --test-last --test-best
_base_ = '../_base_/own_data.py'

layout = dict(
    name='hdm05',
    num_node=31,
    center=0,
    inward=[
        (1, 0), (2, 1), (3, 2), (4, 3), (5, 4), (6, 0), (7, 6), (8, 7), (9, 8), (10, 9), (11, 0),
        (12, 11), (13, 12), (14, 13), (15, 14), (16, 15), (17, 13), (18, 17), (19, 18), (20, 19),
        (21, 20), (22, 21), (23, 20), (24, 13), (25, 24), (26, 25), (27, 26), (28, 27), (29, 28),
        (30, 27)],
    left=[1, 2, 3, 4, 5, 17, 18, 19, 20, 21, 22, 23],
    right=[6, 7, 8, 9, 10, 24, 25, 26, 27, 28, 29, 30],
    body_center=0,  # the pelvis
    spine=[0, 13],  # pelvis -> thorax
    shoulders=[25, 18])  # right, left upper arm

model = dict(
    backbone=dict(graph_cfg=dict(layout=layout)),
    cls_head=dict(num_classes=11))


def pipeline(modality, num_clips, augment=()):
    return [
        dict(type='PreNormalize3D', layout=layout),
        *augment,
        dict(type='GenSkeFeat', dataset=layout, feats=[modality]),
        dict(type='UniformSample', clip_len=48, num_clips=num_clips),
        dict(type='PoseDecode'),
        dict(type='FormatGCNInput', num_person=1),
        dict(type='Collect', keys=['keypoint', 'label'], meta_keys=[]),
        dict(type='ToTensor', keys=['keypoint']),
    ]


augment = [dict(type='RandomRot', theta=0.3), dict(type='RandomScale', scale=0.1)]
stream = {
    modality: dict(
        train=dict(dataset=dict(pipeline=pipeline(modality, 1, augment))),
        val=dict(pipeline=pipeline(modality, 1)),
        test=dict(pipeline=pipeline(modality, 10)))
    for modality in ('j', 'b', 'jm', 'bm')
}
ann_file = 'data/hdm05/hdm05_11.pkl'
data = dict(
    train=dict(times=5, dataset=dict(ann_file=ann_file, split='xsub_train', **stream['j']['train']['dataset'])),
    val=dict(ann_file=ann_file, split='xsub_val', **stream['j']['val']),
    test=dict(ann_file=ann_file, split='xsub_val', **stream['j']['test']))
work_dir = './work_dirs/stgcn/stgcn_hdm05/j'
