"""What the command line decides about a training run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pyskl.errors import InputError


@dataclass
class TrainSettings:
    """What the command line decides about a training run.

    Attributes:
        validate: Measure ``data.val`` between epochs and keep the best checkpoint.
        test_last: Test the last weights on ``data.test`` at the end.
        test_best: Test the best weights, too; needs ``validate``.
        seed: None draws one (and writes it down).
        deterministic: See :func:`pyskl.training.seeding.set_random_seed`.
        compile: Compile the backbone with ``torch.compile``.
        amp: ``'bf16'``, ``'fp16'`` or None.
        auto_scale_lr: Scale the learning rate to the number of clips a step.
        resume: Whether to resume from ``latest.pth``, or the checkpoint to resume from; None
            leaves it to the config (``resume_from``, ``auto_resume``).
        trusted: Load files with plain pickle, which runs what they say.

    Raises:
        InputError: for settings that don't go together.
    """

    validate: bool = False
    test_last: bool = False
    test_best: bool = False
    seed: int | None = None
    deterministic: bool = False
    compile: bool = False
    amp: str | None = None
    auto_scale_lr: bool = False
    resume: bool | str | Path | None = None
    trusted: bool = False

    def __post_init__(self) -> None:
        """Check what needs no config."""
        if self.test_best and not self.validate:
            raise InputError("--test-best needs --validate: without it no checkpoint is the best")
