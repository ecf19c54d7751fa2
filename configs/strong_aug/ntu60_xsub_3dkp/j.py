# ST-GCN++, strong augmentation, NTURGB+D XSub, Official 3D Skeleton: joint.
# bash tools/dist_train.sh configs/strong_aug/ntu60_xsub_3dkp/j.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 90.3 %
_base_ = ['../../_base_/ntu60_xsub_3dkp.py', '../_base_/strong_aug.py']

model = dict(backbone=dict(
    type='STGCN', gcn_adaptive='init', gcn_with_res=True, tcn_type='mstcn',
    graph_cfg=dict(mode='spatial')))
data = _base_.stream.j
total_epochs = 24
work_dir = './work_dirs/strong_aug/ntu60_xsub_3dkp/j'
