"""Fuse streams: python tools/fuse.py CONFIG_OR_ANNOTATIONS --scores j.pkl b.pkl jm.pkl bm.pkl"""

from __future__ import annotations

import argparse

from _command import Parser, add_cfg_options, add_debug, add_json, add_trust, end_with


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        description="Fuse the scores of several streams and measure each stream and the fusion."
    )
    parser.add_argument(
        "source", help="config whose data.test has the labels, or an annotation file"
    )
    parser.add_argument(
        "--scores",
        nargs="+",
        required=True,
        metavar="FILE",
        help="score files (.pkl, .json, .yaml); j, b, jm or bm (or joint, bone, joint_motion, "
        "bone_motion) in the name of the file or of its folder is its stream",
    )
    parser.add_argument(
        "--weights",
        nargs="+",
        type=float,
        metavar="W",
        help="one for each file (default: 1 1 for j b, 2 2 1 1 for j b jm bm)",
    )
    parser.add_argument(
        "--search",
        action="store_true",
        help="search for weights on one half of the samples and measure on the other",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the halves (0)")
    parser.add_argument("--split", help="split of the annotation file")
    parser.add_argument("--out", metavar="FILE", help="write the fused scores to this file")
    add_json(parser, "all metrics")
    add_cfg_options(parser)
    add_trust(parser, "annotations and scores")
    add_debug(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Print the metrics of the streams and of the fusion."""
    from pyskl.files.output_file import check_output_file, write_report
    from pyskl.reports.fuse import fuse_files
    from pyskl.reports.runs import input_files

    if args.json is not None:
        read = [file for path in args.scores for file in input_files(path)]
        written = [] if args.out is None else input_files(args.out)
        check_output_file(args.json, inputs=[args.source, *read, *written])
    report = fuse_files(
        args.source,
        args.scores,
        weights=args.weights,
        search=args.search,
        seed=args.seed,
        out=args.out,
        split=args.split,
        cfg_options=args.cfg_options,
        trusted=args.trust_files,
    )
    print(report.text())
    if args.json is not None:
        write_report(report.to_dict(), args.json)


if __name__ == "__main__":
    end_with(main, parse_args())
