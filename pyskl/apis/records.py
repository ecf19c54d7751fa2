"""What a run writes down about itself."""

from __future__ import annotations

from pathlib import Path

import torch
from mmengine.config import Config

from pyskl.config import config_text
from pyskl.engine.distributed import Place, failing_together
from pyskl.engine.environment import environment
from pyskl.engine.log import RunLog, get_logger, setup_logging
from pyskl.errors import InputError


def open_logs(
    cfg: Config, work_dir: Path, timestamp: str, place: Place, device: torch.device
) -> RunLog:
    """Set up logging and write down what the run is: environment, config, seed."""
    log = RunLog(None)
    text = config_text(cfg)
    with failing_together():
        if place.is_main:
            log = _open_files(cfg, work_dir, timestamp, text)
        else:
            setup_logging(is_main=False)
    logger = get_logger()
    found = environment()
    logger.info("environment:\n%s", "\n".join(f"  {k}: {v}" for k, v in found.items()))
    logger.info("config:\n%s", text)
    logger.info("seed %s, work dir %s", cfg.get("seed"), work_dir)
    logger.info("%s, %d process(es)", _named(device), place.world_size)
    log.write({"env": found, "seed": cfg.get("seed"), "config": text})
    return log


def _named(device: torch.device) -> str:
    """Say where a run computes, and that a GPU was looked for where torch could use one."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if torch.version.cuda is not None:
        return f"CPU (torch {torch.__version__} finds no GPU that it can use)"
    return "CPU"


def _open_files(cfg: Config, work_dir: Path, timestamp: str, text: str) -> RunLog:
    config_copy = work_dir / f"{Path(cfg.filename or 'config').stem}.py"
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
        setup_logging(work_dir / f"{timestamp}.log", cfg.get("log_level", "INFO"))
        hooks = cfg.get("log_config", {}).get("hooks", ())
        log = RunLog(work_dir / f"{timestamp}.log.json", hooks, work_dir)
        # A config that was written into its own work dir is the user's: it stays as it is.
        if not (cfg.filename and config_copy.exists() and config_copy.samefile(cfg.filename)):
            config_copy.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{work_dir}: the work dir can't be written ({error}); choose another with --work-dir"
        ) from error
    return log
