"""Report runs as one page: python tools/report.py WORK_DIR [WORK_DIR ...] [--out report.html]"""

from __future__ import annotations

import argparse

from _command import Parser, add_cfg_options, add_debug, add_trust, end_with


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        description="Write one HTML page, which needs no network, on a run: summary, config, "
        "curves, classes, confusion, calibration, and the mistakes as skeletons that play. Curves "
        "and figures of several runs stand side by side."
    )
    parser.add_argument(
        "work_dirs",
        nargs="+",
        metavar="WORK_DIR",
        help="of a run, finished or not; classes and samples are shown of the first",
    )
    parser.add_argument(
        "--out",
        metavar="PATH",
        help="the page, or the folder of the pictures; by default report.html, or report, in the "
        "first work dir",
    )
    parser.add_argument(
        "--format",
        choices=["html", "png", "svg"],
        default="html",
        help="one page (default), or each chart and clip as a picture",
    )
    parser.add_argument(
        "--scores",
        choices=["best", "last"],
        default="best",
        help="of which weights to take the scores",
    )
    parser.add_argument(
        "--gallery",
        type=int,
        default=48,
        metavar="NUMBER",
        help="how many samples to draw: mistakes, and the surest hits (48)",
    )
    parser.add_argument(
        "--importance",
        action="store_true",
        help="show which joints the predictions came from: loads the checkpoint and runs it",
    )
    parser.add_argument(
        "--labels", metavar="FILE", help="text file with the names of the classes, one in each line"
    )
    parser.add_argument("--dark", action="store_true", help="pictures on a dark ground")
    add_cfg_options(parser, such_as="data.test.ann_file=FILE where it has moved")
    add_trust(parser, "annotations, scores and checkpoints")
    add_debug(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Write the report, and print where it is."""
    from pyskl.reports.report import ReportSettings, report_runs

    settings = ReportSettings(
        out=args.out,
        format=args.format,
        scores=args.scores,
        gallery=args.gallery,
        importance=args.importance,
        labels=args.labels,
        dark=args.dark,
        cfg_options=args.cfg_options,
        trusted=args.trust_files,
    )
    print(report_runs(args.work_dirs, settings))


if __name__ == "__main__":
    end_with(main, parse_args())
