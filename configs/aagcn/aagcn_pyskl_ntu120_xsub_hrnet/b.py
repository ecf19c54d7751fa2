# AAGCN, PYSKL practice, NTURGB+D 120 XSub, HRNet 2D Skeleton: bone.
# bash tools/dist_train.sh configs/aagcn/aagcn_pyskl_ntu120_xsub_hrnet/b.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 84.2 %
_base_ = './j.py'

data = _base_.stream.b
work_dir = './work_dirs/aagcn/aagcn_pyskl_ntu120_xsub_hrnet/b'
