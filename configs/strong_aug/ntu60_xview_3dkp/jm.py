# ST-GCN++, strong augmentation, NTURGB+D XView, Official 3D Skeleton: joint motion.
# bash tools/dist_train.sh configs/strong_aug/ntu60_xview_3dkp/jm.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 95.1 %
_base_ = './j.py'

data = _base_.stream.jm
work_dir = './work_dirs/strong_aug/ntu60_xview_3dkp/jm'
