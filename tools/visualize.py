"""Draw skeletons: python tools/visualize.py ANN.pkl|RECORDING [--out x.html|png|svg|gif|mp4]"""

from __future__ import annotations

import argparse

from _command import Parser, add_cfg_options, add_debug, add_trust, end_with


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        description="Draw a skeleton sequence as an interactive page, a picture or a video."
    )
    parser.add_argument(
        "source",
        nargs="?",
        help="annotation pickle, pack, or recording (docs/convert.md lists the formats); default: "
        "the data set of the config",
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="what to write: .html (interactive), .png or .svg (a strip of frames), .gif, .mp4; "
        "by default the sample's name and .html",
    )
    chosen = parser.add_argument_group("which sample of an annotation file")
    chosen.add_argument(
        "--sample", metavar="ID|NUMBER|random", help="by default the first (number 0)"
    )
    chosen.add_argument("--split", help="choose within this split")
    what = parser.add_argument_group("what to draw")
    what.add_argument(
        "--stream",
        choices=["j", "b", "jm", "bm"],
        default="j",
        help="joints (default), bones, or the motion of either, as arrows",
    )
    what.add_argument(
        "--pipeline",
        metavar="CONFIG",
        help="draw the sample after each transform of this config",
    )
    what.add_argument(
        "--use",
        choices=["train", "val", "test"],
        default="test",
        help="which pipeline of the config (and data set, if there is no source); default: test",
    )
    what.add_argument("--video", metavar="FILE", help="a video to draw 2D skeletons on")
    skeleton = parser.add_argument_group(
        "layout of the joints; by default derived from their number"
    )
    skeleton.add_argument("--layout", metavar="NAME|FILE.json", help="built-in layout or file")
    skeleton.add_argument("--config", help="take the layout of this config's model")
    look = parser.add_argument_group("appearance")
    look.add_argument(
        "--size",
        type=int,
        metavar="PIXELS",
        help="height of a skeleton's picture (240; videos 480)",
    )
    look.add_argument("--frames", type=int, default=6, help="frames of a .png or .svg (6)")
    look.add_argument("--fps", type=float, help="frames per second (the file's, else 30)")
    look.add_argument(
        "--up", choices=["y", "-y", "z", "-z"], help="upward axis of 3D data (default: guessed)"
    )
    look.add_argument("--yaw", type=float, metavar="DEGREES", help="rotation of 3D pictures (20)")
    look.add_argument(
        "--pitch", type=float, metavar="DEGREES", help="how far the camera looks down (8)"
    )
    look.add_argument("--dark", action="store_true", help="pictures with a dark background")
    parser.add_argument("--seed", type=int, help="for --sample random and random transforms")
    add_cfg_options(parser)
    add_trust(parser, "the annotations")
    add_debug(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Draw."""
    from pyskl.drawing.visualize import DrawSettings, visualize

    options = {
        name: value
        for name, value in vars(args).items()
        if name not in ("source", "debug", "trust_files")
    }
    print(visualize(args.source, DrawSettings(**options, trusted=args.trust_files)))


if __name__ == "__main__":
    end_with(main, parse_args())
