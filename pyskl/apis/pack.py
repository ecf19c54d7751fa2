"""Pack annotation files before training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyskl.config import load_config
from pyskl.datasets.annotation_cache import file_digest, load_annotations
from pyskl.datasets.annotation_pickle import read_annotation_pickle
from pyskl.datasets.dataset_tree import with_key
from pyskl.datasets.pack import NotPackableError, is_pack, write_pack
from pyskl.datasets.precompute import canonical, deterministic_prefix
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
        config: A config (or its path); the deterministic transforms at the start of its pipelines
            are applied to the packed samples. Without it the samples are not changed.
        out: The folder to write; by default where training looks for packs.
        trusted: Load the file with plain pickle, which can run code.

    Returns:
        The packs: several if the pipelines of the config start with different transforms.

    Raises:
        InputError: for an invalid file or config, a file that can't be packed, or an ``out`` that
            exists.
    """
    setup_logging()
    path = Path(ann_file)
    prefixes: dict[Any, list[Any]] = {}
    if config is not None:
        cfg = load_config(config)
        for use in ("train", "val", "test"):
            for dataset in with_key(cfg, use, "pipeline"):
                transforms = deterministic_prefix(dataset["pipeline"])
                prefixes[canonical(transforms)] = transforms
    folders: list[Path] = []
    if out is None:
        for transforms in prefixes.values() or [[]]:
            if is_pack(path):
                raise InputError("is a pack already", file=path, expected="an annotation pickle")
            annotations = load_annotations(path, trusted=trusted, pack=True, precompute=transforms)
            folders += [annotations.folder] if annotations.folder is not None else []
    else:
        if Path(out).exists():
            raise InputError("exists", file=out, hint="choose another folder, or delete it first")
        if len(prefixes) > 1:
            raise InputError(
                f"the pipelines of {config} start with different transforms, so each needs its own "
                "pack",
                hint="without --out they are written next to the file",
            )
        content = read_annotation_pickle(path, trusted=trusted)
        source: dict[str, str | int] = {
            "file": path.name,
            "bytes": path.stat().st_size,
            "digest": file_digest(path),
        }
        transforms = next(iter(prefixes.values()), [])
        try:
            write_pack(Path(out), content, transforms, source)
        except NotPackableError as error:
            raise AnnotationError(f"the file can't be packed: {error}", file=path) from error
        except OSError as error:
            raise InputError(f"can't be written ({error})", file=out) from error
        folders.append(Path(out))
    for folder in folders:
        size = sum(file.stat().st_size for file in folder.iterdir())
        get_logger().info("%s: %.1f MB", folder, size / 2**20)
    return folders
