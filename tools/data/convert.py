"""Convert recordings: python tools/data/convert.py SOURCE... --out mine.pkl [--labels TABLE] ..."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _command import Parser, add_debug, end_with

# Those of pyskl.recordings.FORMATS; a test holds the two against each other.
FORMATS = (
    *("auto", "csv", "npy", "npz", "coco", "alphapose", "openpose", "mediapipe"),
    *("skeleton", "bvh", "amc", "c3d"),
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        description="Make an annotation file of recordings: tables, NumPy arrays, the JSON of "
        "OpenPose, AlphaPose, COCO and MediaPipe, NTU skeletons, BVH, AMC and C3D. "
        "docs/convert.md says what exactly is read.",
        epilog="docs/custom_dataset.md walks the whole way from recordings to a prediction",
    )
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="files, or folders of them")
    parser.add_argument("--out", required=True, help="annotation file to write (.pkl)")
    parser.add_argument("--format", choices=FORMATS, default="auto", help="default: by its looks")
    parser.add_argument(
        "--strict", action="store_true", help="fail if a recording can't be read; else it is told"
    )
    add_debug(parser)

    labels = parser.add_argument_group("classes")
    labels.add_argument(
        "--labels",
        default="folders",
        metavar="folders|TABLE",
        help="folders: the folder of a recording is its class (default); else a .csv or .tsv with "
        "the columns name, label and, where known, subject, camera, split",
    )
    labels.add_argument(
        "--label-from",
        metavar="REGEX",
        help="find the class in a recording's id, such as '_(\\w+)$'",
    )
    labels.add_argument(
        "--name-pattern",
        metavar="REGEX",
        help="find subject, camera and class in the id, such as "
        "'S(?P<subject>\\d+)C(?P<camera>\\d+)'",
    )

    splits = parser.add_argument_group("splits (train, val and, where asked for, test)")
    splits.add_argument(
        "--split",
        nargs="+",
        metavar="HOW",
        help="ratio (default): at random, each class alike; subject or camera; lists TRAIN.txt "
        "VAL.txt [TEST.txt]: ids, one a line; table: the column split of the table; none",
    )
    splits.add_argument("--train-ratio", type=float, default=0.8, help="default: 0.8")
    splits.add_argument("--test-ratio", type=float, default=0.0, help="default: 0, no test split")
    splits.add_argument("--seed", type=int, default=0, help="of the random choice (default: 0)")
    splits.add_argument(
        "--together",
        choices=["subject", "camera"],
        help="with ratio: the samples of one subject (camera) stay in one split",
    )
    for name in ("subjects", "cameras"):
        splits.add_argument(f"--train-{name}", nargs="+", default=[], help=f"{name} that train")
        splits.add_argument(
            f"--test-{name}", nargs="+", default=[], help=f"{name} of the test split; others: val"
        )

    reading = parser.add_argument_group("reading")
    reading.add_argument(
        "--persons", type=int, default=2, metavar="M", help="keep the M most active (default: 2)"
    )
    reading.add_argument(
        "--layout", help="skeleton: a built-in name or a .json; orders joints with names"
    )
    reading.add_argument(
        "--layout-out", metavar="FILE.json", help="write the skeleton that mocap files describe"
    )
    reading.add_argument(
        "--img-shape",
        nargs=2,
        type=int,
        metavar=("HEIGHT", "WIDTH"),
        help="size of the videos in pixels, where the files don't say",
    )
    reading.add_argument("--fps", type=float, help="frames per second, where the files don't say")
    reading.add_argument("--to-fps", type=float, help="keep every k-th frame, for about this rate")
    reading.add_argument(
        "--frame-step", type=int, default=1, metavar="K", help="keep every K-th frame"
    )
    reading.add_argument("--scale", type=float, default=1.0, help="multiply all coordinates")
    reading.add_argument(
        "--axes", help="axes of arrays, such as CTVM (default: TVC or MTVC by their number)"
    )
    reading.add_argument(
        "--channels",
        choices=["xy", "xyz", "xys", "xyzs"],
        help="last axis of arrays; s is the score (default: xy or xyz by its length)",
    )
    reading.add_argument(
        "--dim", type=int, choices=[2, 3], help="coordinates of MediaPipe's landmarks to take"
    )
    reading.add_argument("--end-sites", action="store_true", help="BVH: ends of bones are joints")
    reading.add_argument("--asf", help="skeleton of AMC files, where it is not beside them")
    return parser.parse_args()


def split_plan(args: argparse.Namespace) -> Any:
    """Return the splits that the command line asks for; None for what the recordings suggest."""
    from pyskl.errors import ConfigError, did_you_mean
    from pyskl.recordings.splits import SplitPlan

    ways = ("ratio", "subject", "camera", "lists", "table", "none")
    by, *files = args.split or [""]
    if by and by not in ways:
        raise ConfigError(f"--split: there is no {by!r}{did_you_mean(by, ways)}")
    if files and by != "lists":
        raise ConfigError(f"--split {by} takes nothing more, found {' '.join(files)}")
    given = {"subject": args.train_subjects, "camera": args.train_cameras}
    tested = {"subject": args.test_subjects, "camera": args.test_cameras}
    for group in given:
        if (given[group] or tested[group]) and by != group:
            by_now = f"--split {by}" if by else "no --split"
            raise ConfigError(f"--train-{group}s goes with --split {group}, found {by_now}")
    default = (args.train_ratio, args.test_ratio, args.together) == (0.8, 0.0, None)
    if not default and by not in ("", "ratio"):
        raise ConfigError(
            f"--train-ratio, --test-ratio and --together go with --split ratio, found --split {by}"
        )
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

    from pyskl.recordings.convert import convert

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
        # Shown on a terminal only.
        progress=lambda sources: tqdm(sources, unit="file", disable=None, leave=False),
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
