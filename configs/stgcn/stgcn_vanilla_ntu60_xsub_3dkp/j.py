# ST-GCN, Vanilla practice, NTURGB+D XSub, Official 3D Skeleton: joint.
# bash tools/dist_train.sh configs/stgcn/stgcn_vanilla_ntu60_xsub_3dkp/j.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 81.5 %
_base_ = ['../../_base_/ntu60_xsub_3dkp.py', '../_base_/vanilla_3dkp.py']

model = dict(backbone=dict(type='STGCN', graph_cfg=dict(mode='stgcn_spatial'), tcn_dropout=0.5))
data = _base_.stream.j
work_dir = './work_dirs/stgcn/stgcn_vanilla_ntu60_xsub_3dkp/j'
