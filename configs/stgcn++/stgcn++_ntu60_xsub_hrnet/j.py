# ST-GCN++, PYSKL practice, NTURGB+D XSub, HRNet 2D Skeleton: joint.
# bash tools/dist_train.sh configs/stgcn++/stgcn++_ntu60_xsub_hrnet/j.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 89.3 %
_base_ = ['../../_base_/ntu60_xsub_hrnet.py', '../../_base_/pyskl_hrnet.py']

model = dict(backbone=dict(
    type='STGCN', gcn_adaptive='init', gcn_with_res=True, tcn_type='mstcn',
    graph_cfg=dict(mode='spatial')))
data = _base_.stream.j
work_dir = './work_dirs/stgcn++/stgcn++_ntu60_xsub_hrnet/j'
