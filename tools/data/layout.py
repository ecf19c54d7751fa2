"""Skeleton layouts: python tools/data/layout.py [NAME_OR_JSON] [--svg FILE] [--html FILE] ..."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _command import Parser, end_with

if TYPE_CHECKING:
    from pyskl.skeleton import SkeletonLayout


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        description="List the built-in skeleton layouts, or check, show and draw one of them or of "
        "your own."
    )
    parser.add_argument(
        "layout",
        nargs="?",
        metavar="NAME_OR_JSON",
        help="a built-in layout, or a .json file with one; without it all built-in ones are listed",
    )
    parser.add_argument("--svg", metavar="FILE", help="write a drawing")
    parser.add_argument("--html", metavar="FILE", help="write a page: drawing, joints, remarks")
    parser.add_argument(
        "--out", metavar="FILE.json", help="write the layout, to be edited and given back"
    )
    parser.add_argument(
        "--debug", action="store_true", help="show the traceback of an error in the input"
    )
    args = parser.parse_args()
    if args.layout is None and (args.svg or args.html or args.out):
        parser.error("say which layout --svg, --html and --out are for")
    return args


def main(args: argparse.Namespace) -> None:
    """List the layouts, or look at one."""
    from pyskl.errors import ConfigError
    from pyskl.skeleton import LayoutError, layout_to_json, resolve_layout
    from pyskl.skeleton.drawing import layout_page, layout_svg

    if args.layout is None:
        _print_built_in()
        return
    if args.out and not args.out.lower().endswith(".json"):
        raise ConfigError(f"--out {args.out}: the name of a layout file ends in .json")
    try:
        layout = resolve_layout(args.layout)
    except LayoutError as error:
        if len(error.faults) < 2:
            raise
        faults = "".join(f"\n- {fault}" for fault in error.faults)
        raise ConfigError(f"{args.layout} has {len(error.faults)} faults:{faults}") from error
    _print(layout)
    if args.svg:
        _write(args, args.svg, layout_svg(layout))
    if args.html:
        _write(args, args.html, layout_page(layout))
    if args.out:
        _write(args, args.out, layout_to_json(layout))


def _print_built_in() -> None:
    from pyskl.skeleton import ALIASES, LAYOUTS

    _print_table(
        ["name", "joints", "dim", "centre", "also called"],
        [
            [
                name,
                str(layout.num_joints),
                str(layout.dim),
                layout.label(layout.center),
                ", ".join(alias for alias, meant in ALIASES.items() if meant == name),
            ]
            for name, layout in LAYOUTS.items()
        ],
    )


def _print(layout: SkeletonLayout) -> None:
    from pyskl.skeleton import layout_remarks
    from pyskl.skeleton.drawing import layout_facts

    print(f"layout: {layout.name}")
    for what, value in layout_facts(layout):
        print(f"{what}: {value}")
    print()
    _print_table(
        ["joint", "name", "bone to", "mirror image"],
        [
            [
                str(joint),
                layout.joint_names[joint] if layout.joint_names else "",
                "" if parent == joint else layout.label(parent),
                "" if mirror == joint else layout.label(mirror),
            ]
            for joint, (parent, mirror) in enumerate(
                zip(layout.parents.tolist(), layout.mirror.tolist())
            )
        ],
    )
    print()
    for remark in layout_remarks(layout):
        print(f"remark: {remark}")
    print("no faults")


def _print_table(headers: list[str], rows: list[list[str]]) -> None:
    """Print columns side by side."""
    lines = [headers, *rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def _write(args: argparse.Namespace, file: str, text: str) -> None:
    """Write a file, but not over the layout that was read."""
    from pyskl.engine.durable import replace_with, unwritable
    from pyskl.errors import ConfigError

    path = Path(file)
    if path.resolve() == Path(args.layout).resolve():
        raise ConfigError(f"{path} is the layout itself; give another file to write to")
    reason = unwritable(path)
    if reason is not None:
        raise ConfigError(f"{path}: it can't be written ({reason})")
    try:
        replace_with(path, lambda beside: _write_text(beside, text))
    except OSError as error:
        raise ConfigError(f"{path}: it can't be written ({error.strerror})") from error
    print(f"wrote {path}")


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    end_with(main, parse_args())
