"""Compute the scores of a recognizer, of single batches or of a whole data set."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from pyskl.datasets.sampling import TestBatches
from pyskl.distributed.collectives import gather_objects
from pyskl.evaluation.metrics import check_finite_scores
from pyskl.models.precision import autocast


def predictions(
    model: nn.Module,
    batches: Iterable[Mapping[str, Any]],
    device: torch.device,
    *,
    amp: str | None = None,
) -> Iterator[Tensor]:
    """Yield a recognizer's scores (N, classes) of each batch, in order, on the device.

    On the CPU each batch is computed by one thread, and as many batches at once as there are
    threads. Then threads do not wait for each other, and the scores do not depend on their number,
    which differs with the number of processes. A compiled model is not thread-safe and is computed
    as usual.

    Args:
        model: A recognizer in evaluation mode.
        batches: With ``keypoint`` (N, clips, M, T, V, C).
        device: Where the model is.
        amp: See :func:`pyskl.models.precision.autocast`.
    """

    def score(keypoint: Tensor) -> Tensor:
        with torch.inference_mode(), autocast(device, amp):
            scores: Tensor = model.predict(keypoint.to(device, non_blocking=True))  # type: ignore[operator]
            return scores.float()

    if device.type != "cpu" or is_compiled(model):
        for batch in batches:
            yield score(batch["keypoint"])
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    pending: deque[Future[Tensor]] = deque()
    try:
        with ThreadPoolExecutor(threads) as pool:
            for batch in batches:
                pending.append(pool.submit(score, batch["keypoint"]))
                if len(pending) > threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
    finally:
        torch.set_num_threads(threads)


def is_compiled(model: nn.Module) -> bool:
    """Return whether a part of the model was compiled with ``module.compile()``."""
    return any(module._compiled_call_impl is not None for module in model.modules())


def collect_scores(
    model: nn.Module,
    loader: DataLoader,
    device: torch.device,
    *,
    amp: str | None = None,
    progress: bool = False,
    before_batch: Callable[[], None] | None = None,
) -> np.ndarray:
    """Score each sample of a data set once, on all processes together.

    Args:
        model: A recognizer; evaluation mode is set and restored.
        loader: From ``build_dataloader(..., shuffle=False)``.
        device: Where the model is.
        amp: See :func:`pyskl.models.precision.autocast`.
        progress: Whether to show a progress bar.
        before_batch: Called before each batch, and equally often on every process even if the
            numbers of batches differ. If it raises on all processes, scoring is interrupted.

    Returns:
        (len(dataset), classes) float32 in the order of the data set, on every process.

    Raises:
        NonFiniteScoresError: on every process, if a score is NaN or infinite.
    """
    sampler = loader.batch_sampler
    if not isinstance(sampler, TestBatches):
        raise TypeError("collect_scores needs a loader built with shuffle=False")

    def batches() -> Iterator[Mapping[str, Any]]:
        most_batches = -(-sampler.length // sampler.starts.step)  # of any process
        for batch in tqdm(loader, desc="testing", disable=not progress, leave=False):
            if before_batch is not None:
                before_batch()
            yield batch
        for _ in range(most_batches - len(sampler)):
            if before_batch is not None:
                before_batch()

    was_training = model.training
    model.eval()
    found = list(predictions(model, batches(), device, amp=amp))
    model.train(was_training)
    own = torch.cat(found).cpu().numpy() if found else None
    parts = gather_objects((sampler.indices(), own))
    filled = next(part for _, part in parts if part is not None)
    scores = np.zeros((sampler.length, *filled.shape[1:]), dtype=filled.dtype)
    for indices, part in parts:
        if part is not None:
            scores[indices] = part
    check_finite_scores(
        scores, getattr(getattr(loader.dataset, "dataset", None), "sample_ids", None)
    )
    return scores
