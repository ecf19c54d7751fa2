"""Transforms of skeletons, and the pipeline that applies them one after the other."""

from pyskl.datasets.pipelines.augment import Flip, RandomGaussianNoise, RandomRot, RandomScale
from pyskl.datasets.pipelines.compose import BatchTransform, Compose
from pyskl.datasets.pipelines.formatting import Collect, FormatGCNInput, ToTensor
from pyskl.datasets.pipelines.frames import (
    PadTo,
    PoseDecode,
    SampleFrames,
    UniformSample,
    UniformSampleDecode,
)
from pyskl.datasets.pipelines.image import PoseCompact, PreNormalize2D
from pyskl.datasets.pipelines.normalize import PreNormalize3D
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
    "BatchTransform",
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
