"""Score batches, several at once where that uses a CPU better."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor, nn

from pyskl.training.precision import autocast


def predictions(
    model: nn.Module,
    batches: Iterable[Mapping[str, Any]],
    device: torch.device,
    *,
    amp: str | None = None,
) -> Iterator[Tensor]:
    """Yield a recognizer's scores (N, L) of each batch, in order, on the device.

    On the CPU every batch is computed by one thread, and as many batches at once as there are
    threads. Sums then do not depend on the number of threads, which differs with the number of
    processes, so neither do the scores; and threads that work on batches of their own do not wait
    for each other. A compiled model is not safe to run in several threads and keeps torch's way.

    Args:
        model: A recognizer in evaluation mode.
        batches: With ``keypoint`` (N, clips, M, T, V, C).
        device: Where the model is.
        amp: See :func:`pyskl.training.precision.autocast`.
    """

    def score(keypoint: Tensor) -> Tensor:
        with torch.inference_mode(), autocast(device, amp):
            found: Tensor = model.predict(keypoint.to(device, non_blocking=True))  # type: ignore[operator]
            return found.float()

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
