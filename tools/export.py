"""Export a recognizer: python tools/export.py CONFIG CHECKPOINT [--format FORMAT] [--out FILE]"""

from __future__ import annotations

import argparse

from _command import Parser, add_cfg_options, add_debug, add_trust, end_with


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        description="Export a trained recognizer to a file that other programs run, and compare "
        "it with the original."
    )
    parser.add_argument("config", help="config file")
    parser.add_argument("checkpoint", help="checkpoint, a path or an https:// URL")
    parser.add_argument(
        "--format",
        choices=["onnx", "torchscript", "exported_program", "safetensors"],
        default="onnx",
        help="onnx (the default) runs without torch; safetensors holds the weights only",
    )
    parser.add_argument(
        "--precision",
        choices=["fp32", "fp16", "int8"],
        default="fp32",
        help="of the weights: fp32 (the default), fp16, or int8 (onnx only)",
    )
    parser.add_argument("--out", metavar="FILE", help="default: next to the checkpoint")
    parser.add_argument(
        "--labels",
        metavar="FILE",
        help="text file with the name of a class in each line (default: those of the test "
        "annotations)",
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        help="allowed difference from the original, as a share of the largest logit (default: "
        "1e-5, fp16 5e-3, int8 0.1)",
    )
    parser.add_argument(
        "--calibrate",
        choices=["data", "random"],
        default="data",
        help="what int8 is calibrated with: samples of data.train (the default), or random clips",
    )
    parser.add_argument(
        "--samples",
        type=int,
        default=128,
        metavar="N",
        help="samples to calibrate int8 with; as many others are compared on (default: 128)",
    )
    parser.add_argument(
        "--no-fuse", action="store_true", help="do not fold BatchNorm into convolutions"
    )
    parser.add_argument(
        "--no-timing", action="store_true", help="do not time the file and the original"
    )
    parser.add_argument(
        "--eval", action="store_true", help="also measure the accuracy of both on data.test"
    )
    add_cfg_options(parser)
    add_trust(parser, "annotations and checkpoints")
    add_debug(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Export, and print how much the file differs from the original."""
    from pyskl.export import ExportSettings, export_model

    settings = ExportSettings(
        format=args.format,
        precision=args.precision,
        fuse=not args.no_fuse,
        labels=args.labels,
        tolerance=args.tolerance,
        calibrate=args.calibrate,
        samples=args.samples,
        evaluate=args.eval,
        time=not args.no_timing,
        trusted=args.trust_files,
    )
    report = export_model(
        args.config, args.checkpoint, args.out, settings, cfg_options=args.cfg_options
    )
    found, metadata = report.comparison, report.metadata
    sizes = list(dict.fromkeys("x".join(map(str, size)) for size in found.inputs))
    print(
        f"{report.path} ({report.path.stat().st_size / 1e6:.1f} MB): keypoint "
        f"({', '.join(map(str, metadata.input_shape))}) -> logits (N, {metadata.num_classes}), "
        f"{metadata.precision}\n"
        f"compared on {len(found.inputs)} inputs, clips x persons x frames: "
        f"{', '.join(sizes[:8])}{', ...' if len(sizes) > 8 else ''}\n"
        f"max_difference: {found.difference:.2e} (of logits up to {found.largest:.3g}; "
        f"{found.limit:.2e} is allowed)\n"
        f"max_difference_of_probabilities: {found.probability:.2e}\n"
        f"same_top1: {found.agreement:.4f}"
    )
    for name, (before, after) in report.accuracies.items():
        print(f"{name}: {after:.4f} (original: {before:.4f})")
    for name, time in report.milliseconds.items():
        print(f"ms_per_clip, {name}: {time.median:.1f} ({time.low:.1f} to {time.high:.1f})")


if __name__ == "__main__":
    end_with(main, parse_args())
