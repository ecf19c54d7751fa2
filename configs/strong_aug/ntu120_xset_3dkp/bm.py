# ST-GCN++, strong augmentation, NTURGB+D 120 XSet, Official 3D Skeleton: bone motion.
# bash tools/dist_train.sh configs/strong_aug/ntu120_xset_3dkp/bm.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 84.4 %
_base_ = './j.py'

data = _base_.stream.bm
work_dir = './work_dirs/strong_aug/ntu120_xset_3dkp/bm'
