# AAGCN, PYSKL practice, NTURGB+D 120 XSet, HRNet 2D Skeleton: bone motion.
# bash tools/dist_train.sh configs/aagcn/aagcn_pyskl_ntu120_xset_hrnet/bm.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 85.1 %
_base_ = './j.py'

data = _base_.stream.bm
work_dir = './work_dirs/aagcn/aagcn_pyskl_ntu120_xset_hrnet/bm'
