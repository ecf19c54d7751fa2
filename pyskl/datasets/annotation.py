"""Open annotation files: give access to their samples and check them.

In memory the samples of a file are flat rows (:mod:`pyskl.datasets.store`). A pack is a folder of
such rows (:mod:`pyskl.datasets.pack`), which all processes map from the disk.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyskl.datasets.annotation_pickle import AnnotationContent, split_positions
from pyskl.datasets.precompute import count_rows, flatten
from pyskl.datasets.sample_checks import (
    FieldProblem,
    label_hint,
    label_problem,
    raise_invalid_samples,
    sample_id,
)
from pyskl.datasets.store import ABSENT, ROW_KEYS, RowStore, Samples
from pyskl.errors import AnnotationError, DeviceError, did_you_mean
from pyskl.files.freed_memory import return_freed_memory
from pyskl.registry import TransformConfig
from pyskl.unpickling.load import no_garbage_collection

if TYPE_CHECKING:
    import torch


@dataclass(eq=False)
class AnnotationFile:
    """An open annotation file.

    Attributes:
        path: The annotation file, or the pack if it was opened as one; for messages.
        store: All samples, in file order.
        splits: Positions (len,) of the samples of each split, or what is wrong with the split; None
            for a bare list.
        problems: What is wrong with samples, apart from their labels, by position.
        label_names: The names of the classes in their order, if the file has them.
        joint_names: The names of the joints in their order, if the file has them.
        precomputed: Transforms that have been applied to the samples.
        folder: The pack that the samples are mapped from, if any.
        digest: Identifies the content of the annotation file, if known; see
            :func:`pyskl.datasets.annotation_cache.content_digest`.
    """

    path: Path
    store: RowStore
    splits: dict[str, np.ndarray | str] | None
    problems: dict[int, FieldProblem]
    label_names: tuple[str, ...] | None = None
    joint_names: tuple[str, ...] | None = None
    precomputed: tuple[TransformConfig, ...] = ()
    folder: Path | None = None
    digest: str | None = None
    _checked: set[tuple[Any, ...]] = field(default_factory=set, repr=False)
    _device_rows: dict[Any, dict[str, Any]] = field(default_factory=dict, repr=False)

    @classmethod
    def from_content(
        cls, content: AnnotationContent, precompute: Sequence[TransformConfig] = ()
    ) -> AnnotationFile:
        """Flatten the content of a pickle in memory, and apply transforms to its samples.

        ``content.samples`` is emptied on the way, so that the samples are not in memory twice.

        Raises:
            AnnotationError: if no sample has usable keypoints, or a transform fails.
        """
        splits = split_positions(content)
        # Transforms that are computed once may drop frames, but add none.
        total = count_rows(content.samples)
        rows: dict[str, np.ndarray] = {}
        done = dict.fromkeys(ROW_KEYS, 0)
        freed = 0

        def write(key: str, values: np.ndarray) -> None:
            nonlocal freed
            if key not in rows:
                rows[key] = np.empty((total, *values.shape[1:]), dtype=values.dtype)
            rows[key][done[key] : done[key] + len(values)] = values
            done[key] += len(values)
            freed += values.nbytes
            if freed >= _PIECE:
                return_freed_memory()
                freed = 0

        with no_garbage_collection():
            flat = flatten(content.path, content.samples, precompute, write, release=True)
        return_freed_memory()
        for key in rows:
            rows[key] = rows[key][: done[key]]
            rows[key].flags.writeable = False
        return cls(
            content.path,
            RowStore(rows, flat.persons, flat.frames, flat.columns),
            splits,
            flat.problems,
            content.label_names,
            content.joint_names,
            tuple(precompute),
        )

    @property
    def samples(self) -> Samples:
        """All samples, as a sequence of dicts."""
        return Samples(self.store, np.arange(len(self.store)))

    @property
    def split(self) -> dict[str, list[str]] | None:
        """The ids of the samples of each split, or None for a bare list of samples."""
        if self.splits is None:
            return None
        return {name: [str(sample_id(one)) for one in self.select(name)] for name in self.splits}

    def split_names(self) -> list[str]:
        """Return the names of the splits, or an empty list for a bare list of samples."""
        return list(self.splits or {})

    def select(self, split: str | None) -> Samples:
        """Return the samples of ``split`` in the order of the file, or all for None.

        Raises:
            AnnotationError: if there is no such split, or it lists unknown ids.
        """
        if split is None:
            return self.samples
        if self.splits is None:
            raise AnnotationError(
                "the file is a bare list of samples and has no splits",
                file=self.path,
                key="split",
                found=repr(split),
                expected="split=None",
            )
        if split not in self.splits:
            raise AnnotationError(
                f"there is no split {split!r}{did_you_mean(split, self.splits)}",
                file=self.path,
                key="split",
            )
        positions = self.splits[split]
        if isinstance(positions, str):
            raise AnnotationError(positions, file=self.path, key=f"split[{split!r}]")
        return Samples(self.store, positions)

    def check(
        self, split: str | None, *, num_classes: int | None = None, multi_class: bool = False
    ) -> None:
        """Check the samples of a split.

        Args:
            split: The split, or None for all samples.
            num_classes: Labels must be below it, if given.
            multi_class: Whether a label is a list of classes.

        Raises:
            AnnotationError: listing the invalid samples by id, with what is wrong.
        """
        key = (split, num_classes, multi_class)
        if key in self._checked:
            return
        samples = self.select(split)
        labels = samples.values("label")
        problems = []
        known: dict[Any, FieldProblem | None] = {}  # most files have few different labels
        for position, (index, label) in enumerate(zip(samples.indices.tolist(), labels)):
            problem = self.problems.get(index)
            if problem is None:
                name = label if type(label) is int else repr(label)  # True equals 1
                if name not in known:
                    known[name] = label_problem(label, num_classes, multi_class)
                problem = known[name]
            if problem is not None:
                problems.append((position, self._id(index), problem))
        if problems:
            hint = label_hint(
                self.samples.values("label"),
                num_classes,
                lambda position: self._id(position) or str(position),
            )
            raise_invalid_samples(self.path, split, problems, hint=hint)
        self._checked.add(key)

    def _id(self, index: int) -> str | None:
        for key in ("frame_dir", "filename"):
            value = self.store.value(key, index)
            if value is not ABSENT:
                return str(value)
        return None

    def rows_on(self, device: torch.device) -> dict[str, Any]:
        """Return the rows as tensors of a device; they are copied once.

        Raises:
            DeviceError: if they do not fit into the memory of a GPU.
        """
        if device not in self._device_rows:
            self._device_rows[device] = _rows_on(self.store.rows, device)
        return self._device_rows[device]

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the tensors, which worker processes do not need."""
        return {**self.__dict__, "_device_rows": {}}


# Rows are copied in pieces of about this many bytes.
_PIECE = 64 * 2**20
# The least GPU memory to leave for training.
_MARGIN = 256 * 2**20


def _rows_on(rows: Mapping[str, np.ndarray], device: torch.device) -> dict[str, Any]:
    import torch

    if device.type == "cpu":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the memory is read-only, but never written to
            return {key: torch.from_numpy(array) for key, array in rows.items()}
    need = sum(array.nbytes for array in rows.values())
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if need + _MARGIN > free:
            raise DeviceError(
                f"the samples do not fit into the memory of {device}",
                key="data.device",
                found=f"{need >> 20} MB of samples, {free >> 20} MB free",
                hint="leave data.device out, or set it only for one of data.train_dataloader, "
                "val_dataloader, test_dataloader",
            )
    copies = {}
    for key, array in rows.items():
        dtype = torch.from_numpy(np.empty(0, array.dtype)).dtype
        copies[key] = torch.empty(array.shape, dtype=dtype, device=device)
        step = max(1, _PIECE // max(1, array[:1].nbytes))
        for start in range(0, len(array), step):
            piece = np.array(array[start : start + step])
            copies[key][start : start + step] = torch.from_numpy(piece)
    return copies


# --- the names of the classes ---------------------------------------------------------------------

# A text file next to the annotation file, with one name per line.
LABELS_SUFFIX = ".labels.txt"


def label_names_of(annotations: AnnotationFile | AnnotationContent) -> tuple[str, ...] | None:
    """Return the names of the classes in their order, if they are known.

    They are in the file (``label_names``), or in a text file next to it with one name per line:
    ``ANN_FILE.labels.txt`` or ``label_map.txt``.

    Raises:
        AnnotationError: if the text file can't be read.
    """
    return annotations.label_names or label_names_next_to(annotations.path)


def label_names_next_to(path: Path) -> tuple[str, ...] | None:
    """Return the names of the classes from a text file next to the annotations, if there is one.

    Raises:
        AnnotationError: if it can't be read.
    """
    for file in (path.with_name(path.name + LABELS_SUFFIX), path.with_name("label_map.txt")):
        if file.is_file():
            try:
                lines = file.read_text(encoding="utf-8-sig").splitlines()
            except (OSError, ValueError) as error:
                raise AnnotationError(f"can't be read ({error})", file=file) from error
            return tuple(line.strip() for line in lines if line.strip()) or None
    return None
