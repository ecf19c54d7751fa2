# ST-GCN++, strong augmentation, NTURGB+D 120 XSub, Official 3D Skeleton: joint.
# bash tools/dist_train.sh configs/strong_aug/ntu120_xsub_3dkp/j.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 84.3 %
_base_ = ['../../_base_/ntu120_xsub_3dkp.py', '../_base_/strong_aug.py']

model = dict(backbone=dict(
    type='STGCN', gcn_adaptive='init', gcn_with_res=True, tcn_type='mstcn',
    graph_cfg=dict(mode='spatial')))
data = _base_.stream.j
total_epochs = 24
work_dir = './work_dirs/strong_aug/ntu120_xsub_3dkp/j'
