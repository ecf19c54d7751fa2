"""Compare two runs: python tools/compare.py RUN_A RUN_B [--json FILE]"""

from __future__ import annotations

import argparse

from _command import Parser, end_with


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        description="Compare two runs: what differs in their configs, their figures with a paired "
        "test over the test samples, class by class, and their curves."
    )
    parser.add_argument("a", metavar="RUN_A", help="work dir, or a score file")
    parser.add_argument("b", metavar="RUN_B", help="another")
    labels = parser.add_mutually_exclusive_group()
    labels.add_argument("--config", help="config whose data.test has the labels")
    labels.add_argument("--ann", help="annotation file that has the labels")
    parser.add_argument("--split", help="split of the annotation file")
    parser.add_argument(
        "--weights",
        choices=["best", "last"],
        default="best",
        help="which scores of a work dir to take",
    )
    parser.add_argument("--json", metavar="FILE", help="write all of it to this file, too")
    parser.add_argument(
        "--cfg-options", nargs="+", default=[], metavar="KEY=VALUE", help="override config keys"
    )
    parser.add_argument(
        "--trust-files",
        action="store_true",
        help="load annotations and scores with plain pickle, which RUNS what they say",
    )
    parser.add_argument(
        "--debug", action="store_true", help="show the traceback of an error in the input"
    )
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Compare, and print what differs."""
    from pyskl.apis.compare import compare_runs
    from pyskl.apis.report_file import check_report_file, write_report

    if args.json is not None:
        check_report_file(args.json)
    comparison = compare_runs(
        args.a,
        args.b,
        source=args.config or args.ann,
        split=args.split,
        weights=args.weights,
        cfg_options=args.cfg_options,
        trusted=args.trust_files,
    )
    print(comparison.text())
    if args.json is not None:
        write_report(comparison.to_dict(), args.json)


if __name__ == "__main__":
    end_with(main, parse_args())
