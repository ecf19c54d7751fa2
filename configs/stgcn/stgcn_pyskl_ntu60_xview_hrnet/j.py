# ST-GCN, PYSKL practice, NTURGB+D XView, HRNet 2D Skeleton: joint.
# bash tools/dist_train.sh configs/stgcn/stgcn_pyskl_ntu60_xview_hrnet/j.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 98.0 %
_base_ = '../_base_/pyskl_hrnet.py'

ann_file = 'data/nturgbd/ntu60_hrnet.pkl'
model = dict(cls_head=dict(num_classes=60))
data = dict(
    train=dict(dataset=dict(ann_file=ann_file, split='xview_train')),
    val=dict(ann_file=ann_file, split='xview_val'),
    test=dict(ann_file=ann_file, split='xview_val'))
work_dir = './work_dirs/stgcn/stgcn_pyskl_ntu60_xview_hrnet/j'
