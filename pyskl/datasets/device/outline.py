"""How a transform says what it does to a whole batch: its batch form.

A batch form is a function that is called once, when the loader is built. It is given the transform
and an :class:`Outline` of what comes before it, and returns an operation on batches (or None where
there is nothing to do to them). A form for a transform of one's own::

    from pyskl.datasets.device import Batch, Outline, batch_form

    @batch_form(Mirror)
    def mirror_batch(transform: Mirror, outline: Outline):
        def mirror(batch: Batch) -> None:
            chosen = batch.draws.uniform(1, 1, 1) < transform.ratio  # (N, 1, 1, 1)
            keypoint = batch.arrays['keypoint'].clone()              # (N, M, F, V, C)
            keypoint[..., 0] *= 1 - 2 * chosen.float()
            batch.arrays['keypoint'] = keypoint
        return mirror

It must do to each frame what the transform does to each frame, whatever the other frames: of a
sample the batch holds only those that were chosen. Zeros (absent persons, padding) must stay zeros,
and nothing may wait for the device (``.item()``, boolean indices).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from pyskl.datasets.device.batch import Batch
from pyskl.datasets.device.draws import Draws
from pyskl.datasets.device.members import Members
from pyskl.datasets.packed.store import ROW_KEYS, Sample

Operation = Callable[[Batch], None]
Form = Callable[[Any, "Outline"], Operation | None]
FormT = TypeVar("FormT", bound=Form)

_FORMS: dict[type, Form] = {}


class NoBatchForm(Exception):
    """A transform, or where it stands in the pipeline, has no batch form; the message says why."""


def batch_form(cls: type) -> Callable[[FormT], FormT]:
    """Register the decorated function as the batch form of a transform class.

    Subclasses do not inherit it, for they may do something else.
    """

    def register(form: FormT) -> FormT:
        _FORMS[cls] = form
        return form

    return register


def form_of(transform: Any) -> Form:
    """Return the batch form of a transform.

    Raises:
        NoBatchForm: if its class has none.
    """
    if type(transform) not in _FORMS:
        name = getattr(transform, "__name__", type(transform).__name__)
        raise NoBatchForm(f"{name} has no batch form (see pyskl.datasets.device.batch_form)")
    return _FORMS[type(transform)]


class Choice(Protocol):
    """Chooses the frames of samples."""

    def __call__(self, total: Tensor, draws: Draws) -> Tensor:
        """Return frames (N, F) int64, -1 for padding, of sequences of ``total`` (N,) frames."""


class Outline:
    """What is known ahead about the samples that reach a transform.

    Args:
        members: The samples.
        device: Where batches are made.

    Attributes:
        members: The samples before the first transform.
        test_mode: Whether to choose as in testing.
        device: Where batches are made.
        sample: The first sample as the transform receives it; what is the same for all samples
            (its keys, the number of channels ...) is read off it.
        axis: What the time axis of the sample's arrays is: ``'source'``, all its frames;
            ``'padded'``, those brought to one length; ``'clips'``, chosen ones; ``'formatted'``,
            (clips, M, T, V, C).
        arrays: The keys of the sample that are arrays of frames.
        pending: Frames that were chosen and not gathered yet.
        first: The choice on the source axis.
        needs_following: Whether the frames after the chosen ones are needed.
        followed: The arrays that have them.
        num_person: Persons of the batch; None until it is known.
        loop_persons: Whether those there are stand for absent ones.
        keys: What the batch is to hold.
        label_column: Whether a number becomes (N, 1) instead of (N,).
        changed: Whether an operation came before.
    """

    def __init__(self, members: Members, device: torch.device) -> None:
        self.members = members
        self.test_mode = members.test_mode
        self.device = device
        self.sample: Sample = members.first
        self.axis: Literal["source", "padded", "clips", "formatted"] = "source"
        self.arrays = {key for key in ROW_KEYS if key in members.first}
        self.pending: Choice | None = None
        self.first: Choice | None = None
        self.needs_following = False
        self.followed = set(self.arrays)
        self.num_person: int | None = None
        self.loop_persons = False
        self.keys: tuple[str, ...] = ("keypoint", "label")
        self.label_column = False
        self.changed = False

    @property
    def total(self) -> np.ndarray:
        """The lengths that the time axis has among the samples, ascending, (D,) int64."""
        if self.axis == "source":
            return np.unique(self.members.frames)
        return np.array([self.sample["keypoint"].shape[1]])

    def tensor(self, array: Any, dtype: torch.dtype | None = None) -> Tensor:
        """Return an array as a tensor on the device."""
        return torch.tensor(np.array(array), dtype=dtype).to(self.device)

    def begin(self, choice: Choice) -> None:
        """Let the batch hold the frames that ``choice`` gives of all frames of a sample."""
        self.first = choice
        self.followed = set()

    def want_following(self, key: str) -> None:
        """Ask for the frames that come after the chosen ones of an array on the source axis.

        Raises:
            NoBatchForm: if there are none: the array itself is made of two frames each.
        """
        if key not in self.followed:
            raise NoBatchForm(f"{key!r} is a motion already, and there is none of motions")
        self.needs_following = True
