# Synthetic actions (12 classes, 25 joints), unseen subjects. Needs no download: the data set is
# generated on first use.
_base_ = './own_data.py'

model = dict(
    backbone=dict(graph_cfg=dict(layout='nturgb+d')),
    cls_head=dict(num_classes=12))


def pipeline(modality, num_clips):
    return [
        dict(type='PreNormalize3D'),
        dict(type='GenSkeFeat', dataset='nturgb+d', feats=[modality]),
        dict(type='UniformSample', clip_len=32, num_clips=num_clips),
        dict(type='PoseDecode'),
        dict(type='FormatGCNInput', num_person=2),
        dict(type='Collect', keys=['keypoint', 'label'], meta_keys=[]),
        dict(type='ToTensor', keys=['keypoint']),
    ]


stream = {
    modality: dict(
        train=dict(dataset=dict(pipeline=pipeline(modality, 1))),
        val=dict(pipeline=pipeline(modality, 1)),
        test=dict(pipeline=pipeline(modality, 4)))
    for modality in ('j', 'b', 'jm', 'bm')
}
toy = dict(type='ToyDataset', ann_file='data/toy/toy_3danno.pkl')
data = dict(
    train=dict(times=1, dataset=dict(**toy, split='xsub_train', **stream['j']['train']['dataset'])),
    val=dict(**toy, split='xsub_val', **stream['j']['val']),
    test=dict(**toy, split='xsub_val', **stream['j']['test']))
total_epochs = 10
