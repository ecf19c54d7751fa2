# CTR-GCN, PYSKL practice, NTURGB+D 120 XSet, Official 3D Skeleton: joint.
# bash tools/dist_train.sh configs/ctrgcn/ctrgcn_pyskl_ntu120_xset_3dkp/j.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 85.9 %
_base_ = ['../../_base_/ntu120_xset_3dkp.py', '../../_base_/pyskl_3dkp.py']

model = dict(backbone=dict(type='CTRGCN', graph_cfg=dict(mode='spatial')))
data = _base_.stream.j
work_dir = './work_dirs/ctrgcn/ctrgcn_pyskl_ntu120_xset_3dkp/j'
