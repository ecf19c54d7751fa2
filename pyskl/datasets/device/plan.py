"""A pipeline turned into operations on whole batches."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pyskl.datasets.device import augment, formatting, frames, streams  # noqa: F401 - register
from pyskl.datasets.device.batch import Batch
from pyskl.datasets.device.draws import Draws
from pyskl.datasets.device.members import Members
from pyskl.datasets.device.outline import (
    Choice,
    NoBatchForm,
    Operation,
    Outline,
    form_of,
)
from pyskl.datasets.device.store import DeviceStore
from pyskl.datasets.pipelines.compose import Compose, Transform
from pyskl.datasets.randomness import sample_randomness
from pyskl.errors import ConfigError

_INSTEAD = "leave data.device out, and worker processes apply it to one sample at a time"


@dataclass(frozen=True)
class Plan:
    """What makes a batch out of the samples of a store.

    Attributes:
        choice: Chooses the frames of each sample that the batch needs.
        operations: What then happens, each with the number of its random stream.
        num_person: Persons M of a batch.
        loop_persons: Whether those there are stand for absent ones.
        needs_following: Whether the operations need the frames after the chosen ones.
        keys: What a batch holds: ``keypoint``, ``label``.
        label_column: Whether labels are (N, 1) instead of (N,).
    """

    choice: Choice
    operations: Sequence[tuple[int, Operation]]
    num_person: int
    loop_persons: bool
    needs_following: bool
    keys: tuple[str, ...]
    label_column: bool

    @torch.no_grad()
    def batch(
        self, store: DeviceStore, labels: Tensor, which: Tensor, keys: Tensor
    ) -> dict[str, Tensor]:
        """Make a batch; nothing in it waits for the device.

        Args:
            store: The samples.
            labels: Of the store's samples, (S,) or (S, classes).
            which: The samples' numbers in the store, (N,) int64.
            keys: See :func:`pyskl.datasets.device.draws.sample_keys`, (N,) int64.

        Returns:
            ``keypoint`` (N, clips, M, T, V, C) and ``label`` (N,), (N, 1) or (N, classes).
        """
        draws = Draws(keys)
        start, there, total = store.facts[which].unbind(1)
        chosen = self.choice(total, draws.stream(0))  # (N, F)
        length = chosen.shape[1]
        if self.needs_following:
            after = torch.minimum(chosen + 1, total[:, None] - 1).masked_fill_(chosen < 0, -1)
            chosen = torch.cat([chosen, after], dim=1)  # (N, 2·F)
        persons = self._persons(there)
        batch = Batch(
            arrays=store.gather(start, total, persons, chosen),
            frames=chosen,
            persons=persons,
            total=total,
            which=which,
            draws=draws,
            length=length,
        )
        for number, operation in self.operations:
            batch.draws = draws.stream(number)
            operation(batch)
        label = labels[which]
        if self.label_column and label.ndim == 1:
            label = label[:, None]
        made = {"keypoint": batch.arrays["keypoint"], "label": label}
        return {key: made[key] for key in self.keys}

    def _persons(self, there: Tensor) -> Tensor:
        """Return who makes up a batch, of ``there`` (N,) persons: (N, M) int64, -1 for nobody."""
        person = torch.arange(self.num_person, device=there.device).expand(len(there), -1)
        there = there[:, None]
        return person % there if self.loop_persons else person.masked_fill(person >= there, -1)


def make_plan(members: Members, device: torch.device) -> Plan:
    """Turn what remains of a pipeline into a plan.

    Raises:
        ConfigError: naming the transform that has no batch form, or does not go where it stands.
    """
    outline = Outline(members, device)
    outline.sample = copy.deepcopy(members.first)  # what a transform of the user's may write to
    operations: list[tuple[int, Operation]] = []
    for position, transform in enumerate(members.transforms):
        check_batch_form(transform)
        try:
            operation = form_of(transform)(transform, outline)
        except ConfigError:
            raise
        except (NoBatchForm, ValueError) as error:
            raise ConfigError(
                f"data.device: {_name(transform)} can't be applied to batches here: {error}; "
                f"{_INSTEAD}"
            ) from error
        if operation is not None:
            operations.append((position + 1, operation))
            outline.changed = True
        outline.sample = _after(transform, outline.sample)
    if outline.num_person is None or outline.first is None:
        raise ConfigError(
            "data.device: the pipeline has to bring samples into the form of batches "
            f"(FormatGCNInput), found {', '.join(map(_name, members.transforms)) or 'nothing'}"
        )
    return Plan(
        choice=outline.first,
        operations=operations,
        num_person=outline.num_person,
        loop_persons=outline.loop_persons,
        needs_following=outline.needs_following,
        keys=outline.keys,
        label_column=outline.label_column,
    )


def check_batch_form(transform: Transform) -> None:
    """Check that a transform can be applied to batches at all.

    Raises:
        ConfigError: if not.
    """
    try:
        form_of(transform)
    except NoBatchForm as error:
        raise ConfigError(f"data.device: {error}; {_INSTEAD}") from error


def _after(transform: Transform, sample: dict[str, Any]) -> dict[str, Any]:
    """Return the first sample after a transform, for what the next one's form reads off it."""
    with sample_randomness(0, 0, 0):
        try:
            return Compose([transform])(sample)
        except ValueError as error:
            raise ConfigError(
                f"data.device: {_name(transform)} fails on the first sample: {error}"
            ) from error


def _name(transform: Transform) -> str:
    return getattr(transform, "__name__", type(transform).__name__)
