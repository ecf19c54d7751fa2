# ST-GCN, PYSKL practice, NTURGB+D 120 XSet, Official 3D Skeleton: joint motion.
# bash tools/dist_train.sh configs/stgcn/stgcn_pyskl_ntu120_xset_3dkp/jm.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 82.7 %
_base_ = './j.py'

data = _base_.stream.jm
work_dir = './work_dirs/stgcn/stgcn_pyskl_ntu120_xset_3dkp/jm'
