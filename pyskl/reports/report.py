"""Report runs: one page that holds all it needs, or the same as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pyskl.errors import InputError
from pyskl.files.atomic import write_bytes
from pyskl.logging.log import get_logger, setup_logging
from pyskl.reports.page import ReportFacts, report_page, report_pictures
from pyskl.reports.report_facts import ReportWishes, collect_facts
from pyskl.reports.report_file import check_report_file
from pyskl.reports.runs import check_work_dir

ReportFormat = Literal["html", "png", "svg"]

# More players than this make a page slow.
_MOST_SAMPLES = 1000


@dataclass(frozen=True)
class ReportSettings(ReportWishes):
    """What the command line decides about a report.

    Attributes:
        out: The page, or the folder of the pictures; by default ``report.html`` or ``report`` in
            the first work dir.
        format: One page, or pictures.
        dark: Draw pictures on a dark ground; pages follow the reader's system.
    """

    out: str | Path | None = None
    format: ReportFormat = "html"
    dark: bool = False

    def __post_init__(self) -> None:
        """Check the number of samples."""
        if not 0 <= self.gallery <= _MOST_SAMPLES:
            raise InputError(f"gallery should be 0 to {_MOST_SAMPLES}, found {self.gallery}")


def report_runs(work_dirs: Sequence[str | Path], settings: ReportSettings | None = None) -> Path:
    """Do what ``tools/report.py`` does.

    Nothing in the work dirs is run: dumped configs are read as data.

    Args:
        work_dirs: Of one run or several; single samples and classes are shown of the first.
        settings: What the command line decides.

    Returns:
        The page, or the folder, that was written.

    Raises:
        InputError: for a folder that is no work dir, or a place that can't be written.

    Example:
        >>> report_runs(['work_dirs/mine/j', 'work_dirs/mine/b'])  # doctest: +SKIP
        PosixPath('work_dirs/mine/j/report.html')
    """
    settings = settings or ReportSettings()
    setup_logging()
    if not work_dirs:
        raise InputError("there is no work dir to report")
    for work_dir in work_dirs:  # before its parent is found to be no place to write to
        check_work_dir(work_dir)
    out = _out(Path(work_dirs[0]), settings)
    facts = collect_facts(work_dirs, settings)
    for run in facts.runs:
        for missing in run.missing:
            get_logger().warning("%s: missing: %s", run.work_dir, missing.what)
    if settings.format == "html":
        _write(out, report_page(facts).encode())
        get_logger().info("%s: %.1f kB", out, out.stat().st_size / 1000)
    else:
        _write_pictures(facts, out, settings)
    return out


def _out(work_dir: Path, settings: ReportSettings) -> Path:
    """Return what to write, once it is clear that it can be written."""
    if settings.format == "html":
        out = Path(settings.out) if settings.out is not None else work_dir / "report.html"
        if out.suffix.lower() not in (".html", ".htm"):
            raise InputError(f"{out}: a page ends in .html; --format png or svg writes a folder")
        return check_report_file(out, suffixes=())
    out = Path(settings.out) if settings.out is not None else work_dir / "report"
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is no folder, and --format {settings.format} writes several files")
    check_report_file(out / f"confusion.{settings.format}", suffixes=())
    return out


def _write_pictures(facts: ReportFacts, folder: Path, settings: ReportSettings) -> None:
    kind: Literal["png", "svg"] = "svg" if settings.format == "svg" else "png"
    number = 0
    for name, content in report_pictures(facts, kind, dark=settings.dark):
        _write(folder / name, content)
        number += 1
    if not number:
        raise InputError(f"{facts.runs[0].work_dir}: there is nothing to draw yet")
    get_logger().info("%d pictures written to %s", number, folder)


def _write(path: Path, content: bytes) -> None:
    try:
        write_bytes(path, content)
    except OSError as error:
        raise InputError(f"{path} can't be written ({error})") from error
