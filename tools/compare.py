"""Compare two runs: python tools/compare.py RUN_A RUN_B [--json FILE]"""

from __future__ import annotations

import argparse

from _command import Parser, add_cfg_options, add_debug, add_json, add_trust, end_with


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        description="Compare two runs: configs, metrics with a paired test on the test samples, "
        "classes, and curves."
    )
    parser.add_argument("a", metavar="RUN_A", help="work dir, or a score file")
    parser.add_argument("b", metavar="RUN_B", help="work dir, or a score file")
    labels = parser.add_mutually_exclusive_group()
    labels.add_argument("--config", help="config whose data.test has the labels of score files")
    labels.add_argument("--ann", help="annotation file with the labels of score files")
    parser.add_argument("--split", help="split of the annotation file")
    parser.add_argument(
        "--weights",
        choices=["best", "last"],
        default="best",
        help="which scores of a work dir to compare",
    )
    add_json(parser, "everything")
    add_cfg_options(parser)
    add_trust(parser, "annotations and scores")
    add_debug(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Print the comparison."""
    from pyskl.files.output_file import check_output_file, write_report
    from pyskl.reports.compare import compare_runs
    from pyskl.reports.runs import input_files

    if args.json is not None:
        named = [path for path in (args.config, args.ann) if path is not None]
        check_output_file(args.json, inputs=[*input_files(args.a), *input_files(args.b), *named])
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
