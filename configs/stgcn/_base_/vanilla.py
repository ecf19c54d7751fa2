# The vanilla practice: all frames, padded to 300, dropout, step schedule.
# lr 0.1 is for 8 GPUs x 16 clips = 128 clips a step.
optimizer = dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.0001)
optimizer_config = dict(grad_clip=None)
lr_config = dict(policy='step', step=[2, 10])
