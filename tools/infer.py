"""Recognise actions: python tools/infer.py CONFIG CHECKPOINT FILE... | --model x.onnx FILE..."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from _command import Parser, add_cfg_options, add_debug, add_trust, end_with

if TYPE_CHECKING:
    from pyskl.inference.ensemble import Ensemble
    from pyskl.inference.infer import InferReport
    from pyskl.inference.sources import ReadSettings

# The names of pyskl.recordings.FORMATS, repeated so that --help stays fast; a test compares them.
FORMATS = (
    *("auto", "csv", "npy", "npz", "coco", "alphapose", "openpose", "kinetics", "nwucla"),
    *("mmpose", "mediapipe", "skeleton", "bvh", "amc", "c3d"),
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        usage="infer.py CONFIG CHECKPOINT FILE... [options]\n"
        "       infer.py --model MODEL.onnx FILE... [options]\n"
        "       infer.py (CONFIG CHECKPOINT | --model MODEL.onnx) --live [options] < frames",
        description="Recognise the actions in files, one line of JSON for each sequence.",
        epilog="docs/inference.md describes the inputs and the lines.",
    )
    parser.add_argument(
        "inputs",
        nargs="*",
        metavar="CONFIG CHECKPOINT FILE",
        help="config, checkpoint (left out with --model), and what to recognise: annotation files, "
        "recordings, folders, videos, or - for lines of standard input",
    )

    models = parser.add_argument_group("models; several are fused")
    models.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="FILE.onnx",
        help="a model that tools/export.py wrote, instead of config and checkpoint; needs no torch",
    )
    models.add_argument(
        "--also",
        nargs=2,
        action="append",
        default=[],
        metavar=("CONFIG", "CHECKPOINT"),
        help="another stream",
    )
    models.add_argument(
        "--weights",
        nargs="+",
        type=float,
        metavar="W",
        help="one for each model, --model first; default: 1 1 for j b, 2 2 1 1 for j b jm bm",
    )
    models.add_argument(
        "--device", default="auto", help="auto (default), cpu, cuda, cuda:1 and the like"
    )
    add_cfg_options(models, such_as="data.test.pipeline.2.num_clips=1")
    add_trust(models, "annotations and checkpoints")

    out = parser.add_argument_group("output")
    out.add_argument(
        "--topk", type=int, default=5, metavar="K", help="number of classes (default: 5)"
    )
    out.add_argument("--labels", metavar="FILE", help="text file, the name of a class in each line")
    out.add_argument("--out", metavar="FILE", help="write the lines to this file")
    out.add_argument("--batch", type=int, default=16, help="samples scored at once (default: 16)")
    out.add_argument(
        "--strict", action="store_true", help="stop at the first input that can't be recognised"
    )
    add_debug(out)

    windows = parser.add_argument_group("untrimmed sequences, in frames (64) or seconds (2s)")
    windows.add_argument("--window", metavar="LENGTH", help="score sliding windows of this length")
    windows.add_argument(
        "--stride",
        metavar="LENGTH",
        help="distance between windows (default: a quarter of --window)",
    )
    windows.add_argument(
        "--smooth", type=int, default=3, metavar="N", help="windows averaged over (default: 3)"
    )
    windows.add_argument(
        "--threshold", type=float, default=0.5, help="lower scores are background (default: 0.5)"
    )
    windows.add_argument(
        "--min-length",
        metavar="LENGTH",
        help="merge shorter segments or make them background (default: none)",
    )
    windows.add_argument(
        "--per-window", action="store_true", help="write the scores of each window, too"
    )

    live = parser.add_argument_group("live: frames as they arrive")
    live.add_argument(
        "--live",
        "--stream",
        action="store_true",
        help="read a frame of JSON from each line of standard input, or replay FILEs; "
        "score the newest --window (64) after every --stride (16) frames",
    )

    reading = parser.add_argument_group("how recordings are read, as for tools/data/convert.py")
    reading.add_argument("--split", help="split of annotation files (default: all samples)")
    reading.add_argument("--format", choices=FORMATS, default="auto", help="default: detected")
    reading.add_argument(
        "--layout", help="layout of the joints, a name or a .json; overrides the format"
    )
    reading.add_argument(
        "--persons", type=int, default=2, metavar="M", help="keep the M most active (default: 2)"
    )
    reading.add_argument("--fps", type=float, help="frames per second, if files don't have them")
    reading.add_argument(
        "--img-shape",
        nargs=2,
        type=int,
        metavar=("HEIGHT", "WIDTH"),
        help="size of the videos in pixels, if files don't have it",
    )
    reading.add_argument("--axes", help="axes of arrays, such as CTVM")
    reading.add_argument(
        "--channels", choices=["xy", "xyz", "xys", "xyzs"], help="last axis; s is the score"
    )
    reading.add_argument("--dim", type=int, choices=[2, 3], help="coordinates of MediaPipe to take")
    reading.add_argument(
        "--pose-weights",
        nargs=2,
        default=[],
        metavar=("DETECTOR", "POSE"),
        help="videos: .onnx files for rtmlib (default: those that it has downloaded)",
    )
    args = parser.parse_intermixed_args()
    if not args.model and len(args.inputs) < 2:
        parser.error("give CONFIG and CHECKPOINT, or --model FILE.onnx")
    split = 0 if args.model else 2
    args.pair, args.files = args.inputs[:split], args.inputs[split:]
    if not args.files and not args.live:
        parser.error("give the files to recognise, or - for standard input")
    if args.live and (args.out or args.min_length or args.per_window):
        parser.error("--live can't be combined with --out, --min-length or --per-window")
    if not (args.live or args.window) and (args.stride or args.min_length or args.per_window):
        parser.error("--stride, --min-length and --per-window need --window")
    return args


def main(args: argparse.Namespace) -> None:
    """Recognise, and print or write the lines."""
    from pyskl.logging.log import setup_logging

    setup_logging()
    ensemble = open_ensemble(args)
    if args.live:
        run_live(args, ensemble)
    else:
        run_files(args, ensemble)


def open_ensemble(args: argparse.Namespace) -> Ensemble:
    """Open the models, in the order of the command line."""
    from pyskl.datasets.label_names import read_label_file
    from pyskl.inference.ensemble import Ensemble
    from pyskl.runtime import OnnxRecognizer, Recognizer

    labels = None if args.labels is None else read_label_file(args.labels)
    recognizers: list[Recognizer] = [OnnxRecognizer(path, args.device) for path in args.model]
    pairs = [*([args.pair] if args.pair else []), *args.also]
    if pairs:
        from pyskl.inference.torch_recognizer import open_recognizer

        options = {"cfg_options": args.cfg_options, "trusted": args.trust_files}
        recognizers += [open_recognizer(*pair, args.device, **options) for pair in pairs]
    return Ensemble(recognizers, args.weights, labels)


def read_settings(args: argparse.Namespace, ensemble: Ensemble) -> ReadSettings:
    """Return how files are read."""
    from pyskl.inference.sources import ReadSettings
    from pyskl.inference.video import rtmlib_estimator
    from pyskl.skeleton import resolve_layout

    options = {
        "persons": args.persons,
        "image_size": args.img_shape and tuple(args.img_shape),
        "fps": args.fps,
        "axes": args.axes,
        "channels": args.channels,
        "dim": args.dim,
    }
    device = "cuda" if args.device.startswith("cuda") else "cpu"
    return ReadSettings(
        expected_layout=ensemble.layout,
        format=args.format,
        layout=None if args.layout is None else resolve_layout(args.layout),
        split=args.split,
        trusted=args.trust_files,
        options={key: value for key, value in options.items() if value is not None},
        make_estimator=lambda: rtmlib_estimator(
            ensemble.layout, weights=args.pose_weights, device=device
        ),
    )


def run_files(args: argparse.Namespace, ensemble: Ensemble) -> None:
    """Recognise files."""
    from pyskl.inference.infer import InferSettings, infer_files, write_line, write_lines
    from pyskl.inference.windows import Span, WindowSettings

    windows = None
    if args.window is not None:
        windows = WindowSettings(
            window=Span.parse(args.window),
            stride=None if args.stride is None else Span.parse(args.stride),
            smooth=args.smooth,
            threshold=args.threshold,
            min_length=None if args.min_length is None else Span.parse(args.min_length),
        )
    settings = InferSettings(args.topk, args.batch, windows, args.per_window, args.strict)
    reading = read_settings(args, ensemble)

    def run(write: Callable[[dict[str, Any]], None]) -> InferReport:
        return infer_files(args.files, ensemble, settings, reading, write=write, stdin=sys.stdin)

    if args.out is None:
        report = run(lambda line: write_line(line, sys.stdout))
    else:
        report = write_lines(args.out, run)
    report.raise_if_failed()


def run_live(args: argparse.Namespace, ensemble: Ensemble) -> None:
    """Recognise frames as they arrive; Ctrl-C ends it."""
    from pyskl.errors import InputError
    from pyskl.inference import live
    from pyskl.inference.infer import write_line
    from pyskl.inference.json_input import read_frames
    from pyskl.inference.sources import read_sequences
    from pyskl.inference.windows import Span

    settings = live.LiveSettings(
        window=Span.parse(args.window or "64").frames(args.fps),
        stride=Span.parse(args.stride or "16").frames(args.fps),
        topk=args.topk,
        fps=args.fps,
        image_size=args.img_shape and tuple(args.img_shape),
        strict=args.strict,
    )
    if args.files in ([], ["-"]):
        frames = read_frames(sys.stdin, args.channels)
    else:
        frames = live.replay(read_sequences(args.files, read_settings(args, ensemble)), args.fps)
    report = live.LiveReport()
    try:
        live.run_live(frames, ensemble, settings, lambda line: write_line(line, sys.stdout), report)
    except KeyboardInterrupt:
        pass
    finally:
        print(report.text(), file=sys.stderr)
    if report.num_errors:
        raise InputError(
            f"{report.num_errors} frames or windows could not be used:",
            errors=[InputError(text) for text in report.errors],
        )


if __name__ == "__main__":
    end_with(main, parse_args(), interrupted="stopped; the printed lines are valid")
