# MS-G3D, PYSKL practice, NTURGB+D 120 XSub, Official 3D Skeleton: joint motion.
# bash tools/dist_train.sh configs/msg3d/msg3d_pyskl_ntu120_xsub_3dkp/jm.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 82.2 %
_base_ = './j.py'

data = _base_.stream.jm
work_dir = './work_dirs/msg3d/msg3d_pyskl_ntu120_xsub_3dkp/jm'
