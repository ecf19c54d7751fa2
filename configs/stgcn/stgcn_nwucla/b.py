# ST-GCN, PYSKL practice, Northwestern-UCLA (10 classes, 20 Kinect v1 joints), unseen view: bone.
# python tools/train.py configs/stgcn/stgcn_nwucla/b.py --validate --test-last --test-best
_base_ = './j.py'

data = _base_.stream.b
work_dir = './work_dirs/stgcn/stgcn_nwucla/b'
