# ST-GCN, PYSKL practice, Northwestern-UCLA (10 classes, 20 Kinect v1 joints), unseen view: joint motion.
# python tools/train.py configs/stgcn/stgcn_nwucla/jm.py --validate --test-last --test-best
_base_ = './j.py'

data = _base_.stream.jm
work_dir = './work_dirs/stgcn/stgcn_nwucla/jm'
