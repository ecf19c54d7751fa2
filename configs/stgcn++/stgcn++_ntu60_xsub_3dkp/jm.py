# ST-GCN++, PYSKL practice, NTURGB+D XSub, Official 3D Skeleton: joint motion.
# bash tools/dist_train.sh configs/stgcn++/stgcn++_ntu60_xsub_3dkp/jm.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 87.5 %
_base_ = './j.py'

data = _base_.stream.jm
work_dir = './work_dirs/stgcn++/stgcn++_ntu60_xsub_3dkp/jm'
