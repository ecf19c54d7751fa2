"""Train, test and use recognizers."""

from pyskl.apis.inference import inference_recognizer, init_recognizer
from pyskl.apis.settings import TrainSettings
from pyskl.apis.test import TestSettings, test_from_config, test_model
from pyskl.apis.train import train_from_config, train_model
from pyskl.training.seeding import init_random_seed

__all__ = [
    "TestSettings",
    "TrainSettings",
    "inference_recognizer",
    "init_random_seed",
    "init_recognizer",
    "test_from_config",
    "test_model",
    "train_from_config",
    "train_model",
]
