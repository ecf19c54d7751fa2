# NTURGB+D 120 XSub, Official 3D Skeleton.
_base_ = './ntu.py'

ann_file = 'data/nturgbd/ntu120_3danno.pkl'
model = dict(
    backbone=dict(graph_cfg=dict(layout='nturgb+d')),
    cls_head=dict(num_classes=120))
data = dict(
    train=dict(dataset=dict(ann_file=ann_file, split='xsub_train')),
    val=dict(ann_file=ann_file, split='xsub_val'),
    test=dict(ann_file=ann_file, split='xsub_val'))
