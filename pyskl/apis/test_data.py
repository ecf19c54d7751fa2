"""The samples that scores belong to: ids, labels, and where they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from pyskl.apis.data import build_data
from pyskl.config import RunConfig, load_config
from pyskl.datasets.annotation_cache import load_annotations
from pyskl.datasets.dataset_tree import leaves
from pyskl.datasets.pose import PoseDataset
from pyskl.errors import AnnotationError, ConfigError, InputError
from pyskl.evaluation.fusion import STREAMS
from pyskl.evaluation.scores import ScoreFile, ScoreOrigin, digest_of_ids


@dataclass(frozen=True)
class TestData:
    """The samples of a test, in the order of the data set.

    Attributes:
        where: The name of the data set in messages.
        sample_ids: Their ids.
        labels: (N,) class numbers, or 0/1 (N, L) if samples have several labels.
        data: See :attr:`pyskl.evaluation.scores.ScoreOrigin.data`.
    """

    __test__ = False  # not a test class for pytest

    where: str
    sample_ids: list[str]
    labels: np.ndarray
    data: tuple[dict[str, Any], ...]

    def check_scores(self, file: ScoreFile) -> None:
        """Check that scores belong to these samples, as far as the score file says.

        Raises:
            InputError: for another number of samples, too few classes, or other samples.
        """
        if len(file.scores) != len(self.labels):
            raise InputError(
                "the scores are of another data set or split",
                file=file.path,
                found=f"{len(file.scores)} samples",
                expected=f"{len(self.labels)}, as in {self.where}",
            )
        classes = file.scores.shape[1]
        most = int(self.labels.max()) + 1 if self.labels.ndim == 1 else self.labels.shape[1]
        if classes < most:
            raise InputError(
                "there are labels without a score",
                file=file.path,
                found=f"scores of {classes} classes",
                expected=f"{most} for the labels of {self.where}",
            )
        origin = file.origin
        if origin is not None and origin.sample_ids_sha256 != digest_of_ids(self.sample_ids):
            raise InputError(
                "the scores are of other samples, or in another order",
                file=file.path,
                found=f"scores of {origin.where()} (according to the .meta.json)",
                expected=self.where,
            )


def open_test_data(
    source: str | Path,
    *,
    split: str | None = None,
    cfg_options: Sequence[str] = (),
    trusted: bool = False,
    origins: Sequence[ScoreOrigin] = (),
) -> TestData:
    """Read the labels to evaluate scores with.

    Args:
        source: A config, for its ``data.test``, or an annotation file.
        split: The split; overrides that of the config. An annotation file with splits needs it,
            unless all ``origins`` have the same one.
        cfg_options: ``key=value`` overrides of the config.
        trusted: Load annotations with plain pickle, which can run code.
        origins: Where the scores come from, if known.

    Raises:
        InputError: for errors in the config, the file or the split.
    """
    path = Path(source)
    if path.suffix in (".py", ".json", ".yaml", ".yml"):
        options = [*cfg_options, *([f"data.test.split={split}"] if split is not None else [])]
        return data_of_config(load_config(path, options), trusted=trusted)
    if cfg_options:
        raise InputError(
            "--cfg-options changes a config, but this is an annotation file", file=path
        )
    # No pack is made just to read the labels.
    annotations = load_annotations(path, trusted=trusted, pack=False)
    names = annotations.split_names()
    if split is None and names:
        known = {one.get("split") for origin in origins for one in origin.data}
        if len(known) == 1 and known <= set(names):
            split = known.pop()
    if split is None and names:
        sizes = ", ".join(f"{name} ({len(annotations.select(name))})" for name in names)
        raise InputError(
            f"has several splits (samples): {sizes}", file=path, hint="choose one with --split"
        )
    dataset = PoseDataset(path, [], split=split, test_mode=True, trusted=trusted, pack=False)
    return _test_data(dataset, ({"ann_file": str(path), "split": split},))


def data_of_config(cfg: Config | Mapping[str, Any], *, trusted: bool = False) -> TestData:
    """Read the labels of a config's ``data.test``; no pack is made for them.

    Raises:
        ConfigError: if the config has none.
        InputError: if its files can't be read.
    """
    data = cfg.get("data")
    if not isinstance(data, Mapping) or "test" not in data:
        raise ConfigError("is missing", file=getattr(cfg, "filename", None), key="data.test")
    parts = tuple(data_leaves(data["test"]))
    for part in parts:  # ToyDataset would generate a missing file
        path = part["ann_file"]
        if path is not None and not Path(path).exists():
            raise AnnotationError(
                f"there is no such annotation file (looked in {Path(path).parent.resolve()})",
                file=path,
            )
    return _test_data(build_data(cfg, "test", trusted=trusted, make_packs=False), parts)


def data_leaves(cfg: Any) -> Iterator[dict[str, Any]]:
    """Yield ``ann_file`` and ``split`` of each data set in a config.

    ``type`` is added for data sets without ``ann_file``.
    """
    for _, leaf in leaves(cfg):
        ann_file = leaf.get("ann_file")
        found = {"ann_file": None if ann_file is None else str(ann_file)}
        found["split"] = leaf.get("split")
        yield found if ann_file is not None else {**found, "type": str(leaf.get("type"))}


def _test_data(dataset: Any, data: tuple[dict[str, Any], ...]) -> TestData:
    labels = np.asarray(dataset.labels)
    if len(labels) == 0:
        raise AnnotationError("there are no test samples")
    origin = ScoreOrigin(len(labels), 0, "", data=data)
    return TestData(origin.where(), list(dataset.sample_ids), labels, data)


def score_origin(
    cfg: RunConfig,
    dataset: Any,
    model: Any,
    scores: np.ndarray,
    checkpoint: str | Path,
    *,
    epoch: int | None,
    sha256: str,
) -> ScoreOrigin | None:
    """Describe the scores of a config's ``data.test``; None if the samples have no ids.

    Args:
        cfg: The config.
        dataset: What was scored.
        model: The recognizer.
        scores: (N, classes), or (N, clips, classes) if they are not averaged over clips.
        checkpoint: The file of the weights.
        epoch: The epoch after which they were saved, if known.
        sha256: The hash of the file.
    """
    if not hasattr(dataset, "sample_ids"):  # a user's data set
        return None
    return ScoreOrigin(
        samples=len(scores),
        classes=int(scores.shape[-1]),
        sample_ids_sha256=digest_of_ids(dataset.sample_ids),
        data=tuple(data_leaves(cfg.data.test)),
        config=cfg.filename,
        checkpoint=str(checkpoint),
        epoch=epoch,
        checkpoint_sha256=sha256,
        stream=stream(cfg.data.test),
        average_clips=getattr(model, "average_clips", None),
        num_clips=num_clips(cfg.data.test),
    )


def stream(cfg: Any) -> str | None:
    """Return the stream that a data set's config makes; None if there is no single one."""
    found = set()
    for _, leaf in leaves(cfg):
        for transform in leaf.get("pipeline", ()):
            feats = transform.get("feats") if isinstance(transform, Mapping) else None
            if isinstance(feats, (list, tuple)):
                found.add(tuple(feats))
    feats = found.pop() if len(found) == 1 else ()
    return feats[0] if len(feats) == 1 and feats[0] in STREAMS else None


def num_clips(cfg: Any) -> int | None:
    """Return the number of clips per sample in a data set's config; None if its parts differ."""
    counts = set()
    for _, leaf in leaves(cfg):
        stated = [
            transform["num_clips"]
            for transform in leaf.get("pipeline", ())
            if isinstance(transform, Mapping) and isinstance(transform.get("num_clips"), int)
        ]
        counts.add(stated[-1] if stated else 1)
    return counts.pop() if len(counts) == 1 else None
