"""Recognise actions: python tools/infer.py CONFIG CHECKPOINT FILE... | --model x.onnx FILE..."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from _command import Parser, add_cfg_options, add_debug, add_trust, end_with

if TYPE_CHECKING:
    from pyskl.inference import Ensemble, ReadSettings

# Those of pyskl.recordings.FORMATS; a test holds the two against each other.
FORMATS = (
    *("auto", "csv", "npy", "npz", "coco", "alphapose", "openpose", "mediapipe"),
    *("skeleton", "bvh", "amc", "c3d"),
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        usage="infer.py CONFIG CHECKPOINT FILE... [options]\n"
        "       infer.py --model MODEL.onnx FILE... [options]\n"
        "       infer.py (CONFIG CHECKPOINT | --model MODEL.onnx) --live [options] < frames",
        description="Recognise the actions in files, one line of JSON for each sequence.",
        epilog="docs/inference.md tells what the files and the lines may be.",
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

    out = parser.add_argument_group("what is told")
    out.add_argument("--topk", type=int, default=5, metavar="K", help="best classes (default: 5)")
    out.add_argument("--labels", metavar="FILE", help="text file, the name of a class in each line")
    out.add_argument("--out", metavar="FILE", help="write the lines to this file")
    out.add_argument("--batch", type=int, default=16, help="samples scored at once (default: 16)")
    out.add_argument(
        "--strict", action="store_true", help="stop at the first input that can't be recognised"
    )
    add_debug(out)

    windows = parser.add_argument_group("untrimmed sequences, in frames (64) or seconds (2s)")
    windows.add_argument("--window", metavar="LENGTH", help="score windows of this length")
    windows.add_argument(
        "--stride", metavar="LENGTH", help="from window to window (default: a quarter of it)"
    )
    windows.add_argument(
        "--smooth", type=int, default=3, metavar="N", help="windows averaged over (default: 3)"
    )
    windows.add_argument(
        "--threshold", type=float, default=0.5, help="below it is background (default: 0.5)"
    )
    windows.add_argument(
        "--min-length", metavar="LENGTH", help="shorter segments are dissolved (default: none)"
    )
    windows.add_argument("--per-window", action="store_true", help="tell the windows' scores, too")

    live = parser.add_argument_group("frames as they come")
    live.add_argument(
        "--live",
        "--stream",
        action="store_true",
        help="read a frame of JSON from each line of standard input, or play FILEs at their pace; "
        "score the newest --window (64) after every --stride frames",
    )

    reading = parser.add_argument_group("how recordings are read, as for tools/data/convert.py")
    reading.add_argument("--split", help="split of annotation files (default: all samples)")
    reading.add_argument("--format", choices=FORMATS, default="auto", help="default: by its looks")
    reading.add_argument(
        "--layout", help="what the joints are, whatever the format says: a name or a .json"
    )
    reading.add_argument(
        "--persons", type=int, default=2, metavar="M", help="keep the M most active (default: 2)"
    )
    reading.add_argument("--fps", type=float, help="frames per second, where files don't say")
    reading.add_argument(
        "--img-shape",
        nargs=2,
        type=int,
        metavar=("HEIGHT", "WIDTH"),
        help="size of the videos in pixels, where files don't say",
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
        help="videos: .onnx files for rtmlib (default: those that it has fetched before)",
    )
    args = parser.parse_intermixed_args()
    if not args.model and len(args.inputs) < 2:
        parser.error("give CONFIG and CHECKPOINT, or --model FILE.onnx")
    split = 0 if args.model else 2
    args.pair, args.files = args.inputs[:split], args.inputs[split:]
    if not args.files and not args.live:
        parser.error("give the files to recognise, or - for standard input")
    if args.live and (args.out or args.min_length or args.per_window):
        parser.error("--live prints its lines, and knows no --out, --min-length or --per-window")
    if not (args.live or args.window) and (args.stride or args.min_length or args.per_window):
        parser.error("--stride, --min-length and --per-window go with --window")
    return args


def main(args: argparse.Namespace) -> None:
    """Recognise, and print or write the lines."""
    from pyskl.logging.log import setup_logging

    setup_logging()
    ensemble = open_ensemble(args)
    try:
        if args.live:
            live(args, ensemble)
        else:
            recognise(args, ensemble)
    except BrokenPipeError:  # whoever reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("stopped; the lines that were printed stand", file=sys.stderr)
        sys.exit(130)


def open_ensemble(args: argparse.Namespace) -> Ensemble:
    """Return the models, in the order of the command line."""
    from pyskl.datasets.label_names import read_label_file
    from pyskl.inference import Ensemble, open_onnx

    labels = None if args.labels is None else read_label_file(args.labels)
    members = [open_onnx(path, args.device) for path in args.model]
    pairs = [*([args.pair] if args.pair else []), *args.also]
    if pairs:
        from pyskl.apis.inference import open_recognizer  # with torch

        members += [
            open_recognizer(
                config,
                checkpoint,
                args.device,
                cfg_options=args.cfg_options,
                trusted=args.trust_files,
            )
            for config, checkpoint in pairs
        ]
    return Ensemble(members, args.weights, labels)


def reading(args: argparse.Namespace, ensemble: Ensemble) -> ReadSettings:
    """Return how files are read."""
    from pyskl.inference import ReadSettings
    from pyskl.inference.video import estimator_for
    from pyskl.skeleton import resolve_layout

    given = {
        "persons": args.persons,
        "image_size": None if args.img_shape is None else tuple(args.img_shape),
        "fps": args.fps,
        "axes": args.axes,
        "channels": args.channels,
        "dim": args.dim,
    }
    device = "cuda" if args.device.startswith("cuda") else "cpu"
    return ReadSettings(
        wanted=ensemble.layout,
        format=args.format,
        layout=None if args.layout is None else resolve_layout(args.layout),
        split=args.split,
        trusted=args.trust_files,
        options={key: value for key, value in given.items() if value is not None},
        estimator=estimator_for(ensemble.layout, args.pose_weights, device),
    )


def recognise(args: argparse.Namespace, ensemble: Ensemble) -> None:
    """Recognise files."""
    from pyskl.inference import InferSettings, Span, WindowSettings, infer_files
    from pyskl.inference.output import write_line, write_lines

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
    read = reading(args, ensemble)

    def run(write: Any) -> Any:
        return infer_files(args.files, ensemble, settings, read, write=write, stdin=sys.stdin)

    if args.out is None:
        report = run(lambda line: write_line(line, sys.stdout))
    else:
        report = write_lines(args.out, run)
    report.raise_if_failed()


def live(args: argparse.Namespace, ensemble: Ensemble) -> None:
    """Recognise frames as they come; Ctrl-C ends it."""
    from pyskl.errors import InputError
    from pyskl.inference import LiveReport, LiveSettings, Span, read_items, run_live
    from pyskl.inference.frames import frames_of_lines, replayed
    from pyskl.inference.output import write_line

    settings = LiveSettings(
        window=Span.parse(args.window or "64").frames(args.fps),
        stride=Span.parse(args.stride or "16").frames(args.fps),
        topk=args.topk,
        fps=args.fps,
        image_size=None if args.img_shape is None else tuple(args.img_shape),
        strict=args.strict,
    )
    if args.files in ([], ["-"]):
        frames = frames_of_lines(sys.stdin, args.channels)
    else:
        frames = replayed(read_items(args.files, reading(args, ensemble)), args.fps)
    report = LiveReport()
    try:
        run_live(
            frames, ensemble, settings, lambda line: write_line(line, sys.stdout), report=report
        )
    except KeyboardInterrupt:
        pass
    finally:
        print(report.text(), file=sys.stderr)
    if report.num_faults:
        told = "\n  ".join(report.faults)
        raise InputError(f"{report.num_faults} frames or windows could not be used:\n  {told}")


if __name__ == "__main__":
    end_with(main, parse_args())
