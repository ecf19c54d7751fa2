"""Configs: read them, check them, resolve them."""

from pyskl.config.check import check_config
from pyskl.config.load import known_part, load_config, parse_option

__all__ = ["check_config", "known_part", "load_config", "parse_option"]
