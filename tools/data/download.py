"""Download published annotations and weights: python tools/data/download.py NAME ... (or --list)"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _command import Parser, add_debug, add_trust, end_with


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        description="Download annotation pickles and weights that were published with PYSKL."
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="such as ntu60_hrnet or stgcn/stgcn_pyskl_ntu60_xsub_3dkp/j",
    )
    parser.add_argument(
        "--list",
        action="store_true",
        help="list all names and sizes, and which files exist locally",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="compare local files with their hashes, and download nothing",
    )
    parser.add_argument(
        "--out",
        metavar="FOLDER",
        help="folder for the files; by default annotations go to data/..., where the configs look, "
        "and weights to the cache (PYSKL_HOME), where their URL finds them",
    )
    parser.add_argument(
        "--base-url",
        metavar="URL",
        help="a mirror to use instead of https://download.openmmlab.com/mmaction/pyskl",
    )
    parser.add_argument(
        "--no-open", action="store_true", help="do not open annotations to check their content"
    )
    add_trust(parser, "annotations", also="also download by http://")
    add_debug(parser)
    args = parser.parse_args()
    if args.list and args.check:
        parser.error("choose one of --list and --check")
    if not (args.names or args.list or args.check):
        parser.error("give the names of files to download; --list shows all names")
    return args


def main(args: argparse.Namespace) -> None:
    """Download, list or check."""
    from pyskl.published.catalog import BASE_URL
    from pyskl.published.fetch import check_files, fetch_files, listing, local_files

    if args.list:
        print(f"from {args.base_url or BASE_URL}")
        print(*listing(local_files(args.names, out=args.out)), sep="\n")
        print("?: not known before it is downloaded")
    elif args.check:
        nothing = True
        for one, found in check_files(args.names, out=args.out):
            nothing = False
            print(f"{one.path}: {found}")
        if nothing:
            print("none of the published files is here")
    else:
        paths = fetch_files(
            args.names,
            out=args.out,
            base_url=args.base_url or BASE_URL,
            trusted=args.trust_files,
            look_inside=not args.no_open,
        )
        print(*paths, sep="\n")


if __name__ == "__main__":
    end_with(main, parse_args())
