"""What a batch is while it is being made."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pyskl.datasets.device.draws import Draws


@dataclass
class Batch:
    """N samples on their way through the operations of a plan.

    The frames that the batch is going to hold have been chosen before the first operation. Until
    the pipeline itself comes to choosing them, operations see of each sample the chosen frames
    only, and know from :attr:`frames` which those are.

    Attributes:
        arrays: ``keypoint`` (N, M, F, V, C), ``keypoint_score`` (N, M, F, V) and what operations
            add. Absent persons and padding are zero and have to stay so. An operation puts new
            arrays here and never writes into old ones.
        frames: The number of each frame on the time axis that a transform sees here, (N, F) int64;
            -1 for padding. A frame that was chosen twice is there twice.
        persons: The number of each person, (N, M) int64; -1 for absent ones.
        total: Frames of each sample on that time axis, (N,) int64.
        which: The samples' numbers in the store, (N,) int64, for tables of one entry a sample.
        draws: Random numbers of their own for each operation.
        length: F; :attr:`frames` has 2 F entries while each frame is followed, F entries later, by
            the one that comes after it in the sequence.
    """

    arrays: dict[str, Tensor]
    frames: Tensor
    persons: Tensor
    total: Tensor
    which: Tensor
    draws: Draws
    length: int

    def now(self, array: Tensor) -> Tensor:
        """Return the chosen frames (N, M, F, ...) of an array that may also hold the next ones."""
        return array[:, :, : self.length]

    def following(self, array: Tensor) -> Tensor:
        """Return the frames that come after the chosen ones, (N, M, F, ...).

        After a sequence's last frame that is the last one again.
        """
        return array[:, :, self.length :]

    def settle(self) -> None:
        """Make the chosen frames the time axis of what follows."""
        self.arrays = {key: self.now(array) for key, array in self.arrays.items()}
        self.renumber()

    def renumber(self) -> None:
        """Let :attr:`frames`, :attr:`total` and :attr:`length` follow the arrays."""
        some = next(iter(self.arrays.values()))
        self.length = some.shape[2]
        self.frames = torch.arange(self.length, device=some.device).expand(len(some), -1)
        self.total = torch.full_like(self.total, self.length)
