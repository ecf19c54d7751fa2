# A small AAGCN on synthetic actions (12 classes, 25 joints), unseen subjects: joint. Needs no
# download: the data set is generated on first use. On two busy CPU cores: 98.4 % in 8.5 minutes.
# python tools/train.py configs/aagcn/aagcn_toy/j.py --validate --test-last --test-best
_base_ = '../../_base_/toy.py'

model = dict(
    backbone=dict(
        type='AAGCN',
        graph_cfg=dict(mode='spatial'),
        base_channels=16,
        num_stages=4,
        inflate_stages=[3],
        down_stages=[2, 3]),
    cls_head=dict(in_channels=32))
work_dir = './work_dirs/aagcn/aagcn_toy/j'
