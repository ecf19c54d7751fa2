# ST-GCN++, PYSKL practice, NTURGB+D XView, Official 3D Skeleton: bone.
# bash tools/dist_train.sh configs/stgcn++/stgcn++_ntu60_xview_3dkp/b.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 95.5 %
_base_ = './j.py'

data = _base_.stream.b
work_dir = './work_dirs/stgcn++/stgcn++_ntu60_xview_3dkp/b'
