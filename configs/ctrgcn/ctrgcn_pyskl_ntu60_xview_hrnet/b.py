# CTR-GCN, PYSKL practice, NTURGB+D XView, HRNet 2D Skeleton: bone.
# bash tools/dist_train.sh configs/ctrgcn/ctrgcn_pyskl_ntu60_xview_hrnet/b.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 97.6 %
_base_ = './j.py'

data = _base_.stream.b
work_dir = './work_dirs/ctrgcn/ctrgcn_pyskl_ntu60_xview_hrnet/b'
