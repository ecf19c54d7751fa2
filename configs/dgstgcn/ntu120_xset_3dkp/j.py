# DG-STGCN, NTURGB+D 120 XSet, Official 3D Skeleton: joint.
# bash tools/dist_train.sh configs/dgstgcn/ntu120_xset_3dkp/j.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 87.9 %
_base_ = '../_base_/dgstgcn.py'

ann_file = 'data/nturgbd/ntu120_3danno.pkl'
model = dict(cls_head=dict(num_classes=120))
data = dict(
    train=dict(ann_file=ann_file, split='xset_train'),
    val=dict(ann_file=ann_file, split='xset_val'),
    test=dict(ann_file=ann_file, split='xset_val'))
work_dir = './work_dirs/dgstgcn/ntu120_xset_3dkp/j'
