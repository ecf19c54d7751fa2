# CTR-GCN, PYSKL practice, NTURGB+D 120 XSet, HRNet 2D Skeleton: joint motion.
# bash tools/dist_train.sh configs/ctrgcn/ctrgcn_pyskl_ntu120_xset_hrnet/jm.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 85.6 %
_base_ = './j.py'

data = _base_.stream.jm
work_dir = './work_dirs/ctrgcn/ctrgcn_pyskl_ntu120_xset_hrnet/jm'
