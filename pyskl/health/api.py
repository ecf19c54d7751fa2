"""Check the health of an annotation file, report it, and make a cleaned copy."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from tqdm import tqdm

from pyskl.apis.prepare import prepare
from pyskl.config import load_config
from pyskl.datasets.dataset_tree import leaves
from pyskl.errors import ConfigError, InputError
from pyskl.files.atomic import replace_with
from pyskl.health import (
    Change,
    CheckedFile,
    Expected,
    HealthReport,
    Use,
    examine,
    fix,
    read_for_check,
)
from pyskl.health.page import health_page
from pyskl.reports.report_file import check_report_file
from pyskl.skeleton import SkeletonLayout, resolve_layout

# Transforms that draw clip_len frames.
_DRAWING = ("UniformSample", "UniformSampleFrames", "UniformSampleDecode", "SampleFrames")


def check_health(
    ann_file: str | Path,
    *,
    config: str | Path | Mapping[str, Any] | None = None,
    json_file: str | Path | None = None,
    html_file: str | Path | None = None,
    fixed_file: str | Path | None = None,
    trusted: bool = False,
) -> tuple[HealthReport, list[Change], HealthReport | None]:
    """Do what ``tools/data/check.py`` does, apart from printing.

    Args:
        ann_file: The annotation pickle; it may be faulty in any way but its outermost structure.
        config: A config (or its path) to hold it against.
        json_file: Where to write all findings, and the changes of the cleaned copy.
        html_file: Where to write the same as a page with charts.
        fixed_file: Where to write a cleaned copy.
        trusted: Load the file with plain pickle, which runs whatever it says.

    Returns:
        The report; the changes of the cleaned copy, and its own report, None where none was asked
        for.

    Raises:
        InputError: for a file that can't be read, and for one that would be written over.
    """
    path = Path(ann_file)
    inputs = [path, *([config] if isinstance(config, (str, Path)) else [])]
    outputs = [
        check_report_file(out, suffixes, inputs)
        for out, suffixes in (
            (json_file, (".json",)),
            (html_file, (".html", ".htm")),
            (fixed_file, ()),
        )
        if out is not None
    ]
    if len({out.resolve() for out in outputs}) < len(outputs):
        raise InputError("--json, --html and --fix need a name each")
    if fixed_file is not None and Path(fixed_file).exists():
        raise InputError(f"{fixed_file} exists; choose another name, or delete it first")
    file = read_for_check(path, trusted=trusted)
    expected = None if config is None else expected_of(config, path)
    report = examine(file, expected, progress=_progress)
    changes: list[Change] = []
    after = None
    if fixed_file is not None:
        cleaned, changes = fix(file, expected)
        _write(Path(fixed_file), lambda partial: _dump(cleaned.content(), partial))
        written = CheckedFile(Path(fixed_file), cleaned.samples, cleaned.split, cleaned.extra)
        after = examine(written, expected, progress=_progress)
    if json_file is not None:
        content = report.to_dict()
        if after is not None:
            content["fixed"] = {
                "path": after.path,
                "changes": [change._asdict() for change in changes],
                "findings": {finding.kind: len(finding.items) for finding in after.findings},
            }
        text = json.dumps(content, indent=1, allow_nan=False)
        _write(Path(json_file), lambda partial: partial.write_text(text, encoding="utf-8"))
    if html_file is not None:
        page = health_page(report, changes, after).encode(
            "utf-8", "replace"
        )  # half a surrogate pair
        _write(Path(html_file), lambda partial: partial.write_bytes(page))
    return report, changes, after


def expected_of(config: str | Path | Mapping[str, Any], ann_file: Path) -> Expected:
    """Return what a config expects of an annotation file.

    Args:
        config: The config, or its path.
        ann_file: The file. Where the config names it, only the data sets that read it count.

    Raises:
        ConfigError: if the config can't be read; what else is wrong with it is part of the result.
    """
    loaded = config if isinstance(config, Mapping) else load_config(config)
    source = str(getattr(loaded, "filename", None) or "config")
    content = loaded.to_dict() if isinstance(loaded, Config) else dict(loaded)
    uses = [
        (_use(leaf, key), leaf)
        for name in ("train", "val", "test")
        for key, leaf in leaves(_at(content, "data", name), f"data.{name}")
    ]
    here = [use for use, leaf in uses if _names(leaf, ann_file)]
    classes = _at(content, "model", "cls_head", "num_classes")
    return Expected(
        source=source,
        layout=_layout(_at(content, "model", "backbone", "graph_cfg", "layout")),
        num_classes=classes if isinstance(classes, int) else None,
        uses=tuple(here or [use for use, _ in uses]),
        faults=_config_faults(loaded),
    )


def _config_faults(config: Any) -> tuple[str, ...]:
    """Return what is wrong with a config by itself; its data sets are not opened."""
    try:
        prepare(config, ())
    except ConfigError as error:
        return tuple(map(str, error.errors)) or (str(error),)
    return ()


def _layout(given: Any) -> SkeletonLayout | None:
    if given is None:
        return None
    try:
        return resolve_layout(given)
    except (ConfigError, ValueError):  # among the faults of the config
        return None


def _use(cfg: Mapping[str, Any], key: str) -> Use:
    pipeline = [step for step in cfg.get("pipeline") or () if isinstance(step, Mapping)]
    by_type = {str(step.get("type")): step for step in pipeline}
    drawn = [_count(step.get("clip_len")) for name, step in by_type.items() if name in _DRAWING]
    flip = by_type.get("Flip", {})
    return Use(
        key=key,
        split=None if cfg.get("split") is None else str(cfg["split"]),
        multi_class=bool(cfg.get("multi_class", False)),
        clip_len=max((one for one in drawn if one is not None), default=None),
        pad_to=_count(by_type.get("PadTo", {}).get("length")),
        num_person=_count(by_type["FormatGCNInput"].get("num_person", 2))
        if "FormatGCNInput" in by_type
        else None,
        flipped=tuple(
            joint
            for side in ("left_kp", "right_kp")
            for joint in flip.get(side) or ()
            if _is_count(joint)
        ),
    )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _count(value: Any) -> int | None:
    return value if _is_count(value) else None


def _names(cfg: Mapping[str, Any], path: Path) -> bool:
    """Return whether a data set reads this file."""
    named = cfg.get("ann_file")
    try:
        return isinstance(named, (str, Path)) and Path(named).resolve() == path.resolve()
    except OSError:
        return False


def _at(content: Any, *path: str) -> Any:
    for key in path:
        content = content.get(key) if isinstance(content, Mapping) else None
    return content


def _write(path: Path, write: Callable[[Path], Any]) -> None:
    try:
        replace_with(path, write)
    except OSError as error:
        raise InputError(f"{path} can't be written ({error})") from error


def _dump(content: Any, path: Path) -> None:
    with path.open("wb") as file:
        pickle.dump(content, file, protocol=4)


def _progress(items: Any) -> Any:
    # Only where somebody looks on, and only where it takes a while.
    return tqdm(items, desc="check", unit=" samples", leave=False, disable=None, delay=1)
