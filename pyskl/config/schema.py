"""The keys of a config: their types, defaults and ranges.

Each section is a dataclass. Arguments of registered classes (backbones, transforms, data sets) are
not listed here: :mod:`pyskl.config.check` reads them from the signatures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Literal

from pyskl.registry import DatasetConfig, LoggerHookConfig, RecognizerConfig


@dataclass(frozen=True)
class AtLeast:
    """The lowest allowed value, as in ``Annotated[int, AtLeast(1)]``."""

    least: float


class Section:
    """A part of the config; its keys are the fields of the dataclass."""


Positive = Annotated[int, AtLeast(1)]
Seconds = Annotated[float, AtLeast(1)]


@dataclass(frozen=True)
class LoaderConfig(Section):
    """``data.<use>_dataloader``: how one data set is read. Defaults come from ``data``.

    Attributes:
        videos_per_gpu: Batch size per process.
        workers_per_gpu: Worker processes that read samples; 0 reads in the main process.
        persistent_workers: Keep the workers from epoch to epoch.
        device: Where to keep the samples and make batches; None makes them on the host.
        drop_last: Drop the last training batch if it is not full. Not a key of ``data``.
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
        interval: Epochs (or iterations) between checkpoints; below 1 saves only the last.
        by_epoch: Whether ``interval`` counts epochs.
        max_keep_ckpts: How many checkpoints to keep; below 1 keeps all.
    """

    interval: int = 1
    by_epoch: bool = True
    max_keep_ckpts: int = -1


@dataclass(frozen=True)
class TopKOptions(Section):
    """``evaluation.metric_options.top_k_accuracy``, the family's other place for ``topk``."""

    topk: Positive | Sequence[Positive]


@dataclass(frozen=True)
class MetricOptions(Section):
    """``evaluation.metric_options``: the options of each metric."""

    top_k_accuracy: TopKOptions | None = None


@dataclass(frozen=True)
class EvaluationConfig(Section):
    """``evaluation``: what to measure on ``data.val``, and how often.

    Attributes:
        interval: Epochs between validations.
        start: The first epoch (from 1) after which to validate.
        metrics: Names of metrics; see :func:`pyskl.evaluation.evaluate.evaluate`.
        topk: The k of ``top_k_accuracy``; (1, 5) if ``metric_options`` does not say it either.
        metric_options: ``dict(top_k_accuracy=dict(topk=...))``, the same.
        save_best: The metric whose best checkpoint is kept; ``'auto'``: the first one measured;
            None: keep none.
    """

    interval: Positive = 1
    start: int | None = None
    metrics: str | Sequence[str] = ("top_k_accuracy",)
    topk: Positive | Sequence[Positive] | None = None
    metric_options: MetricOptions = field(default_factory=MetricOptions)
    save_best: str | None = "auto"

    @property
    def metric_names(self) -> list[str]:
        """``metrics`` as a list."""
        return [self.metrics] if isinstance(self.metrics, str) else list(self.metrics)

    @property
    def ks(self) -> tuple[int, ...]:
        """The k of ``top_k_accuracy`` as a tuple."""
        option = self.metric_options.top_k_accuracy
        ks = self.topk if option is None else option.topk
        if ks is None:
            return (1, 5)
        return (ks,) if isinstance(ks, int) else tuple(ks)


@dataclass(frozen=True)
class LogConfig(Section):
    """``log_config``: how often to log (in iterations), and where."""

    interval: Positive = 100
    hooks: Sequence[LoggerHookConfig] = ()


@dataclass(frozen=True)
class DistConfig(Section):
    """``dist_params``: the backend of the process group, and timeouts in seconds.

    Attributes:
        backend: The backend on GPUs; on CPUs it is always gloo.
        join: How long to wait for all processes to join.
        timeout: A process without a heartbeat for this long counts as lost.
        stall: A run without a step for this long counts as stuck.
    """

    backend: Literal["nccl", "gloo"] = "nccl"
    join: Seconds = 600.0
    timeout: Seconds = 120.0
    stall: Seconds = 1800.0


@dataclass(frozen=True)
class ImportsConfig(Section):
    """``custom_imports``: modules of the user to import, which register classes."""

    imports: str | Sequence[str]
    allow_failed_imports: bool = False


@dataclass(frozen=True)
class RunnerConfig(Section):
    """``runner``: MMCV's place for ``total_epochs``."""

    max_epochs: Positive
    type: Literal["EpochBasedRunner"] = "EpochBasedRunner"


@dataclass(frozen=True)
class Fp16Config(Section):
    """``fp16``: train in fp16, like ``--amp fp16``.

    Attributes:
        loss_scale: MMCV's scale of the loss. The scale is found automatically here, whatever this
            says: it does not change what is computed, apart from overflows.
    """

    loss_scale: float | str | Mapping[str, Any] = "dynamic"


@dataclass(frozen=True)
class ScaleLrConfig(Section):
    """``auto_scale_lr``: the number of clips per step that ``optimizer.lr`` is meant for."""

    base_batch_size: Positive


@dataclass(frozen=True)
class ConfigKeys(Section):
    """The top level of a config.

    An empty ``model``, ``optimizer`` or ``lr_config`` and ``total_epochs=0`` mean that the config
    lacks them; :data:`REQUIRED` lists what each use needs.
    """

    model: RecognizerConfig = field(default_factory=dict)
    data: DataConfig = field(default_factory=DataConfig)
    optimizer: Mapping[str, Any] = field(default_factory=dict)
    optimizer_config: OptimizerHookConfig = field(default_factory=OptimizerHookConfig)
    lr_config: Mapping[str, Any] = field(default_factory=dict)
    total_epochs: Positive = 0
    runner: RunnerConfig | None = None
    fp16: Fp16Config | None = None
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
        given: The keys that the config sets, as plain values; only these are logged and saved.
        filename: The file that the config was read from, if any.
    """

    given: Mapping[str, Any] = field(default_factory=dict)
    filename: str | None = None

    @property
    def source(self) -> str:
        """The name of the config in messages."""
        return self.filename or "the config"

    def with_values(self, **values: Any) -> RunConfig:
        """Return the config with top-level keys changed, as if the file had set them."""
        return replace(self, **values, given={**self.given, **values})


KNOWN_KEYS = frozenset(one.name for one in fields(ConfigKeys))

# Keys of MMCV and PYSKL that change a training there and have no effect here: training says so.
KEYS_WITHOUT_EFFECT = frozenset({"custom_hooks", "momentum_config", "omnisource", "precise_bn"})

# Keys that say the same; a config may set both only to one value.
SAME_MEANING = (
    ("total_epochs", "runner.max_epochs"),
    ("evaluation.topk", "evaluation.metric_options.top_k_accuracy.topk"),
)

# Names that other toolboxes use → our keys.
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

# The keys that each use requires.
REQUIRED: Mapping[str, Sequence[str]] = {
    "train": ("model", "data.train", "optimizer", "lr_config", "total_epochs"),
    "val": ("data.val",),
    "test": ("model", "data.test"),
}
