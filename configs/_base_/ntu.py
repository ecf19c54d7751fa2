# NTU RGB+D, whatever the network and the practice: 16 clips on each of 8 GPUs, an epoch is five
# passes over the data (16 epochs = the published 80), tested one sample at a time.
_base_ = './runtime.py'

model = dict(type='RecognizerGCN', cls_head=dict(type='GCNHead', in_channels=256))
data = dict(
    videos_per_gpu=16,
    workers_per_gpu=2,
    test_dataloader=dict(videos_per_gpu=1),
    train=dict(type='RepeatDataset', times=5, dataset=dict(type='PoseDataset')),
    val=dict(type='PoseDataset'),
    test=dict(type='PoseDataset'))
