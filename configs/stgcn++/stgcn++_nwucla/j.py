# ST-GCN++, PYSKL practice, Northwestern-UCLA (10 classes, 20 Kinect v1 joints), unseen view: joint.
# python tools/train.py configs/stgcn++/stgcn++_nwucla/j.py --validate --test-last --test-best
_base_ = '../../stgcn/stgcn_nwucla/j.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='STGCN',
        base_channels=16,
        num_stages=6,
        inflate_stages=[3, 5],
        down_stages=[2, 3, 5],
        gcn_adaptive='init',
        gcn_with_res=True,
        tcn_type='mstcn',
        graph_cfg=dict(layout=_base_.layout, mode='spatial')),
    cls_head=dict(in_channels=64))
work_dir = './work_dirs/stgcn++/stgcn++_nwucla/j'
