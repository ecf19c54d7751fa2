# ST-GCN, PYSKL practice, NTURGB+D 120 XSub, HRNet 2D Skeleton: joint.
# bash tools/dist_train.sh configs/stgcn/stgcn_pyskl_ntu120_xsub_hrnet/j.py 8 --validate --test-last --test-best
# Published top-1 (PYSKL): 80.1 %
_base_ = '../_base_/pyskl_hrnet.py'

ann_file = 'data/nturgbd/ntu120_hrnet.pkl'
model = dict(cls_head=dict(num_classes=120))
data = dict(
    train=dict(dataset=dict(ann_file=ann_file, split='xsub_train')),
    val=dict(ann_file=ann_file, split='xsub_val'),
    test=dict(ann_file=ann_file, split='xsub_val'))
work_dir = './work_dirs/stgcn/stgcn_pyskl_ntu120_xsub_hrnet/j'
