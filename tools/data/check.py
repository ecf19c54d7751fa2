"""Check an annotation file: python tools/data/check.py ANN.pkl [--config CONFIG]"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _command import Parser, add_debug, add_json, add_trust, end_with


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        description="Report what is wrong with an annotation file before training on it. "
        "Exit status: 0 without findings, 1 with findings (see --fail-on), 2 for a file "
        "that can't be read."
    )
    parser.add_argument("ann_file", help="annotation pickle; it may be invalid")
    parser.add_argument("--config", help="also compare it with this config")
    add_json(parser, "all findings, with all ids")
    parser.add_argument("--html", metavar="FILE", help="write the report as a page with charts")
    parser.add_argument(
        "--fix",
        metavar="OUT.pkl",
        help="write a cleaned copy; the exit status is then that of the copy",
    )
    parser.add_argument(
        "--fail-on",
        choices=["error", "warning", "never"],
        default="error",
        help="exit with status 1 for findings of at least this severity (default: error)",
    )
    add_trust(parser, "the annotations")
    add_debug(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Check."""
    from pyskl.health.api import check_health
    from pyskl.health.text import changes_text, report_text, summary_text

    report, changes, after = check_health(
        args.ann_file,
        config=args.config,
        json_file=args.json,
        html_file=args.html,
        fixed_file=args.fix,
        trusted=args.trust_files,
    )
    print(report_text(report))
    if after is not None:
        print(f"\n{changes_text(changes)}\n\n{after.path}: {summary_text(after)}")
        report = after
    if args.fail_on != "never" and report.reaches(args.fail_on):
        sys.exit(1)


if __name__ == "__main__":
    end_with(main, parse_args())
