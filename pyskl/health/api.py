"""Check the health of an annotation file, write reports, and make a cleaned copy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from pyskl.errors import InputError
from pyskl.files.atomic import write_bytes
from pyskl.files.output_file import check_output_file
from pyskl.files.pickling import dump_pickle
from pyskl.files.terminal import shows_bars
from pyskl.health.examine import examine
from pyskl.health.expectations import expectations_of
from pyskl.health.fix import Change, fix
from pyskl.health.page import health_page
from pyskl.health.raw_annotations import RawAnnotations, read_raw_annotations
from pyskl.health.report import HealthReport


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
        ann_file: The annotation pickle. Everything but its top-level structure may be invalid.
        config: A config (or its path) to compare it with.
        json_file: Where to write all findings, and the changes of the cleaned copy.
        html_file: Where to write a page with findings, changes and charts.
        fixed_file: Where to write a cleaned copy.
        trusted: Load the file with plain pickle, which runs any code in it.

    Returns:
        The report; the changes of the cleaned copy; the report of the cleaned copy, or None.

    Raises:
        InputError: if a file can't be read or written, or would be overwritten.
    """
    path = Path(ann_file)
    inputs = [path, *([config] if isinstance(config, (str, Path)) else [])]
    json_suffixes, html_suffixes = (".json",), (".html", ".htm")
    outputs = [
        check_output_file(out, suffixes, inputs).resolve()
        for out, suffixes in (
            (json_file, json_suffixes),
            (html_file, html_suffixes),
            (fixed_file, ()),
        )
        if out is not None
    ]
    if len(set(outputs)) < len(outputs):
        raise InputError("--json, --html and --fix need different names")
    if fixed_file is not None and Path(fixed_file).exists():
        raise InputError("exists already", file=fixed_file, hint="choose another name or delete it")

    file = read_raw_annotations(path, trusted=trusted)
    expected = None if config is None else expectations_of(config, path)
    report = examine(file, expected, progress=_progress_bar)
    changes: list[Change] = []
    after = None
    if fixed_file is not None:
        cleaned, changes = fix(file, expected)
        _write(fixed_file, dump_pickle(cleaned.content()))
        written = RawAnnotations(Path(fixed_file), cleaned.samples, cleaned.split, cleaned.extra)
        after = examine(written, expected, progress=_progress_bar)
    if json_file is not None:
        content = report.to_dict()
        if after is not None:
            content["fixed"] = {
                "path": after.path,
                "changes": [change._asdict() for change in changes],
                "findings": {finding.kind: len(finding.items) for finding in after.findings},
            }
        _write(json_file, json.dumps(content, indent=1, allow_nan=False).encode())
    if html_file is not None:
        # Ids may hold unpaired surrogates, which UTF-8 can't encode.
        _write(html_file, health_page(report, changes, after).encode("utf-8", "replace"))
    return report, changes, after


def _write(path: str | Path, content: bytes) -> None:
    try:
        write_bytes(Path(path), content)
    except OSError as error:
        raise InputError(f"can't be written ({error})", file=path) from error


def _progress_bar(items: Any) -> Any:
    # Only in a terminal, and only if it takes more than a second.
    return tqdm(
        items, desc="check", unit=" samples", leave=False, disable=not shows_bars(), delay=1
    )
