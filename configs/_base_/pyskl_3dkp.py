# The PYSKL practice on official 3D skeletons.
_base_ = './pyskl.py'


def pipeline(modality, num_clips):
    return [
        dict(type='PreNormalize3D'),
        dict(type='GenSkeFeat', dataset='nturgb+d', feats=[modality]),
        dict(type='UniformSample', clip_len=100, num_clips=num_clips),
        dict(type='PoseDecode'),
        dict(type='FormatGCNInput', num_person=2),
        dict(type='Collect', keys=['keypoint', 'label'], meta_keys=[]),
        dict(type='ToTensor', keys=['keypoint']),
    ]


# The pipelines by modality, for the configs to pick from.
stream = {
    modality: dict(
        train=dict(dataset=dict(pipeline=pipeline(modality, num_clips=1))),
        val=dict(pipeline=pipeline(modality, num_clips=1)),
        test=dict(pipeline=pipeline(modality, num_clips=10)))
    for modality in ('j', 'b', 'jm', 'bm')
}
