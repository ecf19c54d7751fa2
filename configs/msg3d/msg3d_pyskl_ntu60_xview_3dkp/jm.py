# MS-G3D, PYSKL practice, NTURGB+D XView, Official 3D Skeleton: joint motion.
# bash tools/dist_train.sh configs/msg3d/msg3d_pyskl_ntu60_xview_3dkp/jm.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 94.0 %
_base_ = './j.py'

data = _base_.stream.jm
work_dir = './work_dirs/msg3d/msg3d_pyskl_ntu60_xview_3dkp/jm'
