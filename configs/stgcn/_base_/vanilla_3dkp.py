# The vanilla practice on official 3D skeletons.
_base_ = './vanilla.py'


def pipeline(modality):
    return [
        dict(type='PreNormalize3D'),
        dict(type='GenSkeFeat', dataset='nturgb+d', feats=[modality]),
        dict(type='PoseDecode'),
        dict(type='PadTo', length=300, mode='zero'),
        dict(type='FormatGCNInput', num_person=2),
        dict(type='Collect', keys=['keypoint', 'label'], meta_keys=[]),
        dict(type='ToTensor', keys=['keypoint']),
    ]


# The pipelines by modality, for the configs to pick from.
stream = {
    modality: dict(
        train=dict(dataset=dict(pipeline=pipeline(modality))),
        val=dict(pipeline=pipeline(modality)),
        test=dict(pipeline=pipeline(modality)))
    for modality in ('j', 'b', 'jm', 'bm')
}
