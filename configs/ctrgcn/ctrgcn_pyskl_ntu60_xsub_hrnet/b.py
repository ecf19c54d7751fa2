# CTR-GCN, PYSKL practice, NTURGB+D XSub, HRNet 2D Skeleton: bone.
# bash tools/dist_train.sh configs/ctrgcn/ctrgcn_pyskl_ntu60_xsub_hrnet/b.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 92.7 %
_base_ = './j.py'

data = _base_.stream.b
work_dir = './work_dirs/ctrgcn/ctrgcn_pyskl_ntu60_xsub_hrnet/b'
