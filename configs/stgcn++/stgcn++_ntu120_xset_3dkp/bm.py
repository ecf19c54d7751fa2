# ST-GCN++, PYSKL practice, NTURGB+D 120 XSet, Official 3D Skeleton: bone motion.
# bash tools/dist_train.sh configs/stgcn++/stgcn++_ntu120_xset_3dkp/bm.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 83.0 %
_base_ = './j.py'

data = _base_.stream.bm
work_dir = './work_dirs/stgcn++/stgcn++_ntu120_xset_3dkp/bm'
