"""The keys of a config: their types, defaults and ranges.

Each section is a dataclass. What belongs to a registered class (a backbone, a transform, a data
set) is not repeated here: :mod:`pyskl.config.check` reads it from the signature of the class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Literal

from pyskl.registry import DatasetConfig, LoggerHookConfig, RecognizerConfig

Use = Literal["train", "val", "test"]


@dataclass(frozen=True)
class AtLeast:
    """The smallest value of a number, as in ``Annotated[int, AtLeast(1)]``."""

    least: float


class Section:
    """A part of the config, whose keys are the fields of the dataclass."""


Positive = Annotated[int, AtLeast(1)]
Seconds = Annotated[float, AtLeast(1)]


@dataclass(frozen=True)
class LoaderConfig(Section):
    """How one data set is read. ``data`` sets it for all, ``data.<use>_dataloader`` for one.

    Attributes:
        videos_per_gpu: Samples of a batch of one process.
        workers_per_gpu: Worker processes that read samples; 0 reads in the main process.
        persistent_workers: Keep the workers from epoch to epoch.
        device: Where to keep the data set and make whole batches; None reads samples one by one.
        drop_last: Leave out a last training batch that is not full.
    """

    videos_per_gpu: Positive = 1
    workers_per_gpu: Annotated[int, AtLeast(0)] = 0
    persistent_workers: bool = True
    device: str | None = None
    drop_last: bool = False


@dataclass(frozen=True)
class DataConfig(Section):
    """``data``: the data sets, and how they are read; see :class:`LoaderConfig`."""

    videos_per_gpu: Positive = 1
    workers_per_gpu: Annotated[int, AtLeast(0)] = 0
    persistent_workers: bool = True
    device: str | None = None
    train_dataloader: LoaderConfig = field(default_factory=LoaderConfig)
    val_dataloader: LoaderConfig = field(default_factory=LoaderConfig)
    test_dataloader: LoaderConfig = field(default_factory=LoaderConfig)
    train: DatasetConfig | Sequence[DatasetConfig] = field(default_factory=dict)
    val: DatasetConfig | Sequence[DatasetConfig] = field(default_factory=dict)
    test: DatasetConfig | Sequence[DatasetConfig] = field(default_factory=dict)

    def loader(self, use: str) -> LoaderConfig:
        """Return the complete settings of the loader of ``data.<use>``."""
        loader: LoaderConfig = getattr(self, f"{use}_dataloader")
        return loader


@dataclass(frozen=True)
class GradClipConfig(Section):
    """``optimizer_config.grad_clip``: see :func:`torch.nn.utils.clip_grad_norm_`."""

    max_norm: float
    norm_type: float = 2.0


@dataclass(frozen=True)
class OptimizerHookConfig(Section):
    """``optimizer_config``: what happens to the gradients before a step."""

    grad_clip: GradClipConfig | None = None


@dataclass(frozen=True)
class CheckpointConfig(Section):
    """``checkpoint_config``: how often to save, and how many checkpoints to keep.

    Attributes:
        interval: Epochs (or iterations) between two checkpoints; below 1 saves only the last.
        by_epoch: Whether ``interval`` counts epochs.
        max_keep_ckpts: How many checkpoints to keep; below 1 keeps all.
    """

    interval: int = 1
    by_epoch: bool = True
    max_keep_ckpts: int = -1


@dataclass(frozen=True)
class EvaluationConfig(Section):
    """``evaluation``: what to measure on ``data.val``, and how often.

    Attributes:
        interval: Epochs between two validations.
        start: The first epoch (from 1) after which to validate.
        metrics: Names of metrics; see :func:`pyskl.evaluation.evaluate.evaluate`.
        topk: The k of ``top_k_accuracy``.
        save_best: The value whose best checkpoint is kept: its name, ``'auto'`` for the first one
            measured, None to keep none.
    """

    interval: Positive = 1
    start: int | None = None
    metrics: str | Sequence[str] = ("top_k_accuracy",)
    topk: Positive | Sequence[Positive] = (1, 5)
    save_best: str | None = "auto"

    @property
    def metric_names(self) -> list[str]:
        """The metrics as a list, also where the config gives a single name."""
        return [self.metrics] if isinstance(self.metrics, str) else list(self.metrics)

    @property
    def ks(self) -> tuple[int, ...]:
        """``topk`` as a tuple, also where the config gives a single number."""
        return (self.topk,) if isinstance(self.topk, int) else tuple(self.topk)


@dataclass(frozen=True)
class LogConfig(Section):
    """``log_config``: how often to log (in iterations), and where."""

    interval: Positive = 100
    hooks: Sequence[LoggerHookConfig] = ()


@dataclass(frozen=True)
class DistConfig(Section):
    """``dist_params``: the backend of the process group, and timeouts in seconds.

    Attributes:
        backend: Of ``torch.distributed`` on GPUs; processes on CPUs use gloo.
        join: Until all processes have joined.
        timeout: Without a heartbeat of a process, after which it counts as lost.
        stall: Without a step of any process, after which the run counts as stuck.
    """

    backend: Literal["nccl", "gloo"] = "nccl"
    join: Seconds = 600.0
    timeout: Seconds = 120.0
    stall: Seconds = 1800.0


@dataclass(frozen=True)
class ImportsConfig(Section):
    """``custom_imports``: modules to import, which register classes of the user."""

    imports: str | Sequence[str]
    allow_failed_imports: bool = False


@dataclass(frozen=True)
class ScaleLrConfig(Section):
    """``auto_scale_lr``: the number of clips per step that ``optimizer.lr`` is meant for."""

    base_batch_size: Positive


@dataclass(frozen=True)
class ConfigKeys(Section):
    """The top level of a config.

    An empty ``model``, ``optimizer`` or ``lr_config``, or ``total_epochs`` of 0, is one that the
    config does not have, as it is not used for training.
    """

    model: RecognizerConfig = field(default_factory=dict)
    data: DataConfig = field(default_factory=DataConfig)
    optimizer: Mapping[str, Any] = field(default_factory=dict)
    optimizer_config: OptimizerHookConfig = field(default_factory=OptimizerHookConfig)
    lr_config: Mapping[str, Any] = field(default_factory=dict)
    total_epochs: Positive = 0
    checkpoint_config: CheckpointConfig | None = field(default_factory=CheckpointConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    log_config: LogConfig = field(default_factory=LogConfig)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    work_dir: str | None = None
    load_from: str | None = None
    resume_from: str | None = None
    auto_resume: bool = True
    # The published configs were trained with 8 GPUs x 16 clips.
    auto_scale_lr: ScaleLrConfig = field(default_factory=lambda: ScaleLrConfig(128))
    find_unused_parameters: bool = False
    cudnn_benchmark: bool = False
    dist_params: DistConfig = field(default_factory=DistConfig)
    on_nonfinite: Literal["stop", "skip", "ignore"] = "stop"
    workflow: Sequence[tuple[str, int]] = (("train", 1),)
    seed: Annotated[int, AtLeast(0)] | None = None
    custom_imports: ImportsConfig | None = None


@dataclass(frozen=True)
class RunConfig(ConfigKeys):
    """A config with all defaults filled in.

    Attributes:
        given: The keys that the config gives, as plain values; they are what is written down.
        filename: The file that the config was read from.
    """

    given: Mapping[str, Any] = field(default_factory=dict)
    filename: str | None = None

    @property
    def source(self) -> str:
        """The config's file for messages."""
        return self.filename or "the config"

    def with_values(self, **values: Any) -> RunConfig:
        """Return the config with other values of top-level keys, as if it gave them."""
        return replace(self, **values, given={**self.given, **values})


KNOWN_KEYS = frozenset(one.name for one in fields(ConfigKeys))

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

# What a config must have for each use.
REQUIRED: Mapping[str, Sequence[str]] = {
    "train": ("model", "data.train", "optimizer", "lr_config", "total_epochs"),
    "val": ("data.val",),
    "test": ("model", "data.test"),
}
