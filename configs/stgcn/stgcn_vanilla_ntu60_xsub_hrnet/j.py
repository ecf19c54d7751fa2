# ST-GCN, Vanilla practice, NTURGB+D XSub, HRNet 2D Skeleton: joint.
# bash tools/dist_train.sh configs/stgcn/stgcn_vanilla_ntu60_xsub_hrnet/j.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 85.7 %
_base_ = '../_base_/vanilla_hrnet.py'

ann_file = 'data/nturgbd/ntu60_hrnet.pkl'
model = dict(cls_head=dict(num_classes=60))
data = dict(
    train=dict(dataset=dict(ann_file=ann_file, split='xsub_train')),
    val=dict(ann_file=ann_file, split='xsub_val'),
    test=dict(ann_file=ann_file, split='xsub_val'))
work_dir = './work_dirs/stgcn/stgcn_vanilla_ntu60_xsub_hrnet/j'
