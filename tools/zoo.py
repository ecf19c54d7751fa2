"""Make a table of runs: python tools/zoo.py work_dirs/stgcn [--out zoo.md] [--json FILE]"""

from __future__ import annotations

import argparse
from pathlib import Path

from _command import Parser, add_debug, add_json, add_trust, end_with


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        description="Make a model zoo table of finished runs that says how each number was "
        "obtained."
    )
    parser.add_argument("root", help="folder with the work dirs, at any depth")
    parser.add_argument(
        "--weights",
        choices=["best", "last"],
        default="best",
        help="show scores of the best or of the last weights",
    )
    parser.add_argument(
        "--out", metavar="FILE.md", help="write the table to this file, with links relative to it"
    )
    add_json(parser, "all metrics")
    add_trust(parser, "annotations and scores")
    add_debug(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Print or write the table."""
    from pyskl.files.output_file import check_output_file, write_report
    from pyskl.reports.runs import input_files
    from pyskl.reports.zoo import zoo_from_folder

    inputs = input_files(args.root)
    if args.out is not None:
        check_output_file(args.out, (".md",), inputs)
    if args.json is not None:
        check_output_file(args.json, inputs=inputs)
    zoo = zoo_from_folder(args.root, weights=args.weights, trusted=args.trust_files)
    if args.json is not None:
        write_report(zoo.to_dict(), args.json)
    if args.out is None:
        print(zoo.markdown(), end="")
    else:
        write_report(zoo.markdown(Path(args.out).absolute().parent), args.out)


if __name__ == "__main__":
    end_with(main, parse_args())
