"""Report runs: one self-contained page, or the same content as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pyskl.errors import InputError
from pyskl.logging.log import get_logger, setup_logging
from pyskl.reports.report_file import check_report_file, write_report
from pyskl.reports.runs import Weights, check_work_dir

ReportFormat = Literal["html", "png", "svg"]

# More players make a page slow.
_MAX_SAMPLES = 1000


@dataclass(frozen=True)
class ReportSettings:
    """The options of a report.

    Attributes:
        scores: Which scores to show; if a run lacks these, the others.
        gallery: How many samples to draw.
        importance: Compute the importance of the joints for the predictions.
        labels: A text file with the class names, one per line.
        cfg_options: ``key=value`` overrides of the runs' configs.
        trusted: Load files with plain pickle, which runs any code in them.
        out: The page, or the folder of the pictures; by default ``report.html`` or ``report`` in
            the first work dir.
        format: A page or pictures.
        dark: Draw pictures on a dark background; pages follow the reader's system.
    """

    scores: Weights = "best"
    gallery: int = 48
    importance: bool = False
    labels: str | Path | None = None
    cfg_options: Sequence[str] = ()
    trusted: bool = False
    out: str | Path | None = None
    format: ReportFormat = "html"
    dark: bool = False

    def __post_init__(self) -> None:
        """Check the number of samples."""
        if not 0 <= self.gallery <= _MAX_SAMPLES:
            raise InputError(
                "the gallery can't have this size",
                key="gallery",
                found=self.gallery,
                expected=f"0 to {_MAX_SAMPLES}",
            )


def report_runs(work_dirs: Sequence[str | Path], settings: ReportSettings | None = None) -> Path:
    """Do what ``tools/report.py`` does.

    Nothing in the work dirs is run: dumped configs are read as data.

    Args:
        work_dirs: The work dirs of one or more runs. Classes and samples are those of the first.
        settings: The options.

    Returns:
        The page, or the folder, that was written.

    Raises:
        InputError: for a folder that is not a work dir, or an output that can't be written.

    Example:
        >>> report_runs(['work_dirs/mine/j', 'work_dirs/mine/b'])  # doctest: +SKIP
        PosixPath('work_dirs/mine/j/report.html')
    """
    settings = settings or ReportSettings()
    setup_logging()
    if not work_dirs:
        raise InputError("there is no work dir to report")
    for work_dir in work_dirs:
        check_work_dir(work_dir)
    is_page = settings.format == "html"
    out = Path(settings.out or Path(work_dirs[0]) / ("report.html" if is_page else "report"))
    if is_page:
        check_report_file(out, (".html", ".htm"))
    else:
        check_report_file(out / f"confusion.{settings.format}", (f".{settings.format}",))
    from pyskl.reports.collect import collect_report  # with torch, which the checks do not need

    report = collect_report(work_dirs, settings)
    for run in report.runs:
        for missing in run.missing:
            get_logger().warning("%s: missing: %s", run.run.work_dir, missing.what)
    if settings.format == "html":
        from pyskl.reports.page.report_page import report_page

        write_report(report_page(report), out)
        get_logger().info("%s: %.1f kB", out, out.stat().st_size / 1000)
        return out
    from pyskl.reports.page.pictures import report_pictures  # with Matplotlib

    names = []
    for name, content in report_pictures(report, settings.format, dark=settings.dark):
        write_report(content, out / name)
        names.append(name)
    if not names:
        raise InputError("there is nothing to draw yet", file=work_dirs[0])
    get_logger().info("%d pictures written to %s", len(names), out)
    return out
