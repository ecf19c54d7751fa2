# MS-G3D, PYSKL practice, NTURGB+D 120 XSet, Official 3D Skeleton: bone.
# bash tools/dist_train.sh configs/msg3d/msg3d_pyskl_ntu120_xset_3dkp/b.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 87.3 %
_base_ = './j.py'

data = _base_.stream.b
work_dir = './work_dirs/msg3d/msg3d_pyskl_ntu120_xset_3dkp/b'
