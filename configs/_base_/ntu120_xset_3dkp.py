# NTURGB+D 120 XSet, Official 3D Skeleton.
_base_ = './ntu.py'

ann_file = 'data/nturgbd/ntu120_3danno.pkl'
model = dict(
    backbone=dict(graph_cfg=dict(layout='nturgb+d')),
    cls_head=dict(num_classes=120))
data = dict(
    train=dict(dataset=dict(ann_file=ann_file, split='xset_train')),
    val=dict(ann_file=ann_file, split='xset_val'),
    test=dict(ann_file=ann_file, split='xset_val'))
