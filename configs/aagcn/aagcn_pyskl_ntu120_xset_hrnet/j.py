# AAGCN, PYSKL practice, NTURGB+D 120 XSet, HRNet 2D Skeleton: joint.
# bash tools/dist_train.sh configs/aagcn/aagcn_pyskl_ntu120_xset_hrnet/j.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 86.3 %
_base_ = ['../../_base_/ntu120_xset_hrnet.py', '../../_base_/pyskl_hrnet.py']

model = dict(backbone=dict(type='AAGCN', graph_cfg=dict(mode='spatial')))
data = _base_.stream.j
work_dir = './work_dirs/aagcn/aagcn_pyskl_ntu120_xset_hrnet/j'
