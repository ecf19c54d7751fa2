"""Print the resolved config: python tools/print_config.py CONFIG [--cfg-options KEY=VALUE ...]"""

from __future__ import annotations

import argparse

from _command import Parser, add_cfg_options, add_debug, end_with


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(description="Print a config with its bases and overrides resolved.")
    parser.add_argument("config", help="config file")
    add_cfg_options(parser)
    add_debug(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Print."""
    from pyskl.config import config_text, load_config

    print(config_text(load_config(args.config, args.cfg_options)), end="")


if __name__ == "__main__":
    end_with(main, parse_args())
