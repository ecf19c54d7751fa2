"""The sample to draw: from an annotation file, a recording, or the data set of a config."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.datasets.annotation import AnnotationFile, label_names_of
from pyskl.datasets.annotation_cache import AnnotationFiles, load_annotations
from pyskl.datasets.dataset_tree import first_with
from pyskl.datasets.pack import is_pack
from pyskl.datasets.pose import PoseDataset
from pyskl.datasets.sample_checks import sample_id
from pyskl.datasets.store import Samples
from pyskl.drawing.skeleton.clip import Up
from pyskl.drawing.skeleton.pipeline_steps import describe_value
from pyskl.drawing.skeleton.scene import guess_up
from pyskl.errors import AnnotationError, ConfigError, InputError, did_you_mean
from pyskl.logging.log import get_logger
from pyskl.recordings import read_recording
from pyskl.registry import DATASETS
from pyskl.skeleton import LAYOUTS, SkeletonLayout, resolve_layout

ANNOTATION_SUFFIXES = (".pkl", ".pickle")

# Samples of a file that the upward axis is guessed from.
_SAMPLES_FOR_UP = 32


@dataclass(frozen=True)
class SourceSample:
    """One sample, with what is known from its file.

    Attributes:
        name: Id of the sample, or name of the recording.
        file: The file it is from.
        sample: As in annotation files.
        index: Its index in the file, or in the split.
        fps: Frames per second, if known.
        layout: The layout that the format of a recording implies.
        up: The upward axis, if known.
        others: Some samples of the same file, to guess the upward axis from.
        label_names: Names of the classes, if known.
    """

    name: str
    file: Path
    sample: Mapping[str, Any]
    index: int = 0
    fps: float | None = None
    layout: SkeletonLayout | None = None
    up: Up | None = None
    others: Sequence[Mapping[str, Any]] = ()
    label_names: Sequence[str] = ()

    @property
    def label(self) -> str:
        """The class of the sample: its number, and its name if it has one."""
        label: Any = self.sample.get("label")
        is_class = isinstance(label, (int, np.integer)) and not isinstance(label, bool)
        if is_class and 0 <= int(label) < len(self.label_names):
            return f"{label} ({self.label_names[int(label)]})"
        return describe_value(label)

    def guess_up(self, layout: SkeletonLayout) -> Up | None:
        """Return the upward axis: the known one, or a guess from samples of the file."""
        keypoints = [one.get("keypoint") for one in (self.sample, *self.others)]
        usable = [
            keypoint
            for keypoint in keypoints
            if isinstance(keypoint, np.ndarray)
            and keypoint.ndim == 4
            and keypoint.shape[2:] == (layout.num_joints, 3)
        ]
        return self.up or (guess_up(usable, layout) if usable and layout.dim == 3 else None)


def open_source(
    path: str | Path,
    *,
    sample: str | None = None,
    split: str | None = None,
    seed: int | None = None,
    trusted: bool = False,
) -> SourceSample:
    """Return a sample of a file.

    Args:
        path: An annotation pickle, the folder of a pack, or any recording that
            :func:`pyskl.recordings.read_recording` reads.
        sample: Which sample of an annotation file: its id, its index (within the split), or
            ``'random'``. By default the first.
        split: Choose from this split only.
        seed: For ``'random'``; by default another sample at every call.
        trusted: Load pickles with plain pickle, which runs any code in them.

    Raises:
        InputError: if there is no such file or sample.
    """
    path = Path(path)
    if path.suffix.lower() in ANNOTATION_SUFFIXES or is_pack(path):
        return _choose(load_annotations(path, trusted=trusted), sample, split, seed)
    if sample is not None or split is not None:
        raise InputError(
            "a recording is one sample",
            file=path,
            hint=f"--sample and --split need an annotation file ({', '.join(ANNOTATION_SUFFIXES)})"
            " or a pack",
        )
    recording = read_recording(path)
    layout = recording.own_layout
    if layout is None and recording.layout is not None:
        layout = resolve_layout(recording.layout)
    return SourceSample(recording.name, path, recording.sample(), fps=recording.fps, layout=layout)


def source_of_config(
    cfg: Mapping[str, Any],
    use: str,
    *,
    sample: str | None = None,
    split: str | None = None,
    seed: int | None = None,
    trusted: bool = False,
) -> SourceSample:
    """Return a sample of a config's ``data.<use>``; ``split`` overrides its split.

    Raises:
        ConfigError: if the data set has no annotation file.
        InputError: as :func:`open_source`.
    """
    data_set = first_with(cfg, use, "ann_file")
    kind = data_set.get("type", "PoseDataset")
    cls: Any = DATASETS.get(kind) if isinstance(kind, str) else kind
    if not issubclass(cls, PoseDataset):
        raise ConfigError("the data set reads no annotation file", key=f"data.{use}", found=kind)
    annotations = cls.open_annotations(data_set["ann_file"], AnnotationFiles(), trusted=trusted)
    return _choose(annotations, sample, split or data_set.get("split"), seed)


def choose_layout(
    source: SourceSample, layout: str | None = None, cfg: Mapping[str, Any] | None = None
) -> SkeletonLayout:
    """Return the layout of a sample's joints.

    The first of: ``layout``; the layout of a config's model; the layout that the format of the
    recording implies; the only built-in one with as many joints and coordinates.

    Args:
        source: The sample.
        layout: A built-in name or a ``.json`` file.
        cfg: A config.

    Raises:
        ConfigError: for an invalid layout.
        InputError: if the layout remains unknown.
    """
    if layout is not None:
        return resolve_layout(layout)
    graph = (cfg or {}).get("model", {}).get("backbone", {}).get("graph_cfg", {})
    if graph.get("layout") is not None:
        return resolve_layout(graph["layout"])
    if source.layout is not None:
        return source.layout
    fitting = fitting_layouts(source.sample)
    if len(fitting) == 1:
        return LAYOUTS[fitting[0]]
    shape = np.shape(source.sample["keypoint"])
    raise InputError(
        "the layout of the skeleton is unknown",
        file=source.file,
        key="keypoint",
        found=f"{shape[2]} joints of {shape[3]} coordinates, which "
        + (f"may be {' or '.join(fitting)}" if fitting else "no built-in layout has"),
        hint="choose one with --layout NAME or --layout FILE.json, or give the --config",
    )


def fitting_layouts(sample: Mapping[str, Any]) -> list[str]:
    """Return the names of the built-in layouts that match a sample's keypoints."""
    keypoint = np.asarray(sample["keypoint"])
    fitting = [layout for layout in LAYOUTS.values() if layout.num_joints == keypoint.shape[2]]
    dim = 2
    if keypoint.shape[3] == 3:
        third = np.nan_to_num(keypoint[..., 2])
        may_be_score = bool(third.any()) and bool(((third >= 0) & (third <= 1)).all())
        if not (may_be_score and any(layout.dim == 2 for layout in fitting)):
            dim = 3
    return [layout.name for layout in fitting if layout.dim == dim]


def _choose(
    annotations: AnnotationFile,
    wanted: str | None,
    split: str | None,
    seed: int | None,
) -> SourceSample:
    samples = annotations.select(split)
    where = f"{annotations.path}" + ("" if split is None else f", split {split!r}")
    index = _index(_ids(samples), wanted, where, seed)
    sample = dict(samples[index])
    name = sample_id(sample) or f"{annotations.path.stem} {index}"
    keypoint = sample.get("keypoint")
    # People also look at invalid samples: warn, and draw what can be drawn.
    problem = annotations.problems.get(int(samples.indices[index]))
    if problem is not None:
        if not isinstance(keypoint, np.ndarray) or keypoint.ndim != 4 or 0 in keypoint.shape:
            raise AnnotationError(problem.text, file=where, sample=name, key=problem.key)
        get_logger().warning("%s: sample %r: %s", where, name, problem)
    normalized = any(
        transform.get("type") == "PreNormalize3D" and transform.get("align_spine", True)
        for transform in annotations.precomputed
    )
    some = np.unique(np.linspace(0, len(samples) - 1, _SAMPLES_FOR_UP).astype(int)).tolist()
    return SourceSample(
        name,
        annotations.path,
        sample,
        index,
        up="z" if normalized else None,
        others=[samples[other] for other in some],
        label_names=label_names_of(annotations) or (),
    )


def _ids(samples: Samples) -> list[str | None]:
    pairs = zip(samples.values("frame_dir"), samples.values("filename"))
    return [None if (one or other) is None else str(one or other) for one, other in pairs]


def _index(ids: Sequence[str | None], wanted: str | None, where: str, seed: int | None) -> int:
    """Return the index of the sample that is wanted."""
    if wanted is None:
        return 0
    if wanted in ids:
        return ids.index(wanted)
    if wanted == "random":
        return random.Random(seed).randrange(len(ids))
    try:
        number = int(wanted)
    except ValueError:
        named = [name for name in ids if name is not None]
        similar = [name for name in named if wanted.lower() in name.lower()]
        if similar:
            hint = f"there are {', '.join(similar[:5])}{' ...' if len(similar) > 5 else ''}"
        else:  # comparing with all ids of a large file would take long
            near = did_you_mean(wanted, [name for name in named if name[:4] == wanted[:4]][:200])
            hint = near.removeprefix("; ") if "did you mean" in near else ""
            hint = hint or (f"ids look like {named[0]!r}" if named else "")
        raise InputError(f"no such sample {wanted!r}", file=where, hint=hint) from None
    if not -len(ids) <= number < len(ids):
        raise InputError(
            "no such sample", file=where, found=number, expected=f"0 to {len(ids) - 1}"
        )
    return number % len(ids)
