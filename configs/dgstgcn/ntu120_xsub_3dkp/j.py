# DG-STGCN, NTURGB+D 120 XSub, Official 3D Skeleton: joint.
# bash tools/dist_train.sh configs/dgstgcn/ntu120_xsub_3dkp/j.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 85.7 %
_base_ = '../_base_/dgstgcn.py'

ann_file = 'data/nturgbd/ntu120_3danno.pkl'
model = dict(cls_head=dict(num_classes=120))
data = dict(
    train=dict(ann_file=ann_file, split='xsub_train'),
    val=dict(ann_file=ann_file, split='xsub_val'),
    test=dict(ann_file=ann_file, split='xsub_val'))
work_dir = './work_dirs/dgstgcn/ntu120_xsub_3dkp/j'
