# MS-G3D, PYSKL practice, NTURGB+D XSub, Official 3D Skeleton: bone motion.
# bash tools/dist_train.sh configs/msg3d/msg3d_pyskl_ntu60_xsub_3dkp/bm.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 86.7 %
_base_ = './j.py'

data = _base_.stream.bm
work_dir = './work_dirs/msg3d/msg3d_pyskl_ntu60_xsub_3dkp/bm'
