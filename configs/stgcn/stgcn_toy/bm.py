# A small ST-GCN on synthetic actions (12 classes, 25 joints), unseen subjects: bone motion.
# python tools/train.py configs/stgcn/stgcn_toy/bm.py --validate --test-last --test-best
_base_ = './j.py'

data = _base_.stream.bm
work_dir = './work_dirs/stgcn/stgcn_toy/bm'
