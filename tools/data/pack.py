"""Pack an annotation file: python tools/data/pack.py ANN.pkl [--config CONFIG] [--out FOLDER]"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _command import Parser, add_debug, add_trust, end_with


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        description="Convert an annotation file into flat arrays that all processes share."
    )
    parser.add_argument("ann_file", help="annotation pickle")
    parser.add_argument(
        "--config",
        help="apply in advance the normalisation at the start of this config's pipelines",
    )
    parser.add_argument(
        "--out",
        metavar="FOLDER",
        help="where to write the pack, which can then stand in a config as ann_file; by default "
        "next to the file, where training finds it",
    )
    add_trust(parser, "the annotations")
    add_debug(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Pack."""
    from pyskl.apis.pack import pack_file

    pack_file(args.ann_file, config=args.config, out=args.out, trusted=args.trust_files)


if __name__ == "__main__":
    end_with(main, parse_args())
