"""Count operations: python tools/analysis/flops.py CONFIG [--clip-len T --persons M]"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _command import Parser, add_cfg_options, add_debug, add_json, end_with


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        description="Count parameters, operations and activations of a config's model, layer by "
        "layer, for one clip."
    )
    parser.add_argument("config", help="config file")
    parser.add_argument("--clip-len", type=int, metavar="T", help="frames; the config's by default")
    parser.add_argument("--persons", type=int, metavar="M", help="persons; the config's by default")
    parser.add_argument("--joints", type=int, metavar="V", help="joints; the graph's by default")
    parser.add_argument(
        "--channels", type=int, metavar="C", help="channels; the backbone's by default"
    )
    parser.add_argument(
        "--depth",
        type=int,
        metavar="N",
        help="show modules down to level N, with the sums of those below; 3 shows blocks",
    )
    add_json(parser, "all of it")
    add_cfg_options(parser)
    add_debug(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Count, and print the table."""
    from pyskl.apis.cost import cost_from_config
    from pyskl.files.output_file import check_output_file, write_report

    if args.json is not None:
        check_output_file(args.json, inputs=[args.config])
    report = cost_from_config(
        args.config,
        clip_len=args.clip_len,
        persons=args.persons,
        joints=args.joints,
        channels=args.channels,
        cfg_options=args.cfg_options,
    )
    print(report.text(depth=args.depth))
    if args.json is not None:
        write_report(report.to_dict(), args.json)


if __name__ == "__main__":
    end_with(main, parse_args())
