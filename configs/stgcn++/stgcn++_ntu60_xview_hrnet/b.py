# ST-GCN++, PYSKL practice, NTURGB+D XView, HRNet 2D Skeleton: bone.
# bash tools/dist_train.sh configs/stgcn++/stgcn++_ntu60_xview_hrnet/b.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 97.2 %
_base_ = './j.py'

data = _base_.stream.b
work_dir = './work_dirs/stgcn++/stgcn++_ntu60_xview_hrnet/b'
