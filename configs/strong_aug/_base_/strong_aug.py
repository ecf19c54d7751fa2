# The PYSKL practice on official 3D skeletons, with training samples stretched and turned at random.
_base_ = '../../_base_/pyskl_3dkp.py'

augment = [dict(type='RandomScale', scale=0.1), dict(type='RandomRot')]
stream = {
    modality: dict(train=dict(dataset=dict(pipeline=[normalize, *augment, *rest])))
    for modality in ('j', 'b', 'jm', 'bm')
    for normalize, *rest in [_base_.stream[modality].train.dataset.pipeline]
}
