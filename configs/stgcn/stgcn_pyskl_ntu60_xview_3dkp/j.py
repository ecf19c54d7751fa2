# ST-GCN, PYSKL practice, NTURGB+D XView, Official 3D Skeleton: joint.
# bash tools/dist_train.sh configs/stgcn/stgcn_pyskl_ntu60_xview_3dkp/j.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 95.5 %
_base_ = ['../../_base_/ntu60_xview_3dkp.py', '../../_base_/pyskl_3dkp.py']

model = dict(backbone=dict(type='STGCN', graph_cfg=dict(mode='stgcn_spatial')))
data = _base_.stream.j
work_dir = './work_dirs/stgcn/stgcn_pyskl_ntu60_xview_3dkp/j'
