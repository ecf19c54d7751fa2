# An ST-GCN of a sixth of the parameters, which learns on a CPU in minutes. Its graph is learned from
# the start (gcn_adaptive='init'). A config that builds on this one gives the layout, the classes and
# the data.
_base_ = '../../_base_/own_data.py'

model = dict(
    backbone=dict(
        type='STGCN',
        graph_cfg=dict(mode='stgcn_spatial'),
        base_channels=32,
        num_stages=6,
        inflate_stages=[3, 5],
        down_stages=[2, 3, 5],
        gcn_adaptive='init'),
    cls_head=dict(in_channels=128))
