# AAGCN, PYSKL practice, NTURGB+D XView, HRNet 2D Skeleton: bone motion.
# bash tools/dist_train.sh configs/aagcn/aagcn_pyskl_ntu60_xview_hrnet/bm.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 95.9 %
_base_ = './j.py'

data = _base_.stream.bm
work_dir = './work_dirs/aagcn/aagcn_pyskl_ntu60_xview_hrnet/bm'
