"""Report runs: one self-contained page, or the same content as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pyskl.errors import InputError
from pyskl.files.output_file import check_output_file, write_report
from pyskl.logging.log import get_logger, setup_logging
from pyskl.reports.collect import ReportSettings, collect_report
from pyskl.reports.page.report_page import report_page
from pyskl.reports.runs import check_work_dir

__all__ = ["ReportSettings", "report_runs"]


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
    name = "report.html" if settings.format == "html" else "report"
    out = Path(settings.out or Path(work_dirs[0]) / name)
    if settings.format == "html":
        check_output_file(out, (".html", ".htm"))
    else:
        check_output_file(out / f"confusion.{settings.format}", (f".{settings.format}",))
    report = collect_report(work_dirs, settings)
    for run in report.runs:
        for missing in run.missing:
            get_logger().warning("%s: missing: %s", run.run.work_dir, missing.what)
    if settings.format == "html":
        write_report(report_page(report), out)
        get_logger().info("%s: %.1f kB", out, out.stat().st_size / 1000)
        return out
    from pyskl.reports.page.pictures import report_pictures  # needs Matplotlib

    number = 0
    for name, content in report_pictures(report, settings.format, dark=settings.dark):
        write_report(content, out / name)
        number += 1
    if not number:
        raise InputError("there is nothing to draw yet", file=work_dirs[0])
    get_logger().info("%d pictures written to %s", number, out)
    return out
