# AAGCN, PYSKL practice, NTURGB+D 120 XSet, Official 3D Skeleton: joint.
# bash tools/dist_train.sh configs/aagcn/aagcn_pyskl_ntu120_xset_3dkp/j.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 84.8 %
_base_ = ['../../_base_/ntu120_xset_3dkp.py', '../../_base_/pyskl_3dkp.py']

model = dict(backbone=dict(type='AAGCN', graph_cfg=dict(mode='spatial')))
data = _base_.stream.j
work_dir = './work_dirs/aagcn/aagcn_pyskl_ntu120_xset_3dkp/j'
