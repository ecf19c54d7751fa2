# A small MS-G3D on synthetic actions (12 classes, 25 joints), unseen subjects: joint. Needs no
# download: the data set is generated on first use.
# python tools/train.py configs/msg3d/msg3d_toy/j.py --validate --test-last --test-best
_base_ = '../../_base_/toy.py'

model = dict(
    backbone=dict(
        type='MSG3D',
        graph_cfg=dict(mode='binary_adj'),
        num_gcn_scales=4,
        num_g3d_scales=3,
        base_channels=12),
    cls_head=dict(in_channels=48))
total_epochs = 6
work_dir = './work_dirs/msg3d/msg3d_toy/j'
