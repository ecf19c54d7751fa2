# CTR-GCN, PYSKL practice, NTURGB+D 120 XSub, Official 3D Skeleton: bone motion.
# bash tools/dist_train.sh configs/ctrgcn/ctrgcn_pyskl_ntu120_xsub_3dkp/bm.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 82.2 %
_base_ = './j.py'

data = _base_.stream.bm
work_dir = './work_dirs/ctrgcn/ctrgcn_pyskl_ntu120_xsub_3dkp/bm'
