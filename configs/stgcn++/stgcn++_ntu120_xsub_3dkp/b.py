# ST-GCN++, PYSKL practice, NTURGB+D 120 XSub, Official 3D Skeleton: bone.
# bash tools/dist_train.sh configs/stgcn++/stgcn++_ntu120_xsub_3dkp/b.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 85.6 %
_base_ = './j.py'

data = _base_.stream.b
work_dir = './work_dirs/stgcn++/stgcn++_ntu120_xsub_3dkp/b'
