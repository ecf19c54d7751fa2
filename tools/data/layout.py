"""Skeleton layouts: python tools/data/layout.py [NAME_OR_JSON] [--svg FILE] [--html FILE] ..."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _command import Parser, add_debug, end_with

if TYPE_CHECKING:
    from pyskl.skeleton import SkeletonLayout


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        description="List the built-in skeleton layouts, or check, print and draw a layout."
    )
    parser.add_argument(
        "layout",
        nargs="?",
        metavar="NAME_OR_JSON",
        help="a built-in layout, or a .json file with one; default: list the built-in ones",
    )
    parser.add_argument("--svg", metavar="FILE", help="write a drawing")
    parser.add_argument("--html", metavar="FILE", help="write a page: drawing, joints, warnings")
    parser.add_argument("--out", metavar="FILE.json", help="write the layout as a file to edit")
    add_debug(parser)
    args = parser.parse_args()
    if args.layout is None and (args.svg or args.html or args.out):
        parser.error("--svg, --html and --out need a layout")
    return args


def main(args: argparse.Namespace) -> None:
    """List the layouts, or print and draw one."""
    from pyskl.drawing.layout_drawing import layout_page, layout_svg
    from pyskl.errors import ConfigError
    from pyskl.files.output_file import check_output_file
    from pyskl.skeleton import LayoutError, layout_to_json, resolve_layout

    if args.layout is None:
        _print_built_in()
        return
    for file, suffixes in (
        (args.svg, (".svg",)),
        (args.html, (".html", ".htm")),
        (args.out, (".json",)),
    ):
        if file:
            check_output_file(file, suffixes, [args.layout])
    try:
        layout = resolve_layout(args.layout)
    except LayoutError as error:
        if len(error.problems) < 2:
            raise
        problems = [ConfigError(problem) for problem in error.problems]
        raise ConfigError(
            f"{len(problems)} problems in the layout", file=args.layout, errors=problems
        ) from error
    _print(layout)
    if args.svg:
        _write(args.svg, layout_svg(layout))
    if args.html:
        _write(args.html, layout_page(layout))
    if args.out:
        _write(args.out, layout_to_json(layout))


def _print_built_in() -> None:
    from pyskl.skeleton import ALIASES, LAYOUTS
    from pyskl.text_table import text_table

    head = ["name", "joints", "dim", "centre", "also called"]
    rows = [
        [
            name,
            str(layout.num_joints),
            str(layout.dim),
            layout.label(layout.center),
            ", ".join(alias for alias, meant in ALIASES.items() if meant == name),
        ]
        for name, layout in LAYOUTS.items()
    ]
    print(text_table([head, *rows], left=len(head)))


def _print(layout: SkeletonLayout) -> None:
    from pyskl.drawing.layout_drawing import layout_facts
    from pyskl.skeleton import layout_warnings
    from pyskl.text_table import text_table

    print(f"layout: {layout.name}")
    for name, value in layout_facts(layout):
        print(f"{name}: {value}")
    print()
    head = ["joint", "name", "bone to", "mirror image"]
    rows = [
        [
            str(joint),
            layout.joint_names[joint] if layout.joint_names else "",
            "" if parent == joint else layout.label(parent),
            "" if mirror == joint else layout.label(mirror),
        ]
        for joint, (parent, mirror) in enumerate(
            zip(layout.parents.tolist(), layout.mirror.tolist())
        )
    ]
    print(text_table([head, *rows], left=len(head)))
    print()
    for warning in layout_warnings(layout):
        print(f"warning: {warning}")
    print("no problems")


def _write(file: str, text: str) -> None:
    from pyskl.errors import ConfigError
    from pyskl.files.atomic import write_text

    path = Path(file)
    try:
        write_text(path, text)
    except OSError as error:
        raise ConfigError(f"can't be written ({error.strerror})", file=path) from error
    print(f"wrote {path}")


if __name__ == "__main__":
    end_with(main, parse_args())
