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

from pyskl.config import check_config, load_config
from pyskl.core.results import check_score_file, dump_scores
from pyskl.datasets import build_dataloader, build_dataset
from pyskl.engine.checkpoint import load_checkpoint, load_weights
from pyskl.engine.distributed import (
    Launcher,
    Place,
    barrier,
    choose_device,
    join,
    leave,
    place_from_environment,
)
from pyskl.engine.download import local_checkpoint
from pyskl.engine.evaluation import check_metrics, collect_scores, evaluate
from pyskl.engine.log import get_logger, setup_logging
from pyskl.errors import InputError
from pyskl.models import build_model
from pyskl.models.fuse import fuse_conv_bn
from pyskl.models.units.norm import replace_sync_batchnorm


@dataclass
class TestSettings:
    """What the command line decides about a test.

    Attributes:
        metrics: What to measure; see :func:`pyskl.engine.evaluation.evaluate`.
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


def test_from_config(
    config: str | Path | Config,
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
    if settings.average_clips == "none" and settings.metrics:
        raise InputError(
            "--average-clips none keeps the clips of a sample apart, which no metric takes: "
            "use --out without --eval"
        )
    place = place_from_environment(launcher)
    device = choose_device(place)
    setup_logging(is_main=place.is_main)
    cfg = config if isinstance(config, Config) else load_config(config, cfg_options)
    check_config(cfg, ["test"], trusted=settings.trusted)
    model = _load_model(cfg, checkpoint, settings, place)
    join(place, device, cfg.get("dist_params", {}).get("backend"))
    try:
        trust = {"trusted": True} if settings.trusted else {}
        dataset = build_dataset(cfg.data.test, {"test_mode": True, **trust})
        scores = test_model(
            model, dataset, device=device, amp=settings.amp, **loader_settings(cfg, "test")
        )
        topk = cfg.get("evaluation", {}).get("topk", (1, 5))
        found = evaluate(scores, dataset.labels, settings.metrics, topk)
        if settings.out is not None and place.is_main:
            dump_scores(scores, settings.out)
            get_logger().info("scores written to %s", settings.out)
        barrier()
        return found
    finally:
        leave()


def _load_model(
    cfg: Config, checkpoint: str | Path, settings: TestSettings, place: Place
) -> nn.Module:
    model: Any = build_model(cfg.model)
    path = local_checkpoint(checkpoint, trusted=settings.trusted)
    weights = load_checkpoint(path, trusted=settings.trusted)["state_dict"]
    load_weights(model, weights, str(checkpoint))
    if settings.average_clips is not None:
        average = None if settings.average_clips == "none" else settings.average_clips
        model.average_clips = average
    if settings.fuse_conv_bn:
        fuse_conv_bn(model.eval())
    if settings.compile:
        model.backbone.compile()
    return model


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
        loader: Further arguments of :func:`pyskl.datasets.build_dataloader`.

    Returns:
        (len(dataset), classes) float32 in the order of the data set. What a batch holds does not
        depend on the number of processes, so neither do the scores.
    """
    device = device or choose_device(Place())
    if device.type == "cpu":
        model = replace_sync_batchnorm(model)
    return collect_scores(
        model.to(device),
        build_dataloader(dataset, videos_per_gpu, workers_per_gpu, shuffle=False, **loader),
        device,
        amp=amp,
        progress=sys.stderr.isatty(),
    )


def loader_settings(cfg: Mapping[str, Any], use: str) -> dict[str, Any]:
    """Return the arguments of the loader of ``data.train``, ``data.val`` or ``data.test``.

    ``data`` states them for all three and ``data.<use>_dataloader`` overrides them for one.
    """
    data = cfg["data"]
    common = ("videos_per_gpu", "workers_per_gpu", "persistent_workers")
    settings = {"videos_per_gpu": 1, "workers_per_gpu": 0}
    settings.update({key: data[key] for key in common if key in data})
    settings.update(data.get(f"{use}_dataloader", {}))
    return settings
