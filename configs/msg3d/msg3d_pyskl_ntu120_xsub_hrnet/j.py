# MS-G3D, PYSKL practice, NTURGB+D 120 XSub, HRNet 2D Skeleton: joint.
# bash tools/dist_train.sh configs/msg3d/msg3d_pyskl_ntu120_xsub_hrnet/j.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 85.5 %
_base_ = ['../../_base_/ntu120_xsub_hrnet.py', '../../_base_/pyskl_hrnet.py']

model = dict(
    backbone=dict(type='MSG3D', graph_cfg=dict(mode='binary_adj')),
    cls_head=dict(in_channels=384))
data = _base_.stream.j
work_dir = './work_dirs/msg3d/msg3d_pyskl_ntu120_xsub_hrnet/j'
