# DG-STGCN, NTURGB+D 120 XSet, Official 3D Skeleton: bone.
# bash tools/dist_train.sh configs/dgstgcn/ntu120_xset_3dkp/b.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 89.8 %
_base_ = './j.py'

data = _base_.stream.b
work_dir = './work_dirs/dgstgcn/ntu120_xset_3dkp/b'
