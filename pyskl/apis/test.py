"""Test a recognizer, from a config or from objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import nn

from pyskl.apis.data import build_loader, loader_settings
from pyskl.apis.data_checks import check_measurable
from pyskl.apis.data_warnings import warn_of_assumptions
from pyskl.apis.prepare import Prepared, prepare
from pyskl.apis.settings import TestSettings
from pyskl.apis.test_data import score_origin
from pyskl.checkpoints.checkpoint import open_checkpoint
from pyskl.checkpoints.weights import load_weights
from pyskl.config import load_config
from pyskl.config.error_collector import ErrorCollector
from pyskl.distributed.collectives import is_main_process, raise_on_all_ranks
from pyskl.distributed.env import DistEnv, Launcher, choose_device, warn_of_slow_devices
from pyskl.distributed.monitor import distributed_run
from pyskl.evaluation.evaluate import check_metrics, evaluate
from pyskl.evaluation.scores import check_score_file, dump_scores
from pyskl.evaluation.scoring import collect_scores
from pyskl.files.download import local_checkpoint
from pyskl.files.terminal import shows_bars
from pyskl.logging.log import get_logger, setup_logging
from pyskl.models.convert import fuse_conv_bn, replace_sync_batchnorm
from pyskl.training.memory import keep_freed_memory


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
        config: The config, or its path; ``data.test`` is tested.
        checkpoint: Path or URL of the weights.
        settings: The settings of the command line.
        cfg_options: ``key=value`` overrides.
        launcher: How the processes were started.

    Returns:
        The metrics.

    Raises:
        InputError: for errors in the config, the checkpoint or the settings.
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
    warn_of_slow_devices(env, device)
    errors = ErrorCollector(str(config) if isinstance(config, (str, Path)) else "config")
    loaded = load_config(config, cfg_options, errors)
    prepared = prepare(loaded, ["test"], trusted=settings.trusted, errors=errors)
    with (
        distributed_run(
            env, device, asdict(prepared.cfg.dist_params), handle_signals=False
        ) as monitor,
        monitor.explain_failures(lambda: "while testing"),
    ):
        return _test(prepared, checkpoint, settings, env, device)


def _test(
    prepared: Prepared,
    checkpoint: str | Path,
    settings: TestSettings,
    env: DistEnv,
    device: torch.device,
) -> dict[str, float]:
    cfg, model, dataset = prepared.cfg, prepared.model, prepared.datasets["test"]
    with raise_on_all_ranks():  # one process of each machine downloads
        if env.local_rank == 0:
            local_checkpoint(checkpoint, trusted=settings.trusted)
    opened = open_checkpoint(checkpoint, trusted=settings.trusted)
    load_weights(model, opened.state_dict, opened.source)
    if settings.average_clips is not None:
        model.average_clips = None if settings.average_clips == "none" else settings.average_clips
    if settings.fuse_conv_bn:
        fuse_conv_bn(model.eval())
    if settings.compile:
        model.backbone.compile()
    check_measurable(settings.metrics, model, dataset.labels)
    warn_of_assumptions({"test": dataset})
    scores = test_model(
        model, dataset, device=device, amp=settings.amp, **loader_settings(cfg, "test")
    )
    found = evaluate(scores, dataset.labels, settings.metrics, cfg.evaluation.ks)
    if settings.out is not None:
        with raise_on_all_ranks():
            if env.is_main:
                epoch = opened.meta.get("epoch")
                origin = score_origin(
                    *(cfg, dataset, model, scores, checkpoint),
                    epoch=epoch if isinstance(epoch, int) else None,
                    sha256=opened.sha256,
                )
                dump_scores(scores, settings.out, origin)
        get_logger().info("scores written to %s", settings.out)
    return found


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
        videos_per_gpu: Batch size.
        workers_per_gpu: Worker processes that read samples.
        device: Where to compute; by default the first GPU, or the CPU.
        amp: ``'bf16'``, ``'fp16'`` or None.
        loader: Other arguments of :func:`pyskl.apis.data.build_loader`.

    Returns:
        (len(dataset), classes) float32 in the order of the data set. The batches, and so the
        scores, don't depend on the number of processes.
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
        progress=is_main_process() and shows_bars(),
    )
