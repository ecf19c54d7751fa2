# CTR-GCN, PYSKL practice, NTURGB+D XSub, HRNet 2D Skeleton: joint.
# bash tools/dist_train.sh configs/ctrgcn/ctrgcn_pyskl_ntu60_xsub_hrnet/j.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 90.6 %
_base_ = ['../../_base_/ntu60_xsub_hrnet.py', '../../_base_/pyskl_hrnet.py']

model = dict(backbone=dict(type='CTRGCN', graph_cfg=dict(mode='spatial')))
data = _base_.stream.j
work_dir = './work_dirs/ctrgcn/ctrgcn_pyskl_ntu60_xsub_hrnet/j'
