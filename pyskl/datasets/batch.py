"""A batch of samples in a pipeline.

The joints of all samples are one array of rows: a row is one person in one frame. Nothing is
padded, so samples of different lengths and numbers of persons fit together. The rows are ordered by
sample, person and frame, and an :class:`Axis` says which sample, person and frame a row is.

Arrays are lazy: a transform adds a function of rows to an array, and the functions run when the
rows are known that the batch will finally hold, on these rows only. Choosing 100 of 300 frames
before or after the bones are computed therefore costs the same.

NumPy arrays serve data workers, single samples and machines without PyTorch; tensors serve batches
that are made on a device. What decides shapes (lengths, persons, chosen frames) stays in NumPy on
the host, so making a batch never waits for a device.

Shapes: N batch, R rows, M persons, T frames, V joints, C channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pyskl.datasets.axis import Axis
from pyskl.datasets.randomness import Draws, SampleRandomness
from pyskl.errors import InputError

if TYPE_CHECKING:
    import torch

Sample = dict[str, Any]
Array = Any
"""A NumPy array, or a tensor on the device of the batch."""
Rows = np.ndarray
"""Positions of rows on an axis, (R,) int64, always on the host."""
Keys = np.ndarray | Callable[[], np.ndarray] | None
"""Keys of the samples' randomness, (N,) int64, or a function that computes them."""


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"

    def __reduce__(self) -> str:
        return "ABSENT"  # pickled by name, so that `is` works in worker processes


ABSENT: Any = _Absent()
"""Stands for the value of a sample that lacks a key which others have."""


@dataclass(frozen=True)
class _LazyArray:
    """An array of rows that is computed where it is needed.

    Attributes:
        fetch: Returns the values of some rows, (len(rows), ...), as a new array.
        shape: The shape of a row: (V, C) or (V,).
        stored: Whether fetching only copies stored values.
    """

    fetch: Callable[[Rows], Array]
    shape: tuple[int, ...]
    stored: bool = True


@dataclass(frozen=True)
class Shared:
    """A value that all samples of a batch have in common."""

    value: Any


class Batch:
    """N samples in a pipeline.

    Args:
        axis: The sample, person and frame of each row.
        rows: By key (``keypoint``, ``keypoint_score``), the function that returns the values of
            some rows, and the shape of a row.
        values: The other keys: a :class:`Shared` value, or one entry per sample.
        keys: Keys of the samples' randomness, (N,) int64, or a function that returns them; None
            draws from NumPy's global generator.
        device: Where arrays are computed; None for NumPy on the host.

    Attributes:
        position: Of the transform that is being applied, from 0; it separates the random numbers
            of the transforms.
    """

    def __init__(
        self,
        axis: Axis,
        rows: Mapping[str, tuple[Callable[[Rows], Array], tuple[int, ...]]],
        values: Mapping[str, Any],
        keys: Keys = None,
        device: torch.device | None = None,
    ) -> None:
        self.axis = axis
        self.device = device
        self.values: dict[str, Any] = dict(values)
        self.position = 0
        self.formatted: dict[str, Array] = {}
        self.tensor_keys: set[str] = set()
        self._arrays = {key: _LazyArray(fetch, shape) for key, (fetch, shape) in rows.items()}
        self._keys = keys

    def __len__(self) -> int:
        """Return N."""
        return len(self.axis.persons)

    # --- values of samples ---

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key for each sample: a list, or an array (N, ...)."""
        value = self.values.get(key, Shared(default))
        if isinstance(value, Shared):
            return [value.value] * len(self)
        if isinstance(value, np.ndarray):
            return value
        return [default if one is ABSENT else one for one in value]

    def shared(self, key: str, default: Any = None) -> Any:
        """Return a value that all samples have in common.

        Raises:
            InputError: if they differ.
        """
        value = self.values.get(key, Shared(default))
        if isinstance(value, Shared):
            return value.value
        value = self.get(key, default)
        first = value[0]
        if any(other != first for other in value[1:]):
            raise InputError(
                "differs between the samples of a batch",
                key=key,
                found=", ".join(sorted({str(other) for other in value})),
                expected="one value for all samples",
            )
        return first.item() if isinstance(first, np.generic) else first

    @cached_property
    def keys(self) -> np.ndarray:
        """The keys of the samples' randomness, (N,) int64."""
        if self._keys is None:
            return np.random.randint(-(2**63), 2**63, size=len(self), dtype=np.int64)
        return self._keys() if callable(self._keys) else self._keys

    @cached_property
    def randomness(self) -> list[SampleRandomness]:
        """The generators of the samples, for transforms of one sample."""
        if self._keys is None:
            return [SampleRandomness(None) for _ in range(len(self))]
        return [SampleRandomness(int(key)) for key in self.keys]

    @property
    def test_mode(self) -> bool:
        """Whether transforms choose deterministically."""
        return bool(self.shared("test_mode", False))

    @property
    def total_frames(self) -> np.ndarray:
        """The length of each sample, (N,) int64."""
        if "total_frames" in self.values:
            return np.asarray(self.get("total_frames"), dtype=np.int64)
        return self.axis.frames

    @property
    def draws(self) -> Draws:
        """The random numbers of the transform that is being applied."""
        return Draws(self.keys).stream(self.position)

    # --- arrays of rows ---

    def __contains__(self, key: str) -> bool:
        """Return whether there is an array of rows with this key."""
        return key in self._arrays

    def array_keys(self) -> list[str]:
        """Return the keys of the arrays of rows."""
        return list(self._arrays)

    def row_shape(self, key: str = "keypoint") -> tuple[int, ...]:
        """Return the shape of a row, (V, C) or (V,).

        Raises:
            InputError: if there is no such array.
        """
        return self._array(key).shape

    def map(
        self,
        function: Callable[..., Array],
        *,
        source: str = "keypoint",
        target: str | None = None,
        channels: int | None = None,
        with_next: bool = False,
    ) -> None:
        """Apply a function to each row of an array.

        Args:
            function: Takes values (R, V, C), which it may overwrite, and the positions ``rows``
                (R,) of these rows on the present axis; returns the new values.
            source: Key of the array.
            target: Key of the result; by default the same.
            channels: C of the result, where it differs.
            with_next: Call the function with ``(values, following, rows)`` instead, where
                ``following`` holds the next frame of the same person, or the same one at the end.
        """
        array, axis = self._array(source), self.axis

        def fetch(rows: Rows) -> Array:
            if not with_next:
                return function(array.fetch(rows), rows)
            values = array.fetch(rows)
            if len(rows) == len(axis) and (rows == np.arange(len(rows))).all():  # computed already
                following = self.take(values, rows + ~axis.is_last)
            else:
                following = array.fetch(rows + ~axis.is_last[rows])
            return function(values, following, rows)

        shape = array.shape if channels is None else (array.shape[0], channels)
        self._arrays[target or source] = _LazyArray(fetch, shape, stored=False)

    def read(self, key: str = "keypoint") -> Array:
        """Compute all rows of an array, (R, V, C) or (R, V), and return them."""
        array = self._array(key)
        values = array.fetch(np.arange(len(self.axis)))
        self.write(key, values)
        return values

    def write(self, key: str, values: Array) -> None:
        """Set an array of rows, (R, V, C) or (R, V)."""
        self._arrays[key] = _LazyArray(lambda rows: self.take(values, rows), values.shape[1:])

    def pop(self, key: str) -> None:
        """Remove an array."""
        del self._arrays[key]

    def rename(self, old: str, new: str) -> None:
        """Give an array of rows another key."""
        self._arrays[new] = self._arrays.pop(old)

    def concatenate(self, keys: Sequence[str], target: str) -> None:
        """Replace arrays by one that holds their channels one after the other.

        A score (R, V) counts as one channel.
        """
        arrays = [self._array(key) for key in keys]
        if len(arrays) == 1 and len(arrays[0].shape) == 2:
            self._arrays[target] = self._arrays.pop(keys[0])
            return
        channels = sum(array.shape[1] if len(array.shape) > 1 else 1 for array in arrays)

        def fetch(rows: Rows) -> Array:
            parts = [array.fetch(rows) for array in arrays]
            return _joined([part if part.ndim == 3 else part[..., None] for part in parts])

        for key in set(keys):
            self._arrays.pop(key)
        self._arrays[target] = _LazyArray(fetch, (arrays[0].shape[0], channels), stored=False)

    def select(self, frames: Sequence[np.ndarray] | np.ndarray) -> None:
        """Choose frames; they become the time axis of what follows.

        Args:
            frames: For each sample the frames to take, (N, F) or a list of (F,) int64; -1 gives a
                frame of zeros.

        Raises:
            InputError: if a frame lies outside a sample.
        """
        old = self.axis
        if isinstance(frames, np.ndarray):
            low, high = frames.min(axis=1), frames.max(axis=1)
            # The frames of a single sample are broadcast to its persons.
            single = len(frames) == 1 or len(frames) == len(old.track_starts)
            rows = old.track_starts[:, None] + (frames if single else frames[old.track_sample])
            rows = rows.reshape(-1)
            lengths = np.full(len(self), frames.shape[1], dtype=np.int64)
        else:
            low = np.array([one.min(initial=0) for one in frames])
            high = np.array([one.max(initial=0) for one in frames])
            pairs = zip(old.track_starts, old.track_sample)
            rows = np.concatenate([start + frames[sample] for start, sample in pairs])
            lengths = np.array([len(one) for one in frames], dtype=np.int64)
        if (high >= old.frames).any() or (low < -1).any():
            faulty = int(((high >= old.frames) | (low < -1)).argmax())
            raise InputError(
                "the chosen frames lie outside the sample",
                key="frame_inds",
                found=f"{low[faulty]} to {high[faulty]}",
                expected=f"0 to {old.frames[faulty] - 1}",
            )
        blank = None
        if (low < 0).any():
            starts = np.repeat(old.track_starts, lengths[old.track_sample])
            blank = rows < starts
            rows = np.where(blank, 0, rows)
        for key, array in list(self._arrays.items()):
            if not array.stored and len(rows) > len(old):
                self.read(key)  # cheaper than computing rows that were chosen several times
            self._arrays[key] = self._selected(self._arrays[key], rows, blank)
        self.axis = Axis(old.persons, lengths)

    def _selected(self, array: _LazyArray, rows: Rows, blank: np.ndarray | None) -> _LazyArray:
        def fetch(some: Rows) -> Array:
            values = array.fetch(rows[some])
            return values if blank is None else self.zero_rows(values, blank[some])

        return _LazyArray(fetch, array.shape, array.stored)

    def gather(self, rows: Rows, key: str = "keypoint") -> Array:
        """Return rows of an array.

        Args:
            rows: Positions of rows, of any shape (...).
            key: Key of the array.

        Returns:
            (..., V, C) or (..., V).
        """
        array = self._array(key)
        return array.fetch(rows.reshape(-1)).reshape(*rows.shape, *array.shape)

    def _array(self, key: str) -> _LazyArray:
        if key not in self._arrays:
            raise InputError(
                "the samples have no such array", key=key, found=", ".join(self._arrays)
            )
        return self._arrays[key]

    # --- NumPy or PyTorch ---

    def on_device(self, array: np.ndarray) -> Array:
        """Return a host array as the kind of array that this batch computes with."""
        if self.device is None:
            return array
        import torch

        tensor = torch.from_numpy(np.ascontiguousarray(array))
        if self.device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)

    def empty(self, shape: tuple[int, ...], like: Array) -> Array:
        """Return an array of the type of another one, to be filled."""
        if isinstance(like, np.ndarray):
            return np.empty(shape, dtype=like.dtype)
        return like.new_empty(shape)

    def take(self, array: Array, rows: Rows) -> Array:
        """Return some rows of an array as a new one."""
        if isinstance(array, np.ndarray):
            return array.take(rows, axis=0)
        return array.index_select(0, self.on_device(rows))

    def zero_rows(self, values: Array, where: np.ndarray) -> Array:
        """Set rows to zero in place and return the array."""
        if not where.any():
            return values
        if isinstance(values, np.ndarray):
            values[where] = 0
            return values
        mask = self.on_device(where)
        return values.masked_fill_(mask.view(-1, *(1 for _ in values.shape[1:])), 0)

    # --- samples in, samples out ---

    @classmethod
    def from_samples(
        cls,
        samples: Sequence[Mapping[str, Any]],
        keys: Keys = None,
        device: torch.device | None = None,
    ) -> Batch:
        """Make a batch of sample dicts.

        ``keypoint`` (M, T, V, C) and the other arrays whose first two axes are persons and frames
        become rows; everything else is kept as a value of its sample.
        """
        row_keys = _row_keys(samples)
        persons = np.ones(len(samples), dtype=np.int64)
        frames = np.zeros(len(samples), dtype=np.int64)
        for position, sample in enumerate(samples):
            if "keypoint" in row_keys:
                persons[position], frames[position] = sample["keypoint"].shape[:2]
            elif "total_frames" in sample:
                frames[position] = int(sample["total_frames"])
        batch = cls(
            Axis(persons, frames),
            {},
            {
                key: [sample.get(key, ABSENT) for sample in samples]
                for key in dict.fromkeys(key for sample in samples for key in sample)
                if key not in row_keys
            },
            keys,
            device,
        )
        for key in row_keys:
            parts = [sample[key].reshape(-1, *sample[key].shape[2:]) for sample in samples]
            values = parts[0] if len(parts) == 1 else np.concatenate(parts)
            batch.write(key, batch.on_device(values) if device is not None else values)
        return batch

    def with_samples(self, samples: Sequence[Mapping[str, Any]]) -> Batch:
        """Return a batch of changed samples that goes on drawing the same random numbers."""
        batch = Batch.from_samples(samples, self._keys, self.device)
        batch.randomness = self.randomness
        return batch

    def to_samples(self) -> list[Sample]:
        """Return the samples as dicts of NumPy arrays; the arrays belong to the caller."""
        arrays = {key: _host(self.read(key)) for key in self._arrays}
        samples: list[Sample] = []
        for position in range(len(self)):
            sample = {}
            for key, value in self.values.items():
                one = value.value if isinstance(value, Shared) else value[position]
                if one is not ABSENT:
                    sample[key] = one.item() if isinstance(one, np.generic) else one
            start, stop = int(self.axis.starts[position]), int(self.axis.ends[position])
            shape = (int(self.axis.persons[position]), int(self.axis.frames[position]))
            for key, array in arrays.items():
                sample[key] = array[start:stop].reshape(*shape, *array.shape[1:])
            for key, array in self.formatted.items():
                sample[key] = _host(array[position])
            for key in self.tensor_keys & sample.keys():
                sample[key] = _tensor(key, sample[key])
            samples.append(sample)
        return samples


def _row_keys(samples: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the keys whose arrays are rows of equal shape and type in all samples."""

    def is_rows(key: str) -> bool:
        first = samples[0].get(key)
        if not isinstance(first, np.ndarray) or first.ndim < 3:
            return False
        for sample in samples:
            array, keypoint = sample.get(key), sample.get("keypoint")
            if not (
                isinstance(array, np.ndarray)
                and isinstance(keypoint, np.ndarray)
                and keypoint.ndim == 4
                and array.shape[:2] == keypoint.shape[:2]
                and array.shape[2:] == first.shape[2:]
                and array.dtype.kind == first.dtype.kind
            ):
                return False
        return True

    return [key for key in samples[0] if is_rows(key)]


def _joined(parts: Sequence[Array]) -> Array:
    """Concatenate arrays (R, V, C) along their channels."""
    if len(parts) == 1:
        return parts[0]
    if not isinstance(parts[0], np.ndarray):
        import torch

        return torch.cat(list(parts), dim=-1)
    # Column by column, as NumPy copies many rows of two or three numbers slowly.
    channels = sum(part.shape[-1] for part in parts)
    joined = np.empty((*parts[0].shape[:-1], channels), dtype=np.result_type(*parts))
    done = 0
    for part in parts:
        for channel in range(part.shape[-1]):
            joined[..., done] = part[..., channel]
            done += 1
    return joined


def _host(array: Array) -> np.ndarray:
    return array if isinstance(array, np.ndarray) else array.cpu().numpy()


def _tensor(key: str, value: Any) -> torch.Tensor:
    """Return a value as a tensor; a number becomes a tensor of shape (1,)."""
    import torch  # here, as exported models run the other transforms without it

    if isinstance(value, torch.Tensor):
        return value
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.array(value, order="C"))
    if isinstance(value, (bool, int, float, np.generic)):
        return torch.as_tensor(value).reshape(1)
    if isinstance(value, (list, tuple)):
        return torch.tensor(value)
    raise InputError("can't become a tensor", key=key, found=type(value).__name__)
