"""What the command line decides about a benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyskl.errors import InputError


@dataclass(frozen=True)
class BenchmarkSettings:
    """What to measure, how often and for how long.

    Attributes:
        use: The data set: ``'train'``, ``'val'`` or ``'test'``; for inference, which scores
            their clips, one of the latter two.
        repeats: Measurements of each variant.
        seconds: What one measurement should take.
        batch: Samples per batch; empty for the config's. Modes that take one use the first.
        workers: Worker processes that read samples; None for the config's.
        device: Where to compute, such as ``'cuda'``, ``'cuda:1'`` or ``'cpu'``; None for the first
            GPU, else the CPU.
        synthetic: Samples of a made-up annotation set that stands for the config's files; None uses
            those, and makes up only what does not exist.
        variants: Names of the variants of a training step; empty for those that suit the device.
            See :class:`pyskl.benchmark.step.Variant`.
        compile: Measure compiled variants, too.
        end_to_end: Measure the training loop with the best variant of each batch size, too.
        ranks: Numbers of processes to start.
        launcher: ``tools/launch.py``, which starts several processes.
    """

    use: str = "train"
    repeats: int = 5
    seconds: float = 1.0
    batch: Sequence[int] = ()
    workers: int | None = None
    device: str | None = None
    synthetic: int | None = None
    variants: Sequence[str] = ()
    compile: bool = False
    end_to_end: bool = False
    ranks: Sequence[int] = (1, 2)
    launcher: Path | None = None

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            InputError: naming the option, what was found and what would do.
        """
        least = {
            "repeats": [self.repeats],
            "batch": self.batch,
            "ranks": self.ranks,
            "synthetic": [] if self.synthetic is None else [self.synthetic],
        }
        for name, values in least.items():
            for value in values:
                if value < 1:
                    raise InputError(f"--{name} takes whole numbers from 1 on, found {value}")
        if self.workers is not None and self.workers < 0:
            raise InputError(f"--workers takes a whole number from 0 on, found {self.workers}")
        if not 0 < self.seconds < float("inf"):
            raise InputError(f"--seconds takes a number above 0, found {self.seconds}")
