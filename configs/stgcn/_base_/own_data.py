# For one process and a small data set: 16 clips a step, and a network of a sixth of the parameters,
# which learns on a CPU in minutes. Its graph is learned from the start (gcn_adaptive='init').
# A config that builds on this one gives the layout, the classes and the data.
_base_ = './pyskl.py'

model = dict(
    backbone=dict(
        base_channels=32,
        num_stages=6,
        inflate_stages=[3, 5],
        down_stages=[2, 3, 5],
        gcn_adaptive='init'),
    cls_head=dict(in_channels=128))
auto_scale_lr = dict(base_batch_size=16)
optimizer = dict(lr=0.05)
data = dict(
    videos_per_gpu=16,
    workers_per_gpu=2,
    val_dataloader=dict(videos_per_gpu=16),
    test_dataloader=dict(videos_per_gpu=4))
log_config = dict(interval=20)
