# DG-STGCN, NTURGB+D XView, Official 3D Skeleton: joint.
# bash tools/dist_train.sh configs/dgstgcn/ntu60_xview_3dkp/j.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 96.7 %
_base_ = '../_base_/dgstgcn.py'

ann_file = 'data/nturgbd/ntu60_3danno.pkl'
model = dict(cls_head=dict(num_classes=60))
data = dict(
    train=dict(ann_file=ann_file, split='xview_train'),
    val=dict(ann_file=ann_file, split='xview_val'),
    test=dict(ann_file=ann_file, split='xview_val'))
work_dir = './work_dirs/dgstgcn/ntu60_xview_3dkp/j'
