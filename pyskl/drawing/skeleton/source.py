"""The sample to draw: from an annotation file, a recording, or the data set of a config."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.datasets.annotation import AnnotationFile, label_names_of, load_annotations
from pyskl.datasets.dataset_tree import first_with
from pyskl.datasets.packed.folder import PackedAnnotations, is_pack
from pyskl.datasets.packed.store import PackedSamples
from pyskl.datasets.sample_checks import content_fault, sample_id
from pyskl.drawing.skeleton.clip import Up
from pyskl.drawing.skeleton.scene import guess_up
from pyskl.drawing.skeleton.steps import in_words
from pyskl.errors import AnnotationError, ConfigError, InputError, did_you_mean
from pyskl.recordings import read_recording
from pyskl.registry import DATASETS
from pyskl.skeleton import LAYOUTS, SkeletonLayout, resolve_layout

ANNOTATION_SUFFIXES = (".pkl", ".pickle")

_log = logging.getLogger(__name__)

_OTHERS = 32


@dataclass(frozen=True)
class Source:
    """One sample and what is known of it.

    Attributes:
        name: What it is called.
        file: Where it is from.
        sample: As annotation files hold it.
        index: Its number there.
        fps: Frames per second, where known.
        layout: Its layout, where its format says.
        up: What is upward, where that is known.
        others: Some samples of the same file, from which to guess it.
        label_names: Names of the classes, where they are known.
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
        """The class of the sample, by number and, where it has one, name."""
        label: Any = self.sample.get("label")
        whole = isinstance(label, (int, np.integer)) and not isinstance(label, bool)
        if whole and 0 <= int(label) < len(self.label_names):
            return f"{label} ({self.label_names[int(label)]})"
        return in_words(label)

    def guess_up(self, layout: SkeletonLayout) -> Up | None:
        """Return what is upward: what is known, else a guess from samples of the file."""
        keypoints = [one.get("keypoint") for one in (self.sample, *self.others)]
        alike = [
            keypoint
            for keypoint in keypoints
            if isinstance(keypoint, np.ndarray)
            and keypoint.ndim == 4
            and keypoint.shape[2:] == (layout.num_joints, 3)
        ]
        return self.up or (guess_up(alike, layout) if alike and layout.dim == 3 else None)


def open_source(
    path: str | Path,
    *,
    sample: str | None = None,
    split: str | None = None,
    seed: int | None = None,
    trusted: bool = False,
) -> Source:
    """Return a sample of a file.

    Args:
        path: An annotation pickle, the folder of a pack, or any recording that
            :func:`pyskl.recordings.read_recording` takes.
        sample: Which sample of an annotation file: its id, its number from 0 (within the split),
            or ``'random'``; by default the first.
        split: Choose within this split only.
        seed: Of ``'random'``; by default another sample at every call.
        trusted: Load pickles with plain pickle, which runs what they say.

    Raises:
        InputError: if there is no such file or sample.
    """
    path = Path(path)
    if path.suffix.lower() in ANNOTATION_SUFFIXES or is_pack(path):
        annotations = load_annotations(path, trusted=trusted)
        return _of_annotations(annotations, sample, split, seed)
    if sample is not None or split is not None:
        raise InputError(
            f"{path}: a recording is one sample; --sample and --split are for annotation files "
            f"({', '.join(ANNOTATION_SUFFIXES)}, and packs)"
        )
    recording = read_recording(path)
    layout = recording.own_layout
    if layout is None and recording.layout is not None:
        layout = resolve_layout(recording.layout)
    return Source(recording.name, path, recording.sample(), fps=recording.fps, layout=layout)


def source_of_config(
    cfg: Mapping[str, Any],
    use: str,
    *,
    sample: str | None = None,
    split: str | None = None,
    seed: int | None = None,
    trusted: bool = False,
) -> Source:
    """Return a sample of a config's ``data.<use>``, unless ``split`` names another split.

    Raises:
        ConfigError: if that has no annotation file.
        InputError: as :func:`open_source`.
    """
    data_set = first_with(cfg, use, "ann_file")
    kind = data_set.get("type", "PoseDataset")
    read = getattr(DATASETS.get(kind) if isinstance(kind, str) else kind, "read_annotations", None)
    if read is None:
        raise ConfigError(f"data.{use} is of the type {kind!r}, which can't be asked for samples")
    annotations = read(data_set["ann_file"], trusted=trusted)
    return _of_annotations(annotations, sample, split or data_set.get("split"), seed)


def choose_layout(
    source: Source,
    layout: str | None = None,
    cfg: Mapping[str, Any] | None = None,
) -> SkeletonLayout:
    """Return the layout of a sample's joints.

    In this order: ``layout``, that of the model of a config, the one that the recording's format
    implies, the built-in one that the number of joints and coordinates leave.

    Args:
        source: The sample.
        layout: A built-in name or a ``.json`` file.
        cfg: A config.

    Raises:
        ConfigError: for a faulty layout.
        InputError: if nothing says which it is.
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
    advice = "say which with --layout NAME or --layout FILE.json, or give the --config"
    if fitting:
        raise InputError(
            f"{source.file}: {shape[2]} joints of {shape[3]} coordinates may be "
            f"{' or '.join(fitting)}; {advice}"
        )
    raise InputError(
        f"{source.file}: no built-in layout has {shape[2]} joints of {shape[3]} coordinates "
        f"({', '.join(LAYOUTS)}); {advice}"
    )


def fitting_layouts(sample: Mapping[str, Any]) -> list[str]:
    """Return the names of the built-in layouts that a sample's keypoints may be of."""
    keypoint = np.asarray(sample["keypoint"])
    fitting = [layout for layout in LAYOUTS.values() if layout.num_joints == keypoint.shape[2]]
    dims = {2}
    if keypoint.shape[3] == 3:
        third = np.nan_to_num(keypoint[..., 2])
        may_be_score = bool(third.any()) and bool(((third >= 0) & (third <= 1)).all())
        dims = {2} if may_be_score and any(layout.dim == 2 for layout in fitting) else {3}
    return [layout.name for layout in fitting if layout.dim in dims]


def _of_annotations(
    annotations: AnnotationFile | PackedAnnotations,
    wanted: str | None,
    split: str | None,
    seed: int | None,
) -> Source:
    samples = annotations.select(split)
    where = f"{annotations.path}" + ("" if split is None else f", split {split!r}")
    index = _index(_ids(samples), wanted, where, seed)
    sample = dict(samples[index])
    name = sample_id(sample) or f"{annotations.path.stem} {index}"
    if "keypoint" not in sample:
        raise AnnotationError(
            f"{where}: sample {name!r} has no 'keypoint'; it has {sorted(map(str, sample))}"
        )
    # A faulty sample is what one may want to look at: tell, and draw what there is.
    fault = content_fault({"label": 0, **sample})
    if fault is not None:
        keypoint = sample["keypoint"]
        if not isinstance(keypoint, np.ndarray) or keypoint.ndim != 4 or 0 in keypoint.shape:
            raise AnnotationError(f"{where}: sample {name!r}: {fault}")
        _log.warning("%s: sample %r: %s", where, name, fault)
    upright = any(
        transform.get("type") == "PreNormalize3D" and transform.get("align_spine", True)
        for transform in annotations.applied
    )
    spread = np.unique(np.linspace(0, len(samples) - 1, _OTHERS).astype(int)).tolist()
    return Source(
        name,
        annotations.path,
        sample,
        index,
        up="z" if upright else None,
        others=[samples[other] for other in spread],
        label_names=label_names_of(annotations) or (),
    )


def _ids(samples: Sequence[Mapping[str, Any]]) -> list[str | None]:
    if isinstance(samples, PackedSamples):
        pairs = zip(samples.values("frame_dir"), samples.values("filename"))
        return [None if (one or other) is None else str(one or other) for one, other in pairs]
    return [sample_id(sample) for sample in samples]


def _index(ids: Sequence[str | None], wanted: str | None, where: str, seed: int | None) -> int:
    """Return the number of the sample that is wanted."""
    if wanted is None:
        return 0
    if wanted in ids:
        return ids.index(wanted)
    if wanted == "random":
        return random.Random(seed).randrange(len(ids))
    try:
        number = int(wanted)
    except ValueError:
        named = [identity for identity in ids if identity is not None]
        raise InputError(
            f"{where}: there is no sample {wanted!r}{_nearby(wanted, named)}"
        ) from None
    if not -len(ids) <= number < len(ids):
        raise InputError(
            f"{where}: there is no sample number {number}; there are 0 to {len(ids) - 1}"
        )
    return number % len(ids)


def _nearby(wanted: str, ids: Sequence[str]) -> str:
    """Return a hint at the id that was meant; of many at most a few are compared."""
    alike = [identity for identity in ids if wanted.lower() in identity.lower()]
    if alike:
        shown = ", ".join(alike[:5])
        return f"; there are {shown}{' ...' if len(alike) > 5 else ''}"
    few = ids if len(ids) <= 200 else [one for one in ids if one[:4] == wanted[:4]][:200]
    hint = did_you_mean(wanted, few) if few else ""
    return hint if "did you mean" in hint else f"; ids are such as {ids[0]!r}" if ids else ""
