"""Transforms: each takes the dict of a sample and returns it."""

from pyskl.datasets.pipelines.augment import Flip, RandomGaussianNoise, RandomRot, RandomScale
from pyskl.datasets.pipelines.compose import Compose
from pyskl.datasets.pipelines.decode import PadTo, PoseDecode
from pyskl.datasets.pipelines.formatting import Collect, FormatGCNInput, ToTensor
from pyskl.datasets.pipelines.frames import SampleFrames, UniformSample, UniformSampleDecode
from pyskl.datasets.pipelines.normalize import PoseCompact, PreNormalize2D, PreNormalize3D
from pyskl.datasets.pipelines.streams import (
    GenSkeFeat,
    JointToBone,
    MergeSkeFeat,
    Rename,
    ToMotion,
)
from pyskl.registry import PIPELINES

UniformSampleFrames = UniformSample

__all__ = [
    "PIPELINES",
    "Collect",
    "Compose",
    "Flip",
    "FormatGCNInput",
    "GenSkeFeat",
    "JointToBone",
    "MergeSkeFeat",
    "PadTo",
    "PoseCompact",
    "PoseDecode",
    "PreNormalize2D",
    "PreNormalize3D",
    "RandomGaussianNoise",
    "RandomRot",
    "RandomScale",
    "Rename",
    "SampleFrames",
    "ToMotion",
    "ToTensor",
    "UniformSample",
    "UniformSampleDecode",
    "UniformSampleFrames",
]
