# ST-GCN++, PYSKL practice, NTURGB+D XSub, Official 3D Skeleton: bone.
# bash tools/dist_train.sh configs/stgcn++/stgcn++_ntu60_xsub_3dkp/b.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 90.1 %
_base_ = './j.py'

data = _base_.stream.b
work_dir = './work_dirs/stgcn++/stgcn++_ntu60_xsub_3dkp/b'
