# AAGCN, PYSKL practice, NTURGB+D XSub, HRNet 2D Skeleton: joint motion.
# bash tools/dist_train.sh configs/aagcn/aagcn_pyskl_ntu60_xsub_hrnet/jm.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 88.7 %
_base_ = './j.py'

data = _base_.stream.jm
work_dir = './work_dirs/aagcn/aagcn_pyskl_ntu60_xsub_hrnet/jm'
