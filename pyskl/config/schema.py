"""The keys of a config and the types of their values.

What belongs to a class (a backbone, a transform, a data set) is not repeated here: the checker
reads it off the class's own signature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from pyskl.registry import DatasetConfig, LoggerHookConfig, RecognizerConfig

DatasetOrList = DatasetConfig | Sequence[DatasetConfig]


class LoaderSection(TypedDict, total=False):
    """``data.train_dataloader`` and the like: what differs from ``data`` for one of the three."""

    videos_per_gpu: int
    workers_per_gpu: int
    persistent_workers: bool
    device: str | None
    drop_last: bool


class DataSection(TypedDict, total=False):
    """``data``: batches and the three data sets."""

    videos_per_gpu: int
    workers_per_gpu: int
    persistent_workers: bool
    device: str | None
    train_dataloader: LoaderSection
    val_dataloader: LoaderSection
    test_dataloader: LoaderSection
    train: DatasetOrList
    val: DatasetOrList
    test: DatasetOrList


class _GradClipNeeds(TypedDict):
    max_norm: float


class GradClipSection(_GradClipNeeds, total=False):
    """``optimizer_config.grad_clip``: see :func:`torch.nn.utils.clip_grad_norm_`."""

    norm_type: float


class OptimizerConfigSection(TypedDict, total=False):
    """``optimizer_config``: what happens to gradients before a step."""

    grad_clip: GradClipSection | None


class LrSection(TypedDict, total=False):
    """``lr_config``: see :mod:`pyskl.training.schedule`."""

    policy: Literal["fixed", "step", "CosineAnnealing"]
    by_epoch: bool
    step: int | Sequence[int]
    gamma: float
    min_lr: float | None
    min_lr_ratio: float | None
    warmup: Literal["constant", "linear", "exp"] | None
    warmup_iters: int
    warmup_ratio: float
    warmup_by_epoch: bool


class CheckpointSection(TypedDict, total=False):
    """``checkpoint_config``: how often to save, and how many checkpoints to keep."""

    interval: int
    by_epoch: bool
    max_keep_ckpts: int


class EvaluationSection(TypedDict, total=False):
    """``evaluation``: what to measure on ``data.val``, and how often."""

    interval: int
    start: int | None
    metrics: str | Sequence[str]
    topk: int | Sequence[int]
    save_best: str | None


class LogSection(TypedDict, total=False):
    """``log_config``: how often to log, and where."""

    interval: int
    hooks: Sequence[LoggerHookConfig]


class DistSection(TypedDict, total=False):
    """``dist_params``: how the processes talk, and when one counts as lost; times in seconds."""

    backend: Literal["nccl", "gloo"]
    join: float
    timeout: float
    stall: float


class _ImportsNeeds(TypedDict):
    imports: str | Sequence[str]


class ImportsSection(_ImportsNeeds, total=False):
    """``custom_imports``: modules of one's own to import, which register their classes."""

    allow_failed_imports: bool


class ScaleSection(TypedDict):
    """``auto_scale_lr``: the number of clips a step that ``optimizer.lr`` is meant for."""

    base_batch_size: int


class ConfigSchema(TypedDict, total=False):
    """The top level of a config."""

    model: RecognizerConfig
    data: DataSection
    optimizer: Mapping[str, Any]
    optimizer_config: OptimizerConfigSection
    lr_config: LrSection
    total_epochs: int
    checkpoint_config: CheckpointSection | None
    evaluation: EvaluationSection
    log_config: LogSection
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
    work_dir: str
    load_from: str | None
    resume_from: str | None
    auto_resume: bool
    auto_scale_lr: ScaleSection
    find_unused_parameters: bool
    cudnn_benchmark: bool
    dist_params: DistSection
    on_nonfinite: Literal["stop", "skip", "ignore"]
    workflow: Sequence[tuple[str, int]]
    seed: int | None
    custom_imports: ImportsSection


KNOWN_KEYS = frozenset(ConfigSchema.__annotations__)

# Words that other toolboxes use for keys of this one.
OTHER_WORDS = {
    "batch_size": "data.videos_per_gpu",
    "epochs": "total_epochs",
    "lr": "optimizer.lr",
    "lr_scheduler": "lr_config",
    "max_epochs": "total_epochs",
    "num_epochs": "total_epochs",
    "num_workers": "data.workers_per_gpu",
    "param_scheduler": "lr_config",
    "resume": "auto_resume",
    "scheduler": "lr_config",
}

# What numbers may not fall below.
AT_LEAST = {
    "auto_scale_lr.base_batch_size": 1,
    "dist_params.join": 1,
    "dist_params.stall": 1,
    "dist_params.timeout": 1,
    "evaluation.interval": 1,
    "log_config.interval": 1,
    "seed": 0,
    "total_epochs": 1,
    **{
        f"data.{section}{name}": least
        for section in ("", "train_dataloader.", "val_dataloader.", "test_dataloader.")
        for name, least in (("videos_per_gpu", 1), ("workers_per_gpu", 0))
    },
}

# What a config must have for each use.
REQUIRED = {
    "train": ("model", "data.train", "optimizer", "lr_config", "total_epochs"),
    "val": ("data.val",),
    "test": ("model", "data.test"),
}
