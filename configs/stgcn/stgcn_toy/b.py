# A small ST-GCN on synthetic actions (12 classes, 25 joints), unseen subjects: bone.
# python tools/train.py configs/stgcn/stgcn_toy/b.py --validate --test-last --test-best
_base_ = './j.py'

data = _base_.stream.b
work_dir = './work_dirs/stgcn/stgcn_toy/b'
