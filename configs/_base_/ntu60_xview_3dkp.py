# NTURGB+D XView, Official 3D Skeleton.
_base_ = './ntu.py'

ann_file = 'data/nturgbd/ntu60_3danno.pkl'
model = dict(
    backbone=dict(graph_cfg=dict(layout='nturgb+d')),
    cls_head=dict(num_classes=60))
data = dict(
    train=dict(dataset=dict(ann_file=ann_file, split='xview_train')),
    val=dict(ann_file=ann_file, split='xview_val'),
    test=dict(ann_file=ann_file, split='xview_val'))
