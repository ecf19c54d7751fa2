# CTR-GCN, PYSKL practice, NTURGB+D XView, Official 3D Skeleton: bone motion.
# bash tools/dist_train.sh configs/ctrgcn/ctrgcn_pyskl_ntu60_xview_3dkp/bm.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 93.6 %
_base_ = './j.py'

data = _base_.stream.bm
work_dir = './work_dirs/ctrgcn/ctrgcn_pyskl_ntu60_xview_3dkp/bm'
