"""Pack annotation files ahead of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pyskl.config import load_config
from pyskl.datasets.annotation import load_annotations, read_annotation_pickle
from pyskl.datasets.nested import with_key
from pyskl.datasets.packed.ahead import canonical, leading_transforms
from pyskl.datasets.packed.cache import pack_annotations
from pyskl.datasets.packed.columns import NotPackableError
from pyskl.datasets.packed.folder import PackedAnnotations
from pyskl.errors import AnnotationError, InputError
from pyskl.logging.log import get_logger, setup_logging


def pack_file(
    ann_file: str | Path,
    *,
    config: str | Path | Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    trusted: bool = False,
) -> list[Path]:
    """Do what ``tools/data/pack.py`` does.

    Args:
        ann_file: The annotation pickle.
        config: A config (or its path) whose pipelines' beginnings are applied once; without it
            the samples are packed as they are.
        out: The folder to write; by default the place where training looks.
        trusted: Load the file with plain pickle, which runs whatever it says.

    Returns:
        The packs: one, or where a config's data sets begin differently, one for each beginning.

    Raises:
        InputError: for a faulty file or config, a file that can't be packed, or an ``out`` that
            exists.
    """
    setup_logging()
    path = Path(ann_file)
    beginnings = [[]] if config is None else _beginnings(load_config(config))
    if out is None:
        folders = []
        for ahead in beginnings:
            annotations = load_annotations(path, trusted=trusted, pack=True, ahead=ahead)
            if not isinstance(annotations, PackedAnnotations):
                raise InputError(f"{path}: this is not an annotation pickle")
            folders.append(annotations.folder)
        return _told(folders)
    if Path(out).exists():
        raise InputError(f"{out} exists; choose another folder, or delete it first")
    if len(beginnings) > 1:
        raise InputError(
            f"the data sets of {config} begin with different transforms, which takes a pack for "
            "each; leave out --out to have them beside the file"
        )
    annotations = read_annotation_pickle(path, trusted=trusted)
    source: dict[str, str | int] = {"file": path.name, "bytes": path.stat().st_size}
    try:
        pack_annotations(annotations, Path(out), beginnings[0], source)
    except NotPackableError as error:
        raise AnnotationError(f"{path} can't be packed: {error}") from error
    except OSError as error:
        raise InputError(f"{out} can't be written ({error})") from error
    return _told([Path(out)])


def _told(folders: Sequence[Path]) -> list[Path]:
    for folder in folders:
        size = sum(file.stat().st_size for file in folder.iterdir())
        get_logger().info("%s: %.1f MB", folder, size / 2**20)
    return list(folders)


def _beginnings(cfg: Mapping[str, Any]) -> list[list[Any]]:
    """Return the different beginnings of the pipelines of a config's data sets."""
    found = {}
    for use in ("train", "val", "test"):
        for data_set in with_key(cfg, use, "pipeline"):
            ahead = leading_transforms(data_set["pipeline"])
            found[canonical(ahead)] = ahead
    return list(found.values()) or [[]]
