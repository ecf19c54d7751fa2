# The PYSKL practice: 100 uniformly sampled frames, strong weight decay, cosine schedule.
# lr 0.1 is for 8 GPUs x 16 clips = 128 clips a step.
optimizer = dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.0005, nesterov=True)
optimizer_config = dict(grad_clip=None)
lr_config = dict(policy='CosineAnnealing', min_lr=0, by_epoch=False)
