# AAGCN, PYSKL practice, NTURGB+D XSub, Official 3D Skeleton: joint motion.
# bash tools/dist_train.sh configs/aagcn/aagcn_pyskl_ntu60_xsub_3dkp/jm.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 86.9 %
_base_ = './j.py'

data = _base_.stream.jm
work_dir = './work_dirs/aagcn/aagcn_pyskl_ntu60_xsub_3dkp/jm'
