# MS-G3D, PYSKL practice, Northwestern-UCLA (10 classes, 20 Kinect v1 joints), unseen view: joint.
# python tools/train.py configs/msg3d/msg3d_nwucla/j.py --validate --test-last --test-best
_base_ = '../../stgcn/stgcn_nwucla/j.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='MSG3D',
        base_channels=12,
        num_gcn_scales=8,
        num_g3d_scales=4,
        num_person=1,
        graph_cfg=dict(layout=_base_.layout, mode='binary_adj')),
    cls_head=dict(in_channels=48))
work_dir = './work_dirs/msg3d/msg3d_nwucla/j'
