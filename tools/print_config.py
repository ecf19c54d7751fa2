"""Print the resolved config: python tools/print_config.py CONFIG [--cfg-options KEY=VALUE ...]"""

from __future__ import annotations

import argparse

from _command import Parser, end_with


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(description="Print what a config amounts to.")
    parser.add_argument("config", help="config file")
    parser.add_argument("--cfg-options", nargs="+", default=[], metavar="KEY=VALUE")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Print."""
    from pyskl.config import config_text, load_config

    print(config_text(load_config(args.config, args.cfg_options)), end="")


if __name__ == "__main__":
    end_with(main, parse_args())
