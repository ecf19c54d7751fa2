"""Test a recognizer, from a config or from objects."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import nn

from pyskl.apis.data import build_data, build_loader, loader_settings
from pyskl.apis.origin import score_origin
from pyskl.checkpoints.checkpoint import load_checkpoint, load_weights
from pyskl.config import check_config, load_config
from pyskl.distributed.collectives import is_main_process, raise_on_all_ranks
from pyskl.distributed.env import DistEnv, Launcher, choose_device
from pyskl.distributed.monitor import distributed_run
from pyskl.errors import InputError
from pyskl.evaluation.evaluate import check_metrics, evaluate
from pyskl.evaluation.results import check_score_file, dump_scores
from pyskl.evaluation.scoring import collect_scores
from pyskl.files.download import local_checkpoint
from pyskl.logging.log import get_logger, setup_logging
from pyskl.models import build_model
from pyskl.models.fuse import fuse_conv_bn
from pyskl.models.units.norm import replace_sync_batchnorm
from pyskl.training.memory import keep_freed_memory


@dataclass
class TestSettings:
    """What the command line decides about a test.

    Attributes:
        metrics: What to measure; see :func:`pyskl.evaluation.evaluate.evaluate`.
        out: File to write the scores to.
        average_clips: ``'prob'``, ``'score'``, ``'none'``, or None for the config's.
        fuse_conv_bn: Fold BatchNorm into the convolutions before it.
        compile: Compile the backbone with ``torch.compile``.
        amp: ``'bf16'``, ``'fp16'`` or None.
        trusted: Load files with plain pickle, which runs what they say.
    """

    __test__ = False  # not a test class, whatever its name says to pytest

    metrics: Sequence[str] = ("top_k_accuracy",)
    out: str | Path | None = None
    average_clips: str | None = None
    fuse_conv_bn: bool = False
    compile: bool = False
    amp: str | None = None
    trusted: bool = False

    def __post_init__(self) -> None:
        """Let one metric stand for a list of one."""
        if isinstance(self.metrics, str):
            self.metrics = [self.metrics]


def test_from_config(
    config: str | Path | Mapping[str, Any] | Config,
    checkpoint: str | Path,
    settings: TestSettings | None = None,
    *,
    cfg_options: Sequence[str] = (),
    launcher: Launcher = "none",
) -> dict[str, float]:
    """Do what ``tools/test.py`` does.

    Args:
        config: The config, or its path; ``data.test`` is what is tested.
        checkpoint: Path or URL of the weights.
        settings: What the command line decides.
        cfg_options: ``key=value`` overrides.
        launcher: How the processes were started.

    Returns:
        The figures.

    Raises:
        InputError: for faults of the config, the checkpoint or the settings.
    """
    settings = settings or TestSettings()
    check_metrics(settings.metrics)
    if settings.out is not None:
        check_score_file(settings.out)
    env = DistEnv.from_launcher(launcher)
    device = choose_device(env)
    if device.type == "cpu":
        keep_freed_memory()
    setup_logging(is_main=env.is_main)
    cfg = load_config(config, cfg_options)
    check_config(cfg, ["test"], trusted=settings.trusted)
    with (
        distributed_run(env, device, cfg.get("dist_params"), handle_signals=False) as monitor,
        monitor.explain_failures(lambda: "while testing"),
    ):
        return _tested(cfg, checkpoint, settings, env, device)


def _tested(
    cfg: Config,
    checkpoint: str | Path,
    settings: TestSettings,
    env: DistEnv,
    device: torch.device,
) -> dict[str, float]:
    """Test on all processes together; see :func:`test_from_config`."""
    model = _load_model(cfg, checkpoint, settings, env)
    dataset = build_data(cfg, "test", trusted=settings.trusted)
    check_measurable(settings.metrics, model, dataset.labels)
    scores = test_model(
        model, dataset, device=device, amp=settings.amp, **loader_settings(cfg, "test")
    )
    topk = cfg.get("evaluation", {}).get("topk", (1, 5))
    found = evaluate(scores, dataset.labels, settings.metrics, topk)
    if settings.out is not None:
        with raise_on_all_ranks():
            if env.is_main:
                origin = score_origin(cfg, dataset, model, scores, checkpoint)
                dump_scores(scores, settings.out, origin)
        get_logger().info("scores written to %s", settings.out)
    return found


def _load_model(
    cfg: Config, checkpoint: str | Path, settings: TestSettings, env: DistEnv
) -> nn.Module:
    model: Any = build_model(cfg.model)
    with raise_on_all_ranks():  # one process of each machine fetches, the others find it there
        if env.local_rank == 0:
            local_checkpoint(checkpoint, trusted=settings.trusted)
    path = local_checkpoint(checkpoint, trusted=settings.trusted)
    weights = load_checkpoint(path, trusted=settings.trusted)["state_dict"]
    load_weights(model, weights, str(checkpoint))
    if settings.average_clips is not None:
        model.average_clips = None if settings.average_clips == "none" else settings.average_clips
    if settings.fuse_conv_bn:
        fuse_conv_bn(model.eval())
    if settings.compile:
        model.backbone.compile()
    return model


def check_measurable(metrics: Sequence[str], model: nn.Module, labels: np.ndarray) -> None:
    """Check that metrics take what a model yields and a data set's labels, before the scoring.

    Raises:
        InputError: naming the metric.
    """
    check_metrics(metrics)
    if metrics and getattr(model, "average_clips", "prob") is None:
        raise InputError(
            "average_clips=None (--average-clips none) keeps the clips of a sample apart, which "
            f"no metric takes, but {', '.join(metrics)} is asked for: average them ('prob' or "
            "'score'), or use --out without --eval"
        )
    for metric in metrics:
        if labels.ndim > 1 and metric != "mean_average_precision":
            raise InputError(
                f"{metric} takes one label per sample, but those of this data set have several: "
                "use mean_average_precision"
            )


def test_model(
    model: nn.Module,
    dataset: Any,
    *,
    videos_per_gpu: int = 1,
    workers_per_gpu: int = 0,
    device: torch.device | None = None,
    amp: str | None = None,
    **loader: Any,
) -> np.ndarray:
    """Score a data set with a recognizer, on all processes of the group together.

    Args:
        model: The recognizer.
        dataset: A data set in test mode.
        videos_per_gpu: Samples that are scored at once.
        workers_per_gpu: Worker processes that read samples.
        device: Where to compute; by default the first GPU, else the CPU.
        amp: ``'bf16'``, ``'fp16'`` or None.
        loader: Further arguments of :func:`pyskl.apis.data.build_loader`.

    Returns:
        (len(dataset), classes) float32 in the order of the data set. What a batch holds does not
        depend on the number of processes, so neither do the scores.
    """
    device = device or choose_device(DistEnv())
    if device.type == "cpu":
        model = replace_sync_batchnorm(model)
    return collect_scores(
        model.to(device),
        build_loader(
            dataset, videos_per_gpu, workers_per_gpu, device=device, shuffle=False, **loader
        ),
        device,
        amp=amp,
        progress=is_main_process() and sys.stderr.isatty(),
    )
