"""Test a recognizer: python tools/test.py CONFIG CHECKPOINT [--eval METRIC ...] [--out FILE]"""

from __future__ import annotations

import argparse
import os

from _command import Parser, add_common_options, end_with


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        description="Test the weights of a recognizer.",
        epilog="docs/custom_dataset.md is a complete example from recordings to a prediction",
    )
    parser.add_argument("config", help="config file")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("checkpoint", nargs="?", help="checkpoint, a path or an https:// URL")
    where.add_argument(
        "-C", "--checkpoint", dest="checkpoint_option", metavar="CHECKPOINT", help="the same"
    )
    parser.add_argument(
        "--eval",
        nargs="+",
        metavar="METRIC",
        help="top_k_accuracy, mean_class_accuracy, mean_average_precision; by default the first, "
        "with --out none",
    )
    parser.add_argument("--out", help="write the scores to this .pkl, .json or .yaml file")
    parser.add_argument(
        "--average-clips",
        choices=["prob", "score", "none"],
        help="average the clips' probabilities or logits, or don't average them",
    )
    parser.add_argument(
        "--fuse-conv-bn", action="store_true", help="fold BatchNorm into convolutions"
    )
    add_common_options(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Test, and print the metrics."""
    from pyskl.apis import TestSettings, test_from_config

    metrics = args.eval or ([] if args.out else ["top_k_accuracy"])
    settings = TestSettings(
        metrics=metrics,
        out=args.out,
        average_clips=args.average_clips,
        fuse_conv_bn=args.fuse_conv_bn,
        compile=args.compile,
        amp=args.amp,
        trusted=args.trust_files,
    )
    found = test_from_config(
        args.config,
        args.checkpoint or args.checkpoint_option,
        settings,
        cfg_options=args.cfg_options,
        launcher=args.launcher,
    )
    if os.environ.get("RANK", "0") == "0":
        for name, value in found.items():
            print(f"{name}: {value:.4f}")


if __name__ == "__main__":
    end_with(main, parse_args())
