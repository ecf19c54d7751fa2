# A small DG-STGCN on synthetic actions (12 classes, 25 joints), unseen subjects: joint. Needs no
# download: the data set is generated on first use. On two busy CPU cores: 97.6 % in 6 minutes.
# python tools/train.py configs/dgstgcn/dgstgcn_toy/j.py --validate --test-last --test-best
_base_ = '../../_base_/toy.py'

model = dict(
    backbone=dict(
        type='DGSTGCN',
        graph_cfg=dict(mode='random', num_filter=3, init_off=0.04, init_std=0.02),
        base_channels=16,
        num_stages=4,
        inflate_stages=[3],
        down_stages=[2, 3]),
    cls_head=dict(in_channels=32))
total_epochs = 6
work_dir = './work_dirs/dgstgcn/dgstgcn_toy/j'
