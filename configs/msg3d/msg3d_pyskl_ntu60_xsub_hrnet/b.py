# MS-G3D, PYSKL practice, NTURGB+D XSub, HRNet 2D Skeleton: bone.
# bash tools/dist_train.sh configs/msg3d/msg3d_pyskl_ntu60_xsub_hrnet/b.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 92.8 %
_base_ = './j.py'

data = _base_.stream.b
work_dir = './work_dirs/msg3d/msg3d_pyskl_ntu60_xsub_hrnet/b'
