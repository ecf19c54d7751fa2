# MS-G3D, PYSKL practice, HDM05 (11 classes, 31 mocap joints), unseen actors: bone motion.
# python tools/train.py configs/msg3d/msg3d_hdm05/bm.py --validate --test-last --test-best
_base_ = './j.py'

data = _base_.stream.bm
work_dir = './work_dirs/msg3d/msg3d_hdm05/bm'
