"""Convert recordings: python tools/data/convert.py SOURCE... --out mine.pkl [--labels TABLE] ..."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _command import Parser, add_debug, end_with

# The names of pyskl.recordings.FORMATS, repeated so that --help stays fast; a test compares them.
FORMATS = (
    *("auto", "csv", "npy", "npz", "coco", "alphapose", "openpose", "kinetics", "nwucla"),
    *("mmpose", "mediapipe", "skeleton", "bvh", "amc", "c3d"),
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        description="Make an annotation file from recordings: tables, NumPy arrays, the JSON of "
        "OpenPose, AlphaPose, COCO, MMPose and MediaPipe, NTU skeletons, BVH, AMC and C3D. "
        "docs/convert.md describes the formats.",
        epilog="docs/custom_dataset.md is a complete example from recordings to a prediction",
    )
    add = parser.add_argument
    add("sources", nargs="+", metavar="SOURCE", help="files, or folders of them")
    add("--out", required=True, help="annotation file to write (.pkl)")
    add("--format", choices=FORMATS, default="auto", help="default: detect it")
    add(
        "--strict",
        action="store_true",
        help="fail if a recording can't be read (default: leave it out, and report it)",
    )
    add_debug(parser)

    add = parser.add_argument_group("classes").add_argument
    add(
        "--labels",
        default="folders",
        metavar="folders|TABLE",
        help="folders: the folder of a recording is its class (default); or a .csv or .tsv with "
        "the columns name, label and optionally subject, camera, split",
    )
    add("--label-from", metavar="REGEX", help="find the class in the id, such as '_(\\w+)$'")
    add(
        "--name-pattern",
        metavar="REGEX",
        help="find subject, camera and class in the id, such as "
        "'S(?P<subject>\\d+)C(?P<camera>\\d+)'",
    )

    add = parser.add_argument_group("splits (train, val and optionally test)").add_argument
    add(
        "--split",
        nargs="+",
        metavar="HOW",
        help="ratio (default): at random, stratified by class; subject or camera; lists TRAIN.txt "
        "VAL.txt [TEST.txt]: an id per line; table: the column split of the table; none",
    )
    add("--train-ratio", type=float, default=0.8, help="default: 0.8")
    add("--test-ratio", type=float, default=0.0, help="default: 0, no test split")
    add("--seed", type=int, default=0, help="seed of the random split (default: 0)")
    add(
        "--together",
        choices=["subject", "camera"],
        help="with ratio: keep the samples of a subject (camera) in one split",
    )
    for name in ("subjects", "cameras"):
        add(f"--train-{name}", nargs="+", default=[], help=f"{name} of the training split")
        add(f"--test-{name}", nargs="+", default=[], help=f"{name} of the test split; others: val")

    add = parser.add_argument_group("reading").add_argument
    add("--persons", type=int, default=2, metavar="M", help="keep the M most active (default: 2)")
    add("--layout", help="skeleton: a built-in name or a .json; orders joints with names")
    add("--layout-out", metavar="FILE.json", help="write the skeleton that mocap files describe")
    add(
        "--img-shape",
        nargs=2,
        type=int,
        metavar=("HEIGHT", "WIDTH"),
        help="size of the videos in pixels, if the files don't contain it",
    )
    add("--fps", type=float, help="frames per second, if the files don't contain it")
    add("--to-fps", type=float, help="keep every k-th frame, to get about this rate")
    add("--frame-step", type=int, default=1, metavar="K", help="keep every K-th frame")
    add("--scale", type=float, default=1.0, help="multiply all coordinates")
    add("--axes", help="axes of arrays, such as CTVM (default: TVC or MTVC by their number)")
    add(
        "--channels",
        choices=["xy", "xyz", "xys", "xyzs"],
        help="last axis of arrays; s is the score (default: xy or xyz by its length)",
    )
    add("--dim", type=int, choices=[2, 3], help="coordinates of MediaPipe's landmarks to read")
    add("--end-sites", action="store_true", help="BVH: end sites are joints, too")
    add("--asf", help="skeleton of AMC files, if it is not in the same folder")
    return parser.parse_args()


def split_plan(args: argparse.Namespace) -> Any:
    """Return the splits of the command line; None for the default of the recordings."""
    from pyskl.errors import ConfigError, did_you_mean
    from pyskl.recordings.splits import SplitPlan

    ways = ("ratio", "subject", "camera", "lists", "table", "none")
    by, *files = args.split or [""]
    if by and by not in ways:
        raise ConfigError(f"there is no way {by!r}{did_you_mean(by, ways)}", key="--split")
    if files and by != "lists":
        raise ConfigError(f"{by} takes no more arguments", key="--split", found=" ".join(files))
    given = {"subject": args.train_subjects, "camera": args.train_cameras}
    tested = {"subject": args.test_subjects, "camera": args.test_cameras}
    for group in given:
        if (given[group] or tested[group]) and by != group:
            found = f"--split {by}" if by else "no --split"
            raise ConfigError(f"it needs --split {group}", key=f"--train-{group}s", found=found)
    default = (args.train_ratio, args.test_ratio, args.together) == (0.8, 0.0, None)
    if not default and by not in ("", "ratio"):
        options = "--train-ratio, --test-ratio, --together"
        raise ConfigError("they need --split ratio", key=options, found=f"--split {by}")
    if not by and default and args.seed == 0:
        return None
    return SplitPlan(
        by=by or "ratio",
        train=tuple(given.get(by, ())),
        test=tuple(tested.get(by, ())),
        train_ratio=args.train_ratio,
        test_ratio=args.test_ratio,
        seed=args.seed,
        together=args.together,
        lists=tuple(map(Path, files)),
    )


def main(args: argparse.Namespace) -> None:
    """Convert."""
    from tqdm import tqdm

    from pyskl.files.terminal import shows_bars
    from pyskl.recordings.conversion import convert

    report = convert(
        args.sources,
        args.out,
        format=args.format,
        labels=args.labels,
        label_from=args.label_from,
        name_pattern=args.name_pattern,
        split=split_plan(args),
        layout=args.layout,
        layout_out=args.layout_out,
        frame_step=args.frame_step,
        to_fps=args.to_fps,
        scale=args.scale,
        strict=args.strict,
        progress=lambda paths: tqdm(paths, unit="file", disable=not shows_bars(), leave=False),
        persons=args.persons,
        image_size=None if args.img_shape is None else tuple(args.img_shape),
        fps=args.fps,
        axes=args.axes,
        channels=args.channels,
        dim=args.dim,
        end_sites=args.end_sites,
        asf=None if args.asf is None else Path(args.asf),
    )
    print(report.text())


if __name__ == "__main__":
    end_with(main, parse_args())
