"""Fixtures of the tests of the engine."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import torch

from pyskl.engine.log import LOGGER_NAME


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Compute on one thread: for models this small more are slower, and round differently."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _package_log() -> Iterator[None]:
    """Leave the package's logger as it was, and let pytest hear it meanwhile."""
    logger = logging.getLogger(LOGGER_NAME)
    handlers, level, propagate = list(logger.handlers), logger.level, logger.propagate
    logger.handlers, logger.propagate = [], True
    logger.setLevel("INFO")
    yield
    for handler in logger.handlers:
        handler.close()
    logger.handlers, logger.propagate = handlers, propagate
    logger.setLevel(level)
