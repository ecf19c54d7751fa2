# DG-STGCN, NTURGB+D XSub, Official 3D Skeleton: bone motion.
# bash tools/dist_train.sh configs/dgstgcn/ntu60_xsub_3dkp/bm.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 88.1 %
_base_ = './j.py'

data = _base_.stream.bm
work_dir = './work_dirs/dgstgcn/ntu60_xsub_3dkp/bm'
