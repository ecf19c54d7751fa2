# CTR-GCN, PYSKL practice, NTURGB+D XSub, Official 3D Skeleton: joint motion.
# bash tools/dist_train.sh configs/ctrgcn/ctrgcn_pyskl_ntu60_xsub_3dkp/jm.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 88.0 %
_base_ = './j.py'

data = _base_.stream.jm
work_dir = './work_dirs/ctrgcn/ctrgcn_pyskl_ntu60_xsub_3dkp/jm'
