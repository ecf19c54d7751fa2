"""Configs: read them, check them, resolve them."""

from pyskl.config.check import check_config
from pyskl.config.load import known_part, load_config, parse_option
from pyskl.config.text import config_text

__all__ = ["check_config", "config_text", "known_part", "load_config", "parse_option"]
