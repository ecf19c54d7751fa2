"""Make the NTU RGB+D annotations: python tools/data/ntu_preproc.py --root DIR --out data/nturgbd"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _command import Parser, add_debug, end_with


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        description="Make ntu60_3danno.pkl and ntu120_3danno.pkl from NTU RGB+D's raw .skeleton "
        "files. The same command continues an interrupted run."
    )
    parser.add_argument(
        "--root",
        action="append",
        required=True,
        metavar="PLACE",
        help="folder with the raw files (at any depth, also in the official zip archives, which "
        "need not be unpacked), or one such archive; may be given several times",
    )
    parser.add_argument(
        "--out",
        default="data/nturgbd",
        metavar="DIR",
        help="where to write (default: %(default)s, where the configs look)",
    )
    parser.add_argument(
        "--only",
        choices=["ntu60", "ntu120"],
        help="write only one of them; by default both, if there are raw files for both",
    )
    parser.add_argument("--workers", type=int, help="processes (default: one per core)")
    parser.add_argument(
        "--strict",
        action="store_true",
        help="fail if a file yields no sample; by default such files are left out and listed",
    )
    add_debug(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Make the annotations."""
    from pyskl.logging.log import setup_logging
    from pyskl.recordings.ntu.build import PROBLEM_FILE, PROBLEMS_SHOWN, build_annotations

    setup_logging()
    report = build_annotations(
        args.root, args.out, only=args.only, workers=args.workers, strict=args.strict
    )
    print(report.text(PROBLEMS_SHOWN))
    if len(report.problems) > PROBLEMS_SHOWN:
        print(f"all of them are listed in {Path(args.out) / PROBLEM_FILE}")


if __name__ == "__main__":
    end_with(main, parse_args())
