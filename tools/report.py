"""Report runs as one page: python tools/report.py WORK_DIR [WORK_DIR ...] [--out report.html]"""

from __future__ import annotations

import argparse

from _command import Parser, add_cfg_options, add_debug, add_trust, end_with


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        description="Report one or more runs as one HTML page: summary, config, curves, classes, "
        "confusion, calibration, and mistakes as animated skeletons."
    )
    parser.add_argument(
        "work_dirs",
        nargs="+",
        metavar="WORK_DIR",
        help="work dir of a run, finished or not; the page shows classes and samples of the first",
    )
    parser.add_argument(
        "--out",
        metavar="PATH",
        help="the page, or the folder of the pictures (report.html or report in the first work "
        "dir)",
    )
    parser.add_argument(
        "--format",
        choices=["html", "png", "svg"],
        default="html",
        help="one page (default), or a picture of each chart and sample",
    )
    parser.add_argument(
        "--scores",
        choices=["best", "last"],
        default="best",
        help="show scores of the best or of the last weights",
    )
    parser.add_argument(
        "--gallery",
        type=int,
        default=48,
        metavar="NUMBER",
        help="how many samples to draw: mistakes and confident hits (48)",
    )
    parser.add_argument(
        "--importance",
        action="store_true",
        help="show which joints the predictions came from; runs the checkpoint",
    )
    parser.add_argument(
        "--labels", metavar="FILE", help="text file with the class names, one per line"
    )
    parser.add_argument("--dark", action="store_true", help="draw pictures on a dark background")
    add_cfg_options(parser, such_as="data.test.ann_file=FILE if it has moved")
    add_trust(parser, "annotations, scores and checkpoints")
    add_debug(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Write the report and print its path."""
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
