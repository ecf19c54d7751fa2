# For one process and a small data set: 16 clips a step.
# A config that builds on this one gives the network, the classes and the data.
_base_ = ['./ntu.py', './pyskl.py']

auto_scale_lr = dict(base_batch_size=16)
optimizer = dict(lr=0.05)
data = dict(val_dataloader=dict(videos_per_gpu=16), test_dataloader=dict(videos_per_gpu=4))
log_config = dict(interval=20)
