"""The samples that scores are held against: their ids, labels and names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from pyskl.apis.data import build_data
from pyskl.config import load_config
from pyskl.datasets.annotation import load_annotations
from pyskl.datasets.nested import leaves
from pyskl.datasets.packed.folder import is_pack
from pyskl.datasets.pose import PoseDataset
from pyskl.errors import AnnotationError, ConfigError, InputError
from pyskl.evaluation.scores import ScoreFile, ScoreOrigin, digest_of_ids

_CONFIGS = (".py", ".json", ".yaml", ".yml")


@dataclass(frozen=True)
class TestData:
    """The samples of a test, in the order of the data set.

    Attributes:
        where: The data set in words.
        sample_ids: Their ids.
        labels: Classes (N,), or 0/1 (N, L) where a sample has several.
        data: See :attr:`pyskl.evaluation.scores.ScoreOrigin.data`.
    """

    __test__ = False  # not a test class, whatever its name says to pytest

    where: str
    sample_ids: list[str]
    labels: np.ndarray
    data: tuple[dict[str, Any], ...]

    def check_scores(self, file: ScoreFile) -> None:
        """Check that scores are of these samples, as far as the file and the one beside it tell.

        Raises:
            InputError: for another number of samples, too few classes, or other samples.
        """
        if len(file.scores) != len(self.labels):
            raise InputError(
                f"{file.path} has scores of {len(file.scores)} samples, but {self.where} has "
                f"{len(self.labels)}: they are of another data set or split"
            )
        classes = file.scores.shape[1]
        most = int(self.labels.max()) + 1 if self.labels.ndim == 1 else self.labels.shape[1]
        if classes < most:
            raise InputError(
                f"{file.path} has scores of {classes} classes, but the labels of {self.where} "
                f"go up to {most - 1}"
            )
        origin = file.origin
        if origin is not None and origin.sample_ids_sha256 != digest_of_ids(self.sample_ids):
            raise InputError(
                f"{file.path} is not of the samples of {self.where}, or they stand in another "
                f"order: by the file beside it the scores are of {origin.where()}"
            )


def open_test_data(
    source: str | Path,
    *,
    split: str | None = None,
    cfg_options: Sequence[str] = (),
    trusted: bool = False,
    origins: Sequence[ScoreOrigin] = (),
) -> TestData:
    """Read the labels that scores are measured with.

    Args:
        source: A config, whose ``data.test`` it is, or an annotation file.
        split: The split; overrides that of the config. Of an annotation file with splits it is
            needed, unless all ``origins`` name the same one.
        cfg_options: ``key=value`` overrides of the config.
        trusted: Load annotations with plain pickle, which runs what they say.
        origins: What is known of the scores.

    Raises:
        InputError: for faults of the config, the file or the split.
    """
    path = Path(source)
    if path.suffix in _CONFIGS:
        options = [*cfg_options, *([f"data.test.split={split}"] if split is not None else [])]
        return data_of_config(load_config(path, options), trusted=trusted)
    if cfg_options:
        raise InputError(f"--cfg-options changes a config, but {path} is an annotation file")
    # Without a pack: it would be made for the labels alone.
    annotations = load_annotations(path, trusted=trusted, pack=False)
    names = annotations.split_names()
    if split is None and names:
        named = {one.get("split") for origin in origins for one in origin.data}
        if len(named) == 1 and named <= set(names):
            split = named.pop()
    if split is None and names:
        sizes = ", ".join(f"{name} ({len(annotations.select(name))})" for name in names)
        raise InputError(f"{path} has several splits: say --split; there are {sizes} (samples)")
    return _described(
        PoseDataset(
            path, [], split=split, test_mode=True, trusted=trusted, pack=is_pack(path) or False
        ),
        ({"ann_file": str(path), "split": split},),
    )


def data_of_config(cfg: Config | Mapping[str, Any], *, trusted: bool = False) -> TestData:
    """Read the labels of a config's ``data.test``; no pack is made for them.

    Raises:
        ConfigError: if the config has none.
        InputError: if its files can't be read.
    """
    data = cfg.get("data")
    if not isinstance(data, Mapping) or "test" not in data:
        named = getattr(cfg, "filename", None) or "the config"
        raise ConfigError(f"{named}: data.test is missing")
    leaves = tuple(data_leaves(data["test"]))
    for leaf in leaves:  # before a data set that makes its file does so just for its labels
        path = leaf["ann_file"]
        if path is not None and not Path(path).exists():
            raise AnnotationError(
                f"{path}: there is no such annotation file "
                f"(looked in {Path(path).parent.resolve()})"
            )
    return _described(build_data(cfg, "test", trusted=trusted, make_packs=False), leaves)


def data_leaves(cfg: Any) -> Iterator[dict[str, Any]]:
    """Yield annotation file and split of each data set that a data set's config is made of.

    One that has no ``ann_file`` has its class under ``type``.
    """
    for leaf in leaves(cfg):
        found: dict[str, Any] = {"ann_file": leaf.get("ann_file"), "split": leaf.get("split")}
        if found["ann_file"] is None:
            found["type"] = str(leaf.get("type"))
        else:
            found["ann_file"] = str(found["ann_file"])
        yield found


def _described(dataset: Any, data: tuple[dict[str, Any], ...]) -> TestData:
    labels = np.asarray(dataset.labels)
    if len(labels) == 0:
        raise AnnotationError("the test data have no samples")
    origin = ScoreOrigin(len(labels), 0, "", data=data)
    return TestData(origin.where(), list(dataset.sample_ids), labels, data)
