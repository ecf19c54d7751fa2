# DG-STGCN, NTURGB+D XSub, Official 3D Skeleton: joint motion.
# bash tools/dist_train.sh configs/dgstgcn/ntu60_xsub_3dkp/jm.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 88.5 %
_base_ = './j.py'

data = _base_.stream.jm
work_dir = './work_dirs/dgstgcn/ntu60_xsub_3dkp/jm'
