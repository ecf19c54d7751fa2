# ST-GCN++, PYSKL practice, NTURGB+D 120 XSet, HRNet 2D Skeleton: bone motion.
# bash tools/dist_train.sh configs/stgcn++/stgcn++_ntu120_xset_hrnet/bm.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 84.1 %
_base_ = './j.py'

data = _base_.stream.bm
work_dir = './work_dirs/stgcn++/stgcn++_ntu120_xset_hrnet/bm'
