"""The command-line settings of a training and of a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pyskl.errors import InputError

if TYPE_CHECKING:
    from pyskl.config import RunConfig


@dataclass
class TrainSettings:
    """The settings of a training run that are not in its config.

    Attributes:
        validate: Measure ``data.val`` between epochs and keep the best checkpoint.
        test_last: Test the last weights on ``data.test`` at the end.
        test_best: Test the best weights, too; needs ``validate``.
        seed: Overrides the config's; without either, a random seed is used and logged.
        deterministic: See :func:`pyskl.training.seeding.set_random_seed`.
        compile: Compile the backbone with ``torch.compile``.
        amp: ``'bf16'``, ``'fp16'``, or None for what the config says.
        auto_scale_lr: Scale the learning rate to the number of clips per step.
        resume: Whether to resume from ``latest.pth``, or the checkpoint to resume from; by default
            what the config says (``resume_from``, ``auto_resume``).
        trusted: Load files with plain pickle, which can run code.

    Raises:
        InputError: for settings that exclude each other.
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
        """Check the settings that don't depend on the config."""
        if self.test_best and not self.validate:
            raise InputError("--test-best needs --validate, which finds the best checkpoint")

    def with_config(self, cfg: RunConfig) -> TrainSettings:
        """Return the settings with what the config says and the command line does not."""
        if cfg.fp16 is not None and self.amp is None:
            return replace(self, amp="fp16")
        return self

    @property
    def uses(self) -> list[str]:
        """The data sets that the run needs."""
        tests = self.test_last or self.test_best
        return ["train"] + ["val"] * self.validate + ["test"] * tests


@dataclass
class TestSettings:
    """The settings of a test that are not in the config.

    Attributes:
        metrics: What to measure; see :func:`pyskl.evaluation.evaluate.evaluate`.
        out: File to write the scores to.
        average_clips: ``'prob'``, ``'score'``, ``'none'``, or None for the config's.
        fuse_conv_bn: Fold BatchNorm into the convolutions before it.
        compile: Compile the backbone with ``torch.compile``.
        amp: ``'bf16'``, ``'fp16'`` or None.
        trusted: Load files with plain pickle, which can run code.
    """

    __test__ = False  # not a test class for pytest

    metrics: Sequence[str] = ("top_k_accuracy",)
    out: str | Path | None = None
    average_clips: str | None = None
    fuse_conv_bn: bool = False
    compile: bool = False
    amp: str | None = None
    trusted: bool = False

    def __post_init__(self) -> None:
        """Turn a single metric into a list."""
        if isinstance(self.metrics, str):
            self.metrics = [self.metrics]
