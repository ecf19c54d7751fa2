"""Batches made on the training device, from a data set that is kept there.

``data=dict(device='cuda')`` in a config. Sampling, modalities, augmentation and formatting happen
for a whole batch at a time; the transforms of the config say what is to be done, and each has a
batch form (:func:`batch_form`) that does it.
"""

from pyskl.datasets.device.batch import Batch
from pyskl.datasets.device.loader import (
    DeviceLoader,
    build_device_loader,
    check_data_device,
    choose_data_device,
)
from pyskl.datasets.device.outline import NoBatchForm, Operation, Outline, batch_form
from pyskl.datasets.device.plan import check_batch_form

__all__ = [
    "Batch",
    "DeviceLoader",
    "NoBatchForm",
    "Operation",
    "Outline",
    "batch_form",
    "build_device_loader",
    "check_batch_form",
    "check_data_device",
    "choose_data_device",
]
