# A small ST-GCN++ on synthetic actions (12 classes, 25 joints), unseen subjects: joint. Needs no
# download: the data set is generated on first use. On two busy CPU cores: 99.0 % in 7 minutes.
# python tools/train.py configs/stgcn++/stgcn++_toy/j.py --validate --test-last --test-best
_base_ = '../../_base_/toy.py'

model = dict(
    backbone=dict(
        type='STGCN',
        graph_cfg=dict(mode='spatial'),
        gcn_adaptive='init',
        gcn_with_res=True,
        tcn_type='mstcn',
        base_channels=16,
        num_stages=4,
        inflate_stages=[3],
        down_stages=[2, 3]),
    cls_head=dict(in_channels=32))
work_dir = './work_dirs/stgcn++/stgcn++_toy/j'
