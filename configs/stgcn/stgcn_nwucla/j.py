# ST-GCN, PYSKL practice, Northwestern-UCLA (10 classes, 20 Kinect v1 joints), unseen view: joint.
# python tools/train.py configs/stgcn/stgcn_nwucla/j.py --validate --test-last --test-best
_base_ = '../_base_/own_data.py'

layout = dict(
    name='kinect_v1',
    num_node=20,
    center=2,
    inward=[
        (0, 1), (1, 2), (3, 2), (4, 2), (5, 4), (6, 5), (7, 6), (8, 2), (9, 8), (10, 9), (11, 10),
        (12, 0), (13, 12), (14, 13), (15, 14), (16, 0), (17, 16), (18, 17), (19, 18)],
    left=[4, 5, 6, 7, 12, 13, 14, 15],
    right=[8, 9, 10, 11, 16, 17, 18, 19],
    body_center=1,  # the spine
    spine=[0, 2],  # hip centre -> shoulder centre
    shoulders=[8, 4])  # right, left

model = dict(
    backbone=dict(graph_cfg=dict(layout=layout)),
    cls_head=dict(num_classes=10))


def pipeline(modality, num_clips, augment=(), p_interval=1):
    return [
        dict(type='PreNormalize3D', layout=layout),
        *augment,
        dict(type='GenSkeFeat', dataset=layout, feats=[modality]),
        dict(type='UniformSample', clip_len=40, num_clips=num_clips, p_interval=p_interval),
        dict(type='PoseDecode'),
        dict(type='FormatGCNInput', num_person=1),
        dict(type='Collect', keys=['keypoint', 'label'], meta_keys=[]),
        dict(type='ToTensor', keys=['keypoint']),
    ]


augment = [dict(type='RandomRot', theta=0.3), dict(type='RandomScale', scale=0.1)]
stream = {
    modality: dict(
        train=dict(dataset=dict(pipeline=pipeline(modality, 1, augment, p_interval=(0.5, 1)))),
        val=dict(pipeline=pipeline(modality, 1)),
        test=dict(pipeline=pipeline(modality, 10)))
    for modality in ('j', 'b', 'jm', 'bm')
}
ann_file = 'data/nwucla/nwucla.pkl'
data = dict(
    train=dict(dataset=dict(ann_file=ann_file, split='xview_train', **stream['j']['train']['dataset'])),
    val=dict(ann_file=ann_file, split='xview_val', **stream['j']['val']),
    test=dict(ann_file=ann_file, split='xview_val', **stream['j']['test']))
total_epochs = 12
work_dir = './work_dirs/stgcn/stgcn_nwucla/j'
