# AAGCN, PYSKL practice, NTURGB+D XView, Official 3D Skeleton: joint.
# bash tools/dist_train.sh configs/aagcn/aagcn_pyskl_ntu60_xview_3dkp/j.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 95.7 %
_base_ = ['../../_base_/ntu60_xview_3dkp.py', '../../_base_/pyskl_3dkp.py']

model = dict(backbone=dict(type='AAGCN', graph_cfg=dict(mode='spatial')))
data = _base_.stream.j
work_dir = './work_dirs/aagcn/aagcn_pyskl_ntu60_xview_3dkp/j'
