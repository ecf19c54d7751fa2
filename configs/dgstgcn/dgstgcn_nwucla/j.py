# DG-STGCN, PYSKL practice, Northwestern-UCLA (10 classes, 20 Kinect v1 joints), unseen view: joint.
# python tools/train.py configs/dgstgcn/dgstgcn_nwucla/j.py --validate --test-last --test-best
_base_ = '../../stgcn/stgcn_nwucla/j.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='DGSTGCN',
        base_channels=16,
        num_stages=6,
        inflate_stages=[3, 5],
        down_stages=[2, 3, 5],
        gcn_ratio=0.125,
        gcn_ctr='T',
        gcn_ada='T',
        graph_cfg=dict(
            layout=_base_.layout, mode='random', num_filter=8, init_off=.04, init_std=.02)),
    cls_head=dict(in_channels=64))
work_dir = './work_dirs/dgstgcn/dgstgcn_nwucla/j'
