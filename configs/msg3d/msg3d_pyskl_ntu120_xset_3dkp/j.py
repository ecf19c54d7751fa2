# MS-G3D, PYSKL practice, NTURGB+D 120 XSet, Official 3D Skeleton: joint.
# bash tools/dist_train.sh configs/msg3d/msg3d_pyskl_ntu120_xset_3dkp/j.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 86.0 %
_base_ = ['../../_base_/ntu120_xset_3dkp.py', '../../_base_/pyskl_3dkp.py']

model = dict(
    backbone=dict(type='MSG3D', graph_cfg=dict(mode='binary_adj')),
    cls_head=dict(in_channels=384))
data = _base_.stream.j
work_dir = './work_dirs/msg3d/msg3d_pyskl_ntu120_xset_3dkp/j'
