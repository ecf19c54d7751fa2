# CTR-GCN, PYSKL practice, HDM05 (11 classes, 31 mocap joints), unseen actors: joint.
# python tools/train.py configs/ctrgcn/ctrgcn_hdm05/j.py --validate --test-last --test-best
_base_ = '../../stgcn/stgcn_hdm05/j.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='CTRGCN',
        base_channels=16,
        num_stages=6,
        inflate_stages=[3, 5],
        down_stages=[2, 3, 5],
        num_person=1,
        graph_cfg=dict(layout=_base_.layout, mode='spatial')),
    cls_head=dict(in_channels=64))
work_dir = './work_dirs/ctrgcn/ctrgcn_hdm05/j'
